//! Random `kill -9` of workers and of the server while a study runs, and the proof that nothing came of it.
//!
//! The workers are processes with the real store, session and optimiser; only the evaluation is invented. What the proof
//! rests on is independent of the code under test: triggers in the database record every end of a trial and every change
//! after one, and the workers' logs say what they were told.

mod audit;
mod crew;
mod proof;

use std::fmt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bomp_search::stream::stream;
use bomp_search::study::{Location, Storage, StrategyKind, Trial};
use rand::RngExt;
use rand::seq::IteratorRandom;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::invented;
use crate::postgres::Server;
use audit::Audit;
use crew::Crew;

/// How long to wait for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);
/// Beyond the grace time: until a stopped worker is believed to have been stopped in the middle of a transaction.
const TRANSACTION: Duration = Duration::from_secs(20);

/// What is to be done to a study.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// `kill -9`s, of workers and of the server.
    pub kills: u32,
    /// Workers that are stopped for longer than the grace time, and then go on.
    pub zombies: u32,
    /// Workers at a time.
    pub workers: usize,
    /// Time without an answer after which a worker counts as dead.
    pub grace: Duration,
    /// Mean time of a trial.
    pub time: Duration,
    /// Of the random choices.
    pub seed: u64,
}

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A folder.
    Sqlite,
    /// A server of its own, over encrypted connections to a verified server.
    Postgres,
}

/// What happened.
#[derive(Clone, Debug)]
pub struct Outcome {
    store: Store,
    grace: Duration,
    /// Trials, each finished exactly once.
    pub trials: usize,
    /// Workers killed.
    pub workers_killed: u32,
    /// Kills of the server's main process.
    pub servers_killed: u32,
    /// Kills of single sessions of the server, after which it starts anew.
    pub sessions_killed: u32,
    /// Workers that were stopped for longer than the grace time.
    pub zombies: u32,
    /// Late writes that were refused.
    pub refused: usize,
    /// Claims of trials that another worker had lost.
    pub taken_over: u64,
    /// From the death of a worker until another had its trial.
    pub after_kill: Vec<Duration>,
    /// From the stop of a worker until another had its trial.
    pub after_stop: Vec<Duration>,
    seconds: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills = self.workers_killed + self.servers_killed + self.sessions_killed;
        let store = match self.store {
            Store::Sqlite => "SQLite",
            Store::Postgres => "PostgreSQL over TLS (sslmode=verify-full)",
        };
        writeln!(f, "{store}: grace time {:.1} s", self.grace.as_secs_f64())?;
        writeln!(
            f,
            "  {kills} kill -9: {} of workers, {} of the server, {} of its sessions; {} workers stopped past the grace time",
            self.workers_killed, self.servers_killed, self.sessions_killed, self.zombies
        )?;
        writeln!(
            f,
            "  {} trials, each finished exactly once; no finished trial lost or changed",
            self.trials
        )?;
        writeln!(f, "  {} trials taken over, {} late writes refused", self.taken_over, self.refused)?;
        writeln!(f, "  taken over after a kill: {}", Times(&self.after_kill))?;
        writeln!(f, "  taken over after a stop: {}", Times(&self.after_stop))?;
        write!(f, "  {:.0} s", self.seconds)
    }
}

/// Least, median and largest.
struct Times<'a>(&'a [Duration]);

impl fmt::Display for Times<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.0.to_vec();
        sorted.sort();
        let (Some(least), Some(largest)) = (sorted.first(), sorted.last()) else {
            return f.write_str("none");
        };
        let median = sorted[sorted.len() / 2].as_secs_f64();
        let (least, largest) = (least.as_secs_f64(), largest.as_secs_f64());
        write!(f, "{} times, after {least:.2} to {largest:.2} s, median {median:.2} s", sorted.len())
    }
}

/// A trial whose worker was killed or stopped.
struct Orphan {
    number: u64,
    worker: String,
    process: u32,
    since: Instant,
    stopped: bool,
}

/// Carries out the plan with workers that are processes of `program`.
///
/// # Panics
/// If anything is not as it should be.
#[must_use]
pub fn run(program: &Path, store: Store, plan: &Plan) -> Outcome {
    let begun = Instant::now();
    let folder = TempDir::new().expect("a temporary folder");
    let authority = Authority::new();
    let server = (store == Store::Postgres).then(|| {
        let verified = format!("&sslmode=verify-full&sslrootcert={}", authority.certificate().display());
        Server::start_encrypted(&authority.sign("IP:127.0.0.1", 2)).with(&verified)
    });
    let address = match &server {
        Some(server) => server.study("kills"),
        None => folder.path().join("study").display().to_string(),
    };
    let location: Location = address.parse().expect("a good address");
    let config = invented::config(StrategyKind::Random, 1_000_000, plan.seed);
    let observer = location.create(&config).expect("a new study");
    let audit = Audit::start(server.as_ref(), &folder.path().join("study"));
    let crew = Crew::new(program, &address, plan, folder.path());
    let mut run = Run {
        plan,
        server,
        observer,
        crew,
        orphans: Vec::new(),
        finished: Vec::new(),
        outcome: Outcome {
            store,
            grace: plan.grace,
            trials: 0,
            workers_killed: 0,
            servers_killed: 0,
            sessions_killed: 0,
            zombies: 0,
            refused: 0,
            taken_over: 0,
            after_kill: Vec::new(),
            after_stop: Vec::new(),
            seconds: 0.0,
        },
    };
    run.torment();
    run.recover();
    let trials = run.observer.trials().expect("the study can be read");
    let records = audit.records(run.server.as_ref());
    run.outcome.refused = proof::check(&trials, &records, &run.crew);
    run.outcome.trials = trials.len();
    run.outcome.taken_over = records.taken_over;
    run.outcome.seconds = begun.elapsed().as_secs_f64();
    run.outcome
}

