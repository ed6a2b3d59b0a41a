//! Runs an image under QEMU: several emulators at once, each with its own folder and its own part of the images.
//!
//! `-icount shift=0` makes virtual time advance 1 ns for each instruction, so the device's clock counts instructions; that
//! costs the emulator a tenth of its speed, so every image is counted. QEMU has no timing model: nothing here is a cycle.

use std::ffi::CStr;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bomp_export::board::Board;

use crate::error::SimError;
use crate::process::Process;
use crate::{POLL, Progress, Stage};
use bomp_device::protocol::{
    CALIBRATION_INSTRUCTIONS, CALIBRATION_PASSES, EXIT_DONE, IMAGES, LOGITS, REPORT, REPORT_WORDS, TICKS,
};

/// The emulator, which `cargo xtask setup` installs.
pub(crate) const QEMU: &str = "qemu-system-arm";
/// What the emulator and the firmware said.
const CONSOLE: &str = "console.log";

/// What the firmware reports of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Images that it has classified.
    pub(crate) images: usize,
    /// Bytes of the arena up to the last one that an inference wrote.
    pub(crate) arena_used: usize,
    /// Bytes of the stack that were ever used.
    pub(crate) stack_used: usize,
    /// Bytes of the stack.
    pub(crate) stack_size: usize,
    /// Ticks of the calibration loops.
    pub(crate) calibration_ticks: [u64; 2],
}

impl Report {
    /// From the bytes that the firmware wrote.
    fn read(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks::<4>() else { return None };
        let words: [u32; REPORT_WORDS] =
            words.iter().map(|&word| u32::from_le_bytes(word)).collect::<Vec<_>>().try_into().ok()?;
        let [images, arena_used, stack_used, stack_size, short, long] = words;
        Some(Self {
            images: images as usize,
            arena_used: arena_used as usize,
            stack_used: stack_used as usize,
            stack_size: stack_size as usize,
            calibration_ticks: [short.into(), long.into()],
        })
    }
}

/// What a device computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// [N, CLASSES].
    pub(crate) logits: Vec<i32>,
    /// Instructions of each inference, [N].
    pub(crate) instructions: Vec<f64>,
    /// One for each emulator.
    pub(crate) reports: Vec<Report>,
}

/// A run of an image.
pub(crate) struct Run<'a> {
    pub(crate) board: &'static Board,
    /// The linked image, an absolute path.
    pub(crate) image: &'a Path,
    /// Where each emulator gets a folder.
    pub(crate) folder: &'a Path,
    /// Emulators at once.
    pub(crate) jobs: usize,
    /// Longest wait for one image.
    pub(crate) timeout: Duration,
    /// Logits of one image.
    pub(crate) classes: usize,
}

/// An emulator at work on its part of the images.
struct Part {
    process: Process,
    folder: PathBuf,
    images: usize,
    done: usize,
    last_progress: Instant,
    ended: bool,
}

