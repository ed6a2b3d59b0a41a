//! The networks of a study that `bomp-search finalise` has trained to the end.

use std::path::{Path, PathBuf};

use bomp_export::candidate::Candidate;
use bomp_export::layout::blob_bytes;
use serde::Serialize;

use crate::study::{StudyConfig, Trial};

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
    /// Images trained on for this network.
    pub trained_images: u64,
}

impl FinishedNetwork {
    /// Test accuracy of the packed network, 0..=1.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
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
