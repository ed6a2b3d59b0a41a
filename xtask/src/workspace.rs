//! Where things of this checkout are, and how a command of cargo is started in it.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the workspace's Cargo.toml.
pub(crate) fn root() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .context("CARGO_MANIFEST_DIR is not set: start this program as `cargo xtask`")?;
    let package = PathBuf::from(package);
    Ok(package.parent().context("xtask's folder has no parent")?.to_path_buf())
}

/// What is checked out, for the programs that tell it; `None` outside a git repository.
fn commit(root: &Path) -> Option<String> {
    let describe = ["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
    let output = Command::new("git").args(describe).current_dir(root).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !commit.is_empty()).then_some(commit)
}

/// Runs cargo at the workspace's root with its output going straight to the terminal.
///
/// # Errors
/// If cargo cannot be started or ends with an error, which it has then told itself.
pub(crate) fn cargo(arguments: &[&str]) -> Result<()> {
    cargo_with(arguments, &[])
}

/// As [`cargo`], with variables of its environment.
///
/// # Errors
/// As [`cargo`].
pub(crate) fn cargo_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<()> {
    let line = format!("cargo {}", arguments.join(" "));
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    println!("{:>12} `{line}`", "Running");
    let root = root()?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&root).envs(variables.iter().copied());
    // What cargo says to xtask about xtask: a dependency's build script that reads it would be run again, and all above it built.
    let said =
        |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"].iter().any(|about| name.starts_with(about));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(said)) {
        command.env_remove(name);
    }
    if let Some(commit) = commit(&root) {
        command.env("BOMP_GIT_COMMIT", commit);
    }
    let status = command.status().with_context(|| format!("`{line}` cannot be started"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}); what it says above is the reason");
    }
    Ok(())
}

/// What `command` prints; its messages go to the terminal.
///
/// # Errors
/// If it cannot be started, fails, or prints something else than text; `what` says which it was.
pub(crate) fn printed(command: &mut Command, what: &str) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("{what} cannot be started"))?;
    ensure!(output.status.success(), "{what} failed ({})", output.status);
    String::from_utf8(output.stdout).with_context(|| format!("{what} printed no text"))
}
