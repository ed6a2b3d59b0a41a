//! Builds the runtime as a C static library for a board's processor: `libbomp.a` and `bomp.h`.
//!
//! Guarantee: the library uses no floating-point register and links with firmware of every `-mfloat-abi`: soft, softfp and hard.

mod float_abi;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bomp_export::board::Board;
use bomp_export::files;

use crate::error::SimError;
use crate::firmware;
use crate::toolchain::Toolchain;

/// The package of the C library: `runtime/c` of this workspace.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime/c");
const ARCHIVE: &str = "libbomp.a";
const HEADER: &str = "bomp.h";

/// A library that was built.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Library {
    /// The static library.
    pub library: PathBuf,
    /// Its header.
    pub header: PathBuf,
    /// Rust's target that it was built for.
    pub target: &'static str,
    /// Processor that it was built for.
    pub cpu: &'static str,
}

/// The target without floating-point registers for the processor of a board: the library passes no floats.
fn soft_float(target: &'static str) -> &'static str {
    target.strip_suffix("hf").unwrap_or(target)
}

/// A cargo command that builds the package of its current folder for `board` with a profile; results are in
/// `target_folder/TARGET`, TARGET being the board's.
///
/// # Errors
/// An unknown board, or no compiler.
pub fn cargo(board: &str, profile: &str, target_folder: &Path) -> Result<Command, SimError> {
    let board = Board::find(board)?;
    Ok(Toolchain::find(board)?.build(board, profile, target_folder))
}

/// Builds the library for the processor of `board` and puts it and its header into `folder`; `signed` adds the check of
/// signed models.
///
/// # Errors
/// An unknown board, no compiler, what the compiler said, or a file that cannot be written.
pub fn build(board: &str, signed: bool, folder: &Path) -> Result<Library, SimError> {
    let target_folder = firmware::target_folder(PACKAGE);
    let board = Board::find(board)?;
    let board = Board { target: soft_float(board.target), ..*board };
    let mut command = Toolchain::find(&board)?.build(&board, "firmware", &target_folder);
    // The processor's vectors of integers lie in the floating-point registers, which soft-float firmware leaves switched off.
    forbid_floating_point_registers(&mut command);
    command.args(["--package", "bomp-c"]).current_dir(PACKAGE);
    if signed {
        command.args(["--features", "signed"]);
    }
    let output = command.output().map_err(|cause| SimError::Program { program: "cargo".into(), cause })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let start = said.find("error").unwrap_or(0);
        return Err(SimError::Build { board: board.name, output: said[start..].trim().to_owned() });
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |cause| SimError::File { path, cause }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let (library, header) = (folder.join(ARCHIVE), folder.join(HEADER));
    let built = target_folder.join(board.target).join("firmware").join(ARCHIVE);
    let objects = fs::read(&built).map_err(failed(&built))?;
    let objects = float_abi::mark(&objects).map_err(|problem| SimError::Elf { path: built, problem })?;
    files::write(&library, &objects).map_err(|error| failed(&library)(error.source))?;
    let written = Path::new(PACKAGE).join("include").join(HEADER);
    fs::copy(&written, &header).map_err(failed(&header))?;
    Ok(Library { library, header, target: board.target, cpu: board.cpu })
}

/// Adds to the flags that the command already has.
fn forbid_floating_point_registers(command: &mut Command) {
    const FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
    let given = command.get_envs().find(|(name, _)| *name == FLAGS).and_then(|(_, value)| value);
    let mut flags = given.map(OsString::from).unwrap_or_default();
    flags.push("\x1f-Ctarget-feature=-fpregs");
    command.env(FLAGS, flags);
}
