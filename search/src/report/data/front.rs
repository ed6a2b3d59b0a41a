//! The front of a study's trials.

use crate::study::Trial;

/// The non-dominated finished trials by rising size, and so by rising accuracy. Unlike the optimiser's front it has no
/// reference: a network below the reference accuracy is still somebody's best at its size.
#[must_use]
pub fn front(trials: &[Trial]) -> Vec<&Trial> {
    let mut finished: Vec<&Trial> = trials.iter().filter(|trial| trial.measured().is_some()).collect();
    let correct = |trial: &Trial| trial.measured().map_or(0, |measured| measured.correct);
    finished.sort_by_key(|trial| (trial.usage.bytes, u64::MAX - correct(trial), trial.number));
    let mut best = None;
    finished.retain(|trial| {
        let better = best.is_none_or(|best| correct(trial) > best);
        if better {
            best = Some(correct(trial));
        }
        better
    });
    finished
}
