//! A small study, made and worked on by a process that is stopped at its write boundaries: nothing acknowledged is lost, and
//! whoever comes next completes the study as if nothing had happened.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bomp_search::study::{Location, Storage, StoreError, Trial, TrialState};

use super::{Disturbed, Fault, Faults, Subject, fresh};
use crate::invented;

/// Trials of the study.
const TRIALS: u64 = 3;

/// Disturbs the study with each fault at every `step`-th boundary; `worker` is the program `invented-worker`.
///
/// # Panics
/// If anything is lost or wrong, with the fault and the boundary.
pub fn study(tracer: &Path, worker: &Path, step: usize, tell: impl FnMut(usize, usize)) -> Faults {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, log) = (place.path().join("watched"), place.path().join("log"));
    let study = folder.join("study");
    let text = |path: &Path| path.to_str().expect("temporary folders have plain names").to_owned();
    let arguments = ["--study", &text(&study), "--trials", &TRIALS.to_string(), "--log", &text(&log)];
    let arguments =
        arguments.into_iter().chain(["--create", "--grace", "60000", "--take-overs", "9", "--time", "0"]);
    let subject = Subject {
        tracer: tracer.to_owned(),
        program: worker.to_owned(),
        arguments: arguments.map(str::to_owned).collect(),
        folder: folder.clone(),
    };
    let start = || {
        fresh(&folder);
        fs::write(&log, "").expect("a file of this test");
    };
    start();
    let scene =
        Scene { study: study.clone(), log: log.clone(), subject: subject.clone(), expected: Vec::new() };
    scene.complete();
    let expected = scene.trials().expect("a whole study");
    assert_eq!(expected.len() as u64, TRIALS);
    let scene = Scene { expected, ..scene };
    subject.disturb(&Fault::ALL, |at| at.is_multiple_of(step), start, |run| scene.check(run), tell)
}

struct Scene {
    study: PathBuf,
    log: PathBuf,
    subject: Subject,
    expected: Vec<Trial>,
}

impl Scene {
    fn trials(&self) -> Result<Vec<Trial>, StoreError> {
        Location::from(self.study.clone()).open().and_then(|mut store: Box<dyn Storage>| store.trials())
    }

    /// Works on the study until it is complete, undisturbed.
    fn complete(&self) {
        let mut worker = Command::new(&self.subject.program);
        let output = worker.args(&self.subject.arguments).stdin(Stdio::null()).output().expect("it starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "it does not go on:\n{errors}");
    }

    fn check(&self, run: &Disturbed<'_>) {
        let shown = run.shown;
        if run.fault.is_survived() {
            run.expect_one_line();
        }
        let log = fs::read_to_string(&self.log).expect("a file of this test");
        let told: BTreeSet<u64> =
            log.lines().filter_map(|line| line.strip_prefix("ended ")?.parse().ok()).collect();
        let created = log.lines().any(|line| line == "created");
        match self.trials() {
            Ok(trials) => {
                for (index, trial) in trials.iter().enumerate() {
                    let expected = &self.expected[index];
                    assert_eq!(
                        (trial.number, &trial.genotype),
                        (index as u64, &expected.genotype),
                        "{shown}"
                    );
                    match &trial.state {
                        TrialState::Running => {
                            assert!(!told.contains(&trial.number), "{shown}: trial {index} is lost")
                        }
                        TrialState::Finished(measured) => assert_eq!(
                            *measured,
                            invented::measured(trial.number, trial.usage.bytes, measured.seconds),
                            "{shown}"
                        ),
                        state => panic!("{shown}: trial {index}: {state:?}"),
                    }
                }
                assert!(told.len() <= trials.len(), "{shown}: an acknowledged trial is lost");
            }
            Err(StoreError::Absent { .. }) => assert!(!created, "{shown}: an acknowledged study is lost"),
            Err(error) => panic!("{shown}: {error}"),
        }
        self.complete();
        let trials = self.trials().unwrap_or_else(|error| panic!("{shown}: {error}"));
        assert_eq!(trials.len(), self.expected.len(), "{shown}");
        for (trial, expected) in trials.iter().zip(&self.expected) {
            let same = trial.genotype == expected.genotype && trial.usage == expected.usage;
            let correct = |trial: &Trial| trial.measured().map(|measured| measured.correct);
            assert!(same && correct(trial) == correct(expected), "{shown}: trial {} differs", trial.number);
        }
    }
}
