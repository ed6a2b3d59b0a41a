//! How long, how fast and how far: the schedule of one training phase.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::RecipeError;

/// The schedule of a training phase. The learning rate rises linearly from 0 during the warm-up and then falls to 0 along
/// half a cosine (Loshchilov and Hutter, "SGDR", 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Passes over the training images; need not be whole.
    pub epochs: f64,
    /// Images for one step of the optimiser.
    pub batch: usize,
    /// Learning rate at the end of the warm-up.
    pub learning_rate: f64,
    /// Part of the steps that are warm-up, 0..1.
    pub warm_up: f64,
    /// AdamW's decoupled weight decay of convolution and classifier weights.
    pub weight_decay: f64,
    /// Part of each label that is spread over all classes, 0..1.
    pub label_smoothing: f64,
}

impl Schedule {
    /// Learning rate of step `step` (from 0) of `steps`.
    #[must_use]
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        let warm_up = self.warm_up * steps as f64;
        // In the middle of the step, so that neither the first nor the last one is without effect.
        let at = step as f64 + 0.5;
        let factor = if at < warm_up {
            at / warm_up
        } else {
            0.5 + 0.5 * (PI * (at - warm_up) / (steps as f64 - warm_up)).cos()
        };
        self.learning_rate * factor
    }

    /// Images for one step and number of steps on `images` images; at least one step.
    #[must_use]
    pub fn steps(&self, images: usize) -> (usize, usize) {
        let batch = self.batch.min(images);
        let steps = (self.epochs * images as f64 / batch as f64).round();
        (batch, (steps as usize).max(1))
    }

    /// Images that the phase trains on when there are `images` training images.
    #[must_use]
    pub fn trained_images(&self, images: usize) -> u64 {
        let (batch, steps) = self.steps(images);
        batch as u64 * steps as u64
    }

    /// That every value makes sense.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        let wrong = |field, value: f64, wanted| Err(RecipeError { field, value: value.to_string(), wanted });
        if !(self.epochs > 0.0 && self.epochs <= 1e5) {
            return wrong("epochs", self.epochs, "above 0 and at most 100,000");
        }
        if !(1..=1 << 20).contains(&self.batch) {
            return wrong("batch", self.batch as f64, "1 to 1,048,576");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate <= 10.0) {
            return wrong("learning_rate", self.learning_rate, "above 0 and at most 10");
        }
        if !(0.0..1.0).contains(&self.warm_up) {
            return wrong("warm_up", self.warm_up, "at least 0 and below 1");
        }
        if !(0.0..=10.0).contains(&self.weight_decay) {
            return wrong("weight_decay", self.weight_decay, "0 to 10");
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return wrong("label_smoothing", self.label_smoothing, "at least 0 and below 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        epochs: 1.5,
        batch: 64,
        learning_rate: 0.01,
        warm_up: 0.1,
        weight_decay: 0.0,
        label_smoothing: 0.0,
    };

    #[test]
    fn rises_to_the_rate_and_falls_to_nothing() {
        let (batch, steps) = SCHEDULE.steps(54_000);
        assert_eq!((batch, steps), (64, 1_266));
        assert_eq!(SCHEDULE.trained_images(54_000), 81_024);
        let rates: Vec<f64> = (0..steps).map(|step| SCHEDULE.rate(step, steps)).collect();
        let top = rates.iter().copied().fold(0.0, f64::max);
        assert!((0.0099..=0.01).contains(&top), "{top}");
        let peak = rates.iter().position(|&rate| rate == top).unwrap();
        assert!((125..=127).contains(&peak), "{peak}");
        assert!(rates[..peak].is_sorted() && rates[peak..].iter().rev().is_sorted());
        assert!(rates[0] > 0.0 && rates[steps - 1] > 0.0 && rates[steps - 1] < 1e-7);
    }

    #[test]
    fn a_batch_is_at_most_the_data() {
        assert_eq!(SCHEDULE.steps(10), (10, 2));
        assert_eq!(Schedule { epochs: 1e-9, ..SCHEDULE }.steps(10), (10, 1));
    }

    #[test]
    fn nonsense_is_named() {
        let error = |schedule: Schedule| schedule.check().unwrap_err().to_string();
        assert!(SCHEDULE.check().is_ok());
        assert!(error(Schedule { epochs: 0.0, ..SCHEDULE }).starts_with("epochs is 0"));
        assert!(error(Schedule { epochs: f64::NAN, ..SCHEDULE }).starts_with("epochs is NaN"));
        assert!(error(Schedule { batch: 0, ..SCHEDULE }).starts_with("batch is 0"));
        assert!(error(Schedule { learning_rate: -1.0, ..SCHEDULE }).starts_with("learning_rate is -1"));
        assert!(error(Schedule { warm_up: 1.0, ..SCHEDULE }).starts_with("warm_up is 1"));
        assert!(
            error(Schedule { weight_decay: f64::INFINITY, ..SCHEDULE }).starts_with("weight_decay is inf")
        );
        assert!(error(Schedule { label_smoothing: -0.1, ..SCHEDULE }).starts_with("label_smoothing is -0.1"));
    }
}