impl Run<'_> {
    /// Classifies all images, each an int8 [H, W, C], on the device.
    pub(crate) fn classify(
        &self,
        images: &[Vec<i8>],
        progress: &mut Progress<'_>,
    ) -> Result<Results, SimError> {
        let length = images.len().div_ceil(self.jobs.max(1)).max(1);
        let mut parts = Vec::new();
        for (index, part) in images.chunks(length).enumerate() {
            parts.push(self.start(&self.folder.join(format!("part-{index}")), part)?);
        }
        while parts.iter().any(|part| !part.ended) {
            sleep(POLL);
            for part in parts.iter_mut().filter(|part| !part.ended) {
                self.look_at(part)?;
            }
            let done = parts.iter().map(|part| part.done).sum();
            if let ControlFlow::Break(()) = progress(Stage::Images { done, total: images.len() }) {
                return Err(SimError::Cancelled);
            }
        }
        let mut results = Results::default();
        for part in &parts {
            self.collect(part, &mut results)?;
        }
        Ok(results)
    }

    fn start(&self, folder: &Path, images: &[Vec<i8>]) -> Result<Part, SimError> {
        let failed = |path: &Path, cause| SimError::File { path: path.to_owned(), cause };
        // Results of an earlier run in a kept folder must not be taken for this one's.
        match fs::remove_dir_all(folder) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(failed(folder, cause)),
            _ => fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?,
        }
        let bytes: Vec<u8> = images.iter().flatten().map(|&element| element as u8).collect();
        let path = folder.join(file_name(IMAGES));
        fs::write(&path, bytes).map_err(|cause| failed(&path, cause))?;
        let mut command = Command::new(QEMU);
        command.args(["-machine", self.board.name, "-nographic", "-monitor", "none", "-serial", "none"]);
        command.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=0,sleep=off"]);
        command.arg("-kernel").arg(self.image).current_dir(folder);
        Ok(Part {
            process: Process::start(command, &folder.join(CONSOLE))?,
            folder: folder.to_owned(),
            images: images.len(),
            done: 0,
            last_progress: Instant::now(),
            ended: false,
        })
    }

    /// Sees how far a part is, and whether it has ended well or hangs.
    fn look_at(&self, part: &mut Part) -> Result<(), SimError> {
        let status = part.process.ended();
        let written = fs::metadata(part.folder.join(file_name(TICKS))).map_or(0, |file| file.len());
        let done = written as usize / size_of::<u64>();
        if done > part.done {
            (part.done, part.last_progress) = (done, Instant::now());
        }
        match status {
            Some(status) if status.code() == Some(EXIT_DONE as i32) => part.ended = true,
            Some(status) => {
                let said = part.process.said();
                let message = if said.trim().is_empty() {
                    "it said nothing".into()
                } else {
                    said.trim().replace('\n', "; ")
                };
                let code = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
                return Err(SimError::Device { board: self.board.name, code, message });
            }
            None if part.last_progress.elapsed() > self.timeout => {
                return Err(SimError::Stalled {
                    board: self.board.name,
                    seconds: self.timeout.as_secs(),
                    done: part.done,
                });
            }
            None => {}
        }
        Ok(())
    }

    fn collect(&self, part: &Part, results: &mut Results) -> Result<(), SimError> {
        let read = |name: &CStr| {
            let path = part.folder.join(file_name(name));
            let bytes = fs::read(&path).map_err(|cause| SimError::File { path: path.clone(), cause })?;
            Ok::<_, SimError>((bytes, path))
        };
        let wrong = |path: PathBuf, problem: String| SimError::Report { path, problem };
        let (bytes, path) = read(REPORT)?;
        let Some(report) = Report::read(&bytes) else {
            return Err(wrong(path, format!("{} bytes are not a report", bytes.len())));
        };
        if report.images != part.images {
            return Err(wrong(
                path,
                format!("it tells of {} images instead of {}", report.images, part.images),
            ));
        }
        let Some(instructions_per_tick) = instructions_per_tick(report.calibration_ticks) else {
            return Err(wrong(
                path,
                format!("the clock does not count: {:?} ticks", report.calibration_ticks),
            ));
        };
        // One instruction is one nanosecond of the emulation's time.
        let stated = 1e9 / f64::from(self.board.ticks_per_second);
        if (instructions_per_tick / stated - 1.0).abs() > 0.01 {
            return Err(wrong(
                path,
                format!("{instructions_per_tick:.2} instructions in a tick instead of {stated:.2}"),
            ));
        }
        for (name, length) in [(LOGITS, self.classes * size_of::<i32>()), (TICKS, size_of::<u64>())] {
            let (bytes, path) = read(name)?;
            if bytes.len() != part.images * length {
                return Err(wrong(
                    path,
                    format!("{} bytes instead of {}", bytes.len(), part.images * length),
                ));
            }
            if name == LOGITS {
                results.logits.extend(bytes.as_chunks().0.iter().map(|&word| i32::from_le_bytes(word)));
            } else {
                let ticks = bytes.as_chunks().0.iter().map(|&word| u64::from_le_bytes(word));
                results.instructions.extend(ticks.map(|ticks| ticks as f64 * instructions_per_tick));
            }
        }
        results.reports.push(report);
        Ok(())
    }
}

/// The name of a file that both sides know, for this side.
fn file_name(name: &CStr) -> &str {
    name.to_str().expect("the protocol's names are ASCII")
}

/// Instructions that pass in one tick of the device's clock, by the difference of two loops of known length.
fn instructions_per_tick([short, long]: [u64; 2]) -> Option<f64> {
    let ticks = long.checked_sub(short).filter(|&ticks| ticks > 0)?;
    let instructions = u64::from(CALIBRATION_PASSES[1] - CALIBRATION_PASSES[0]) * CALIBRATION_INSTRUCTIONS;
    Some(instructions as f64 / ticks as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_as_the_firmware_writes_it() {
        let words = [8u32, 25_088, 2_228, 4_096, 500, 500_501];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let report = Report::read(&bytes).unwrap();
        assert_eq!((report.images, report.arena_used, report.stack_used), (8, 25_088, 2_228));
        assert_eq!((report.stack_size, report.calibration_ticks), (4_096, [500, 500_501]));
        assert_eq!(Report::read(&bytes[..20]), None);
        assert_eq!(Report::read(&bytes[..23]), None);
        assert_eq!(Report::read(&[]), None);
    }

    #[test]
    fn the_calibration_is_the_difference_of_the_loops() {
        let passes = u64::from(CALIBRATION_PASSES[1] - CALIBRATION_PASSES[0]);
        // A clock of 25 MHz ticks every 40 instructions.
        let ticks = passes * CALIBRATION_INSTRUCTIONS / 40;
        assert_eq!(instructions_per_tick([7, 7 + ticks]), Some(40.0));
        assert_eq!(instructions_per_tick([7, 7]), None);
        assert_eq!(instructions_per_tick([8, 7]), None);
    }
}
