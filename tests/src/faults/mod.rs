//! Processes that are stopped, or whose disk fails, at any one of their writes: what is left must be whole.
//!
//! The program under test is the product as it is: the program `at-boundary` follows its system calls and interferes at the one
//! that is named. A boundary is a call that changes a file or folder below the watched folder, or makes a change durable.

mod pack;
mod study;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

pub use pack::{Files, finalise, pack};
pub use study::study;

/// What happens at a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The process is killed before the call.
    Kill,
    /// Half of what is written gets there, then the process is killed; before the call if it writes nothing.
    Torn,
    /// The machine loses power before the call: what was not synced is gone.
    Power,
    /// From here on the disk is full.
    Full,
    /// From here on the file system is read-only.
    ReadOnly,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Kill, Self::Torn, Self::Power, Self::Full, Self::ReadOnly];

    /// As an argument of `at-boundary`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Torn => "torn",
            Self::Power => "power",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
        }
    }

    /// Whether the process lives on and can say what is wrong.
    #[must_use]
    pub const fn is_survived(self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What `at-boundary` saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The boundaries that were reached, as call and file.
    pub boundaries: Vec<String>,
    /// The exit code; `None` if the process was killed.
    pub code: Option<i32>,
}

/// How many faults were injected into what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Write boundaries of one undisturbed run.
    pub boundaries: usize,
    /// Runs that were disturbed, each at one boundary.
    pub runs: usize,
}

/// A program under test and where faults are injected.
#[derive(Clone, Debug)]
pub struct Subject {
    /// `at-boundary`.
    pub tracer: PathBuf,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder whose changes are boundaries.
    pub folder: PathBuf,
}

impl Subject {
    /// Runs it undisturbed, or with a fault at boundary `at`, counted from 0. Returns what was seen and what it wrote to its
    /// standard error.
    ///
    /// # Panics
    /// If it cannot be followed.
    #[must_use]
    pub fn run(&self, fault: Option<(Fault, usize)>) -> (Seen, String) {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let report = scratch.path().join("report");
        let mut command = Command::new(&self.tracer);
        command.arg("--folder").arg(&self.folder).arg("--report").arg(&report);
        if let Some((fault, at)) = fault {
            command.args(["--fault", fault.name(), "--at", &at.to_string()]);
        }
        command.arg("--").arg(&self.program).args(&self.arguments);
        let output = command.stdin(Stdio::null()).stdout(Stdio::null()).output().expect("the tracer starts");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "the tracer failed:\n{errors}");
        let seen = fs::read(&report).expect("the tracer reports");
        (serde_json::from_slice(&seen).expect("the tracer writes JSON"), errors)
    }

    /// Disturbs it at every boundary that `chosen` wants with each of `faults`, after `prepare`, and lets `check` judge.
    ///
    /// # Panics
    /// If the undisturbed run fails or a check does; the message names fault, boundary and call.
    pub fn disturb(
        &self,
        faults: &[Fault],
        chosen: impl Fn(usize) -> bool,
        mut prepare: impl FnMut(),
        mut check: impl FnMut(&Disturbed<'_>),
        mut tell: impl FnMut(usize, usize),
    ) -> Faults {
        prepare();
        let (whole, errors) = self.run(None);
        assert_eq!(whole.code, Some(0), "undisturbed it fails:\n{errors}");
        let places: Vec<usize> = (0..whole.boundaries.len()).filter(|&at| chosen(at)).collect();
        let total = places.len() * faults.len();
        let mut runs = 0;
        for &at in &places {
            for &fault in faults {
                prepare();
                let (seen, errors) = self.run(Some((fault, at)));
                let call = &whole.boundaries[at];
                let shown = format!("{fault} at boundary {at} of {}, {call}", whole.boundaries.len());
                // The last ones are those of threads that may or may not get there before the process ends.
                if seen.boundaries.len() <= at {
                    assert_eq!(seen.code, Some(0), "{shown}: not reached:\n{errors}");
                    continue;
                }
                assert_eq!(seen.code.is_none(), !fault.is_survived(), "{shown}: {:?}\n{errors}", seen.code);
                assert!(!errors.contains("panicked"), "{shown}:\n{errors}");
                check(&Disturbed { fault, shown: &shown, code: seen.code, errors: &errors });
                runs += 1;
                tell(runs, total);
            }
        }
        Faults { boundaries: whole.boundaries.len(), runs }
    }
}

/// A run that was disturbed.
#[derive(Clone, Copy, Debug)]
pub struct Disturbed<'a> {
    /// How.
    pub fault: Fault,
    /// For messages.
    pub shown: &'a str,
    /// Exit code.
    pub code: Option<i32>,
    /// Standard error.
    pub errors: &'a str,
}

impl Disturbed<'_> {
    /// Whoever failed said so in one line.
    fn expect_one_line(&self) {
        let lines = self.errors.lines().filter(|line| line.starts_with("error: ")).count();
        let expected = usize::from(self.code != Some(0));
        assert_eq!(lines, expected, "{}: exit code {:?}:\n{}", self.shown, self.code, self.errors);
    }
}

/// Empties a folder, making it if it is absent.
fn fresh(folder: &Path) {
    if folder.exists() {
        fs::remove_dir_all(folder).expect("a folder of this test");
    }
    fs::create_dir_all(folder).expect("a folder of this test");
}
