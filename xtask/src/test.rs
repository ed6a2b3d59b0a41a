//! `cargo xtask test`: everything the tests need, then every test of the workspace.

use crate::{setup, workspace};
use anyhow::Result;

/// Sets the machine up and runs every test, all of them even after one has failed.
pub(crate) fn run() -> Result<()> {
    setup::run(&setup::Options::default())?;
    // The release profile is the only one that this project's commands use: the large dependencies are built once.
    workspace::cargo(&["test", "--release", "--workspace", "--no-fail-fast"])
}
