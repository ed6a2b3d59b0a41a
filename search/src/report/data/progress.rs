//! How the hypervolume grew with the trials.

use serde::Serialize;

use crate::bo::pareto::{Front, Reference};
use crate::front::objectives;
use crate::study::Trial;

/// Where a study stood after some of its trials.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// Trials ended, failed ones included.
    pub ended: u64,
    /// Images trained on by them.
    pub trained_images: u64,
    /// Hypervolume of their front.
    pub hypervolume: f64,
}

/// The hypervolume from `reference` after each ended trial, in the order of their numbers; first that of no trial.
pub(super) fn progress(reference: Reference, trials: &[Trial]) -> Vec<Progress> {
    let mut front = Front::new(reference);
    let mut now = Progress { ended: 0, trained_images: 0, hypervolume: 0.0 };
    let mut steps = vec![now];
    for trial in trials.iter().filter(|trial| !trial.is_running()) {
        now.ended += 1;
        now.trained_images += trial.trained_images();
        if let Some(measured) = trial.measured()
            && front.insert(objectives(measured.accuracy(), trial.usage.bytes))
        {
            now.hypervolume = front.hypervolume();
        }
        steps.push(now);
    }
    steps
}
