//! Exact Gaussian process regression on a warped scale.
//!
//! The posterior can be extended by pending points whose values are sampled from it, at the price of one triangular
//! solve each; it then stands for several equally likely posteriors with a common covariance.

use nalgebra::{DMatrix, DVector, DVectorView};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::cholesky::Factor;
use super::fit;
use super::inputs::{Geometry, Inputs};
use super::kernel::{Kernel, Parameters};
use super::warp::Warp;

/// A Gaussian process conditioned on observations.
#[derive(Clone, Debug)]
pub struct Gp {
    kernel: Kernel,
    warp: Warp,
    inputs: Inputs,
    factor: Factor,
    /// L^-1 z for each sample [observations, samples], z the warped values.
    solved: DMatrix<f64>,
}

/// The posterior about a batch of points, on the warped scale.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// Mean for each point and sample [points, samples].
    pub means: DMatrix<f64>,
    /// Standard deviation of the noise-free value for each point, the same in all samples.
    pub sigmas: Vec<f64>,
}

/// An observation and the posterior of all the others about it, on the warped scale.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// The observation.
    pub seen: f64,
    /// Mean of the posterior.
    pub mean: f64,
    /// Standard deviation of the observation, its noise included.
    pub sigma: f64,
}

impl Gp {
    /// Fits warp and parameters to `values` at `inputs` and conditions on them. No observation at all gives the prior.
    ///
    /// # Panics
    /// If a value is not finite or their number is not that of the inputs.
    #[must_use]
    pub fn fit(geometry: &Geometry, inputs: Inputs, values: &[f64]) -> Self {
        assert_eq!(inputs.len(), values.len());
        let (parameters, warp) = fit::maximise_posterior(geometry, &inputs, values);
        Self::condition(geometry, parameters, warp, inputs, values)
    }

    /// Conditions on `values` at given parameters.
    ///
    /// # Panics
    /// If the parameters are not finite.
    #[must_use]
    pub fn condition(
        geometry: &Geometry,
        parameters: Parameters,
        warp: Warp,
        inputs: Inputs,
        values: &[f64],
    ) -> Self {
        let kernel = Kernel::new(geometry, parameters);
        let factor = Factor::new(&kernel.noisy_lower_gram(&inputs)).expect("a finite covariance matrix");
        let mut solved = DMatrix::from_iterator(values.len(), 1, values.iter().map(|&y| warp.forward(y)));
        factor.solve_lower(&mut solved);
        Self { kernel, warp, inputs, factor, solved }
    }

    /// The kernel at its parameters.
    #[must_use]
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The scale on which predictions are made.
    #[must_use]
    pub fn warp(&self) -> &Warp {
        &self.warp
    }

    /// The means at the observations themselves, without what is put down to noise, on the warped scale. As K alpha = z -
    /// noise alpha for observations z, nothing has to be predicted.
    #[must_use]
    pub fn smoothed(&self) -> DVector<f64> {
        let solved = self.solved.column(0).into_owned();
        self.factor.multiply(&solved) - self.factor.solve_upper(&solved) * self.kernel.noise()
    }

    /// The posterior about `points`.
    #[must_use]
    pub fn predict(&self, points: &Inputs) -> Prediction {
        let mut cross = self.kernel.cross(&self.inputs, points);
        self.factor.solve_lower(&mut cross);
        let sigma = |column: DVectorView<'_, f64>| self.left(column).sqrt();
        Prediction { means: cross.tr_mul(&self.solved), sigmas: cross.column_iter().map(sigma).collect() }
    }

    /// What each observation is, and what all the others say of it at the parameters fitted to all. Exact, without a
    /// fit for each (Dubrule, "Cross validation of kriging in a unique neighborhood", 1983): mean z_i - a_i / K^-1_ii
    /// with a = K^-1 z, variance 1 / K^-1_ii.
    #[must_use]
    pub fn leave_one_out(&self) -> Vec<LeftOut> {
        let z = self.factor.lower() * self.solved.column(0);
        let precision = self.factor.inverse();
        let a = &precision * &z;
        let left_out = |i: usize| LeftOut {
            seen: z[i],
            mean: z[i] - a[i] / precision[(i, i)],
            sigma: precision[(i, i)].sqrt().recip(),
        };
        (0..z.len()).map(left_out).collect()
    }

    /// Stands for `samples` copies of itself from here on; of several samples only the first is kept.
    pub fn replicate(&mut self, samples: usize) {
        let first = self.solved.column(0).into_owned();
        self.solved = DMatrix::from_fn(first.len(), samples, |i, _| first[i]);
    }

