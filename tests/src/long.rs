//! Long runs: a study of thousands of trials with an invented trainer, and a worker that trains hundreds of real networks. Neither
//! may grow.

use std::fmt;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bomp_search::proposal::Proposer;
use bomp_search::session::{self, Assignment, Evaluation, Evaluator};
use bomp_search::study::{Location, Storage, StrategyKind, Trial, Worker};

use crate::invented::{self, Invented};

/// Memory that a study may gain between its first fifth and its end: the trials of one look at the store, and little more.
const STUDY_GROWTH: u64 = 64 << 20;
/// Memory that a worker may gain between its first fifth and its end.
const WORKER_GROWTH: u64 = 48 << 20;
/// Trials at which the default strategy is timed.
const SIZES: [usize; 4] = [125, 250, 500, 1_000];

/// Resident memory of a process, in bytes.
fn resident(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages: u64 = text.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    pages * 4_096
}

/// A study of many trials.
#[derive(Clone, Debug)]
pub struct LongStudy {
    /// Trials, all finished.
    pub trials: u64,
    /// Resident bytes after a fifth of them, and at the end.
    pub memory: [u64; 2],
    /// Mean time from the end of a trial to the begin of the next, over a fiftieth of the trials: after a fifth, and at the end.
    pub between: [Duration; 2],
    /// Time of one proposal of the default strategy over the first so many trials.
    pub proposals: Vec<(usize, Duration)>,
}

impl LongStudy {
    /// Whether memory is flat.
    #[must_use]
    pub const fn is_flat(&self) -> bool {
        self.memory[1] <= self.memory[0] + STUDY_GROWTH
    }
}

impl fmt::Display for LongStudy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [early, late] = self.memory.map(|bytes| bytes >> 20);
        let [first, last] = self.between.map(|time| time.as_secs_f64() * 1e3);
        write!(
            f,
            "{early} MiB after a fifth, {late} MiB at the end; between trials {first:.1} ms, then {last:.1} ms"
        )?;
        f.write_str("; a proposal of ehvi")?;
        for (trials, time) in &self.proposals {
            write!(f, ", {:.2} s at {trials} trials", time.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Measures nothing that takes time, but looks at the process.
struct Watched<F> {
    inner: Invented,
    trials: u64,
    seen: Vec<(Instant, u64)>,
    tell: F,
}

impl<F: FnMut(u64)> Evaluator for Watched<F> {
    fn evaluate(&mut self, assignment: &Assignment, lost: &AtomicBool) -> Evaluation {
        self.inner.evaluate(assignment, lost)
    }

    fn begins(&mut self, number: u64, ended: u64) {
        self.seen.push((Instant::now(), resident(std::process::id())));
        if number.is_multiple_of((self.trials / 100).max(1)) {
            (self.tell)(ended);
        }
    }

    fn ended(&mut self, _trial: &Trial) {}

    fn superseded(&mut self, number: u64) {
        panic!("trial {number} of the only worker was taken over");
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn has_float(&self, _lead: u64) -> bool {
        true
    }
}

/// A study of `trials` by evolution, whose proposals take as long at the end as at the begin.
///
/// # Panics
/// If the study fails.
pub fn study(trials: u64, tell: impl FnMut(u64)) -> LongStudy {
    let place = tempfile::tempdir().expect("a temporary folder");
    let config = invented::config(StrategyKind::Evolution, trials, 1);
    let mut store = Location::from(place.path().join("study")).create(&config).expect("a new study");
    let mut evaluator = Watched { inner: Invented::default(), trials, seen: Vec::new(), tell };
    session::run(&mut *store, &Worker::default(), trials, &mut evaluator).expect("the study goes on");
    let seen = &evaluator.seen;
    assert_eq!(seen.len() as u64, trials, "each trial begins once");
    let (early, span) = (seen.len() / 5, (seen.len() / 50).max(1));
    let between = [early, seen.len() - 1].map(|end| {
        let first = end.saturating_sub(span);
        (seen[end].0 - seen[first].0) / ((end - first).max(1) as u32)
    });
    let memory = [early, seen.len() - 1].map(|at| seen[at].1);
    LongStudy { trials, memory, between, proposals: proposals(&mut *store) }
}

/// Times the default strategy on the first trials of a study.
fn proposals(store: &mut dyn Storage) -> Vec<(usize, Duration)> {
    let trials = store.trials().expect("the study is whole");
    let config = invented::config(StrategyKind::Ehvi, trials.len() as u64, 1);
    let proposer = Proposer::new(&config).expect("there are networks within the limits");
    let timed = |&size: &usize| {
        let start = Instant::now();
        let proposal = proposer.next(&trials[..size], None, &|_| false).expect("the trials make sense");
        assert!(proposal.is_some(), "there is more to try");
        (size, start.elapsed())
    };
    SIZES.iter().filter(|&&size| size <= trials.len()).map(timed).collect()
}

/// A worker of many networks.
#[derive(Clone, Debug)]
pub struct LongWorker {
    /// Networks trained.
    pub networks: u64,
    /// Resident bytes after a fifth of them, and the most in the last fifth.
    pub memory: [u64; 2],
}

impl LongWorker {
    /// Whether memory, libtorch's included, is flat.
    #[must_use]
    pub const fn is_flat(&self) -> bool {
        self.memory[1] <= self.memory[0] + WORKER_GROWTH
    }
}

impl fmt::Display for LongWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [early, late] = self.memory.map(|bytes| bytes >> 20);
        write!(f, "{early} MiB at most in the second fifth, {late} MiB in the last")
    }
}

/// Ends with the test, however it ends.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Whoever has ended already cannot be killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One worker process that trains `networks` real networks on parts of an epoch.
///
/// # Panics
/// If it fails.
pub fn worker(networks: u64, mut tell: impl FnMut(u64)) -> LongWorker {
    let place = tempfile::tempdir().expect("a temporary folder");
    let study = place.path().join("study");
    let mut command = Command::new(crate::program("bomp-search"));
    command.args(["run", "--trials", &networks.to_string(), "--threads", "1", "--strategy", "random"]);
    command.args(["--max-macs", "150k", "--epochs", "0.02", "--qaft-epochs", "0.02", "--study"]).arg(&study);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = Process(command.spawn().expect("it starts"));
    let mut seen: Vec<(u64, u64)> = Vec::new();
    let status = loop {
        if let Some(status) = process.0.try_wait().expect("a child can be asked") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(500));
        let trials = Location::from(study.clone()).open().and_then(|mut store| store.trials());
        let ended =
            trials.map_or(0, |trials| trials.iter().filter(|trial| !trial.is_running()).count() as u64);
        seen.push((ended, resident(process.0.id())));
        tell(ended);
    };
    assert!(status.success(), "the worker failed: {status}");
    let most = |fifth: u64| {
        let part = fifth * networks / 5..=(fifth + 1) * networks / 5;
        seen.iter().filter(|(ended, _)| part.contains(ended)).map(|&(_, bytes)| bytes).max().unwrap_or(0)
    };
    LongWorker { networks, memory: [most(1), most(4)] }
}
