//! What a study scores its trials by: which share of the validation images counts as its accuracy.
//!
//! Both measures follow from integer counts of the device's own arithmetic, so either can be
//! checked image for image.

use serde::{Deserialize, Serialize};

/// The accuracy that a study maximises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Fraction of images classified correctly. A class with few images has little influence.
    #[default]
    Accuracy,
    /// Mean of the recall of each class: every class has the same influence, however few images it
    /// has. Classes without validation images are left out.
    BalancedAccuracy,
}

impl Objective {
    /// Its name in tables and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced accuracy",
        }
    }

    /// Whether it is plain accuracy, which configurations leave out.
    #[must_use]
    pub fn is_accuracy(&self) -> bool {
        *self == Self::Accuracy
    }

    /// What the best constant answer scores, 0..=1, on validation images of which class i has
    /// `class_images[i]`: the share of the commonest class, or one class's recall among those that
    /// have images. 0 without images.
    #[must_use]
    pub fn constant_answer(self, class_images: &[usize]) -> f64 {
        let (most, all): (usize, usize) =
            (class_images.iter().copied().max().unwrap_or(0), class_images.iter().sum());
        match self {
            Self::Accuracy => most as f64 / all.max(1) as f64,
            Self::BalancedAccuracy if all == 0 => 0.0,
            Self::BalancedAccuracy => 1.0 / class_images.iter().filter(|&&images| images > 0).count() as f64,
        }
    }
}

/// The mean over classes of correct out of all images, 0..=1; classes without images are left out. 0 without
/// any images.
#[must_use]
pub fn balanced_accuracy(counts: impl IntoIterator<Item = (u64, u64)>) -> f64 {
    let (mut sum, mut classes) = (0.0, 0u32);
    for (correct, images) in counts {
        if images > 0 {
            sum += correct as f64 / images as f64;
            classes += 1;
        }
    }
    if classes == 0 { 0.0 } else { sum / f64::from(classes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_answer_of_rare_classes() {
        let counts = [394, 6, 0];
        assert_eq!(Objective::Accuracy.constant_answer(&counts), 394.0 / 400.0);
        assert_eq!(Objective::BalancedAccuracy.constant_answer(&counts), 0.5);
        for objective in [Objective::Accuracy, Objective::BalancedAccuracy] {
            assert_eq!(objective.constant_answer(&[]), 0.0);
            assert_eq!(objective.constant_answer(&[0, 0]), 0.0);
            assert_eq!(objective.constant_answer(&[7, 7]), 0.5);
        }
    }

    #[test]
    fn every_class_with_images_counts_alike() {
        assert_eq!(balanced_accuracy([(394, 394), (0, 6)]), 0.5);
        assert_eq!(balanced_accuracy([(394, 394), (3, 6), (0, 0)]), 0.75);
        assert_eq!(balanced_accuracy([]), 0.0);
        assert_eq!(balanced_accuracy([(0, 0)]), 0.0);
    }
}