    /// Conditions on an observation of each of `points` in turn, drawn from the posterior about it and another one in each
    /// sample. Returns the noise-free values of the draws, in the units of the objective [points, samples].
    pub fn fantasise(&mut self, points: &Inputs, rng: &mut ChaCha8Rng) -> DMatrix<f64> {
        let samples = self.solved.ncols();
        let noise = self.kernel.noise();
        let mut drawn = DMatrix::zeros(points.len(), samples);
        for p in 0..points.len() {
            let point = points.select(&[p]);
            let mut cross = self.kernel.cross(&self.inputs, &point);
            self.factor.solve_lower(&mut cross);
            let sigma = self.left(cross.column(0)).sqrt();
            self.factor.push(cross.column(0), self.kernel.variance() + noise);
            let n = self.inputs.len();
            self.solved.resize_vertically_mut(n + 1, 0.0);
            for s in 0..samples {
                let mean = self.solved.column(s).rows(0, n).dot(&cross.column(0));
                let value = mean + sigma * rng.sample::<f64, _>(StandardNormal);
                let observed = value + noise.sqrt() * rng.sample::<f64, _>(StandardNormal);
                self.solved[(n, s)] = (observed - mean) / self.factor.last_pivot();
                drawn[(p, s)] = self.warp.inverse(value);
            }
            self.inputs.extend(&point);
        }
        drawn
    }

    /// The variance left at a point whose covariances with the observations, solved by L, are `solved`.
    fn left(&self, solved: DVectorView<'_, f64>) -> f64 {
        let variance = self.kernel.variance();
        (variance - solved.norm_squared()).max(1e-12 * variance)
    }
}

#[cfg(test)]
mod tests {
    use super::super::inputs::tests::{level, mixed_geometry, mixed_inputs};
    use super::super::kernel::tests::some_parameters;
    use super::*;
    use crate::stream::stream;

    fn toy(n: usize) -> (Geometry, Inputs, Vec<f64>) {
        let geometry = mixed_geometry();
        let inputs = mixed_inputs(&geometry, n, 1);
        let mut rng = stream(1, 0, "test values");
        let values = (0..n).map(|_| rng.random_range(0.0..1.0)).collect();
        (geometry, inputs, values)
    }

    /// Mean and variance by the textbook formula, with an explicit inverse.
    fn dense(gp: &Gp, inputs: &Inputs, z: &[f64], points: &Inputs) -> Vec<(f64, f64)> {
        let mut gram = gp.kernel.cross(inputs, inputs);
        (0..inputs.len()).for_each(|i| gram[(i, i)] += gp.kernel.noise());
        let inverse = gram.try_inverse().unwrap();
        let cross = gp.kernel.cross(inputs, points);
        let z = DVector::from_column_slice(z);
        cross
            .column_iter()
            .map(|k| {
                ((k.transpose() * &inverse * &z)[0], gp.kernel.variance() - (k.transpose() * &inverse * k)[0])
            })
            .collect()
    }

    #[test]
    fn posterior_is_the_textbook_formula() {
        let (geometry, inputs, values) = toy(60);
        let warp = Warp::new(&values, 0.0);
        let gp = Gp::condition(&geometry, some_parameters(&geometry), warp, inputs.clone(), &values);
        let points = mixed_inputs(&geometry, 20, 2);
        let z: Vec<f64> = values.iter().map(|&y| warp.forward(y)).collect();
        let prediction = gp.predict(&points);
        for (i, (mean, variance)) in dense(&gp, &inputs, &z, &points).into_iter().enumerate() {
            assert!((prediction.means[(i, 0)] - mean).abs() < 1e-8);
            assert!((prediction.sigmas[i].powi(2) - variance).abs() < 1e-8);
        }
    }

    #[test]
    fn smoothed_observations_are_the_predictions_at_them() {
        let (geometry, inputs, values) = toy(40);
        let gp = Gp::fit(&geometry, inputs.clone(), &values);
        let predicted = gp.predict(&inputs).means;
        assert!((gp.smoothed() - predicted.column(0)).amax() < 1e-8);
    }

    #[test]
    fn leaving_one_out_is_conditioning_on_the_others() {
        let (geometry, inputs, values) = toy(25);
        let (parameters, warp) = (some_parameters(&geometry), Warp::new(&values, 0.0));
        let gp = Gp::condition(&geometry, parameters.clone(), warp, inputs.clone(), &values);
        for (i, left) in gp.leave_one_out().into_iter().enumerate() {
            let others: Vec<usize> = (0..25).filter(|&j| j != i).collect();
            let seen: Vec<f64> = others.iter().map(|&j| values[j]).collect();
            let without = Gp::condition(&geometry, parameters.clone(), warp, inputs.select(&others), &seen);
            let posterior = without.predict(&inputs.select(&[i]));
            let variance = posterior.sigmas[0].powi(2) + gp.kernel.noise();
            assert!((left.seen - warp.forward(values[i])).abs() < 1e-9);
            assert!((left.mean - posterior.means[(0, 0)]).abs() < 1e-8);
            assert!((left.sigma.powi(2) - variance).abs() < 1e-8);
        }
    }

