//! A Rust toolchain for every board's Cortex-M: the targets of the user's own toolchain, or Debian's rustc with its sources.
//!
//! `firmware-sim` looks for the two in the same order when it builds a firmware.

use super::packages::Need;
use super::progress::{Work, present};
use crate::machine::{Machine, complaint};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Cortex-M0, M3, M4 and M7, M33 and M55: those of the boards that `bomp-sim boards` lists, for the firmware that it runs and,
/// without "hf", for the C library, which has to link with soft-float firmware too.
const TARGETS: [&str; 6] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabi",
    "thumbv8m.main-none-eabihf",
];

/// The oldest rustc that this workspace builds with.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

/// Where the firmware's Rust comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The toolchain that cargo itself uses has all targets.
    OwnToolchain,
    /// Debian's rustc builds the core library of those that are missing from its sources.
    DebianPackages,
}

/// Debian's compiler, for a machine where rustup cannot download.
pub(super) const PACKAGES: Need = Need {
    what: "Rust for Arm (Debian's rustc and its sources)",
    packages: &["rustc-web", "cargo-web", "rust-web-src"],
    otherwise: Some(
        "run `rustup target add thumbv6m-none-eabi thumbv7m-none-eabi thumbv7em-none-eabi thumbv7em-none-eabihf \
         thumbv8m.main-none-eabi thumbv8m.main-none-eabihf` where rustup can download",
    ),
    met: debian_rust_is_there,
};

/// Finds or installs the targets in the user's toolchain; failing that, leaves those that are missing to Debian's packages.
pub(super) fn prepare(machine: &dyn Machine) -> Result<Choice> {
    if missing(machine)?.is_empty() {
        present("Rust for Arm", &format!("{} in this toolchain", TARGETS.join(", ")));
        return Ok(Choice::OwnToolchain);
    }
    if debian_rust_is_there(machine) || !machine.has_program("rustup") {
        return Ok(Choice::DebianPackages);
    }
    for target in missing(machine)? {
        let work = Work::start("Installing", &format!("{target} with rustup"));
        let answer = machine.output(Command::new("rustup").args(["target", "add", target]))?;
        if answer.status.success() {
            work.done("Installed", target);
        } else {
            drop(work);
            println!(
                "{:>12} {target} with rustup ({}); Debian's rustc takes its place",
                "Skipped",
                complaint(&answer)
            );
            return Ok(Choice::DebianPackages);
        }
    }
    Ok(if missing(machine)?.is_empty() { Choice::OwnToolchain } else { Choice::DebianPackages })
}

/// The targets whose libraries the toolchain in use lacks, whoever installs them.
fn missing(machine: &dyn Machine) -> Result<Vec<&'static str>> {
    let sysroot = machine.must(Command::new("rustc").args(["--print", "sysroot"]))?;
    let libraries = Path::new(sysroot.trim()).join("lib/rustlib");
    Ok(TARGETS.into_iter().filter(|target| !machine.has_path(&libraries.join(target).join("lib"))).collect())
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
