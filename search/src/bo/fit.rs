//! Fitting the parameters of the Gaussian process: the maximum of marginal likelihood times prior.
//!
//! The prior makes the fit well defined from the first observation on and is what carries it through the first dozens of
//! trials, when there are more length scales than observations. Starting from the prior's mode each time, the result
//! depends on the observations alone, not on what was fitted before: a study that is resumed goes on as it would have.

use nalgebra::DVector;

use super::cholesky::Factor;
use super::inputs::{Geometry, Inputs, Levels};
use super::kernel::{Kernel, Parameters};
use super::lbfgs;
use super::warp::Warp;

/// The most observations that the parameters are fitted to; the posterior always uses all.
const FIT_LIMIT: usize = 256;
/// Iterations of the optimiser, and the gain in log density, for each observation, below which it stops.
const ITERATIONS: usize = 60;
const TOLERANCE: f64 = 4e-5;
/// The least such gain for all of few observations.
const LEAST_TOLERANCE: f64 = 1e-3;

/// A log-normal prior on each parameter: mean and standard deviation of its natural logarithm. Distances are at most 1
/// and warped values have unit variance, so the same prior serves every problem.
#[derive(Clone, Debug)]
struct Prior {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Prior {
    /// The prior for [`Parameters`] in the order of its fields, then the headroom of the warp.
    fn new(geometry: &Geometry) -> Self {
        let n = geometry.inputs();
        // As (median, deviation of the logarithm). Lengths are as two levels lie apart on average, 1 for nominal ones: what
        // changes at all along an ordinal dimension mostly does so within a part of its range. Features, such as sizes, act
        // over all of theirs, or hardly at all.
        let levels = geometry.dimensions().iter().map(Levels::mean_distance);
        let levels = levels.map(|length| (if length > 0.0 { length } else { 1.0 }, 0.5));
        let features = std::iter::repeat_n((1.0, 1.0), geometry.features());
        let lengths = levels.chain(features);
        // The expected distance of two points grows with the root of the number of inputs (Hvarfner, Hellsten and Nardi,
        // "Vanilla Bayesian optimization performs great in high dimensions", 2024).
        let stretch = (0.5 * (n as f64).sqrt(), 0.5);
        let (main, joint, known) = ((0.25, 1.0), (0.25, 1.0), (1.0, 1.0));
        let (shared, noise) = ((0.05, 1.0), (0.01, 1.5));
        let headroom = (1.0, 0.7);
        let (mean, deviation) = lengths
            .chain([stretch, main, joint, known, shared, noise, headroom])
            .map(|(median, deviation): (f64, f64)| (median.ln(), deviation))
            .unzip();
        Self { mean, deviation }
    }

    /// Adds minus the log density (without its constant) at `x` to `value` and its gradient to `gradient`.
    fn penalise(&self, x: &[f64], value: &mut f64, gradient: &mut [f64]) {
        for (((x, g), mean), deviation) in x.iter().zip(gradient).zip(&self.mean).zip(&self.deviation) {
            let z = (x - mean) / deviation;
            *value += 0.5 * z * z;
            *g += z / deviation;
        }
    }
}

/// The observations that the parameters are fitted to.
struct Problem<'a> {
    geometry: &'a Geometry,
    inputs: Inputs,
    /// All values: the warp standardises all.
    values: &'a [f64],
    /// Which of them belong to `inputs`.
    chosen: Vec<usize>,
    prior: Prior,
}

impl<'a> Problem<'a> {
    fn new(geometry: &'a Geometry, inputs: &Inputs, values: &'a [f64]) -> Self {
        // Evenly spaced over the history, the last one always among them.
        let (n, kept) = (values.len(), values.len().min(FIT_LIMIT));
        let chosen: Vec<usize> = (1..=kept).map(|i| i * n / kept - 1).collect();
        Self { geometry, inputs: inputs.select(&chosen), values, chosen, prior: Prior::new(geometry) }
    }

    /// Minus the log posterior density (without its constant) and its gradient.
    fn objective(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let (log_headroom, parameters) = x.split_last().expect("the headroom comes last");
        let (warped, slope) = self.warped(*log_headroom);
        let (mut value, mut gradient, by_warped) = self.negative_log_likelihood(parameters, &warped);
        // The density of the values themselves, so that warps can be compared.
        value -= slope;
        // The warp is cheap and smooth: central differences are exact enough for its one parameter.
        let h = 1e-4;
        let (above, below) = (self.warped(log_headroom + h), self.warped(log_headroom - h));
        gradient.push((by_warped.dot(&(above.0 - below.0)) - (above.1 - below.1)) / (2.0 * h));
        self.prior.penalise(x, &mut value, &mut gradient);
        (value, gradient)
    }

