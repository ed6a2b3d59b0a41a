//! What the optimiser's surrogate believes after a study's trials, whatever strategy proposed them.

use serde::Serialize;

use super::ReportError;
use crate::bo::diagnosis::{HeldOutPrediction, diagnose};
use crate::bo::history::{History, Observation, Outcome};
use crate::bo::problem::Problem;
use crate::bo::strategy::SearchState;
use crate::front;
use crate::space::SpaceProblem;
use crate::study::{StudyConfig, Trial, TrialState};

/// How well the surrogate predicts, and what it thinks matters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SurrogateSummary {
    /// Finished trials, each predicted from all the others.
    pub predictions: Vec<TrialPrediction>,
    /// Root mean square error of the predictions, in accuracy 0..=1.
    pub error: f64,
    /// The part of the variance of the accuracies that is explained when each is predicted from all others: 1 is all of it, 0 or less
    /// no more than their mean explains.
    pub explained: f64,
    /// Predictions whose 95 % interval holds what was seen.
    pub held: usize,
    /// The genes, the most important first.
    pub importance: Vec<Importance>,
}

/// The prediction for a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrialPrediction {
    /// The trial.
    pub trial: u64,
    /// In accuracy, 0..=1, as it is modelled.
    #[serde(flatten)]
    pub prediction: HeldOutPrediction,
}

/// How much a gene matters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// Such as `block2.kernel`.
    pub gene: String,
    /// Root mean square change of the expected accuracy, 0..=1, when only this gene of a tried network is changed.
    pub effect: f64,
}

/// The summary after the ended ones of `trials`; `None` before the first finished one.
pub(super) fn summary(
    study: &str,
    config: &StudyConfig,
    trials: &[Trial],
) -> Result<Option<SurrogateSummary>, ReportError> {
    let problem = SpaceProblem::new(config.space.clone(), config.limits)
        .map_err(|source| ReportError::Limits { study: study.to_owned(), source })?;
    let (mut history, mut numbers) = (History::new(), Vec::new());
    for trial in trials {
        let outcome = match &trial.state {
            // What was given up has no figure to be predicted.
            TrialState::Running | TrialState::GivenUp(_) => continue,
            TrialState::Failed { .. } => Outcome::Failed,
            TrialState::Finished(measured) => {
                numbers.push(trial.number);
                Outcome::Finished(front::objectives(measured.accuracy(), trial.usage.bytes))
            }
        };
        let point = config.space.point(&trial.genotype).map_err(|source| ReportError::Genotype {
            study: study.to_owned(),
            number: trial.number,
            source: Box::new(source),
        })?;
        history
            .push(problem.dimensions(), Observation { point, outcome })
            .map_err(|source| ReportError::History { study: study.to_owned(), source })?;
    }
    let reference = front::reference(config);
    let state = SearchState { problem: &problem, reference, history: &history, pending: &[] };
    let Some(diagnosis) = diagnose(&state) else { return Ok(None) };
    let squares = diagnosis.predictions.iter().map(|p| (p.predicted - p.seen).powi(2));
    let error = (squares.sum::<f64>() / diagnosis.predictions.len() as f64).sqrt();
    let genes = problem.dimensions().iter().zip(&diagnosis.effects);
    let mut importance: Vec<Importance> =
        genes.map(|(gene, &effect)| Importance { gene: gene.name.clone(), effect }).collect();
    importance.sort_by(|a, b| b.effect.total_cmp(&a.effect));
    Ok(Some(SurrogateSummary {
        error,
        explained: diagnosis.explained,
        held: diagnosis.predictions.iter().filter(|p| p.holds()).count(),
        predictions: numbers
            .into_iter()
            .zip(diagnosis.predictions)
            .map(|(trial, prediction)| TrialPrediction { trial, prediction })
            .collect(),
        importance,
    }))
}
