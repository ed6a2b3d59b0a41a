//! What a training tells its caller while it runs, and how the caller stops it.

use std::fmt;

use super::error::TrainError;

/// What is being trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The float network with batch norm.
    Float,
    /// Quantisation-aware fine-tuning.
    Qaft,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Float => "float training",
            Self::Qaft => "QAFT",
        })
    }
}

/// Where a phase stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What is being trained.
    pub phase: Phase,
    /// Images trained on in this phase.
    pub images: u64,
    /// Images of the whole phase.
    pub of: u64,
    /// Loss of the last batch.
    pub loss: f64,
}

/// The caller's answer to a [`Progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Go on.
    Continue,
    /// End with [`TrainError::Stopped`]: the user interrupted, or the trial is hopeless.
    Stop,
}

/// Counts the trained images of all phases and asks the caller.
pub(super) struct Monitor<'a> {
    callback: &'a mut dyn FnMut(Progress) -> Signal,
    pub(super) trained_images: u64,
}

impl<'a> Monitor<'a> {
    pub(super) fn new(callback: &'a mut dyn FnMut(Progress) -> Signal) -> Self {
        Self { callback, trained_images: 0 }
    }

    pub(super) fn report(&mut self, progress: Progress) -> Result<(), TrainError> {
        if !progress.loss.is_finite() {
            let (phase, images) = (progress.phase, progress.images);
            let what = format!("the loss is {}", progress.loss);
            return Err(TrainError::Diverged { phase, images, what });
        }
        match (self.callback)(progress) {
            Signal::Continue => Ok(()),
            Signal::Stop => Err(TrainError::Stopped { trained_images: self.trained_images }),
        }
    }
}
