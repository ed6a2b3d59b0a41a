//! The project's own programs, called as a user would call them: printed before they run, their progress on the terminal, the
//! JSON that they write read back. A program that fails ends the command that called it.

use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Builds all of them, and nothing that only tests need.
pub(crate) fn build() -> Result<()> {
    build_with(&[])
}

/// Builds all of them, and these.
pub(crate) fn build_with(more: &[&str]) -> Result<()> {
    // Of the whole workspace: other selections select other features, and the large dependencies would be built again.
    let programs = [&["bomp-search", "bomp-export", "bomp-sim"], more].concat();
    let programs = programs.into_iter().flat_map(|program| ["--bin", program]);
    workspace::cargo(&["build", "--release", "--workspace"].into_iter().chain(programs).collect::<Vec<_>>())
}

/// Where `cargo build --release` puts programs.
pub(crate) fn folder() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    Ok(workspace::root()?.join(target).join("release"))
}

/// A command of this project, printed before it runs.
fn command(program: &str, arguments: &[&str]) -> Result<Command> {
    println!("{:>12} `{program} {}`", "Running", arguments.join(" "));
    let path = folder()?.join(program);
    let mut command = Command::new(path);
    command.args(arguments);
    Ok(command)
}

/// Runs a program with its output on the terminal.
pub(crate) fn call(program: &str, arguments: &[&str]) -> Result<()> {
    let status =
        command(program, arguments)?.status().with_context(|| format!("{program} cannot be started"))?;
    ensure!(
        status.success(),
        "`{program} {}` failed ({status}); what it says above is the reason",
        arguments[0]
    );
    Ok(())
}

/// Runs a program with its progress on the terminal and reads the JSON that it prints.
pub(crate) fn json<T: serde::de::DeserializeOwned>(program: &str, arguments: &[&str]) -> Result<T> {
    let output = command(program, arguments)?
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{program} cannot be started"))?;
    ensure!(
        output.status.success(),
        "`{program} {}` failed ({}); what it says above is the reason",
        arguments[0],
        output.status
    );
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`{program} {}` printed something else than expected", arguments[0]))
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: the path is not UTF-8", path.display()))
}

/// Writes to a temporary file beside `path`, syncs it and renames it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let temporary = path.with_extension("json.tmp");
    let written = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    written.with_context(|| format!("{}: cannot be written", path.display()))
}
