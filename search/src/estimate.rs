//! What a search will cost, before it begins: images, multiply-accumulates and time, from the speed of a few networks on this
//! machine. Seconds are a straight line over the MACs of a network, so the mean MACs of the networks that are tried decide.

use serde::Serialize;

use crate::recipe::{QuantisationMethod, TrainConfig};
use crate::study::StudyConfig;

/// Multiply-accumulates of training on an image, in those of running it: one pass forward, and two as large back, for the
/// inputs and for the weights.
const TRAINING_MACS: f64 = 3.0;
/// Networks on a front, for the root of the number of trials: in the studies of this project 14 to 31 after 100 trials, 9 to 14
/// after 30 to 40.
const FRONT: f64 = 2.2;

/// Seconds of the parts of a training of one network; `train::Speed`, or a prediction of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// For each image of float training.
    pub float: f64,
    /// For each image of QAFT.
    pub qaft: f64,
    /// For each image scored, by the float network and by the quantised one.
    pub scoring: f64,
    /// For each network whatever the number of images.
    pub fixed: f64,
}

/// What was found out beforehand.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// MACs and speed of the networks measured, at least one.
    pub measured: Vec<(u64, Seconds)>,
    /// Mean MACs of the networks that will be tried.
    pub mean_macs: f64,
    /// Training images of a trial.
    pub training_images: usize,
    /// Validation images.
    pub validation_images: usize,
    /// Training images of a finished network.
    pub all_images: usize,
    /// Test images.
    pub test_images: usize,
    /// Seconds that a proposal takes.
    pub proposal: f64,
    /// Trials that are worked on at the same time without being in each other's way.
    pub workers: f64,
}

/// Cost of one thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Images trained on.
    pub trained_images: u64,
    /// Multiply-accumulates of the training, forward and back.
    pub macs: f64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Cost of a search and of what follows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Trials.
    pub trials: u64,
    /// Of all trials; an upper bound where networks share a float training, or are given up halfway.
    pub search: Cost,
    /// Whether `search` is such an upper bound.
    pub at_most: bool,
    /// Networks that fronts of so many trials have had, roughly.
    pub front: u64,
    /// Of finishing one network of the front.
    pub finishing: Cost,
    /// Networks that were measured.
    pub measured_networks: usize,
}

impl Estimate {
    /// Of a study.
    #[must_use]
    pub fn of(config: &StudyConfig, known: &Known) -> Self {
        let Known { mean_macs, training_images, validation_images, all_images, test_images, .. } = *known;
        let speed = Seconds::at(&known.measured, mean_macs);
        let (search, finishing) = (config.mode.in_the_loop(), config.mode.afterwards());
        let trial = speed.cost(&config.training, search, (training_images, validation_images), mean_macs);
        let trials = config.trials as f64;
        let seconds = (trial.seconds + known.proposal) * trials / known.workers.min(trials).max(1.0);
        Self {
            trials: config.trials,
            search: Cost {
                trained_images: trial.trained_images * config.trials,
                macs: trial.macs * trials,
                seconds,
            },
            at_most: config.policies_per_network > 1 || config.early_stopping,
            front: ((FRONT * trials.sqrt()).round() as u64).clamp(1, config.trials),
            finishing: speed.cost(&config.final_training, finishing, (all_images, test_images), mean_macs),
            measured_networks: known.measured.len(),
        }
    }
}

impl Seconds {
    /// Cost of training one network of `macs` on `images`, quantising it and scoring it on others.
    fn cost(
        self,
        recipe: &TrainConfig,
        quantisation: QuantisationMethod,
        (images, scored): (usize, usize),
        macs: f64,
    ) -> Cost {
        let float = recipe.float.trained_images(images);
        let qaft =
            if quantisation == QuantisationMethod::Qaft { recipe.qaft.trained_images(images) } else { 0 };
        let trained_images = float + qaft;
        Cost {
            trained_images,
            macs: TRAINING_MACS * macs * trained_images as f64,
            seconds: self.float * float as f64
                + self.qaft * qaft as f64
                + self.scoring * scored as f64
                + self.fixed,
        }
    }

    /// Of a network of `macs`, from those of others: a straight line for each part.
    fn at(measured: &[(u64, Seconds)], macs: f64) -> Self {
        let part = |of: fn(&Seconds) -> f64| {
            let points: Vec<(f64, f64)> =
                measured.iter().map(|(macs, seconds)| (*macs as f64, of(seconds))).collect();
            line(&points, macs)
        };
        Self {
            float: part(|seconds| seconds.float),
            qaft: part(|seconds| seconds.qaft),
            scoring: part(|seconds| seconds.scoring),
            fixed: part(|seconds| seconds.fixed),
        }
    }
}

/// The least-squares line through `points` at `x`, as long as it neither falls nor starts below 0: else a proportion, or the
/// mean.
fn line(points: &[(f64, f64)], x: f64) -> f64 {
    let n = points.len().max(1) as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / n;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum();
    if spread <= 0.0 || mean_x <= 0.0 {
        return mean_y;
    }
    let slope = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum::<f64>() / spread;
    match () {
        () if slope < 0.0 => mean_y,
        () if slope * mean_x > mean_y => mean_y * x / mean_x,
        () => mean_y + slope * (x - mean_x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_through_its_points_and_never_below_nothing() {
        assert!((line(&[(1.0, 3.0), (3.0, 5.0)], 2.5) - 4.5).abs() < 1e-12);
        assert_eq!(line(&[(2.0, 3.0)], 50.0), 3.0);
        assert_eq!(line(&[(1.0, 5.0), (3.0, 1.0)], 9.0), 3.0);
        // Through (1, 1) and (2, 4) it would start at -2.
        assert!((line(&[(1.0, 1.0), (2.0, 4.0)], 0.6) - 1.0).abs() < 1e-12);
    }
}
