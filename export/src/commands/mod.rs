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

use anyhow::anyhow;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use serde::Serialize;

use bomp_export::candidate::Candidate;
use bomp_export::lower::{self, Lowered};
use bomp_export::{files, text, write};

/// Pack quantised networks for microcontrollers, account for every byte, and check the result with other engines.
///
/// Sizes are in bytes and decimal kilobytes (1 kB = 1000 B). Exit codes: 0 done, 1 a comparison failed, 2 wrong usage or input.
#[derive(Parser)]
#[command(name = "bomp-export", version)]
pub(crate) struct Cli {
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
        Self::try_parse().map_err(|error| {
            use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
            if matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion)
            {
                error.exit();
            }
            // One line: what is wrong, without the usage that follows it.
            let text = error.render().to_string();
            let end =
                ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|mark| text.find(mark)).min();
            let problem = text[..end.unwrap_or(text.len())].trim_start_matches("error: ").to_owned();
            anyhow!("{problem} (--help explains)")
        })
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
            Command::Validate(command) => command.run(out),
        }
    }
}

/// A candidate as far as the packer takes it.
struct Packed {
    candidate: Candidate,
    lowered: Lowered,
    blob: Vec<u8>,
}

/// Loads, lowers and packs the candidate in `folder`.
fn packed(folder: &Path) -> anyhow::Result<Packed> {
    let candidate = Candidate::load(folder)?;
    let lowered = lower::lower(&candidate).map_err(|error| anyhow!("{}: {error}", folder.display()))?;
    let blob = write::blob(&lowered).map_err(|error| anyhow!("{}: {error}", folder.display()))?;
    Ok(Packed { candidate, lowered, blob })
}

/// Git commit that this program was built from, where the build says so: `cargo xtask` does.
const GIT_COMMIT: Option<&str> = option_env!("BOMP_GIT_COMMIT");

/// Where a command writes: what the user says, or else `name` in the candidate's folder.
fn output_path(given: Option<&PathBuf>, candidate: &Path, name: &str) -> PathBuf {
    given.cloned().unwrap_or_else(|| candidate.join(name))
}

/// A packed or an ONNX file.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    files::read_untrusted(path, files::limit::MODEL).map_err(|error| anyhow!("{}: {error}", path.display()))
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
