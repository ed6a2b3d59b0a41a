//! What a search is after, in figures: the objectives of a network, the corner that a study's hypervolume is measured from, and
//! the front of its trials. [`crate::bo::pareto`] has the geometry and knows nothing of networks.

use crate::bo::pareto::{Front, Objectives, Reference};
use crate::bo::preference::Preference;
use crate::bo::problem::Point;
use crate::space::Usage;
use crate::study::{Measured, StudyConfig, Trial};

/// The objectives of a network: accuracy 0..=1, log10 of the bytes of its packed model.
#[must_use]
pub fn objectives(accuracy: f64, bytes: usize) -> Objectives {
    Objectives { value: accuracy, cost: (bytes as f64).log10() }
}

/// Where the hypervolume of a study begins: the reference accuracy or else what a constant answer gets, and the budget or else
/// the largest network.
#[must_use]
pub fn reference(config: &StudyConfig) -> Reference {
    let largest = config.limits.max_size.unwrap_or_else(|| {
        // Choices ascend, so the last ones make the largest network.
        let mut point: Point =
            config.space.genes().iter().map(|gene| gene.coordinates.len() as u16 - 1).collect();
        config.space.canonicalise(&mut point);
        Usage::of(&config.space.network(&config.space.genotype(&point))).bytes
    });
    // A network of exactly the budget is still worth something.
    Reference { value: config.least_accuracy(), cost: (largest as f64 + 1.0).log10() }
}

/// The front of the finished ones of `trials`, as far as they improve on the study's reference.
#[must_use]
pub fn of_study(config: &StudyConfig, trials: &[Trial]) -> Front {
    let finished = trials.iter().filter_map(|trial| Some((trial.measured()?, trial.usage.bytes)));
    Front::of(reference(config), finished.map(|(measured, bytes)| objectives(measured.accuracy(), bytes)))
}

/// Hypervolume of the finished ones of `trials`.
#[must_use]
pub fn hypervolume(config: &StudyConfig, trials: &[Trial]) -> f64 {
    of_study(config, trials).hypervolume()
}

/// The accuracy, 0..=1, above which networks are worth finishing: the reference accuracy, or where the search's preference begins.
#[must_use]
pub fn worthwhile(config: &StudyConfig, trials: &[Trial]) -> f64 {
    config.reference_accuracy().unwrap_or_else(|| {
        let least = config.least_accuracy();
        let best = of_study(config, trials).points().last().map_or(least, |best| best.value);
        Preference::High.steps(least, best).last().map_or(least, |&(from, _)| from)
    })
}

/// The non-dominated of `networks`, whose bytes and accuracy are `figures`: by rising size, and so by rising accuracy. Of
/// networks with equal figures, the first.
pub fn non_dominated<T>(mut networks: Vec<T>, figures: impl Fn(&T) -> (usize, f64)) -> Vec<T> {
    networks.sort_by(|a, b| {
        let (a, b) = (figures(a), figures(b));
        a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))
    });
    let mut best = f64::NEG_INFINITY;
    networks.retain(|network| {
        let (_, accuracy) = figures(network);
        let better = accuracy > best;
        best = best.max(accuracy);
        better
    });
    networks
}

/// The non-dominated finished ones of `trials`, by rising size. Unlike [`of_study`] it has no reference: a network below the
/// reference accuracy is still somebody's best at its size.
#[must_use]
pub fn of_trials(trials: &[Trial]) -> Vec<&Trial> {
    let finished = trials.iter().filter(|trial| trial.measured().is_some()).collect();
    non_dominated(finished, |trial| (trial.usage.bytes, trial.measured().map_or(0.0, Measured::accuracy)))
}

/// At most `count` (at least 1) of a front, spread evenly over the logarithm of the size: the largest always, then the
/// smallest, then those nearest to even steps between both. Networks of no more than the accuracy `least` (0 to 1) only where
/// there are no better ones.
#[must_use]
pub fn spread(mut front: Vec<&Trial>, least: f64, count: usize) -> Vec<&Trial> {
    let worth = |trial: &Trial| trial.measured().is_some_and(|measured| measured.accuracy() > least);
    if front.iter().any(|trial| worth(trial)) {
        front.retain(|trial| worth(trial));
    }
    if front.len() <= count {
        return front;
    }
    let size = |trial: &Trial| (trial.usage.bytes as f64).ln();
    let (first, last) = (size(front[0]), size(front[front.len() - 1]));
    let mut chosen = Vec::with_capacity(count);
    for step in 0..count {
        let part = if count == 1 { 1.0 } else { step as f64 / (count - 1) as f64 };
        let wanted = first + (last - first) * part;
        // Of those after the one chosen before, and so that enough are left for the steps that follow.
        let from = chosen.last().map_or(0, |&index: &usize| index + 1);
        let until = front.len() - (count - 1 - step);
        let distance = |index: &usize| (size(front[*index]) - wanted).abs();
        chosen.extend((from..until).min_by(|a, b| distance(a).total_cmp(&distance(b))));
    }
    chosen.into_iter().map(|index| front[index]).collect()
}
