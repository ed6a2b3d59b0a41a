//! How much each training image counts in the loss, by its class.

use serde::{Deserialize, Serialize};

/// Weights of the classes in the loss of float training and of QAFT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every image has the same weight, so a class counts in proportion to its images.
    #[default]
    None,
    /// Every class has the same weight: an image of a class with n of N training images in K
    /// classes has the weight N / (K n).
    Balanced,
}

impl ClassWeights {
    /// Whether there are none, which configurations leave out.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The weight of each class, of which class i has `class_images[i]` training images; their mean over the
    /// images is 1. `None` where every image counts alike. Only classes with images are counted as classes.
    #[must_use]
    pub fn of(self, class_images: &[usize]) -> Option<Vec<f64>> {
        if self.is_none() {
            return None;
        }
        let images: usize = class_images.iter().sum();
        let classes = class_images.iter().filter(|&&images| images > 0).count();
        let weight = |&own: &usize| if own == 0 { 0.0 } else { images as f64 / (classes * own) as f64 };
        Some(class_images.iter().map(weight).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_the_same_weight_in_all() {
        let counts = [394, 6, 0, 100];
        assert_eq!(ClassWeights::None.of(&counts), None);
        let weights = ClassWeights::Balanced.of(&counts).unwrap();
        for class in [0, 1, 3] {
            assert!((weights[class] * counts[class] as f64 - 500.0 / 3.0).abs() < 1e-9, "{weights:?}");
        }
        assert_eq!(weights[2], 0.0);
        assert_eq!(ClassWeights::Balanced.of(&[5, 5]).unwrap(), [1.0, 1.0]);
    }
}
