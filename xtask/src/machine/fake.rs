//! A machine that exists only in memory: what it has, and what each command does to it, is up to the test.

use super::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// What a machine has.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) variables: BTreeMap<&'static str, String>,
    pub(crate) programs: BTreeSet<&'static str>,
    pub(crate) paths: BTreeSet<PathBuf>,
}

/// What a command does to the machine: its standard output, or its standard error if it fails.
type Effect = dyn Fn(&mut Contents, &str) -> Result<String, String>;

/// A machine whose commands are one function of the command line; it keeps a log of them.
pub(crate) struct FakeMachine {
    contents: RefCell<Contents>,
    effect: Box<Effect>,
    log: RefCell<Vec<String>>,
}

impl FakeMachine {
    pub(crate) fn new(
        contents: Contents,
        effect: impl Fn(&mut Contents, &str) -> Result<String, String> + 'static,
    ) -> Self {
        Self { contents: contents.into(), effect: Box::new(effect), log: RefCell::default() }
    }

    /// The command lines run since the last call of this function.
    pub(crate) fn take_log(&self) -> Vec<String> {
        self.log.take()
    }
}

impl Machine for FakeMachine {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.contents.borrow().variables.get(name).map(OsString::from)
    }

    fn has_program(&self, name: &str) -> bool {
        self.contents.borrow().programs.contains(name)
    }

    fn has_path(&self, path: &Path) -> bool {
        self.contents.borrow().paths.contains(path)
    }

    fn output(&self, command: &mut Command) -> Result<Output> {
        let line = line(command);
        let answer = (self.effect)(&mut self.contents.borrow_mut(), &line);
        self.log.borrow_mut().push(line);
        let (code, stdout, stderr) = match answer {
            Ok(stdout) => (0, stdout, String::new()),
            Err(stderr) => (1, String::new(), stderr),
        };
        let status = ExitStatus::from_raw(code << 8);
        Ok(Output { status, stdout: stdout.into_bytes(), stderr: stderr.into_bytes() })
    }
}
