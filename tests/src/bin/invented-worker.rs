//! A worker whose evaluation is invented, to be killed by tests: everything else of it is the product.
//!
//! It keeps a log: `created` once the study is there, `ended N` once the store has acknowledged the end of trial N, `refused N`
//! once the store has refused it.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bomp_search::session::{self, Assignment, Evaluation, Evaluator};
use bomp_search::study::{Location, StoreError, StrategyKind, Trial, Worker};
use bomp_tests::invented::{self, Invented};
use clap::Parser;
use nix::sys::signal::{Signal, raise};

#[derive(Parser)]
struct Arguments {
    /// The study
    #[arg(long)]
    study: Location,
    /// Trials in all
    #[arg(long)]
    trials: u64,
    /// Grace time in milliseconds
    #[arg(long)]
    grace: u64,
    /// Take-overs of a trial
    #[arg(long)]
    take_overs: u32,
    /// Mean time of a trial in milliseconds
    #[arg(long)]
    time: u64,
    /// File to append the log to
    #[arg(long)]
    log: PathBuf,
    /// The trial that kills whoever evaluates it
    #[arg(long)]
    deadly: Option<u64>,
    /// Make the study, of random networks, if there is none
    #[arg(long)]
    create: bool,
}

/// The invented evaluation, with a log.
struct Logged {
    inner: Invented,
    log: File,
    deadly: Option<u64>,
}

impl Logged {
    fn write(&mut self, word: &str, number: u64) {
        // One write of one line: lines of several processes do not mix.
        self.log.write_all(format!("{word} {number}\n").as_bytes()).expect("the log is writable");
    }
}

impl Evaluator for Logged {
    fn evaluate(&mut self, assignment: &Assignment, lost: &AtomicBool) -> Evaluation {
        if self.deadly == Some(assignment.number) {
            raise(Signal::SIGKILL).expect("a process may kill itself");
        }
        self.inner.evaluate(assignment, lost)
    }

    fn begins(&mut self, _number: u64, _ended: u64) {}

    fn ended(&mut self, trial: &Trial) {
        self.write("ended", trial.number);
    }

    fn superseded(&mut self, number: u64) {
        self.write("refused", number);
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn has_float(&self, _lead: u64) -> bool {
        true
    }
}

/// Makes the study if it is asked for and there is none.
fn create(arguments: &Arguments, mut log: &File) -> Result<(), StoreError> {
    if !arguments.create {
        return Ok(());
    }
    match arguments.study.create(&invented::config(StrategyKind::Random, arguments.trials, 1)) {
        Ok(_) => log.write_all(b"created\n").expect("the log is writable"),
        Err(StoreError::Exists { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

fn main() {
    let arguments = Arguments::parse();
    let log = File::options().create(true).append(true).open(&arguments.log).expect("a log");
    // The figures say who measured them.
    let seconds = f64::from(std::process::id());
    let inner = Invented { time: Duration::from_millis(arguments.time), seconds, ..Invented::default() };
    let created = create(&arguments, &log);
    let mut evaluator = Logged { inner, log, deadly: arguments.deadly };
    let worker = Worker::new(Duration::from_millis(arguments.grace), arguments.take_overs);
    let work = created.and_then(|()| arguments.study.open()).map_err(session::SessionError::from);
    let work =
        work.and_then(|mut store| session::run(&mut *store, &worker, arguments.trials, &mut evaluator));
    if let Err(error) = work {
        eprintln!("error: {error}");
        std::process::exit(2);
    }
}
