//! The front of a row's finished networks, and how two of them compare.
//!
//! Accuracies are those of packed models on the test images, fractions; a network counts for every size that is at least
//! its own.

use super::row::Record;

/// The corner that hypervolumes are measured from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    /// Accuracy that is worth nothing, 0..1.
    pub(super) accuracy: f64,
    /// Size that is worth nothing, in bytes.
    pub(super) bytes: f64,
}

/// Non-dominated networks by rising size: bytes and accuracy.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Front(Vec<(f64, f64)>);

impl Front {
    /// The non-dominated of `records`; `None` without any.
    pub(super) fn of(records: &[Record]) -> Option<Self> {
        let network = |record: &Record| (record.size_bytes as f64, record.accuracy());
        let mut all: Vec<_> = records.iter().map(network).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
        let mut best = f64::NEG_INFINITY;
        all.retain(|&(_, accuracy)| {
            let better = accuracy > best;
            best = best.max(accuracy);
            better
        });
        (!all.is_empty()).then_some(Self(all))
    }

    /// Accuracy above the corner's times decades of size below it, of all that the front dominates.
    pub(super) fn hypervolume(&self, corner: Corner) -> f64 {
        let ends = self.0.iter().skip(1).map(|network| network.0).chain([f64::INFINITY]);
        let steps = self.0.iter().zip(ends).map(|(&(bytes, accuracy), end)| {
            let decades = (end.min(corner.bytes) / bytes.min(corner.bytes)).log10();
            decades.max(0.0) * (accuracy - corner.accuracy).max(0.0)
        });
        steps.sum()
    }

    /// For each network of `other` whose accuracy this front reaches: its smallest size that does, over that of the other.
    /// The geometric mean; `None` if it reaches none.
    pub(super) fn size_ratio(&self, other: &Self) -> Option<f64> {
        let logs: Vec<f64> = other
            .0
            .iter()
            .filter_map(|&(bytes, accuracy)| {
                let found = self.0.iter().find(|network| network.1 >= accuracy)?;
                Some((found.0 / bytes).ln())
            })
            .collect();
        (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
    }

    /// For each network of `other`: the best accuracy of this front at no more bytes, less that of the other. The mean;
    /// `None` if it has none so small.
    pub(super) fn gain(&self, other: &Self) -> Option<f64> {
        let gains: Vec<f64> = other
            .0
            .iter()
            .filter_map(|&(bytes, accuracy)| {
                let found = self.0.iter().rev().find(|network| network.0 <= bytes)?;
                Some(found.1 - accuracy)
            })
            .collect();
        (!gains.is_empty()).then(|| gains.iter().sum::<f64>() / gains.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(networks: &[(f64, f64)]) -> Front {
        Front(networks.to_vec())
    }

    #[test]
    fn a_front_is_measured_from_the_corner() {
        let corner = Corner { accuracy: 0.5, bytes: 10_000.0 };
        let found = front(&[(100.0, 0.7), (1000.0, 0.9)]).hypervolume(corner);
        assert!((found - (0.2 + 0.4)).abs() < 1e-12, "{found}");
        // Beyond the corner on either side there is nothing.
        assert_eq!(front(&[(100.0, 0.4), (20_000.0, 0.9)]).hypervolume(corner), 0.0);
    }

    #[test]
    fn fronts_compare_at_equal_accuracy_and_at_equal_size() {
        let (ours, theirs) =
            (front(&[(100.0, 0.7), (400.0, 0.8)]), front(&[(200.0, 0.7), (1000.0, 0.75), (9000.0, 0.9)]));
        let ratio = ours.size_ratio(&theirs).unwrap();
        assert!((ratio - (0.5f64 * 0.4).sqrt()).abs() < 1e-12, "{ratio}");
        let gain = ours.gain(&theirs).unwrap();
        assert!((gain - (0.0 + 0.05 - 0.1) / 3.0).abs() < 1e-12, "{gain}");
        assert_eq!(ours.size_ratio(&front(&[(1.0, 0.95)])), None);
        assert_eq!(ours.gain(&front(&[(1.0, 0.95)])), None);
    }
}
