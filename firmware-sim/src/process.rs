//! A child process that never outlives its owner, and whose output is in files, so that it can't block on a full pipe.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::error::SimError;

/// A running program; dropping it kills it.
pub(crate) struct Process {
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` without input; what it says goes to the file `output`.
    pub(crate) fn start(mut command: Command, output: &Path) -> Result<Self, SimError> {
        let file = |cause| SimError::File { path: output.to_owned(), cause };
        let stdout = File::create(output).map_err(file)?;
        let stderr = stdout.try_clone().map_err(file)?;
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let child = command.spawn().map_err(|cause| SimError::Program {
            program: command.get_program().to_string_lossy().into_owned(),
            cause,
        })?;
        Ok(Self { child, output: output.to_owned() })
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        // An error means that it is not our child any more, which cannot be as long as it is owned here.
        self.child.try_wait().ok().flatten()
    }

    /// All that it has said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read(&self.output)
            .map_or_else(|_| String::new(), |text| String::from_utf8_lossy(&text).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
