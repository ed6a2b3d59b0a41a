//! Everything that decides how networks are trained, in the loop and after it, as data: the training itself is `train`'s.
//! It is part of a study's configuration: the same values and random streams give the same weights.

mod augmentation;
mod schedule;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use augmentation::Augmentation;
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
    /// Part of the QAFT's loss that is the distance from the float network's outputs, 0..=1; 0 saves the float network's
    /// forward pass.
    pub distillation: f64,
    /// Changes of the training images.
    pub augmentation: Augmentation,
    /// Parts into which a batch is cut, each computed by one thread. Batch norms use the statistics of a part, so this
    /// number, unlike the number of threads, changes the weights. 1 is best on a GPU.
    pub shards: usize,
}

impl TrainConfig {
    /// For a trial of a search ("early training") on a CPU, with tens of thousands of small images.
    #[must_use]
    pub const fn trial() -> Self {
        let float = Schedule {
            epochs: 1.0,
            batch: 64,
            // Measured: in one epoch the seed network shrunk to 8.8 kB reaches 86.0 % of Fashion-MNIST with these two, 81.8 %
            // with a quarter of the rate and twice the batch.
            learning_rate: 0.04,
            warm_up: 0.1,
            weight_decay: 0.01,
            label_smoothing: 0.0,
        };
        Self {
            float,
            qaft: Schedule { epochs: 0.5, learning_rate: 0.002, weight_decay: 0.0, ..float },
            distillation: 0.0,
            augmentation: Augmentation { crop_padding: 0, flip: false },
            shards: 2,
        }
    }

    /// For a network that is to be packed.
    #[must_use]
    pub const fn finished() -> Self {
        let Self { float, qaft, .. } = Self::trial();
        Self {
            float: Schedule { epochs: 10.0, learning_rate: 0.03, ..float },
            qaft: Schedule { epochs: 3.0, ..qaft },
            ..Self::trial()
        }
    }

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
