//! The figures that validation reports: accuracy with its confidence interval, confusion matrix, per-class recall.

use serde::{Deserialize, Serialize};

/// Correctly classified images out of all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Images classified correctly.
    pub correct: usize,
    /// Images classified.
    pub images: usize,
    /// `correct / images`.
    pub fraction: f64,
    /// 95 % confidence interval of the fraction, [lower, upper].
    pub interval95: [f64; 2],
}

impl Accuracy {
    /// From counts; `images` at least 1.
    #[must_use]
    pub fn new(correct: usize, images: usize) -> Self {
        let fraction = correct as f64 / images as f64;
        Self { correct, images, fraction, interval95: wilson95(correct, images) }
    }
}

impl std::fmt::Display for Accuracy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [lower, upper] = self.interval95;
        write!(
            f,
            "{} of {} correct, {:.2} % (95 % interval {:.2} to {:.2} %)",
            self.correct,
            self.images,
            100.0 * self.fraction,
            100.0 * lower,
            100.0 * upper
        )
    }
}

/// Wilson's score interval of a proportion at 95 % (Wilson, "Probable Inference, the Law of Succession, and Statistical
/// Inference", 1927). Unlike the normal approximation it stays inside 0..=1 and holds near both ends.
#[must_use]
pub fn wilson95(successes: usize, trials: usize) -> [f64; 2] {
    /// 97.5th percentile of the standard normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    [((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)]
}

/// Where the images of each class went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Images, [true class][predicted class].
    pub counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Counts predictions. Every prediction and every label is below `classes`.
    #[must_use]
    pub fn new(predictions: &[usize], labels: &[u16], classes: usize) -> Self {
        let mut counts = vec![vec![0; classes]; classes];
        for (&class, &label) in predictions.iter().zip(labels) {
            counts[usize::from(label)][class] += 1;
        }
        Self { counts }
    }

    /// Part of each class's images that were classified correctly; `None` for a class without images.
    #[must_use]
    pub fn recall(&self) -> Vec<Option<f64>> {
        let recall = |(class, row): (usize, &Vec<usize>)| {
            let images: usize = row.iter().sum();
            (images > 0).then(|| row[class] as f64 / images as f64)
        };
        self.counts.iter().enumerate().map(recall).collect()
    }

    /// Mean of the recall of the classes that have images, 0..=1; 0 without any.
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        let known: Vec<f64> = self.recall().into_iter().flatten().collect();
        known.iter().sum::<f64>() / known.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_interval_of_published_examples() {
        // Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method 3.
        for (successes, trials, lower, upper) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let [found_lower, found_upper] = wilson95(successes, trials);
            assert!((found_lower - lower).abs() < 5e-5, "{successes}/{trials}: {found_lower}");
            assert!((found_upper - upper).abs() < 5e-5, "{successes}/{trials}: {found_upper}");
        }
    }

    #[test]
    fn confusion_counts_and_recall() {
        let confusion = Confusion::new(&[0, 1, 1, 0], &[0, 1, 0, 0], 3);
        assert_eq!(confusion.counts, [[2, 1, 0], [0, 1, 0], [0, 0, 0]]);
        assert_eq!(confusion.recall(), [Some(2.0 / 3.0), Some(1.0), None]);
        assert_eq!(confusion.balanced_accuracy(), (2.0 / 3.0 + 1.0) / 2.0);
        assert_eq!(Confusion::new(&[], &[], 2).balanced_accuracy(), 0.0);
    }
}
