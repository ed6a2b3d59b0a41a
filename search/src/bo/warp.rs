//! The scale on which an objective is modelled: as the logarithm of its distance from a ceiling.
//!
//! Accuracies crowd below a ceiling and trail off downwards, and chance moves an error rate by a factor rather than by
//! an amount. So the Gaussian process sees z = (-ln(c - y) - m) / s for a value y (a warped Gaussian process: Snelson,
//! Rasmussen and Ghahramani 2004), where m and s standardise and the ceiling c is fitted: near the best value it bends
//! the scale strongly, far above not at all. The posterior about y is then a ceiling minus a log-normal error, under which
//! the expected improvement keeps a closed form ([`Warp::expected_excess`]).

use std::f64::consts::FRAC_1_SQRT_2;

/// The map between a value and its standardised logarithmic distance from the ceiling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warp {
    ceiling: f64,
    mean: f64,
    scale: f64,
}

impl Warp {
    /// The warp that standardises `values` and whose ceiling lies `exp(log_headroom)` of their standard deviations above
    /// the largest.
    ///
    /// # Panics
    /// If a value is not finite.
    #[must_use]
    pub fn new(values: &[f64], log_headroom: f64) -> Self {
        assert!(values.iter().all(|y| y.is_finite()));
        let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let largest = if values.is_empty() { 0.0 } else { largest };
        let (_, spread) = moments(values.iter().copied());
        // What counts as no spread is rounding, or a single value.
        let spread = if spread > 1e-12 * largest.abs() { spread } else { 1.0 };
        let ceiling = largest + spread * log_headroom.exp();
        let (mean, scale) = moments(values.iter().map(|y| -(ceiling - y).ln()));
        // The slope of the warp at the largest value stands in for a scale that cannot be measured.
        let scale = if scale > 1e-9 * (-log_headroom).exp() { scale } else { (-log_headroom).exp() };
        Self { ceiling, mean, scale }
    }

    /// The warped value of `y`.
    #[must_use]
    pub fn forward(&self, y: f64) -> f64 {
        (-(self.ceiling - y).ln() - self.mean) / self.scale
    }

    /// The value whose warped value is `z`.
    #[must_use]
    pub fn inverse(&self, z: f64) -> f64 {
        self.ceiling - (-(self.mean + self.scale * z)).exp()
    }

    /// The logarithm of the slope of [`Warp::forward`] at `y`.
    #[must_use]
    pub fn log_slope(&self, y: f64) -> f64 {
        -((self.ceiling - y) * self.scale).ln()
    }

    /// E[max(Y - threshold, 0)] for the value Y whose warped value is N(`mean`, `sigma`^2).
    ///
    /// With M = m + s mean, S = s sigma, e = c - threshold and d = (M + ln e) / S this is the value of a put on a
    /// log-normal error: e Phi(d) - exp(-M + S^2 / 2) Phi(d - S).
    #[must_use]
    pub fn expected_excess(&self, mean: f64, sigma: f64, threshold: f64) -> f64 {
        let room = self.ceiling - threshold;
        if room <= 0.0 {
            return 0.0;
        }
        if sigma <= 0.0 {
            return (self.inverse(mean) - threshold).max(0.0);
        }
        let (mean, sigma) = (self.mean + self.scale * mean, self.scale * sigma);
        let d = (mean + room.ln()) / sigma;
        // The second exponential is taken relative to the room, so that neither factor overflows before the product.
        let tail = (0.5 * sigma * sigma - d * sigma).exp() * normal_cdf(d - sigma);
        (room * (normal_cdf(d) - tail)).max(0.0)
    }
}

/// The distribution function of the standard normal distribution, to full relative accuracy in its lower tail.
fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// Mean and (population) standard deviation; 0 for no values.
fn moments(values: impl ExactSizeIterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.clone().sum::<f64>() / n;
    (mean, (values.map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALUES: [f64; 6] = [0.62, 0.8, 0.85, 0.88, 0.9, 0.905];

    /// Simpson's rule over the density of the warped value.
    fn by_quadrature(warp: &Warp, mean: f64, sigma: f64, threshold: f64) -> f64 {
        let (steps, reach) = (4000, 12.0);
        let h = 2.0 * reach / f64::from(steps);
        let f = |i: i32| {
            let x = -reach + f64::from(i) * h;
            (warp.inverse(mean + sigma * x) - threshold).max(0.0) * (-0.5 * x * x).exp()
        };
        let inner: f64 = (1..steps).map(|i| f(i) * if i % 2 == 0 { 2.0 } else { 4.0 }).sum();
        h / 3.0 * (f(0) + inner + f(steps)) / (2.0 * std::f64::consts::PI).sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn expected_excess_agrees_with_quadrature(
            log_headroom in -2.0..6.0, mean in -3.0..3.0, sigma in 0.01..2.0, threshold in 0.3..1.2,
        ) {
            let warp = Warp::new(&VALUES, log_headroom);
            let (exact, numeric) =
                (warp.expected_excess(mean, sigma, threshold), by_quadrature(&warp, mean, sigma, threshold));
            prop_assert!((exact - numeric).abs() < 1e-3 * exact + 1e-6, "{exact} against {numeric}");
        }

        #[test]
        fn inverse_undoes_forward(log_headroom in -3.0..8.0, y in -1.0..0.9) {
            let warp = Warp::new(&VALUES, log_headroom);
            prop_assert!((warp.inverse(warp.forward(y)) - y).abs() < 1e-9);
            let h = 1e-6;
            let slope = (warp.forward(y + h) - warp.forward(y - h)) / (2.0 * h);
            prop_assert!((warp.log_slope(y) - slope.ln()).abs() < 1e-4);
        }
    }

    #[test]
    fn far_below_the_threshold_candidates_still_compare() {
        let warp = Warp::new(&VALUES, 0.0);
        let excess: Vec<f64> =
            (0..60).map(|i| warp.expected_excess(-0.1 * f64::from(i), 0.2, 0.92)).collect();
        assert!(excess.windows(2).all(|w| w[1] < w[0] && w[1] > 0.0), "{excess:?}");
    }

    #[test]
    fn no_values_one_value_and_equal_values_are_standardised_to_nothing_strange() {
        for values in [&[][..], &[5.0], &[5.0; 4], &[0.0, 0.0]] {
            let warp = Warp::new(values, 0.0);
            let z = warp.forward(values.first().copied().unwrap_or(0.0));
            assert!(z.abs() < 1e-9, "{z}");
            assert!(warp.expected_excess(0.0, 1.0, 0.0).is_finite());
        }
    }
}
