//! What a study was asked to do: everything that its results depend on, kept in the study itself.

use std::path::PathBuf;

use bomp_export::candidate::Quantisation;
use bomp_export::data::{Dataset, Format, Summary, ValidationSize};
use serde::{Deserialize, Serialize};

use super::Objective;
use crate::bo::preference::Preference;
use crate::bo::strategy::{Ehvi, Evolution, Paper, Random, Score, Strategy};
use crate::recipe::{Mode, TrainConfig};
use crate::space::{Limits, Space};

/// The strategies by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// Expected hypervolume improvement; the size is known exactly.
    #[default]
    Ehvi,
    /// The paper's: upper confidence bound on the score of equation (1).
    Paper,
    /// Aging evolution with tournaments.
    Evolution,
    /// Random networks within the limits: the baseline.
    Random,
}

impl StrategyKind {
    /// The strategy: `ehvi` and `paper` after `initial` random trials, if that is given; `paper`
    /// maximises `score`.
    #[must_use]
    pub fn strategy(self, initial: Option<usize>, score: Score) -> Box<dyn Strategy> {
        match self {
            Self::Ehvi => Box::new(Ehvi::new(initial, Preference::Uniform)),
            Self::Paper => Box::new(Paper { initial: initial.unwrap_or(Paper::INITIAL), score }),
            Self::Evolution => Box::<Evolution>::default(),
            Self::Random => Box::new(Random),
        }
    }
}

/// Where the data came from, and what they were.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Folder or file.
    pub path: PathBuf,
    /// Its format, as `--format` spells it.
    pub format: String,
    /// The part of the training images held out for validation, as `--validation` spells it.
    pub validation: String,
    /// Name of the data set.
    pub name: String,
    /// SHA-256 over shape, labels and pixels.
    pub sha256: String,
    /// What a look at them showed; studies of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The input's quantisation, where the data are features and not pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Quantisation>,
}

impl DataConfig {
    /// Of data that were loaded from `path`, without a summary.
    #[must_use]
    pub fn new(path: PathBuf, format: Format, validation: ValidationSize, dataset: &Dataset) -> Self {
        Self {
            path,
            format: format.to_string(),
            validation: validation.to_string(),
            name: dataset.name.clone(),
            sha256: dataset.sha256.clone(),
            summary: None,
            input: (!dataset.train.are_pixels()).then_some(dataset.train.input),
        }
    }
}

/// Configuration of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyConfig {
    /// Version of the tool that made the study.
    pub tool_version: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Trials asked for when the study was made; `resume --trials` may ask for more.
    pub trials: u64,
    /// Which bit widths there are, and how networks are quantised.
    pub mode: Mode,
    /// What trials are scored by. Absent in configurations of versions that had only plain accuracy.
    #[serde(default, skip_serializing_if = "Objective::is_accuracy")]
    pub objective: Objective,
    /// How proposals are made.
    pub strategy: StrategyKind,
    /// Random trials before the strategy asks its surrogate; `None` is the strategy's own number.
    pub initial_trials: Option<usize>,
    /// Policies of bit widths tried on each trained float network.
    pub policies_per_network: u64,
    /// Whether trainings that cannot improve the front are given up halfway.
    pub early_stopping: bool,
    /// [`StudyConfig::reference_accuracy`] as studies of tool version 0.1 keep it, 0..=1; read and
    /// kept, so that the configuration's SHA-256 stays, and no longer written.
    #[serde(default, rename = "reference_accuracy", skip_serializing_if = "Option::is_none")]
    pub reference_fraction: Option<f64>,
    /// [`StudyConfig::reference_accuracy`] in percent, if one was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_percent: Option<f64>,
    /// Size of reference of the score of equation (1), in log10 of bits.
    pub reference_size: f64,
    /// The whole search space.
    pub space: Space,
    /// Hard limits: nothing above them is trained.
    pub limits: Limits,
    /// The data.
    pub data: DataConfig,
    /// Training and QAFT of a trial.
    pub training: TrainConfig,
    /// Training and QAFT of a finished network.
    pub final_training: TrainConfig,
}

impl StudyConfig {
    /// How proposals are made. Where the hypervolume counts from a constant answer up, `ehvi`
    /// prefers what is far above it.
    #[must_use]
    pub fn strategy(&self) -> Box<dyn Strategy> {
        match (self.strategy, self.reference_accuracy()) {
            (StrategyKind::Ehvi, None) => Box::new(Ehvi::new(self.initial_trials, Preference::High)),
            _ => self.strategy.strategy(self.initial_trials, self.score()),
        }
    }

    /// The score of equation (1).
    #[must_use]
    pub fn score(&self) -> Score {
        Score::of_networks(self.reference_accuracy().unwrap_or(Score::PAPERS_ACCURACY), self.reference_size)
    }

    /// The validation accuracy, 0..=1, above which the user said that networks count; `None`: from
    /// a constant answer up.
    #[must_use]
    pub fn reference_accuracy(&self) -> Option<f64> {
        self.reference_percent.map(|percent| percent / 100.0).or(self.reference_fraction)
    }

    /// What the best constant answer gets of the validation images by the study's objective, 0..=1;
    /// `None` for studies that did not look at their data.
    #[must_use]
    pub fn constant_answer(&self) -> Option<f64> {
        let counts = |summary: &Summary| {
            let classes = summary.classes.iter().map(|class| class.validation);
            self.objective.constant_answer(&classes.collect::<Vec<_>>())
        };
        self.data.summary.as_ref().map(counts)
    }

    /// The validation accuracy, 0..=1, from which the hypervolume is measured.
    #[must_use]
    pub fn least_accuracy(&self) -> f64 {
        // What is not known is supposed to be as many images of each class.
        let supposed = || 1.0 / self.space.definition().classes.max(1) as f64;
        self.reference_accuracy().or(self.constant_answer()).unwrap_or_else(supposed)
    }

    /// SHA-256 over the configuration as JSON.
    #[must_use]
    pub fn sha256(&self) -> String {
        let json =
            serde_json::to_vec(self).expect("a configuration has no maps with keys that are not strings");
        bomp_export::files::sha256(&json)
    }
}
