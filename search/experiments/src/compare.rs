//! How the finished networks of two experiments compare, by the accuracy of their packed models on the test images. A network
//! counts for every size that is at least its own.

use bomp_search::bo::pareto::{Front, Reference};
use bomp_search::front::objectives;

use crate::record::Record;

/// A corner that cuts nothing off.
const EVERYTHING: Reference = Reference { value: f64::NEG_INFINITY, cost: f64::INFINITY };

/// The front of `records` from a corner; `None` without any.
pub(crate) fn front(records: &[Record], corner: Reference) -> Option<Front> {
    let network = |record: &Record| objectives(record.accuracy().fraction, record.size_bytes);
    (!records.is_empty()).then(|| Front::of(corner, records.iter().map(network)))
}

/// The front of all of `records`.
pub(crate) fn whole(records: &[Record]) -> Option<Front> {
    front(records, EVERYTHING)
}

/// For each network of `theirs` whose accuracy is reached: the smallest size of `ours` that reaches it, over that of the
/// other. The geometric mean; `None` if none is reached.
pub(crate) fn size_ratio(ours: &Front, theirs: &Front) -> Option<f64> {
    let decades = theirs.points().iter().filter_map(|network| {
        let found = ours.points().iter().find(|point| point.value >= network.value)?;
        Some(found.cost - network.cost)
    });
    mean(decades).map(|decades| 10f64.powf(decades))
}

/// For each network of `theirs`: the best accuracy of `ours` at no more bytes, less that of the other. The mean; `None` if
/// none is so small.
pub(crate) fn gain(ours: &Front, theirs: &Front) -> Option<f64> {
    let gains = theirs.points().iter().map(|network| ours.level(network.cost) - network.value);
    mean(gains.filter(|gain| gain.is_finite()))
}

fn mean(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let figures: Vec<f64> = figures.collect();
    (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(figures: &[(usize, f64)], corner: Reference) -> Front {
        Front::of(corner, figures.iter().map(|&(bytes, accuracy)| objectives(accuracy, bytes)))
    }

    #[test]
    fn a_front_is_measured_from_the_corner() {
        let corner = Reference { value: 0.5, cost: 4.0 };
        let found = networks(&[(100, 0.7), (1000, 0.9)], corner).hypervolume();
        assert!((found - (0.2 + 0.4)).abs() < 1e-12, "{found}");
        // Beyond the corner on either side there is nothing.
        assert_eq!(networks(&[(100, 0.4), (20_000, 0.9)], corner).hypervolume(), 0.0);
    }

    #[test]
    fn fronts_compare_at_equal_accuracy_and_at_equal_size() {
        let of = |figures: &[(usize, f64)]| networks(figures, EVERYTHING);
        let (ours, theirs) = (of(&[(100, 0.7), (400, 0.8)]), of(&[(200, 0.7), (1000, 0.75), (9000, 0.9)]));
        let ratio = size_ratio(&ours, &theirs).unwrap();
        assert!((ratio - (0.5f64 * 0.4).sqrt()).abs() < 1e-12, "{ratio}");
        let found = gain(&ours, &theirs).unwrap();
        assert!((found - (0.0 + 0.05 - 0.1) / 3.0).abs() < 1e-12, "{found}");
        assert_eq!(size_ratio(&ours, &of(&[(1, 0.95)])), None);
        assert_eq!(gain(&ours, &of(&[(1, 0.95)])), None);
    }
}
