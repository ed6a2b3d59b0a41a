//! Builds the firmware around a model. Builds wait for each other, so that each gets its own image.

use std::fmt::Write;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::sleep;

use bomp_export::board::{Board, Region};

use crate::error::SimError;
use crate::process::Process;
use crate::toolchain::Toolchain;
use crate::{POLL, Progress, Stage};

/// Where the firmware's package lies: beside this crate's sources.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/firmware");

/// A program of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Classifies files of images.
    Batch,
    /// Answers the commands of the MLPerf Tiny runner.
    Monitor,
}

impl Program {
    /// Cargo's name of it.
    const fn name(self) -> &'static str {
        match self {
            Self::Batch => "bomp-firmware",
            Self::Monitor => "monitor",
        }
    }
}

/// Which kernels a firmware has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelSet {
    /// Those that its model needs; it refuses a model that needs others.
    Needed,
    /// All.
    All,
}

impl KernelSet {
    /// What the firmware's build script calls it.
    const fn name(self) -> &'static str {
        match self {
            Self::Needed => "needed",
            Self::All => "all",
        }
    }
}

/// Builds `program` with these kernels around `model`, which is called `name`, into an image for `board` at `image`.
///
/// # Errors
/// No compiler, a model that does not fit, or what the compiler said.
pub(crate) fn build(
    (program, kernels): (Program, KernelSet),
    (model, name): (&[u8], &str),
    board: &'static Board,
    image: &Path,
    progress: &mut Progress<'_>,
) -> Result<Toolchain, SimError> {
    let toolchain = Toolchain::find(board)?;
    let folder = target_folder(PACKAGE);
    let inputs = folder.join("inputs").join(board.name);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| SimError::File { path, cause }
    };
    fs::create_dir_all(&inputs).map_err(failed(&inputs))?;
    let lock_path = folder.join("build.lock");
    let lock = File::create(&lock_path).map_err(failed(&lock_path))?;
    while lock.try_lock().is_err() {
        pause(progress)?;
    }
    let model_path = inputs.join("model.bomp");
    let memory_path = inputs.join("memory.x");
    replace(&model_path, model).map_err(failed(&model_path))?;
    replace(&memory_path, memory_x(board).as_bytes()).map_err(failed(&memory_path))?;
    let mut command = toolchain.build(board, "release", &folder);
    command.args(["--bin", program.name()]).current_dir(PACKAGE);
    command.env("BOMP_MODEL", &model_path).env("BOMP_MODEL_NAME", name);
    command.env("BOMP_KERNELS", kernels.name());
    command
        .env("BOMP_MEMORY_X", &memory_path)
        .env("BOMP_TICKS_PER_SECOND", board.ticks_per_second.to_string());
    let mut process = Process::start(command, &folder.join("build.log"))?;
    let status = loop {
        match process.ended() {
            Some(status) => break status,
            None => pause(progress)?,
        }
    };
    if !status.success() {
        let output = process.said();
        // What was compiled before the first error is of no interest.
        let start = output.find("error").unwrap_or(0);
        return Err(overflow(&output, board).unwrap_or_else(|| SimError::Build {
            board: board.name,
            output: output[start..].trim().to_owned(),
        }));
    }
    let built = folder.join(board.target).join("release").join(program.name());
    fs::copy(&built, image).map_err(failed(&built))?;
    Ok(toolchain)
}

/// The linker script's part that belongs to the board; it also gives the model its own section.
pub(crate) fn memory_x(board: &Board) -> String {
    let mut script = String::from("MEMORY\n{\n");
    for (name, region) in [("FLASH", board.flash), ("RAM", board.ram)] {
        let _ = writeln!(script, "  {name} : ORIGIN = {:#010x}, LENGTH = {}", region.origin, region.length);
    }
    script + "}\nSECTIONS\n{\n  .model : ALIGN(4) { KEEP(*(.model)) } > FLASH\n} INSERT AFTER .rodata;\n"
}

/// Where builds of `package` go: `CARGO_TARGET_DIR` if the user has set it, else a folder in the package that git ignores.
pub(crate) fn target_folder(package: &str) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => std::path::absolute(&folder).unwrap_or(folder.into()).join("firmware"),
        None => Path::new(package).join("target"),
    }
}

fn pause(progress: &mut Progress<'_>) -> Result<(), SimError> {
    sleep(POLL);
    match progress(Stage::Building) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(SimError::Cancelled),
    }
}

/// Writes a file only if its contents change, because a new file means a new build.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) { Ok(()) } else { fs::write(path, bytes) }
}

/// Reads a linker's complaint that a memory is too small; both linkers say "region NAME overflowed by N bytes", in their
/// own quotes and words.
fn overflow(output: &str, board: &'static Board) -> Option<SimError> {
    let too_large = |memory, region: Region, by| SimError::TooLarge {
        board: board.name,
        memory,
        length: region.length,
        by,
        note: "",
    };
    let largest = |memory, region: Region, name: &str| {
        let complaints = output.lines().filter(|line| line.contains(name));
        let by = complaints.filter_map(|line| {
            let (_, rest) = line.split_once("overflowed by ")?;
            rest.split_whitespace().next()?.parse::<u64>().ok()
        });
        by.max().map(|by| too_large(memory, region, by))
    };
    largest("flash", board.flash, "FLASH").or_else(|| largest("RAM", board.ram, "RAM"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_export::board::BOARDS;

    #[test]
    fn the_linker_is_told_both_memories() {
        for board in &BOARDS {
            let script = memory_x(board);
            for (name, region) in [("FLASH", board.flash), ("RAM", board.ram)] {
                let line = format!("{name} : ORIGIN = {:#010x}, LENGTH = {}\n", region.origin, region.length);
                assert!(script.contains(&line), "{script}");
            }
        }
    }

    #[test]
    fn the_words_of_both_linkers_are_understood() {
        let gnu = "ld: address 0x20002a28 of x section `.bss' is not within region `RAM'\n\
                   ld: region `RAM' overflowed by 2600 bytes";
        let llvm = "rust-lld: error: section '.text' will not fit in region 'FLASH': overflowed by 40 bytes\n\
                    rust-lld: error: section '.model' will not fit in region 'FLASH': overflowed by 10144 bytes";
        for (words, expected) in [(gnu, ("RAM", 2600)), (llvm, ("flash", 10144))] {
            match overflow(words, &BOARDS[0]) {
                Some(SimError::TooLarge { memory, by, .. }) => assert_eq!((memory, by), expected),
                other => panic!("{other:?}"),
            }
        }
        assert!(overflow("error: mismatched types", &BOARDS[0]).is_none());
    }
}
