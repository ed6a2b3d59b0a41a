//! How many trials the optimiser needs, and how long it thinks: the strategies side by side on a table of real trainings,
//! on an invented accuracy over the real space `extended`, and the time of one proposal late in a long study.
//!
//! `cargo bench -p bomp-search --no-default-features --bench bo -- TABLE.csv`

mod invented;
mod late;
mod table;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bomp_search::bo::history::{History, Observation, Outcome};
use bomp_search::bo::pareto::{Front, Objectives, Reference};
use bomp_search::bo::problem::{Point, Problem};
use bomp_search::bo::strategy::{Ehvi, Evolution, Random, Situation, Strategy};
use bomp_search::stream::stream;
use clap::Parser;
use rand_chacha::ChaCha8Rng;

/// Compares the strategies of the optimiser.
#[derive(Parser)]
struct Arguments {
    /// Table with the columns op0.., val_acc_0.. [%] and model_size_mb
    table: PathBuf,
    /// Studies for each strategy
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Most trials of a study on the table
    #[arg(long, default_value_t = 300)]
    trials: usize,
    /// Trials of a study on the invented accuracy
    #[arg(long, default_value_t = 150)]
    invented_trials: usize,
    /// Passed by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    table::run(&arguments)?;
    invented::run(&arguments)?;
    late::run()
}

/// The strategies compared.
fn strategies() -> [Box<dyn Strategy + Sync>; 3] {
    [Box::new(Random), Box::<Evolution>::default(), Box::<Ehvi>::default()]
}

/// A problem whose trials can be carried out here.
trait Oracle: Problem {
    fn reference(&self) -> Reference;
    /// What a trial of `point` reports.
    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Objectives;
    /// What it is really worth.
    fn truth(&self, point: &Point) -> Objectives;
}

/// A study: the hypervolume, of true values, after each trial, and the time spent proposing.
struct Study {
    hypervolumes: Vec<f64>,
    thinking: Duration,
}

fn study(oracle: &dyn Oracle, strategy: &dyn Strategy, trials: usize, seed: u64) -> anyhow::Result<Study> {
    let (problem, reference): (&dyn Problem, _) = (oracle, oracle.reference());
    let mut history = History::new();
    let mut front = Front::new(reference);
    let mut study = Study { hypervolumes: Vec::with_capacity(trials), thinking: Duration::ZERO };
    for trial in 0..trials as u64 {
        let begun = Instant::now();
        let situation = Situation { problem, reference, history: &history, pending: &[] };
        let proposal = strategy.propose(&situation, 1, &mut stream(seed, trial, "propose"));
        study.thinking += begun.elapsed();
        let Some(point) = proposal.points.into_iter().next() else { break };
        let outcome = Outcome::Finished(oracle.observe(&point, &mut stream(seed, trial, "observe")));
        front.insert(oracle.truth(&point));
        study.hypervolumes.push(front.hypervolume());
        history.push(problem.dimensions(), Observation { point, outcome })?;
    }
    Ok(study)
}

/// One study for each seed, on all cores.
fn studies(
    oracle: &(dyn Oracle + Sync),
    strategy: &(dyn Strategy + Sync),
    trials: usize,
    seeds: u64,
) -> anyhow::Result<Vec<Study>> {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    std::thread::scope(|scope| {
        let run = |worker| {
            move || {
                (worker..seeds)
                    .step_by(workers as usize)
                    .map(|s| study(oracle, strategy, trials, s))
                    .collect()
            }
        };
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(run(worker))).collect();
        let parts: Vec<Vec<anyhow::Result<Study>>> =
            handles.into_iter().map(|h| h.join().expect("a study does not panic")).collect();
        parts.into_iter().flatten().collect()
    })
}

/// The median; of an even number the upper one, so that it was seen.
fn median<T: PartialOrd + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|a, b| a.partial_cmp(b).expect("comparable"));
    values.get(values.len() / 2).copied()
}

/// Milliseconds of thinking for each trial.
fn milliseconds_per_trial(studies: &[Study]) -> f64 {
    let trials: usize = studies.iter().map(|s| s.hypervolumes.len()).sum();
    studies.iter().map(|s| s.thinking.as_secs_f64() * 1e3).sum::<f64>() / trials.max(1) as f64
}
