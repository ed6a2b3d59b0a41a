//! What setup may ask of the machine it runs on, so that its decisions can be tested without one.

use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

/// The machine under setup.
pub(crate) trait Machine {
    /// An environment variable, if it is set and not empty.
    fn variable(&self, name: &str) -> Option<OsString>;
    /// Whether a program of this name is on the PATH.
    fn has_program(&self, name: &str) -> bool;
    /// Whether the path, links followed, exists.
    fn has_path(&self, path: &Path) -> bool;
    /// Runs a command to its end and returns what it printed; a non-zero exit is no error here.
    fn output(&self, command: &mut Command) -> Result<Output>;

    /// Runs a command that must succeed and returns its standard output.
    ///
    /// # Errors
    /// One line: the command and the most telling line of what it printed.
    fn must(&self, command: &mut Command) -> Result<String> {
        let output = self.output(command)?;
        if !output.status.success() {
            bail!("`{}` failed: {}", line(command), complaint(&output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// The machine that this program runs on.
pub(crate) struct ThisMachine;

impl Machine for ThisMachine {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    fn has_program(&self, name: &str) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
    }

    fn has_path(&self, path: &Path) -> bool {
        path.exists()
    }

    fn output(&self, command: &mut Command) -> Result<Output> {
        command.output().with_context(|| format!("`{}` cannot be started", line(command)))
    }
}

/// A command as one would type it.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The line in which a failed command says why: the first that calls itself an error, else the last.
pub(crate) fn complaint(output: &Output) -> String {
    let text = [&output.stderr[..], b"\n", &output.stdout[..]].concat();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_error = |line: &&str| ["E: ", "ERROR: ", "error: "].iter().any(|mark| line.starts_with(mark));
    let found = lines.clone().find(is_error).or_else(|| lines.next_back());
    found.map_or_else(|| format!("it printed nothing ({})", output.status), str::to_owned)
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_told_in_one_line() {
        let script =
            "echo 'Reading lists'; echo 'E: Unable to locate package x' >&2; echo 'bye' >&2; exit 100";
        let error = ThisMachine.must(Command::new("sh").args(["-c", script])).unwrap_err().to_string();
        assert!(error.ends_with("failed: E: Unable to locate package x"), "{error}");
        assert_eq!(error.lines().count(), 1);

        let output =
            ThisMachine.output(Command::new("sh").args(["-c", "echo one; echo two; exit 1"])).unwrap();
        assert_eq!(complaint(&output), "two");
        let silent = ThisMachine.output(&mut Command::new("false")).unwrap();
        assert!(complaint(&silent).starts_with("it printed nothing"));
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = ThisMachine.must(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().contains("no-such-program-here"));
        assert!(!ThisMachine.has_program("no-such-program-here"));
        assert!(ThisMachine.has_program("sh"));
    }
}
