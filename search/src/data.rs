//! The data of a study: loaded, checked against the study and split as it says.

use std::path::Path;

use bomp_export::data::{self, DataError, Dataset, Format, Images, Split, Summary, ValidationSize};
use thiserror::Error;

use crate::study::StudyConfig;

/// Training, validation and test images.
#[derive(Clone, Debug)]
pub struct StudyData {
    /// The whole.
    pub dataset: Dataset,
    /// Images to train on.
    pub training: Images,
    /// Images that score a trial.
    pub validation: Images,
    split: Split,
}

/// Why data are of no use to a study.
#[derive(Debug, Error)]
pub enum StudyDataError {
    /// They cannot be loaded or split.
    #[error(transparent)]
    Data(#[from] DataError),
    /// They are not those of the study, or a class cannot be scored; the text has a remedy.
    #[error("{0}")]
    Unfit(String),
}

impl StudyData {
    /// Loads and splits.
    ///
    /// # Errors
    /// See [`StudyDataError`].
    pub fn load(
        path: &Path,
        format: Format,
        validation: ValidationSize,
        seed: u64,
    ) -> Result<Self, StudyDataError> {
        let dataset = data::load(path, format)?;
        let split = data::split(&dataset, validation, seed)?;
        let training = dataset.train.subset(&split.train_indices);
        let validation = dataset.train.subset(&split.validation_indices);
        Ok(Self { dataset, training, validation, split })
    }

    /// What a look at them shows.
    #[must_use]
    pub fn summary(&self) -> Summary {
        data::summarise(&self.dataset, &self.split)
    }

    /// Refuses data of which a class has no validation image, so that its recall would be unknown.
    ///
    /// # Errors
    /// Names the class.
    pub fn every_class_is_scored(&self, asked: ValidationSize, seed: u64) -> Result<(), StudyDataError> {
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
        Err(StudyDataError::Unfit(match sizes.find(enough) {
            Some(size) => format!(
                "{objective}: class `{name}` has no image among the {} validation images of --validation {asked}; \
                 --validation {size} gives every class one",
                self.validation.len()
            ),
            None => format!(
                "{objective}: class `{name}` has {} training images, too few to hold one out for validation; add \
                 images of it, or use --objective accuracy",
                train.class_counts(names.len())[class]
            ),
        }))
    }

    /// Loads what a study was made with, from where it was or from `elsewhere`.
    ///
    /// # Errors
    /// See [`StudyDataError`].
    pub fn of_study(config: &StudyConfig, elsewhere: Option<&Path>) -> Result<Self, StudyDataError> {
        let path = elsewhere.unwrap_or(&config.data.path);
        let loaded =
            Self::load(path, config.data.format.parse()?, config.data.validation.parse()?, config.seed)?;
        let (found, expected) = (&loaded.dataset.sha256, &config.data.sha256);
        if found != expected {
            return Err(StudyDataError::Unfit(format!(
                "{}: these are not the data of the study (SHA-256 {found}, the study has {expected}); name them with --data",
                path.display()
            )));
        }
        Ok(loaded)
    }
}
