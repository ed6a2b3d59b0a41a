//! The command line: one file for each command. Nothing outside this folder and `main.rs` prints.

mod diff;
mod from_onnx;
mod header;
mod inspect;
mod onnx;
mod pack;
mod sign;
mod size;
mod table;
mod validate;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;

use bomp_export::candidate::{self, Candidate};
use bomp_export::command_line::{self, Completions};
use bomp_export::kind::{self, Needed};
use bomp_export::lower::{self, Lowered};
use bomp_export::{files, text, write};
use bomp_runtime::Model;

/// Pack quantised networks for microcontrollers, account for every byte, and compare the result
/// with other engines.
///
/// Sizes are in bytes and decimal kilobytes (1 kB = 1000 B). Exit codes: 0 done, 1 a comparison
/// failed, 2 wrong usage or input.
#[derive(Parser)]
#[command(name = "bomp-export", version)]
pub(crate) struct Cli {
    /// Do not show progress
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Size(size::Size),
    Pack(pack::Pack),
    Inspect(inspect::Inspect),
    Diff(diff::Diff),
    Onnx(onnx::Onnx),
    Header(header::Header),
    FromOnnx(from_onnx::FromOnnx),
    Keygen(sign::Keygen),
    Sign(sign::Sign),
    Verify(sign::Verify),
    Validate(validate::Validate),
    Completions(Completions),
}

/// How a command ended that had nothing wrong with its input.
pub(crate) enum Outcome {
    /// As asked.
    Done,
    /// Two things that must be equal are not; this says which.
    Failed(String),
}

impl Cli {
    /// Reads the command line; prints help and version itself and ends the program then.
    pub(crate) fn from_command_line() -> anyhow::Result<Self> {
        command_line::parse().map_err(anyhow::Error::msg)
    }

    pub(crate) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        match &self.command {
            Command::Size(command) => command.run(out),
            Command::Pack(command) => command.run(out),
            Command::Inspect(command) => command.run(out),
            Command::Diff(command) => command.run(out),
            Command::Onnx(command) => command.run(out),
            Command::Header(command) => command.run(out),
            Command::FromOnnx(command) => command.run(out),
            Command::Keygen(command) => command.run(out),
            Command::Sign(command) => command.run(out),
            Command::Verify(command) => command.run(out),
            Command::Validate(command) => command.run(self.quiet, out),
            Command::Completions(completions) => {
                completions.write(Self::command(), out)?;
                Ok(Outcome::Done)
            }
        }
    }
}

/// A candidate as far as the packer takes it.
struct Packed {
    /// Where it is.
    folder: PathBuf,
    candidate: Candidate,
    lowered: Lowered,
    blob: Vec<u8>,
}

/// Loads, lowers and packs the candidate at `given`, its folder or the folder above.
fn packed(given: &Path) -> anyhow::Result<Packed> {
    let folder = candidate_folder(given)?;
    let candidate = Candidate::load(&folder)?;
    let lowered = lower::lower(&candidate).with_context(|| folder.display().to_string())?;
    let blob = write::blob(&lowered).with_context(|| folder.display().to_string())?;
    Ok(Packed { folder, candidate, lowered, blob })
}

/// The candidate's folder that `given` stands for.
fn candidate_folder(given: &Path) -> anyhow::Result<PathBuf> {
    if given.is_file()
        && given.file_name().is_some_and(|name| !candidate::FILES.iter().any(|file| name == *file))
    {
        let bytes = read(given, Needed::Network)?;
        let what = kind::instead(&bytes, Needed::Network);
        let what = what.unwrap_or_else(|| "is a file: name the folder of a candidate".into());
        bail!("{}: {what}", given.display());
    }
    candidate::locate(given).map_err(anyhow::Error::msg)
}

/// The threads to use: as many as asked for, or one for each core.
fn threads(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into))
}

/// Git commit that this program was built from, where the build says so: `cargo xtask` does.
const GIT_COMMIT: Option<&str> = option_env!("BOMP_GIT_COMMIT");

/// Where a command writes: what the user says, or else `name` in the candidate's folder.
fn output_path(given: Option<&PathBuf>, candidate: &Path, name: &str) -> PathBuf {
    given.cloned().unwrap_or_else(|| candidate.join(name))
}

fn read(path: &Path, needed: Needed) -> anyhow::Result<Vec<u8>> {
    let most = if needed == Needed::Network { files::limit::JSON } else { files::limit::MODEL };
    files::read_untrusted(path, most).map_err(|error| anyhow!(kind::unreadable(path, &error, needed)))
}

/// The checked model in the bytes of the file at `path`.
fn model<'a>(path: &Path, bytes: &'a [u8]) -> anyhow::Result<Model<'a>> {
    Model::new(bytes).map_err(|error| anyhow!("{}: {}", path.display(), kind::no_model(bytes, error)))
}

/// Tells on standard error how data were read where that is not plain.
fn print_notes(notes: &[String]) {
    for note in notes {
        eprintln!("note: {note}");
    }
}

fn print_warnings(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

fn print_json(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let text = text::json(&serde_json::to_string_pretty(value)?);
    Ok(writeln!(out, "{text}")?)
}

/// `9,876 B (9.88 kB)`.
fn bytes(count: usize) -> String {
    format!("{} B ({:.2} kB)", grouped(count as u64), count as f64 / 1e3)
}

/// Thousands separated by commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}
