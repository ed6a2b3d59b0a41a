//! `cargo xtask check`: what must pass before the tests are worth their time. `.ci/run` is this, then `cargo xtask test`.

pub(crate) mod licences;

use crate::{book, setup, workspace};
use anyhow::Result;
use std::time::{Duration, Instant};

/// A phase's name and work, in the order of [`PHASES`].
type Phase = (&'static str, fn() -> Result<()>);

/// The cheap check comes first; clippy compiles, so it needs the libraries that setup installs.
const PHASES: [Phase; 7] = [
    ("format", format),
    ("setup", || setup::run(&setup::Options::default())),
    ("licences", licences::run),
    ("book", book::run),
    ("clippy", || {
        let lints = ["--", "-D", "warnings"];
        workspace::cargo(&[&["clippy", "--release", "--workspace", "--all-targets"], &lints[..]].concat())
    }),
    ("documentation", || {
        let document = ["doc", "--release", "--workspace", "--no-deps"];
        workspace::cargo_with(&document, &[("RUSTDOCFLAGS", "-D warnings")])
    }),
    ("packages", packages),
];

/// Runs the phases up to the first that fails, then prints how long each took.
pub(crate) fn run() -> Result<()> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut outcome = Ok(());
    for (name, phase) in PHASES {
        let start = Instant::now();
        outcome = phase();
        times.push((name, start.elapsed()));
        if outcome.is_err() {
            break;
        }
    }
    for (name, time) in &times {
        println!("{:>12} {name} took {:.1} s", "Phase", time.as_secs_f64());
    }
    outcome
}

/// Packs the crates that firmware needs as for a registry and builds them from what was packed: a path that leads out of the crate,
/// or a description that lacks something, is an error.
fn packages() -> Result<()> {
    workspace::cargo(&["package", "--allow-dirty", "--package", "bomp-runtime", "--package", "bomp-device"])
}

/// Checks the layout of the source of every package, the firmware's included: it is outside the workspace.
fn format() -> Result<()> {
    workspace::cargo(&["fmt", "--all", "--check"])?;
    for firmware in
        ["firmware-sim/firmware/Cargo.toml", "firmware-sim/kernels/Cargo.toml", "tests/fuzz/Cargo.toml"]
    {
        if workspace::root()?.join(firmware).is_file() {
            workspace::cargo(&["fmt", "--manifest-path", firmware, "--check"])?;
        }
    }
    Ok(())
}
