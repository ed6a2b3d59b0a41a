//! The networks of a study that `bomp-search finalise` has trained to the end.

use std::path::{Path, PathBuf};

use bomp_export::candidate::Candidate;
use bomp_export::layout::blob_bytes;
use serde::Serialize;

use crate::study::{Objective, StudyConfig, Trial, balanced_accuracy};

/// A network trained to the end. Counts are images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FinishedNetwork {
    /// The trial that it was a candidate in.
    pub trial: u64,
    /// Folder of its candidate files.
    pub folder: PathBuf,
    /// Bytes of the packed model.
    pub size_bytes: usize,
    /// Test images.
    pub test_images: usize,
    /// Test images that the float network classifies correctly.
    pub float_correct: usize,
    /// Test images that the packed network classifies correctly.
    pub integer_correct: usize,
    /// Names of the classes in the order of the logits.
    pub class_names: Vec<String>,
    /// Test images of each class; empty where an earlier version finished the network.
    pub class_images: Vec<usize>,
    /// Of these, those that the packed network classifies correctly.
    pub class_correct: Vec<usize>,
    /// What its study scores networks by.
    pub objective: Objective,
    /// Images trained on for this network.
    pub trained_images: u64,
}

impl FinishedNetwork {
    /// The study's objective of the packed network on the test images, 0..=1; plain accuracy where classes were not counted.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let balanced = self.balanced_accuracy().filter(|_| self.objective == Objective::BalancedAccuracy);
        balanced.unwrap_or_else(|| self.plain_accuracy())
    }

    /// Mean of the recall of each class that has test images, 0..=1; `None` where classes were not counted.
    #[must_use]
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let counts = self.class_correct.iter().zip(&self.class_images);
        let counts = counts.map(|(&correct, &images)| (correct as u64, images as u64));
        (!self.class_images.is_empty()).then(|| balanced_accuracy(counts))
    }

    /// Correct images out of all test images, 0..=1.
    #[must_use]
    pub fn plain_accuracy(&self) -> f64 {
        self.integer_correct as f64 / self.test_images.max(1) as f64
    }
}

/// The finished networks of a study.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Finished {
    /// By the numbers of their trials.
    pub networks: Vec<FinishedNetwork>,
    /// Why some that are there are not among them.
    pub problems: Vec<String>,
}

impl Finished {
    /// Those in `folder` that belong to these trials of the study of `config`: a study's `final` folder. What cannot be
    /// read is told and left out, for a report of the rest is better than none.
    #[must_use]
    pub fn load(folder: &Path, config: &StudyConfig, trials: &[Trial]) -> Self {
        let sha256 = config.sha256();
        let mut found = Self::default();
        for trial in trials.iter().filter(|trial| trial.measured().is_some()) {
            let folder = folder.join(format!("trial-{:04}", trial.number)).join("candidate");
            // It is written last: without it the network is still being trained.
            if !folder.join("network.json").is_file() {
                continue;
            }
            match Candidate::load(&folder) {
                Ok(Candidate { network, provenance, .. })
                    if provenance.config_sha256 == sha256 && provenance.trial == trial.number =>
                {
                    found.networks.push(FinishedNetwork {
                        trial: trial.number,
                        size_bytes: blob_bytes(&network),
                        test_images: provenance.test_images,
                        float_correct: provenance.float_correct,
                        integer_correct: provenance.integer_correct,
                        class_names: provenance.class_names,
                        class_images: provenance.class_images,
                        class_correct: provenance.class_correct,
                        objective: config.objective,
                        trained_images: provenance.trained_images,
                        folder,
                    });
                }
                Ok(_) => {
                    found.problems.push(format!("{}: it was finished for another study", folder.display()))
                }
                Err(error) => found.problems.push(error.to_string()),
            }
        }
        found
    }
}