    /// The warped values of the chosen observations and the sum of the warp's log slopes at them.
    fn warped(&self, log_headroom: f64) -> (DVector<f64>, f64) {
        let warp = Warp::new(self.values, log_headroom);
        let values = || self.chosen.iter().map(|&i| self.values[i]);
        let warped = DVector::from_iterator(self.chosen.len(), values().map(|y| warp.forward(y)));
        (warped, values().map(|y| warp.log_slope(y)).sum())
    }

    /// Minus the log marginal likelihood of `z` (without its constant), its gradient by the parameters, and by `z`;
    /// infinite where the covariance matrix cannot be factorised.
    fn negative_log_likelihood(&self, parameters: &[f64], z: &DVector<f64>) -> (f64, Vec<f64>, DVector<f64>) {
        let kernel = Kernel::new(self.geometry, Parameters::from_slice(parameters));
        let Some(factor) = Factor::new(&kernel.noisy_lower_gram(&self.inputs)) else {
            return (f64::INFINITY, vec![f64::NAN; parameters.len()], z.clone());
        };
        // With W = K^-1 - alpha alpha^T the derivative is half the sum over all elements of W times the derivative of K.
        let mut weights = factor.inverse();
        let alpha = &weights * z;
        let value = 0.5 * z.dot(&alpha) + factor.half_log_determinant();
        weights.ger(-1.0, &alpha, &alpha, 1.0);
        let gradient = kernel.gradient(&self.inputs, &weights);
        (value, gradient, alpha)
    }
}

/// The parameters and the warp of the highest posterior density given `values` at `inputs`.
pub(super) fn maximise_posterior(geometry: &Geometry, inputs: &Inputs, values: &[f64]) -> (Parameters, Warp) {
    let problem = Problem::new(geometry, inputs, values);
    let tolerance = (TOLERANCE * problem.chosen.len() as f64).max(LEAST_TOLERANCE);
    let (best, _) = lbfgs::minimise(|x| problem.objective(x), &problem.prior.mean, ITERATIONS, tolerance);
    let (log_headroom, parameters) = best.split_last().expect("the headroom comes last");
    (Parameters::from_slice(parameters), Warp::new(values, *log_headroom))
}

#[cfg(test)]
mod tests {
    use super::super::inputs::tests::{mixed_geometry, mixed_inputs};
    use super::*;
    use crate::stream::stream;
    use rand::RngExt;

    #[test]
    fn gradient_agrees_with_finite_differences() {
        let geometry = mixed_geometry();
        let mut rng = stream(1, 0, "test");
        let inputs = mixed_inputs(&geometry, 40, 1);
        let values: Vec<f64> = (0..40).map(|_| rng.random_range(0.0..1.0)).collect();
        let problem = Problem::new(&geometry, &inputs, &values);
        for _ in 0..5 {
            let x: Vec<f64> = problem.prior.mean.iter().map(|m| m + rng.random_range(-1.0..1.0)).collect();
            let (_, gradient) = problem.objective(&x);
            for i in 0..x.len() {
                let at = |d: f64| {
                    let mut x = x.clone();
                    x[i] += d;
                    problem.objective(&x).0
                };
                let numeric = (at(1e-5) - at(-1e-5)) / 2e-5;
                let error = (numeric - gradient[i]).abs() / (1.0 + numeric.abs());
                assert!(error < 1e-4, "parameter {i}: {numeric} against {}", gradient[i]);
            }
        }
    }

    #[test]
    fn many_observations_are_thinned_evenly_and_the_last_is_kept() {
        let geometry = mixed_geometry();
        let n = 3 * FIT_LIMIT + 5;
        let values = vec![0.0; n];
        let problem = Problem::new(&geometry, &mixed_inputs(&geometry, n, 1), &values);
        assert_eq!(problem.chosen.len(), FIT_LIMIT);
        assert_eq!(problem.chosen.last(), Some(&(n - 1)));
        assert!(problem.chosen.windows(2).all(|w| (3..=4).contains(&(w[1] - w[0]))));
    }
}