    #[test]
    fn fantasies_condition_like_observations() {
        let (geometry, inputs, values) = toy(30);
        let parameters = some_parameters(&geometry);
        let warp = Warp::new(&values, 0.0);
        let mut gp = Gp::condition(&geometry, parameters.clone(), warp, inputs.clone(), &values);
        let before = gp.clone();
        let pending = mixed_inputs(&geometry, 3, 5);
        gp.replicate(4);
        gp.fantasise(&pending, &mut stream(1, 0, "fantasies"));

        // What was drawn is recovered from the extended factor; conditioning on it afresh must give the same posterior.
        let drawn = gp.factor.lower() * &gp.solved;
        let mut all = inputs.clone();
        all.extend(&pending);
        let points = mixed_inputs(&geometry, 10, 6);
        let extended = gp.predict(&points);
        for s in 0..4 {
            let z: Vec<f64> = drawn.column(s).iter().copied().collect();
            for (i, (mean, variance)) in dense(&before, &all, &z, &points).into_iter().enumerate() {
                assert!((extended.means[(i, s)] - mean).abs() < 1e-7);
                assert!((extended.sigmas[i].powi(2) - variance).abs() < 1e-7);
            }
        }
    }

    #[test]
    fn sampled_fantasies_have_the_mean_and_spread_of_the_belief() {
        let (geometry, inputs, values) = toy(12);
        let mut gp = Gp::fit(&geometry, inputs, &values);
        let point = mixed_inputs(&geometry, 1, 9);
        let posterior = gp.predict(&point);
        gp.replicate(4000);
        let drawn = gp.fantasise(&point, &mut stream(2, 0, "fantasies"));
        let z: Vec<f64> = drawn.iter().map(|&y| gp.warp.forward(y)).collect();
        let mean = z.iter().sum::<f64>() / 4000.0;
        let sigma = (z.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / 4000.0).sqrt();
        assert!((mean - posterior.means[(0, 0)]).abs() < 5.0 * posterior.sigmas[0] / 4000f64.sqrt());
        assert!((sigma / posterior.sigmas[0] - 1.0).abs() < 0.06);
    }

    #[test]
    fn none_one_equal_and_repeated_observations_are_all_fine() {
        let geometry = mixed_geometry();
        let points = mixed_inputs(&geometry, 5, 3);
        let one = mixed_inputs(&geometry, 1, 4);
        let same = one.select(&[0; 6]);
        let cases = [
            (Inputs::new(&geometry, []), vec![]),
            (one.clone(), vec![3.0]),
            (mixed_inputs(&geometry, 6, 4), vec![0.5; 6]),
            (same.clone(), vec![0.5; 6]),
            (same, vec![0.1, 0.9, 0.2, 0.8, 0.3, 0.7]),
            (mixed_inputs(&geometry, 6, 4), vec![1e12, 1e12 + 1.0, -1e12, 0.0, 1e-12, 3.0]),
        ];
        for (inputs, values) in cases {
            let prediction = Gp::fit(&geometry, inputs, &values).predict(&points);
            assert!(prediction.means.iter().chain(&prediction.sigmas).all(|x| x.is_finite()), "{values:?}");
            assert!(prediction.sigmas.iter().all(|&s| s > 0.0));
        }
    }

    #[test]
    #[should_panic(expected = "is_finite")]
    fn not_a_number_is_refused() {
        let geometry = mixed_geometry();
        let _ = Gp::fit(&geometry, mixed_inputs(&geometry, 2, 1), &[0.5, f64::NAN]);
    }

    #[test]
    fn a_function_of_few_inputs_is_learned_from_few_observations() {
        // Main effects of two inputs of four; a quarter of the prior deviation is left where nothing was observed.
        let geometry = mixed_geometry();
        let (inputs, points) = (mixed_inputs(&geometry, 60, 1), mixed_inputs(&geometry, 200, 2));
        let truth = |inputs: &Inputs| -> Vec<f64> {
            (0..inputs.len())
                .map(|i| {
                    level(&geometry, inputs, 0, i) as f64
                        - 2.0 * f64::from(u8::from(level(&geometry, inputs, 1, i) == 2))
                })
                .collect()
        };
        let gp = Gp::fit(&geometry, inputs.clone(), &truth(&inputs));
        let prediction = gp.predict(&points);
        let errors = truth(&points)
            .into_iter()
            .enumerate()
            .map(|(i, y)| (gp.warp.forward(y) - prediction.means[(i, 0)]).powi(2));
        let error = (errors.sum::<f64>() / 200.0).sqrt();
        assert!(error < 0.25, "{error}");
    }
}
