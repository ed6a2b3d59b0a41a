//! The study's loop: take up what was interrupted, else propose; evaluate; record; until there are as many trials as asked.
//!
//! Guarantees: each trial's end is durable before the next begins. A proposal depends only on the study's seed, the
//! trial's number and the trials before it, so a study that was interrupted goes on as if it had not been. What the
//! evaluation is, the loop does not know: it needs no libtorch.

use thiserror::Error;

use crate::bo::history::{History, HistoryError, Observation, Outcome};
use crate::bo::pareto::{Front, Objectives, Reference};
use crate::bo::problem::{Point, Problem};
use crate::bo::strategy::Situation;
use crate::space::genotype::Genotype;
use crate::space::{LimitsError, SpaceError, SpaceProblem, Usage};
use crate::stream::stream;
use crate::study::{Measured, Store, StoreError, StudyConfig, Trial, TrialState};

/// How an evaluation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// With these figures.
    Finished(Measured),
    /// Without figures: divergence, lack of memory. The study goes on.
    Failed(String),
    /// The user asked to stop; the trial stays open and is done again on resume.
    Interrupted,
}

/// Trains and measures one trial.
pub trait Evaluator {
    /// Evaluates trial `number` of the study, the network of `genotype`.
    fn evaluate(&mut self, number: u64, genotype: &Genotype, usage: Usage) -> Evaluation;

    /// Is told of each trial that has ended.
    fn ended(&mut self, trial: &Trial);
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The study has as many trials as were asked for.
    Complete,
    /// The user asked to stop.
    Interrupted,
    /// There is nothing left to try within the limits.
    Exhausted,
}

/// Why the loop could not go on. The study is whole.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The study on disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No network of the space is within the limits.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A trial on disk is not of the study's space.
    #[error("trial {number}: {source}")]
    Genotype {
        /// The trial.
        number: u64,
        /// What is wrong.
        source: SpaceError,
    },
    /// A trial on disk has impossible figures.
    #[error(transparent)]
    History(#[from] HistoryError),
}

/// Runs trials until the study has `wanted` of them.
///
/// # Errors
/// See [`SessionError`]; a failed trial is none.
pub fn run(store: &mut Store, wanted: u64, evaluator: &mut dyn Evaluator) -> Result<Ending, SessionError> {
    let config = store.config().clone();
    let problem = SpaceProblem::new(config.space.clone(), config.limits)?;
    loop {
        let trials = store.trials()?;
        let open = trials.iter().find(|trial| trial.is_running());
        let (number, genotype, usage) = if let Some(trial) = open {
            (trial.number, trial.genotype.clone(), trial.usage)
        } else if trials.len() as u64 >= wanted {
            return Ok(Ending::Complete);
        } else {
            let Some(genotype) = propose(&config, &problem, &trials)? else { return Ok(Ending::Exhausted) };
            let usage = Usage::of(&config.space.network(&genotype));
            (store.claim(&genotype, usage)?, genotype, usage)
        };
        let state = match evaluator.evaluate(number, &genotype, usage) {
            Evaluation::Interrupted => return Ok(Ending::Interrupted),
            Evaluation::Finished(measured) => {
                store.finish(number, &measured)?;
                TrialState::Finished(measured)
            }
            Evaluation::Failed(reason) => {
                store.fail(number, &reason)?;
                TrialState::Failed { reason }
            }
        };
        evaluator.ended(&Trial { number, genotype, usage, state });
    }
}

/// Where the hypervolume of a study begins: its accuracy of reference, and the budget or else the largest network.
#[must_use]
pub fn reference(config: &StudyConfig) -> Reference {
    let largest = config.limits.max_size.unwrap_or_else(|| {
        // Choices ascend, so the last ones make the largest network.
        let mut point: Point =
            config.space.genes().iter().map(|gene| gene.coordinates.len() as u16 - 1).collect();
        config.space.canonicalise(&mut point);
        Usage::of(&config.space.network(&config.space.genotype(&point))).bytes
    });
    // A network of exactly the budget is still worth something.
    Reference { value: config.reference_accuracy, cost: (largest as f64 + 1.0).log10() }
}

/// The objectives of a finished trial: accuracy 0..=1, log10 of the size in bytes.
#[must_use]
pub fn objectives(measured: &Measured, usage: Usage) -> Objectives {
    Objectives { value: measured.accuracy(), cost: (usage.bytes as f64).log10() }
}

/// Hypervolume of the finished ones of `trials`.
#[must_use]
pub fn hypervolume(config: &StudyConfig, trials: &[Trial]) -> f64 {
    let points = trials.iter().filter_map(|trial| trial.measured().map(|m| objectives(m, trial.usage)));
    Front::of(reference(config), points).hypervolume()
}

/// The next genotype: the seed network, shrunk to the limits, as trial 0, then what the strategy says.
fn propose(
    config: &StudyConfig,
    problem: &SpaceProblem,
    trials: &[Trial],
) -> Result<Option<Genotype>, SessionError> {
    let number = trials.len() as u64;
    let mut random = stream(config.seed, number, "propose");
    if number == 0 {
        return Ok(Some(config.space.genotype(&problem.seed())));
    }
    let mut history = History::new();
    for trial in trials {
        let point: Point = config
            .space
            .point(&trial.genotype)
            .map_err(|source| SessionError::Genotype { number: trial.number, source })?;
        let outcome = match &trial.state {
            TrialState::Finished(measured) => Outcome::Finished(objectives(measured, trial.usage)),
            TrialState::Running | TrialState::Failed { .. } => Outcome::Failed,
        };
        history.push(problem.dimensions(), Observation { point, outcome })?;
    }
    let situation = Situation { problem, reference: reference(config), history: &history, pending: &[] };
    let proposal = config.strategy().propose(&situation, 1, &mut random);
    Ok(proposal.points.first().map(|point| config.space.genotype(point)))
}
