//! What a study tries next, and when it gives a training up: the strategy applied to the trials so far.
//!
//! Guarantees: a proposal depends on the study's configuration, the number of the next trial and the trials before it, so a
//! study that was interrupted goes on as if it had not been.

use thiserror::Error;

use crate::bo::history::{History, HistoryError, Observation, Outcome};
use crate::bo::pareto::{Front, Objectives, Reference};
use crate::bo::problem::{Point, Problem};
use crate::bo::strategy::Situation;
use crate::forecast::Forecast;
use crate::space::genotype::Genotype;
use crate::space::{LimitsError, Policies, SpaceError, SpaceProblem, Usage};
use crate::stream::stream;
use crate::study::{Measured, StudyConfig, Trial, TrialState};

/// A trial to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The network.
    pub genotype: Genotype,
    /// What it takes of a device.
    pub usage: Usage,
    /// The trial whose trained float network it shares; `None`: it trains its own.
    pub lead: Option<u64>,
}

/// Trials that make no sense in their study.
#[derive(Debug, Error)]
pub enum ProposalError {
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

/// Makes the proposals of a study.
#[derive(Clone, Debug)]
pub struct Proposer {
    config: StudyConfig,
    problem: SpaceProblem,
}

impl Proposer {
    /// For a study.
    ///
    /// # Errors
    /// No network of the space is within the limits.
    pub fn new(config: &StudyConfig) -> Result<Self, LimitsError> {
        let problem = SpaceProblem::new(config.space.clone(), config.limits)?;
        let problem = if config.policies_per_network > 1 { problem.with_shared_networks() } else { problem };
        Ok(Self { config: config.clone(), problem })
    }

    /// The next trial after `trials`: another policy for the float network of trial `lead` while it has fewer than the
    /// study's number of them, else another network. The first of all is the seed network, shrunk to the limits. `None` if
    /// there is nothing left to try.
    ///
    /// # Errors
    /// A trial makes no sense.
    pub fn next(&self, trials: &[Trial], lead: Option<u64>) -> Result<Option<Proposal>, ProposalError> {
        let number = trials.len() as u64;
        if number == 0 {
            return Ok(Some(self.proposal(&self.problem.seed(), None)));
        }
        let mut history = History::new();
        let mut pending = Vec::new();
        for trial in trials {
            let point = self.point(trial)?;
            let outcome = match &trial.state {
                TrialState::Running => {
                    pending.push(point);
                    continue;
                }
                TrialState::Failed { .. } => Outcome::Failed,
                TrialState::Finished(measured) => Outcome::Finished(objectives(measured, trial.usage)),
                // It is below the front by far; where exactly matters little.
                TrialState::GivenUp(given_up) => Outcome::Finished(Objectives {
                    value: given_up.expected_accuracy,
                    cost: (trial.usage.bytes as f64).log10(),
                }),
            };
            history.push(self.problem.dimensions(), Observation { point, outcome })?;
        }
        if let Some(lead) = lead.filter(|&lead| self.wants_policies(trials, lead)) {
            let policies = Policies::new(&self.problem, &self.point(&trials[lead as usize])?);
            if let Some(point) = self.ask(&policies, &history, &pending, number) {
                return Ok(Some(self.proposal(&point, Some(lead))));
            }
        }
        Ok(self.ask(&self.problem, &history, &pending, number).map(|point| self.proposal(&point, None)))
    }

    /// Whether the float network of trial `lead` is to be tried with further policies.
    fn wants_policies(&self, trials: &[Trial], lead: u64) -> bool {
        let usable = trials.get(lead as usize).is_some_and(|trial| trial.measured().is_some());
        let tried = trials.iter().filter(|trial| trial.number == lead || trial.lead == Some(lead)).count();
        usable && (tried as u64) < self.config.policies_per_network
    }

    fn ask(&self, problem: &dyn Problem, history: &History, pending: &[Point], number: u64) -> Option<Point> {
        let situation = Situation { problem, reference: reference(&self.config), history, pending };
        let mut random = stream(self.config.seed, number, "propose");
        self.config.strategy().propose(&situation, 1, &mut random).points.into_iter().next()
    }

    fn proposal(&self, point: &Point, lead: Option<u64>) -> Proposal {
        let usage = Usage::of(&self.problem.network(point));
        Proposal { genotype: self.config.space.genotype(point), usage, lead }
    }

    fn point(&self, trial: &Trial) -> Result<Point, ProposalError> {
        let point = self.config.space.point(&trial.genotype);
        point.map_err(|source| ProposalError::Genotype { number: trial.number, source })
    }

    /// What a trial that is about to train the float network of `genotype` must reach, if the study gives trainings up and
    /// the finished ones of `trials` tell enough.
    #[must_use]
    pub fn hurdle(&self, trials: &[Trial], genotype: &Genotype) -> Option<Hurdle> {
        if !self.config.early_stopping {
            return None;
        }
        let leads = trials.iter().filter(|trial| trial.lead.is_none()).filter_map(Trial::measured);
        let pairs: Vec<(f64, f64)> =
            leads.filter_map(|measured| Some((measured.halfway?.accuracy(), measured.accuracy()))).collect();
        let forecast = Forecast::of(&pairs)?;
        // Later policies of the same network may be smaller.
        let point = self.config.space.point(genotype).ok()?;
        let least = if self.config.policies_per_network > 1 {
            Policies::new(&self.problem, &point).narrowest()
        } else {
            point
        };
        let cost = (Usage::of(&self.problem.network(&least)).bytes as f64).log10();
        Some(Hurdle { forecast, level: front(&self.config, trials).level(cost) })
    }
}

/// What a half-trained network must promise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hurdle {
    /// Where networks end.
    pub forecast: Forecast,
    /// The accuracy that the front has at the size of the network.
    pub level: f64,
}

impl Hurdle {
    /// Whether a network of this accuracy halfway can still improve the front.
    #[must_use]
    pub fn clears(&self, halfway: f64) -> bool {
        self.forecast.bound(halfway) > self.level
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

/// The front of the finished ones of `trials`.
#[must_use]
pub fn front(config: &StudyConfig, trials: &[Trial]) -> Front {
    let points = trials.iter().filter_map(|trial| trial.measured().map(|m| objectives(m, trial.usage)));
    Front::of(reference(config), points)
}

/// Hypervolume of the finished ones of `trials`.
#[must_use]
pub fn hypervolume(config: &StudyConfig, trials: &[Trial]) -> f64 {
    front(config, trials).hypervolume()
}
