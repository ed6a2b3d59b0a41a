//! The data of a study: loaded, checked against the study and split as it says.

use std::path::Path;

use anyhow::{Result, ensure};
use bomp_export::data::{self, Dataset, Format, Images, Split, Summary, ValidationSize};

/// Training, validation and test images.
pub(crate) struct StudyData {
    /// The whole.
    pub(crate) dataset: Dataset,
    /// Images to train on.
    pub(crate) training: Images,
    /// Images that score a trial.
    pub(crate) validation: Images,
    split: Split,
}

impl StudyData {
    /// Loads and splits.
    pub(crate) fn load(path: &Path, format: Format, validation: ValidationSize, seed: u64) -> Result<Self> {
        let dataset = data::load(path, format)?;
        let split = data::split(&dataset, validation, seed)?;
        let training = dataset.train.subset(&split.train_indices);
        let validation = dataset.train.subset(&split.validation_indices);
        Ok(Self { dataset, training, validation, split })
    }

    /// What a look at them shows.
    pub(crate) fn summary(&self) -> Summary {
        data::summarise(&self.dataset, &self.split)
    }

    /// Loads what a study was made with, from where it was or from `elsewhere`.
    pub(crate) fn of_study(
        config: &bomp_search::study::StudyConfig,
        elsewhere: Option<&Path>,
    ) -> Result<Self> {
        let path = elsewhere.unwrap_or(&config.data.path);
        let loaded =
            Self::load(path, config.data.format.parse()?, config.data.validation.parse()?, config.seed)?;
        ensure!(
            loaded.dataset.sha256 == config.data.sha256,
            "{}: these are not the data of the study (SHA-256 {}, the study has {}); name them with --data",
            path.display(),
            loaded.dataset.sha256,
            config.data.sha256
        );
        Ok(loaded)
    }
}