struct Run<'a> {
    plan: &'a Plan,
    server: Option<Server>,
    observer: Box<dyn Storage>,
    crew: Crew,
    orphans: Vec<Orphan>,
    /// Trials that were seen as finished.
    finished: Vec<Trial>,
    outcome: Outcome,
}

impl Run<'_> {
    /// All kills but the last ones, and all zombies.
    fn torment(&mut self) {
        let mut random = stream(self.plan.seed, 0, "kills");
        let last = self.plan.workers as u32;
        let mut zombies = 0;
        while self.kills() + last < self.plan.kills || zombies < self.plan.zombies {
            // Between two kills at least one trial begins, so that the study gets on.
            let trials = self.look().len();
            let until = Instant::now() + PATIENCE;
            while self.look().len() == trials {
                assert!(
                    Instant::now() < until,
                    "no worker has begun a trial; they said:\n{}",
                    self.crew.said()
                );
                sleep(LOOK);
            }
            sleep(Duration::from_millis(random.random_range(0..150)));
            let share: f64 = random.random();
            let stopped = self.orphans.iter().filter(|orphan| orphan.stopped).count();
            if zombies < self.plan.zombies && (share < 0.2 || self.kills() + last >= self.plan.kills) {
                // Those that are stopped hold no other worker up for long.
                if stopped < 2 && self.strike(&mut random, true) {
                    zombies += 1;
                }
            } else if self.kills() + last >= self.plan.kills {
                continue;
            } else if self.server.is_some() && share < 0.35 {
                self.strike_server(share < 0.27);
            } else if share < 0.5 {
                // Whatever it is doing: starting, proposing, writing.
                if self.crew.kill_any(&mut random) {
                    self.outcome.workers_killed += 1;
                }
            } else if self.strike(&mut random, false) {
                self.outcome.workers_killed += 1;
            }
        }
    }

    /// Kills or stops a worker that has a trial.
    fn strike(&mut self, random: &mut impl rand::Rng, stop: bool) -> bool {
        let trials = self.look();
        let held = trials.iter().filter_map(|trial| {
            let worker = trial.worker.clone()?;
            let process = crew::process(&worker);
            self.crew.is_awake(process).then_some((trial.number, worker, process))
        });
        let Some((number, worker, process)) = held.choose(random) else { return false };
        if stop {
            self.crew.stop(process)
        } else {
            self.crew.kill(process)
        }
        self.orphans.push(Orphan { number, worker, process, since: Instant::now(), stopped: stop });
        true
    }

    fn strike_server(&mut self, whole: bool) {
        let Some(server) = &mut self.server else { return };
        if whole {
            server.kill();
            server.restart();
            self.outcome.servers_killed += 1;
        } else if server.kill_session() {
            self.outcome.sessions_killed += 1;
        }
    }

    /// The trials now. Workers that have ended are replaced, stopped ones whose trial is gone go on.
    fn look(&mut self) -> Vec<Trial> {
        self.crew.replace();
        let trials = self.observer.trials().expect("the study can be read");
        for before in &self.finished {
            assert_eq!(trials.get(before.number as usize), Some(before), "a finished trial changed");
        }
        self.finished = trials.iter().filter(|trial| trial.measured().is_some()).cloned().collect();
        let orphans = std::mem::take(&mut self.orphans);
        for orphan in orphans {
            let now = &trials[orphan.number as usize];
            let since = orphan.since.elapsed();
            if now.worker.as_ref() != Some(&orphan.worker) {
                // What it had written before it was killed or stopped was not taken over.
                let own = now.measured().is_some_and(|m| m.seconds == f64::from(orphan.process));
                if orphan.stopped {
                    self.crew.wake(orphan.process);
                    if !own {
                        self.outcome.zombies += 1;
                        self.outcome.after_stop.push(since);
                    }
                } else if !own {
                    self.outcome.after_kill.push(since);
                }
            } else if orphan.stopped && since > self.plan.grace + TRANSACTION {
                // It keeps the store from the others. That is not what is to be shown here.
                self.crew.wake(orphan.process);
            } else {
                self.orphans.push(orphan);
            }
        }
        trials
    }

    /// Kills every worker; others finish what has begun, and those that were stopped find that they are late.
    fn recover(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.orphans.iter().any(|orphan| orphan.stopped) || self.crew.has_zombies() {
            assert!(
                Instant::now() < until,
                "a stopped worker found no end; they said:\n{}",
                self.crew.said()
            );
            self.look();
            sleep(LOOK);
        }
        let trials = self.look();
        self.outcome.workers_killed += self.crew.kill_all();
        self.crew.finish(trials.len() as u64);
        loop {
            let trials = self.look();
            if !trials.iter().any(Trial::is_running) {
                break;
            }
            assert!(
                Instant::now() < until,
                "the study does not end; the workers said:\n{}",
                self.crew.said()
            );
            sleep(LOOK);
        }
        self.crew.join(until);
    }

    fn kills(&self) -> u32 {
        self.outcome.workers_killed + self.outcome.servers_killed + self.outcome.sessions_killed
    }
}
