//! The device protocol from the host's side: what the runner of MLPerf Tiny does, over the emulator's standard input and
//! output. [`bomp_device::monitor`] is the language.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use bomp_export::board::Board;
use bomp_export::candidate::Quantisation;
use bomp_export::evaluate;
use bomp_runtime::Model;
use serde::{Deserialize, Serialize};

use crate::emulator::QEMU;
use crate::error::SimError;
use crate::firmware::{self, Program};
use crate::{Config, Progress, Stage, elf};

/// Image bytes in one command, as the runner sends them: the command is at most 80 characters long.
const CHUNK: usize = 31;
/// The line that ends every answer.
const READY: &str = "m-ready";
/// Lines of an answer, at most; the device's longest to a command that is sent here has nine.
const MOST_LINES: usize = 32;
/// Bytes of a line that has no logits, at most.
const LINE_BYTES: usize = 512;
/// Bytes of a logit and the comma before it, at most.
const LOGIT_BYTES: usize = 12;

/// What a run over the protocol showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The board.
    pub board: String,
    /// What the device calls itself.
    pub name: String,
    /// Its command set.
    pub profile: String,
    /// Its model.
    pub model: String,
    /// Images classified: all test images, or a sample stratified by class.
    pub images: usize,
    /// Test images that there are.
    pub of_images: usize,
    /// Images that the device classified correctly.
    pub device_correct: usize,
    /// Images that the host classified correctly.
    pub host_correct: usize,
    /// Images with a logit that is not the host's.
    pub different_images: usize,
    /// Microseconds of the emulation's time for one inference, the mean by the device's own clock; one instruction takes a
    /// nanosecond.
    pub microseconds: f64,
}

/// A device that listens.
struct Link {
    board: &'static Board,
    child: Child,
    input: ChildStdin,
    lines: Receiver<Result<String, String>>,
    timeout: Duration,
    done: usize,
}

