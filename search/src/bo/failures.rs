//! The chance that a trial succeeds, judged by how those like it ended.
//!
//! A failure (divergence, lack of memory, a crash) has no value to learn from, and a made-up bad one would bend the
//! surrogate for everything around it. Instead the expected improvement is weighted with this chance.

use super::gp::Gp;
use super::inputs::Inputs;

/// Observations that the overall rate of success counts for.
const RATE_WEIGHT: f64 = 1.0;

/// The ended trials and which of them succeeded; empty unless one failed.
pub(super) struct Failures {
    ended: Inputs,
    succeeded: Vec<bool>,
}

impl Failures {
    /// What is known from `ended` trials of which some `succeeded`.
    pub(super) fn new(ended: Inputs, succeeded: Vec<bool>) -> Self {
        debug_assert_eq!(ended.len(), succeeded.len());
        Self { ended, succeeded }
    }

    /// For each of `points` its chance of success: the mean over the ended trials, weighted by correlation under `gp`,
    /// shrunk towards the overall rate.
    pub(super) fn chances_of_success(&self, gp: &Gp, points: &Inputs) -> Vec<f64> {
        if self.succeeded.iter().all(|&succeeded| succeeded) {
            return vec![1.0; points.len()];
        }
        let number = |succeeded: bool| f64::from(u8::from(succeeded));
        let rate = self.succeeded.iter().map(|&s| number(s)).sum::<f64>() / self.succeeded.len() as f64;
        let chance = |correlation: nalgebra::DVectorView<'_, f64>| {
            let weighted =
                correlation.iter().zip(&self.succeeded).map(|(weight, &s)| weight * number(s)).sum::<f64>();
            (RATE_WEIGHT * rate + weighted) / (RATE_WEIGHT + correlation.sum())
        };
        gp.kernel().correlation(&self.ended, points).column_iter().map(chance).collect()
    }
}
