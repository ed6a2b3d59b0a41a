//! numpy, with which the tests read blobs by a second reader written in Python. In a folder of its own beside the libraries;
//! the user's Python is left as it is.

use super::progress::{Work, present};
use crate::machine::Machine;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What pip is asked for: any version since the first for Python 3.12; the reader needs nothing that is new.
const REQUIREMENT: &str = "numpy>=1.26,<3";
/// The folder that tests put on Python's path.
const PLACE: &str = "python";

/// Whether neither the user's Python has numpy nor `toolchain` holds it, or `force` asks for it again.
pub(super) fn is_wanted(machine: &dyn Machine, toolchain: &Path, force: bool) -> bool {
    let own = toolchain.join(PLACE);
    if !force && own.join("numpy").is_dir() {
        present("numpy", &own.display().to_string());
        return false;
    }
    let brought = machine.must(Command::new("python3").args(["-c", "import numpy"])).is_ok();
    if brought {
        present("numpy", "in the Python of this machine");
    }
    !brought
}

/// Puts it into `toolchain/python`, replacing what is there. At every moment the place holds a complete numpy or none.
pub(super) fn install(machine: &dyn Machine, toolchain: &Path) -> Result<()> {
    let work = Work::start("Installing", "numpy");
    let staging = toolchain.join(format!(".partial-{}", std::process::id()));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--only-binary", ":all:", "--target"]).arg(&staging).arg(REQUIREMENT);
    let place = toolchain.join(PLACE);
    machine
        .must(&mut pip)
        .and_then(|_| {
            if place.exists() {
                fs::remove_dir_all(&place)
                    .with_context(|| format!("{} cannot be replaced", place.display()))?;
            }
            fs::rename(&staging, &place).with_context(|| format!("{} cannot be made", place.display()))
        })
        .inspect_err(|_| drop(fs::remove_dir_all(&staging)))
        .context("numpy cannot be installed; bring it for python3, then run setup again")?;
    work.done("Installed", "numpy");
    Ok(())
}
