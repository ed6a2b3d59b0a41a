//! The paper's equation (1), of which equal-score lines are drawn: one number for accuracy and size, with the references of
//! the study (van Son et al., "BOMP-NAS", 2023, Figs. 2 and 4).

use serde::Serialize;

use crate::bo::pareto::Reference;
use crate::bo::strategy;
use crate::study::StudyConfig;

/// The constants of equation (1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EquationScore {
    /// `ref_acc`, 0..=1: the study's, or the paper's if it has none.
    pub reference_accuracy: f64,
    /// `ref_model_size`.
    pub reference_size: f64,
}

impl EquationScore {
    /// The study's.
    #[must_use]
    pub fn of(config: &StudyConfig) -> Self {
        let reference_accuracy = config.reference_accuracy().unwrap_or(strategy::Score::PAPERS_ACCURACY);
        Self { reference_accuracy, reference_size: config.reference_size }
    }

    /// The score of a network of this accuracy, 0..=1, and these bytes.
    #[must_use]
    pub fn of_network(self, accuracy: f64, bytes: usize) -> f64 {
        accuracy / self.unit() + self.size_term(bytes as f64)
    }

    /// The accuracy that a network of these bytes needs for `score`.
    #[must_use]
    pub fn accuracy_at(self, score: f64, bytes: f64) -> f64 {
        self.unit() * (score - self.size_term(bytes))
    }

    fn unit(self) -> f64 {
        if self.reference_accuracy > 0.0 { self.reference_accuracy } else { 1.0 }
    }

    fn size_term(self, bytes: f64) -> f64 {
        let reference = Reference { value: self.reference_accuracy, cost: 0.0 };
        strategy::Score::of_networks(self.reference_accuracy, self.reference_size)
            .size_term(bytes.log10(), reference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_networks_of_the_settled_reading_have_its_scores() {
        // 1 kB at 86 % = 3.13 beats 64 kB at 93 % = 2.56.
        let score = EquationScore { reference_accuracy: 0.8, reference_size: 8.0 };
        assert!((score.of_network(0.86, 1000) - 3.125).abs() < 0.005);
        assert!((score.of_network(0.93, 64_000) - 2.56).abs() < 0.005);
        assert!((score.accuracy_at(score.of_network(0.9, 5000), 5000.0) - 0.9).abs() < 1e-12);
    }
}
