//! A Rust toolchain for the Cortex-M: the target of the user's own toolchain, or Debian's rustc with its sources.
//!
//! `firmware-sim` looks for the two in the same order when it builds a firmware.

use super::packages::Need;
use super::progress::{Work, present};
use crate::machine::{Machine, complaint};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Cortex-M4 and M7 with their floating-point unit's calling convention.
const TARGET: &str = "thumbv7em-none-eabihf";

/// The oldest rustc that this workspace builds with.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Where the firmware's Rust comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The toolchain that cargo itself uses has the target.
    OwnToolchain,
    /// Debian's rustc builds the target's core library from its sources.
    DebianPackages,
}

/// Debian's compiler, for a machine where rustup cannot download.
pub(super) const PACKAGES: Need = Need {
    what: "Rust for Arm (Debian's rustc and its sources)",
    packages: &["rustc-web", "cargo-web", "rust-web-src"],
    otherwise: Some("run `rustup target add thumbv7em-none-eabihf` where rustup can download"),
    met: debian_rust_is_there,
};

/// Finds or installs the target in the user's toolchain; failing that, leaves the rest to Debian's packages.
pub(super) fn prepare(machine: &dyn Machine) -> Result<Choice> {
    if has_target(machine)? {
        present("Rust for Arm", &format!("{TARGET} in this toolchain"));
        return Ok(Choice::OwnToolchain);
    }
    if debian_rust_is_there(machine) || !machine.has_program("rustup") {
        return Ok(Choice::DebianPackages);
    }
    let work = Work::start("Installing", &format!("{TARGET} with rustup"));
    let answer = machine.output(Command::new("rustup").args(["target", "add", TARGET]))?;
    if answer.status.success() && has_target(machine)? {
        work.done("Installed", TARGET);
        return Ok(Choice::OwnToolchain);
    }
    drop(work);
    println!(
        "{:>12} {TARGET} with rustup ({}); Debian's rustc takes its place",
        "Skipped",
        complaint(&answer)
    );
    Ok(Choice::DebianPackages)
}

/// Whether the toolchain in use has the target's libraries, whoever installed it.
fn has_target(machine: &dyn Machine) -> Result<bool> {
    let sysroot = machine.must(Command::new("rustc").args(["--print", "sysroot"]))?;
    Ok(machine.has_path(&Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib")))
}

/// Whether Debian's compiler is there with the sources of its core library, and new enough.
fn debian_rust_is_there(machine: &dyn Machine) -> bool {
    let needed = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/rustlib/src/rust/library/core/Cargo.toml"];
    let new_enough = || {
        let version = machine.must(Command::new("/usr/bin/rustc").arg("--version"));
        version.ok().and_then(|line| release(line.strip_prefix("rustc ")?)) >= release(OLDEST)
    };
    needed.iter().all(|path| machine.has_path(Path::new(path))) && new_enough()
}

/// The release that a version starts with, as in "1.96.0 (ac68faa20 2026-05-25)" or "1.95".
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim().split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_compared_as_numbers() {
        assert_eq!(release("1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n"), Some((1, 96)));
        assert!(release(OLDEST).is_some());
        assert!(release("1.100.0") > release("1.96"));
        assert_eq!(release("one.two"), None);
    }
}
