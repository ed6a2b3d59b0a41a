//! Builds the runtime as a C static library for a board's processor: `libbomp.a` and `bomp.h`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bomp_export::board::Board;

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
    let mut command = cargo(board, "firmware", &target_folder)?;
    let board = Board::find(board)?;
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
    fs::copy(&built, &library).map_err(failed(&library))?;
    let written = Path::new(PACKAGE).join("include").join(HEADER);
    fs::copy(&written, &header).map_err(failed(&header))?;
    Ok(Library { library, header, target: board.target, cpu: board.cpu })
}
