//! What can go wrong while a network is trained.

use bomp_export::files::WriteError;
use bomp_export::ir::IrError;
use bomp_export::lower::LowerError;
use tch::TchError;
use thiserror::Error;

use super::Phase;
use crate::recipe::RecipeError;

/// Why a training ended without a network. It is the trial that fails, never the study.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum TrainError {
    /// The loss is no longer a number, or the weights aren't.
    #[error(
        "{phase} diverged after {images} images: {what}; a smaller learning rate or a longer warm-up may help"
    )]
    Diverged {
        phase: Phase,
        /// Images trained on in this phase until it was noticed.
        images: u64,
        what: String,
    },
    /// The progress callback asked to stop.
    #[error("stopped after {trained_images} images")]
    Stopped {
        /// Images trained on, all phases together.
        trained_images: u64,
    },
    /// The judge of half-trained networks gave it up.
    #[error("given up after {trained_images} images: it cannot improve the front")]
    Hopeless { trained_images: u64 },
    /// The network cannot be packed, so it is not worth training.
    #[error(transparent)]
    Network(#[from] IrError),
    /// The data does not fit the network, or a part of it is empty.
    #[error("the data does not fit the network: {0}")]
    Data(String),
    /// A value of the configuration makes no sense.
    #[error(transparent)]
    Config(#[from] RecipeError),
    /// A trained float network cannot be kept for further policies.
    #[error(transparent)]
    Keep(WriteError),
    /// The trained network has no integer form.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// libtorch failed: out of memory, most likely.
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for TrainError {
    fn from(error: TchError) -> Self {
        Self::Torch(first_line(&error.to_string()))
    }
}

/// Runs `work`, turning the panics of tch's infallible calls into errors. The only place where panics are caught: the
/// boundary of a trial, and of each of its threads.
pub(super) fn guard<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    // Nothing that a panicking trial has touched outlives it, so it cannot be seen in a broken state.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("unknown panic");
        Err(TrainError::Torch(first_line(text)))
    })
}

/// libtorch's messages continue with a stack trace.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