impl Drop for Link {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Link {
    /// Starts the image and waits until it listens; its lines have at most `limit` bytes.
    fn open(config: &Config, image: &Path, folder: &Path, limit: usize) -> Result<Self, SimError> {
        let (board, timeout) = (Board::find(&config.board)?, config.timeout);
        let failed = |cause| SimError::Program { program: QEMU.into(), cause };
        let errors = folder.join("console.log");
        let errors_file = File::create(&errors).map_err(|cause| SimError::File { path: errors, cause })?;
        let mut command = emulator(board, image);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors_file);
        let mut child = command.spawn().map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let (sender, lines) = sync_channel(MOST_LINES);
        // Ends with the emulator, which closes its side.
        std::thread::spawn(move || {
            for line in bounded_lines(BufReader::new(output), limit) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut link = Self { board, child, input, lines, timeout, done: 0 };
        link.answer()?;
        Ok(link)
    }

    /// The lines up to the one that says that the next command may come.
    fn answer(&mut self) -> Result<Vec<String>, SimError> {
        let mut lines = Vec::new();
        let started = Instant::now();
        loop {
            match self.lines.recv_timeout(self.timeout.saturating_sub(started.elapsed())) {
                Ok(Ok(line)) if line == READY => return Ok(lines),
                Ok(Ok(_)) if lines.len() == MOST_LINES => {
                    let message = format!("it answered with more than {MOST_LINES} lines");
                    return Err(self.failed("none".into(), message));
                }
                Ok(Ok(line)) => lines.push(line),
                Ok(Err(problem)) => return Err(self.failed("none".into(), problem)),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(SimError::Stalled {
                        board: self.board.name,
                        seconds: self.timeout.as_secs(),
                        done: self.done,
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let code =
                        self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                    return Err(self.failed(code, "it stopped answering".into()));
                }
            }
        }
    }

    fn failed(&self, code: String, message: String) -> SimError {
        SimError::Device { board: self.board.name, code, message }
    }

    /// Sends a command and returns its answer; an answer with an error is an error.
    fn command(&mut self, command: &str) -> Result<Vec<String>, SimError> {
        let sent = self.input.write_all(command.as_bytes()).and_then(|()| self.input.write_all(b"%"));
        if let Err(error) = sent.and_then(|()| self.input.flush()) {
            return Err(self.failed("none".into(), format!("`{command}` cannot be sent: {error}")));
        }
        let lines = self.answer()?;
        match lines.iter().find(|line| line.starts_with("e-")) {
            Some(error) => Err(self.failed("none".into(), format!("`{command}` was answered with {error}"))),
            None => Ok(lines),
        }
    }

    /// What stands in the brackets of the answer that begins with `start`.
    fn bracket(&mut self, command: &str, start: &str) -> Result<String, SimError> {
        let lines = self.command(command)?;
        let found = lines.iter().find_map(|line| line.strip_prefix(start)?.strip_suffix(']'));
        found.map(str::to_owned).ok_or_else(|| self.unexpected(command, &lines))
    }

    fn unexpected(&self, command: &str, lines: &[String]) -> SimError {
        self.failed("none".into(), format!("`{command}` was answered with {}", lines.join("; ")))
    }

    /// Loads `pixels` and classifies them once: the logits, and the microseconds of the inference.
    fn classify(&mut self, pixels: &[u8]) -> Result<(Vec<i32>, u64), SimError> {
        self.command(&format!("db load {}", pixels.len()))?;
        for chunk in pixels.chunks(CHUNK) {
            let mut command = String::from("db ");
            for byte in chunk {
                let _ = write!(command, "{byte:02x}");
            }
            self.command(&command)?;
        }
        let command = "infer 1 0";
        let lines = self.command(command)?;
        let times: Vec<u64> =
            lines.iter().filter_map(|line| line.strip_prefix("m-lap-us-")?.parse().ok()).collect();
        let results = lines.iter().find_map(|line| line.strip_prefix("m-results-[")?.strip_suffix(']'));
        let logits: Option<Vec<i32>> =
            results.and_then(|results| results.split(',').map(|logit| logit.parse().ok()).collect());
        match (times[..].first_chunk::<2>(), logits) {
            (Some([start, end]), Some(logits)) => Ok((logits, end.saturating_sub(*start))),
            _ => Err(self.unexpected(command, &lines)),
        }
    }
}

/// The lines of a device, without their ends. A line of more than `limit` bytes is an error, after which nothing is read.
fn bounded_lines(mut from: impl BufRead, limit: usize) -> impl Iterator<Item = Result<String, String>> {
    let mut ended = false;
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let most = limit as u64 + 1;
        let count =
            if ended { 0 } else { from.by_ref().take(most).read_until(b'\n', &mut line).unwrap_or(0) };
        if count == 0 {
            return None;
        }
        if line.len() > limit && !line.ends_with(b"\n") {
            ended = true;
            return Some(Err(format!("it sent a line of more than {limit} bytes")));
        }
        Some(Ok(String::from_utf8_lossy(&line).trim_end().to_owned()))
    })
}

/// The emulator with the firmware's protocol on its standard input and output.
fn emulator(board: &Board, image: &Path) -> Command {
    let mut command = Command::new(QEMU);
    command.args(["-machine", board.name, "-display", "none", "-monitor", "none", "-serial", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=0,sleep=off"]);
    command.arg("-kernel").arg(image);
    command
}

/// Builds the firmware that answers, drives it over the images as the runner of MLPerf Tiny would, and compares with the
/// host.
///
/// # Errors
/// As [`crate::run`]; also an answer that is not as agreed on.
pub fn drive(config: &Config, progress: &mut Progress<'_>) -> Result<Session, SimError> {
    let board = Board::find(&config.board)?;
    let blob = crate::read_model(&config.model)?;
    let model = crate::checked(&config.model, &blob)?;
    let (sample, _) = crate::test_images(config, &model, &blob)?;
    let images = &sample.images;
    let host = evaluate::logits(&model, images, config.jobs, &|_| {})?;
    let classes = model.classes();
    let folder = crate::folder(config)?;
    let image = built(config, (&blob, &model), images.input, folder.path(), progress)?;
    let limit = LINE_BYTES + LOGIT_BYTES * classes;
    let mut link = Link::open(config, &image, folder.path(), limit)?;
    let name = link.bracket("name", "m-name-dut-[")?;
    let profile = link.bracket("profile", "m-profile-[")?;
    let model_name = link.bracket("profile", "m-model-[")?;
    let (mut device, mut microseconds) = (Vec::new(), 0);
    for index in 0..images.len() {
        let (logits, time) = link.classify(images.image(index))?;
        if logits.len() != classes {
            return Err(link.failed("none".into(), format!("{} logits instead of {classes}", logits.len())));
        }
        device.extend(logits);
        microseconds += time;
        link.done += 1;
        if progress(Stage::Images { done: link.done, total: images.len() }).is_break() {
            return Err(SimError::Cancelled);
        }
    }
    let correct = |logits: &[i32]| evaluate::correct(&evaluate::predictions(logits, classes), &images.labels);
    Ok(Session {
        board: board.name.into(),
        name,
        profile,
        model: model_name,
        images: images.len(),
        of_images: sample.of,
        device_correct: correct(&device),
        host_correct: correct(&host),
        different_images: crate::verdict::differences(&device, &host, classes).0,
        microseconds: microseconds as f64 / images.len() as f64,
    })
}

/// Builds the firmware that answers and connects it to this process's own standard input and output, until the input ends.
///
/// # Errors
/// As [`crate::run`].
pub fn connect(config: &Config, progress: &mut Progress<'_>) -> Result<ExitCode, SimError> {
    let board = Board::find(&config.board)?;
    let blob = crate::read_model(&config.model)?;
    let model = crate::checked(&config.model, &blob)?;
    let folder = crate::folder(config)?;
    // Whoever sends bytes knows what they stand for.
    let input = evaluate::input(&model)?;
    let image = built(config, (&blob, &model), input, folder.path(), progress)?;
    let status = emulator(board, &image).status();
    let status = status.map_err(|cause| SimError::Program { program: QEMU.into(), cause })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The linked image for a model whose input is the bytes of `input` less 128, which is all that the protocol can send.
fn built(
    config: &Config,
    (blob, model): (&[u8], &Model<'_>),
    input: Quantisation,
    folder: &Path,
    progress: &mut Progress<'_>,
) -> Result<std::path::PathBuf, SimError> {
    let board = Board::find(&config.board)?;
    crate::fits(blob, model, board)?;
    let table = evaluate::input_table(model, input)?;
    if (0..=255u8).any(|pixel| table[usize::from(pixel)] != (pixel ^ 0x80) as i8) {
        return Err(SimError::InputQuantisation { path: config.model.clone() });
    }
    let image = folder.join("monitor.elf");
    let program = (Program::Monitor, config.kernels);
    firmware::build(program, (blob, &config.model_name()), board, &image, progress)?;
    let inspected = elf::inspect(&image, blob, board)?;
    crate::enough_ram(&inspected, board)?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::bounded_lines;

    #[test]
    fn a_line_of_a_device_has_a_limit() {
        let lines = |bytes: &'static [u8]| bounded_lines(bytes, 4).collect::<Vec<_>>();
        let line = |text: &str| Ok(text.to_owned());
        assert_eq!(lines(b"abc\r\n\nabcd\nab"), [line("abc"), line(""), line("abcd"), line("ab")]);
        assert_eq!(lines(b"a\xffb\n"), [line("a\u{fffd}b")]);
        let too_long = Err("it sent a line of more than 4 bytes".to_owned());
        assert_eq!(lines(b"ab\nabcde\nab\n"), [line("ab"), too_long.clone()]);
        // A device that never ends its line is not read for ever.
        let endless = std::io::BufReader::new(std::io::repeat(b'x'));
        assert_eq!(bounded_lines(endless, 4).collect::<Vec<_>>(), [too_long]);
    }
}
