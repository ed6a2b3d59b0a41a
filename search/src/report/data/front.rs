//! The front of a study's trials.

use crate::study::{Measured, Trial};

/// The non-dominated finished trials by rising size, and so by rising accuracy. Unlike the optimiser's front it has no
/// reference: a network below the reference accuracy is still somebody's best at its size.
#[must_use]
pub fn front(trials: &[Trial]) -> Vec<&Trial> {
    let mut finished: Vec<&Trial> = trials.iter().filter(|trial| trial.measured().is_some()).collect();
    let accuracy = |trial: &Trial| trial.measured().map_or(0.0, Measured::accuracy);
    finished.sort_by(|a, b| {
        let by_size = a.usage.bytes.cmp(&b.usage.bytes);
        by_size.then_with(|| accuracy(b).total_cmp(&accuracy(a))).then(a.number.cmp(&b.number))
    });
    let mut best = None;
    finished.retain(|trial| {
        let better = best.is_none_or(|best| accuracy(trial) > best);
        if better {
            best = Some(accuracy(trial));
        }
        better
    });
    finished
}
