//! The project's own programs, called as a user would call them: printed before they run, their progress on the terminal, the
//! JSON that they write read back. A program that fails ends the command that called it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

/// Runs a program with its output on the terminal.
pub(crate) fn call(program: &str, arguments: &[&str]) -> Result<()> {
    output(program, arguments, Stdio::inherit()).map(drop)
}

/// Runs a program with its progress on the terminal and reads the JSON that it prints.
pub(crate) fn json<T: DeserializeOwned>(program: &str, arguments: &[&str]) -> Result<T> {
    let Output { stdout, .. } = output(program, arguments, Stdio::piped())?;
    serde_json::from_slice(&stdout)
        .with_context(|| format!("`{program} {}` printed something else than expected", arguments[0]))
}

/// Runs one of the programs, which lie beside this one.
fn output(program: &str, arguments: &[&str], stdout: Stdio) -> Result<Output> {
    println!("{:>12} `{program} {}`", "Running", arguments.join(" "));
    let path = std::env::current_exe().context("this program's own path")?.with_file_name(program);
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::inherit());
    let output = command.spawn().and_then(std::process::Child::wait_with_output);
    let output = output.with_context(|| format!("{program} cannot be started"))?;
    ensure!(
        output.status.success(),
        "`{program} {}` failed ({}); what it says above is the reason",
        arguments[0],
        output.status
    );
    Ok(output)
}

/// A path as an argument.
pub(crate) fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{}: the path is not UTF-8", path.display()))
}
