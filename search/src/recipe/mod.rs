//! Everything that decides how networks are trained, in the loop and after it, as data: the training itself is `train`'s.
//! It is part of a study's configuration: the same values and random streams give the same weights.

mod augmentation;
mod class_weights;
mod mode;
mod schedule;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use augmentation::Augmentation;
pub use class_weights::ClassWeights;
pub use mode::{Mode, QuantisationMethod};
pub use schedule::Schedule;

/// A value that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} is {value}: it must be {wanted}")]
pub struct RecipeError {
    /// Name of the field.
    pub field: &'static str,
    /// What it is.
    pub value: String,
    /// What it should be.
    pub wanted: &'static str,
}

/// How to train, quantise and fine-tune one network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Float training.
    pub float: Schedule,
    /// Quantisation-aware fine-tuning.
    pub qaft: Schedule,
    /// Part of the loss of finished networks that is the distance from a teacher's logits, 0..=1; trials have no teacher.
    pub distillation: f64,
    /// Changes of the training images.
    pub augmentation: Augmentation,
    /// How much an image counts in the loss, by its class. Absent in configurations of versions without it.
    #[serde(default, skip_serializing_if = "ClassWeights::is_none")]
    pub class_weights: ClassWeights,
    /// Parts into which a batch is cut, each computed by one thread. Batch norms use the statistics of a part, so this
    /// number, unlike the number of threads, changes the weights. 1 is best on a GPU.
    pub shards: usize,
}

impl TrainConfig {
    /// Checks that every value makes sense.
    ///
    /// # Errors
    /// [`RecipeError`] with the first field that does not.
    pub fn check(&self) -> Result<(), RecipeError> {
        self.float.check()?;
        self.qaft.check()?;
        let wrong = |field, value: String, wanted| Err(RecipeError { field, value, wanted });
        if !(0.0..=1.0).contains(&self.distillation) {
            return wrong("distillation", self.distillation.to_string(), "0 to 1");
        }
        if self.augmentation.crop_padding > 64 {
            return wrong("crop_padding", self.augmentation.crop_padding.to_string(), "at most 64");
        }
        if !(1..=64).contains(&self.shards) {
            return wrong("shards", self.shards.to_string(), "1 to 64");
        }
        Ok(())
    }
}
