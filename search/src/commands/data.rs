//! The data of a study: loaded, checked against the study and split as it says.

use std::path::Path;

use anyhow::{Result, bail, ensure};
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

    /// Refuses data of which a class has no validation image, so that its recall would be unknown.
    pub(crate) fn every_class_is_scored(&self, asked: ValidationSize, seed: u64) -> Result<()> {
        let (names, train) = (&self.dataset.class_names, &self.dataset.train);
        let missing = |counts: &[usize]| counts.iter().position(|&count| count == 0);
        let Some(class) = missing(&self.validation.class_counts(names.len())) else { return Ok(()) };
        let (name, objective) = (&names[class], "--objective balanced-accuracy");
        // What is advised is tried first: rounding decides whether a rare class gives an image.
        let enough = |size: &ValidationSize| {
            let split = data::split(&self.dataset, *size, seed).ok();
            let held_out = split.map(|split| train.subset(&split.validation_indices));
            held_out.is_some_and(|held_out| missing(&held_out.class_counts(names.len())).is_none())
        };
        let mut sizes = (1..=18).map(|step| ValidationSize::Fraction(f64::from(step) / 20.0));
        match sizes.find(enough) {
            Some(size) => bail!(
                "{objective}: class `{name}` has no image among the {} validation images of --validation {asked}; \
                 --validation {size} gives every class one",
                self.validation.len()
            ),
            None => bail!(
                "{objective}: class `{name}` has {} training images, too few to hold one out for validation; add \
                 images of it, or use --objective accuracy",
                train.class_counts(names.len())[class]
            ),
        }
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
