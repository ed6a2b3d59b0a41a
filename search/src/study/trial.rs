//! One trial: a genotype, what it takes of a device, and what was measured on it.

use serde::{Deserialize, Serialize};

use super::balanced_accuracy;
use crate::space::Usage;
use crate::space::genotype::Genotype;

/// A trial to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The network.
    pub genotype: Genotype,
    /// What it takes of a device.
    pub usage: Usage,
    /// The trial whose trained float network it shares; `None`: it trains its own.
    pub weights_from: Option<u64>,
}

/// What training and evaluation measured. Counts are images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Validation images classified correctly by the quantised network, with the device's integer arithmetic.
    pub correct: u64,
    /// Validation images classified correctly by the float network before quantisation.
    pub float_correct: u64,
    /// Validation images.
    pub images: u64,
    /// Images trained on, all epochs together: the unit of cost that does not depend on the machine.
    pub trained_images: u64,
    /// Wall-clock seconds of the trial on the machine that ran it.
    pub seconds: f64,
    /// What was seen halfway through the float training, if the study looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub halfway: Option<Halfway>,
    /// Of each class, where the study's objective is balanced accuracy; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_class: Vec<ClassCount>,
}

/// Validation images of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// All.
    pub images: u64,
    /// Classified correctly by the quantised network, with the device's integer arithmetic.
    pub correct: u64,
    /// Classified correctly by the float network.
    pub float_correct: u64,
}

/// A look at a float network after half of its training. Counts are images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Halfway {
    /// Classified correctly.
    pub correct: u64,
    /// Looked at: some of the validation images.
    pub images: u64,
    /// Balanced accuracy, 0..=1, where that is the study's objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<f64>,
}

impl Halfway {
    /// The study's objective, 0..=1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        self.balanced_accuracy.unwrap_or(self.correct as f64 / self.images.max(1) as f64)
    }
}

/// Why a training was not gone on with, and what that saved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GivenUp {
    /// What was seen.
    pub halfway: Halfway,
    /// The accuracy, 0..=1, that the network would have ended with as far as can be told.
    pub expected_accuracy: f64,
    /// The accuracy that it would hardly have exceeded.
    pub bound: f64,
    /// The accuracy that would have improved the front.
    pub level: f64,
    /// Images trained on.
    pub trained_images: u64,
    /// Images that were saved.
    pub saved_images: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

impl Measured {
    /// The study's objective of the quantised network on the validation images, 0..=1: plain accuracy, or
    /// balanced accuracy where the counts of each class are kept.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        if self.by_class.is_empty() {
            self.correct as f64 / self.images.max(1) as f64
        } else {
            balanced_accuracy(self.by_class.iter().map(|class| (class.correct, class.images)))
        }
    }

    /// The same of the float network.
    #[must_use]
    pub fn float_accuracy(&self) -> f64 {
        if self.by_class.is_empty() {
            self.float_correct as f64 / self.images.max(1) as f64
        } else {
            balanced_accuracy(self.by_class.iter().map(|class| (class.float_correct, class.images)))
        }
    }

    /// What cannot be true of these counts, if anything.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let Self { correct, float_correct, images, by_class, .. } = self;
        if correct > images || float_correct > images {
            return Some(format!("{} of {images} images are correct", correct.max(float_correct)));
        }
        if let Some(class) = by_class.iter().position(|c| c.correct.max(c.float_correct) > c.images) {
            return Some(format!("by_class: more images of class {class} are correct than there are"));
        }
        let sums = by_class.iter().try_fold([0u64; 3], |[all, integer, float], class| {
            Some([
                all.checked_add(class.images)?,
                integer.checked_add(class.correct)?,
                float.checked_add(class.float_correct)?,
            ])
        });
        let fits = by_class.is_empty() || sums == Some([*images, *correct, *float_correct]);
        (!fits).then(|| "by_class: the classes together are not the images of the trial".to_owned())
    }
}

/// Where a trial stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum TrialState {
    /// Claimed and not finished: in work, or interrupted.
    Running,
    /// Measured.
    Finished(Measured),
    /// Given up halfway, because it could not improve the front any more.
    GivenUp(GivenUp),
    /// Could not be measured, for this reason; never tried again.
    Failed {
        /// Why.
        reason: String,
    },
}

/// One trial of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number in the study, from 0.
    pub number: u64,
    /// What is tried.
    pub genotype: Genotype,
    /// What it takes of a device, known before it was trained.
    pub usage: Usage,
    /// The trial whose trained float network it shares; `None`: it trains its own.
    #[serde(rename = "lead", default, skip_serializing_if = "Option::is_none")]
    pub weights_from: Option<u64>,
    /// Who works on it, while somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: TrialState,
}

impl Trial {
    /// Whether it is in work or was interrupted.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state == TrialState::Running
    }

    /// What was measured, of a finished trial.
    #[must_use]
    pub fn measured(&self) -> Option<&Measured> {
        match &self.state {
            TrialState::Finished(measured) => Some(measured),
            TrialState::Running | TrialState::GivenUp(_) | TrialState::Failed { .. } => None,
        }
    }

    /// Wall-clock seconds of its worker; 0 of a trial that has not ended, or without figures.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        match &self.state {
            TrialState::Finished(measured) => measured.seconds,
            TrialState::GivenUp(given_up) => given_up.seconds,
            TrialState::Running | TrialState::Failed { .. } => 0.0,
        }
    }

    /// Images trained on, of a trial that has ended.
    #[must_use]
    pub fn trained_images(&self) -> u64 {
        match &self.state {
            TrialState::Finished(measured) => measured.trained_images,
            TrialState::GivenUp(given_up) => given_up.trained_images,
            TrialState::Running | TrialState::Failed { .. } => 0,
        }
    }
}
