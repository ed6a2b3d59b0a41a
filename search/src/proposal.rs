//! What a study tries next, and when it gives a training up: the strategy applied to the trials so far.
//!
//! Guarantees: a proposal depends on the study's configuration, the number of the next trial and the trials before it, so a
//! study that was interrupted goes on as if it had not been.

use thiserror::Error;

use crate::bo::history::{History, HistoryError, Observation, Outcome};
use crate::bo::problem::{Point, Problem};
use crate::bo::strategy::SearchState;
use crate::forecast::Forecast;
use crate::front;
use crate::recipe::QuantisationMethod;
use crate::space::genotype::Genotype;
use crate::space::{LimitsError, NewNetworks, Policies, SpaceError, SpaceProblem, Usage};
use crate::stream::stream;
use crate::study::{Proposal, StrategyKind, StudyConfig, Trial, TrialState};

/// Trials that make no sense in their study.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum ProposalError {
    /// A trial on disk is not of the study's space.
    #[error("trial {number}: {source}")]
    Genotype { number: u64, source: SpaceError },
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

    /// The next trial after `trials`: a new network, or another policy for the float network of an earlier trial, whichever
    /// promises more for each image trained on; `last` is the trial whose float network the worker used last, and only those
    /// that are `at_hand` are considered. The first of all is the seed network, shrunk to the limits. `None` if there is
    /// nothing left to try.
    ///
    /// # Errors
    /// A trial makes no sense.
    pub fn next(
        &self,
        trials: &[Trial],
        last: Option<u64>,
        at_hand: &dyn Fn(u64) -> bool,
    ) -> Result<Option<Proposal>, ProposalError> {
        let number = trials.len() as u64;
        if number == 0 {
            return Ok(Some(self.proposal(&self.problem.seed(), None)));
        }
        let points: Vec<Point> = trials.iter().map(|trial| self.point(trial)).collect::<Result<_, _>>()?;
        let ask = |problem: &dyn Problem, purpose, of: &dyn Fn(&Point) -> bool| {
            let (history, pending) = self.history(trials, &points, of)?;
            let state = SearchState {
                problem,
                reference: front::reference(&self.config),
                history: &history,
                pending: &pending,
            };
            let mut random = stream(self.config.seed, number, purpose);
            let proposal = self.config.strategy().propose(&state, 1, &mut random);
            let point = proposal.points.into_iter().next();
            Ok::<_, ProposalError>(point.map(|point| (point, proposal.expected_improvement)))
        };
        if self.config.policies_per_network == 1 {
            let new = ask(&self.problem, "propose", &|_| true)?;
            return Ok(new.map(|(point, _)| self.proposal(&point, None)));
        }
        let trained = Policies::new(&self.problem, points.iter().cloned());
        let new = ask(&NewNetworks::besides(trained), "propose", &|_| true)?;
        let mut shareable = self.shareable(trials, last);
        shareable.retain(|&index| at_hand(trials[index].number));
        if !shareable.is_empty() {
            let policies = Policies::new(&self.problem, shareable.iter().map(|&index| points[index].clone()));
            // How good the float networks are is known, so the surrogate has to learn only what quantisation costs them.
            let measured =
                trials.iter().zip(&points).filter_map(|(trial, point)| Some((trial.measured()?, point)));
            let policies = policies
                .with_floats(measured.map(|(measured, point)| (point.clone(), measured.float_accuracy())));
            let policy = ask(&policies, "propose a policy", &|point| policies.knows_float(point))?;
            let chosen = policy
                .filter(|(_, gain)| new.as_ref().is_none_or(|(_, new)| self.is_worth(*gain, *new, trials)));
            if let Some((point, _)) = chosen {
                let own = policies.narrowest(&point);
                let shares = |&&index: &&usize| policies.narrowest(&points[index]) == own;
                let weights_from = shareable.iter().find(shares).map(|&index| trials[index].number);
                return Ok(Some(self.proposal(&point, weights_from)));
            }
        }
        Ok(new.map(|(point, _)| self.proposal(&point, None)))
    }

    /// Those of `trials` whose points are wanted: the ended and the pending ones.
    fn history(
        &self,
        trials: &[Trial],
        points: &[Point],
        wanted: &dyn Fn(&Point) -> bool,
    ) -> Result<(History, Vec<Point>), ProposalError> {
        let (mut history, mut pending) = (History::new(), Vec::new());
        for (trial, point) in trials.iter().zip(points).filter(|(_, point)| wanted(point)) {
            let outcome = match &trial.state {
                TrialState::Running => {
                    pending.push(point.clone());
                    continue;
                }
                TrialState::Failed { .. } => Outcome::Failed,
                TrialState::Finished(measured) => {
                    Outcome::Finished(front::objectives(measured.accuracy(), trial.usage.bytes))
                }
                // It is below the front by far; where exactly matters little.
                TrialState::GivenUp(given_up) => {
                    Outcome::Finished(front::objectives(given_up.expected_accuracy, trial.usage.bytes))
                }
            };
            history.push(self.problem.dimensions(), Observation { point: point.clone(), outcome })?;
        }
        Ok((history, pending))
    }

    /// The indices in `trials` of the networks that may be tried with further policies: all that have fewer than the study's
    /// number of them, or only the one trained last if the strategy cannot weigh them against new networks.
    fn shareable(&self, trials: &[Trial], last: Option<u64>) -> Vec<usize> {
        let tried = |number: u64| {
            let shares = |trial: &&Trial| trial.number == number || trial.weights_from == Some(number);
            trials.iter().filter(shares).count() as u64
        };
        let usable = |trial: &Trial| {
            trial.weights_from.is_none()
                && trial.measured().is_some()
                && tried(trial.number) < self.config.policies_per_network
        };
        let weighs = self.config.strategy == StrategyKind::Ehvi;
        let all = trials.iter().enumerate();
        all.filter(|(_, trial)| usable(trial) && (weighs || last == Some(trial.number)))
            .map(|(index, _)| index)
            .collect()
    }

    /// Whether a policy that is expected to gain `policy` is worth more for its work than a new network that is expected to
    /// gain `new`. If nothing is known, as before the surrogate is asked, a network's policies come first.
    fn is_worth(&self, policy: Option<f64>, new: Option<f64>, trials: &[Trial]) -> bool {
        let (Some(policy), Some(new)) = (policy, new) else { return true };
        let own = trials.iter().filter(|trial| trial.weights_from.is_none());
        let Some(own) = own.filter_map(Trial::measured).next_back() else { return true };
        let recipe = &self.config.training;
        let qaft = match self.config.mode.in_the_loop() {
            QuantisationMethod::Qaft => recipe.qaft.epochs,
            QuantisationMethod::Ptq | QuantisationMethod::None => 0.0,
        };
        // In images trained on. Scoring an image is a third of the work of training on it, which also goes backwards; so not
        // even without fine-tuning does a network spend its few policies at once on what hardly gains anything.
        let scoring = own.images as f64 / 3.0;
        let whole = own.trained_images as f64 + scoring;
        let part = own.trained_images as f64 * qaft / (recipe.float.epochs + qaft) + scoring;
        policy * whole >= new * part
    }

    fn proposal(&self, point: &Point, weights_from: Option<u64>) -> Proposal {
        let usage = Usage::of(&self.problem.network(point));
        Proposal { genotype: self.config.space.genotype(point), usage, weights_from }
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
        let own = trials.iter().filter(|trial| trial.weights_from.is_none()).filter_map(Trial::measured);
        let pairs: Vec<(f64, f64)> =
            own.filter_map(|measured| Some((measured.halfway?.accuracy(), measured.accuracy()))).collect();
        let forecast = Forecast::of(&pairs)?;
        // Later policies of the same network may be smaller.
        let point = self.config.space.point(genotype).ok()?;
        let least = if self.config.policies_per_network > 1 {
            Policies::new(&self.problem, [point.clone()]).narrowest(&point)
        } else {
            point
        };
        let cost = (Usage::of(&self.problem.network(&least)).bytes as f64).log10();
        Some(Hurdle { forecast, level: front::of_study(&self.config, trials).level(cost) })
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
