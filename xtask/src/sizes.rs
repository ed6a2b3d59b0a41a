//! `cargo xtask sizes`: flash, RAM and stack of one fixed network on the boards, beside what was
//! recorded last.
//!
//! The network is `tests/vectors/eight-kilobytes`, packed anew. The record is
//! `firmware-sim/sizes.json`; growth beyond the tolerance fails, so that it is either undone or
//! recorded on purpose.

use crate::programs::{self, text};
use crate::{setup, workspace};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The network's candidate, from the workspace's root.
const CANDIDATE: &str = "tests/vectors/eight-kilobytes";
/// The record, from the workspace's root.
const RECORD: &str = "firmware-sim/sizes.json";
/// Growth that compilers of different versions may make, in percent.
const TOLERANCE: f64 = 2.0;

/// Compare flash, RAM and stack of one network on each board with the recorded values; fail if they
/// have grown
#[derive(Args)]
pub(crate) struct Options {
    /// Only this board; may be given several times
    #[arg(long, value_name = "NAME")]
    board: Vec<String>,
    /// Test images that each board classifies; 10000 is all of them
    #[arg(long, value_name = "N", default_value_t = 10)]
    images: u32,
    /// Record the figures instead of comparing with the recorded ones
    #[arg(long)]
    record: bool,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Bytes on one board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sizes {
    /// All that lies in flash: code, constants, the model.
    flash: u64,
    /// All variables and the stack's bound.
    ram: u64,
    /// The stack's bound.
    stack: u64,
}

#[derive(Deserialize)]
struct Board {
    name: String,
}

/// The part of `bomp-sim run --json` that is read here.
#[derive(Deserialize)]
struct Verdict {
    images: u32,
    device_correct: u32,
    host_correct: u32,
    flash: Flash,
    flash_of_all_kernels: u64,
    ram: Ram,
    certificate: Certificate,
}

#[derive(Deserialize)]
struct Flash {
    used: u64,
}

#[derive(Deserialize)]
struct Ram {
    arena_used: u64,
    other_static: u64,
}

#[derive(Deserialize)]
struct Certificate {
    stack: Stack,
}

#[derive(Deserialize)]
struct Stack {
    bytes: u64,
}

/// Packs, runs and compares.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    programs::build()?;
    let root = workspace::root()?;
    let folder = root.join("target/sizes");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let (candidate, model) = (root.join(CANDIDATE), folder.join("eight-kilobytes.bomp"));
    programs::call("bomp-export", &["pack", text(&candidate)?, "-o", text(&model)?])?;
    let mut names = options.board.clone();
    if names.is_empty() {
        let boards: Vec<Board> = programs::json("bomp-sim", &["boards", "--json"])?;
        names = boards.into_iter().map(|board| board.name).collect();
    }
    let images = options.images.to_string();
    let mut found: BTreeMap<String, Sizes> = BTreeMap::new();
    let mut lines = Vec::new();
    for name in names {
        let arguments = ["run", text(&model)?, "--board", &name, "--images", &images, "--compare", "--json"];
        let verdict: Verdict = programs::json("bomp-sim", &arguments)?;
        let stack = verdict.certificate.stack.bytes;
        let ram = verdict.ram.arena_used + verdict.ram.other_static + stack;
        let Verdict { images, device_correct, host_correct, .. } = verdict;
        let saved = verdict.flash_of_all_kernels.saturating_sub(verdict.flash.used);
        lines.push((
            name.clone(),
            format!(
                "{saved} bytes less than with all kernels; {device_correct} of {images} correct, {host_correct} on the host"
            ),
        ));
        found.insert(name, Sizes { flash: verdict.flash.used, ram, stack });
    }
    let path = root.join(RECORD);
    let mut record: BTreeMap<String, Sizes> = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let grown = compare(&lines, &found, &record);
    if let Some(file) = &options.json {
        programs::write(file, (serde_json::to_string_pretty(&found)? + "\n").as_bytes())?;
    }
    if options.record {
        record.extend(found);
        programs::write(&path, (serde_json::to_string_pretty(&record)? + "\n").as_bytes())?;
        println!("{:>12} {RECORD}", "Recorded");
    } else if !grown.is_empty() {
        bail!("{}; `cargo xtask sizes --record` accepts that", grown.join("; "));
    }
    Ok(())
}

/// Prints the table and returns what has grown.
fn compare(
    lines: &[(String, String)],
    found: &BTreeMap<String, Sizes>,
    record: &BTreeMap<String, Sizes>,
) -> Vec<String> {
    let mut grown = Vec::new();
    println!("{:<18} {:>20} {:>20} {:>20}", "bytes of", "flash", "RAM", "of it stack");
    for (name, line) in lines {
        let (sizes, last) = (found[name], record.get(name));
        let mut cell = |what: &str, now: u64, last: Option<u64>| {
            let Some(last) = last else { return format!("{now} (new)") };
            if now as f64 > last as f64 * (1.0 + TOLERANCE / 100.0) {
                grown.push(format!("{name}: {what} has grown from {last} to {now} bytes"));
            }
            format!("{now} ({:+})", now as i64 - last as i64)
        };
        let cells = [
            cell("flash", sizes.flash, last.map(|last| last.flash)),
            cell("RAM", sizes.ram, last.map(|last| last.ram)),
            cell("stack", sizes.stack, last.map(|last| last.stack)),
        ];
        println!("{name:<18} {:>20} {:>20} {:>20}   {line}", cells[0], cells[1], cells[2]);
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_beyond_the_tolerance_is_told() {
        let sizes = |flash, stack| Sizes { flash, ram: 5_000, stack };
        let of = |sizes| BTreeMap::from([("microbit".to_owned(), sizes)]);
        let lines = [("microbit".to_owned(), String::new())];
        let told = |now, last| compare(&lines, &of(now), &of(last));
        assert!(told(sizes(10_200, 400), sizes(10_000, 400)).is_empty());
        assert!(told(sizes(9_000, 300), sizes(10_000, 400)).is_empty());
        let grown = told(sizes(10_201, 500), sizes(10_000, 400));
        assert_eq!(grown.len(), 2);
        assert!(grown[0].contains("flash") && grown[1].contains("stack"), "{grown:?}");
        assert!(compare(&lines, &of(sizes(1, 1)), &BTreeMap::new()).is_empty());
    }
}
