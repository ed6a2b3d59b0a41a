//! One study: how far it is, its trials, and what follows from them.

use serde::Serialize;

use super::{BitMap, Corner, EquationScore, Finished, Progress, ReportError, Source, SurrogateSummary};
use super::{progress, remarks, surrogate};
use crate::bo::pareto::Reference;
use crate::front;
use crate::study::{StudyConfig, Trial, TrialState};

/// How many trials stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Asked for when the study was made.
    pub asked: u64,
    /// Measured.
    pub finished: u64,
    /// Given up halfway, because they could not improve the front.
    pub given_up: u64,
    /// Without a figure.
    pub failed: u64,
    /// In work, or interrupted.
    pub running: u64,
}

/// A trial and what follows from it.
#[derive(Clone, Debug, Serialize)]
pub struct TrialRow {
    /// The trial.
    #[serde(flatten)]
    pub trial: Trial,
    /// The study's objective of the quantised network on the validation images, 0..=1.
    pub accuracy: Option<f64>,
    /// The same of the float network.
    pub float_accuracy: Option<f64>,
    /// The score of the paper's equation (1).
    pub score: Option<f64>,
    /// Whether no other trial is at least as accurate and as small.
    pub on_front: bool,
}

/// One study.
#[derive(Clone, Debug, Serialize)]
pub struct StudyReport {
    /// What it is called, different from all others of the report.
    pub name: String,
    /// Its configuration.
    pub config: StudyConfig,
    /// SHA-256 over the configuration.
    pub config_sha256: String,
    /// How far it is.
    pub counts: Counts,
    /// Images trained on by trials that have ended.
    pub trained_images: u64,
    /// Images not trained on because trials were given up.
    pub saved_images: u64,
    /// Wall-clock seconds of trials that have ended, added up.
    pub seconds: f64,
    /// The study's own corner: its reference accuracy or what a constant answer gets, and its budget or its largest network.
    pub reference: Corner,
    /// Hypervolume from the study's own corner: accuracy 0..=1 times decades of size.
    pub hypervolume: f64,
    /// How the hypervolume grew, from the common corner.
    pub progress: Vec<Progress>,
    /// How the paper's equation (1) is read for this study.
    pub score: EquationScore,
    /// The trials in the order of their numbers.
    pub trials: Vec<TrialRow>,
    /// Numbers of the trials on the front, by rising size.
    pub front: Vec<u64>,
    /// Bit widths of the networks of the front.
    pub bits: BitMap,
    /// What the surrogate believes after these trials; `None` before the first finished one.
    pub surrogate: Option<SurrogateSummary>,
    /// What is bad about these figures, and what to do about it.
    pub remarks: Vec<String>,
    /// Networks trained to the end.
    pub finished: Finished,
}

impl StudyReport {
    /// Gathers everything; the hypervolume's progress from the corner `common`.
    pub(super) fn of(source: &Source<'_>, name: String, common: Reference) -> Result<Self, ReportError> {
        let Source { config, trials, .. } = *source;
        let front: Vec<&Trial> = front::of_trials(trials);
        let numbers: Vec<u64> = front.iter().map(|trial| trial.number).collect();
        let score = EquationScore::of(config);
        let measured = || trials.iter().filter_map(Trial::measured);
        let finished = measured().count() as u64;
        let given_up = || {
            trials.iter().filter_map(|trial| match &trial.state {
                TrialState::GivenUp(given_up) => Some(given_up),
                _ => None,
            })
        };
        let running = trials.iter().filter(|trial| trial.is_running()).count() as u64;
        let row = |trial: &Trial| {
            let accuracy = trial.measured().map(crate::study::Measured::accuracy);
            TrialRow {
                accuracy,
                float_accuracy: trial.measured().map(crate::study::Measured::float_accuracy),
                score: accuracy.map(|accuracy| score.of_network(accuracy, trial.usage.bytes)),
                on_front: numbers.contains(&trial.number),
                trial: trial.clone(),
            }
        };
        let surrogate = surrogate::summary(&name, config, trials)?;
        let remarks = remarks::of_accuracies(config, trials).into_iter();
        let remarks = remarks.chain(surrogate.as_ref().and_then(remarks::of_surrogate)).collect();
        Ok(Self {
            config: config.clone(),
            config_sha256: config.sha256(),
            counts: Counts {
                asked: config.trials,
                finished,
                given_up: given_up().count() as u64,
                failed: trials.len() as u64 - finished - running - given_up().count() as u64,
                running,
            },
            trained_images: trials.iter().map(Trial::trained_images).sum(),
            saved_images: given_up().map(|given_up| given_up.saved_images).sum(),
            seconds: measured().map(|m| m.seconds).chain(given_up().map(|g| g.seconds)).sum(),
            reference: Corner::from(front::reference(config)),
            hypervolume: front::hypervolume(config, trials),
            progress: progress::progress(common, trials),
            score,
            trials: trials.iter().map(row).collect(),
            bits: BitMap::of(config.space.definition(), &front),
            surrogate,
            remarks,
            front: numbers,
            finished: source.finished.clone(),
            name,
        })
    }

    /// The trials on the front, by rising size.
    pub fn front_rows(&self) -> impl Iterator<Item = &TrialRow> {
        self.front.iter().filter_map(|&number| self.row(number))
    }

    /// The trial of this number.
    #[must_use]
    pub fn row(&self, number: u64) -> Option<&TrialRow> {
        self.trials.iter().find(|row| row.trial.number == number)
    }
}
