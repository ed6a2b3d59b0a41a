//! The paper's equation (1): one number for accuracy and size, of which equal-score lines are drawn.
//!
//! score = acc / `ref_acc` + `ref_model_size` / log10(size in bits), with the accuracy as a fraction; `ref_acc` is 0.8, and
//! `ref_model_size` 8 for CIFAR-10 and 6 for CIFAR-100 (van Son et al., "BOMP-NAS", 2023, Figs. 2 and 4).

use serde::Serialize;

use crate::study::StudyConfig;

/// The constants of equation (1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// `ref_acc`, 0..=1.
    pub reference_accuracy: f64,
    /// `ref_model_size`.
    pub reference_size: f64,
}

impl Score {
    /// The paper's constants: those for CIFAR-100 where there are as many classes, else those for CIFAR-10.
    #[must_use]
    pub fn of(config: &StudyConfig) -> Self {
        let reference_size = if config.space.definition().classes >= 100 { 6.0 } else { 8.0 };
        Self { reference_accuracy: 0.8, reference_size }
    }

    /// The score of a network of this accuracy, 0..=1, and these bytes.
    #[must_use]
    pub fn of_network(self, accuracy: f64, bytes: usize) -> f64 {
        accuracy / self.reference_accuracy + self.size_term(bytes as f64)
    }

    /// The accuracy that a network of these bytes needs for `score`.
    #[must_use]
    pub fn accuracy_at(self, score: f64, bytes: f64) -> f64 {
        self.reference_accuracy * (score - self.size_term(bytes))
    }

    fn size_term(self, bytes: f64) -> f64 {
        self.reference_size / (8.0 * bytes).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_networks_of_the_settled_reading_have_its_scores() {
        // 1 kB at 86 % = 3.13 beats 64 kB at 93 % = 2.56.
        let score = Score { reference_accuracy: 0.8, reference_size: 8.0 };
        assert!((score.of_network(0.86, 1000) - 3.125).abs() < 0.005);
        assert!((score.of_network(0.93, 64_000) - 2.56).abs() < 0.005);
        assert!((score.accuracy_at(score.of_network(0.9, 5000), 5000.0) - 0.9).abs() < 1e-12);
    }
}
