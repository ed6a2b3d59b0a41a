//! Where a half-trained network will end, judged by those that were trained to the end.
//!
//! A straight line from the accuracy halfway to the final one, by least squares, and above it the largest residual that
//! any network had when the line was fitted to all others (the jackknife of Barber et al., "Predictive inference with the
//! jackknife+", 2021): no distribution is assumed, and the noise of counting few images is in it. If networks come in any
//! order, the next one ends above the bound of n others with a probability of about 1 / (n + 1).

/// Fewer networks than this predict nothing.
pub const LEAST: usize = 10;

/// What is known of the way from halfway to the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    line: Line,
    margin: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    /// Halfway and final accuracy in the middle of all.
    centre: (f64, f64),
    slope: f64,
}

impl Forecast {
    /// From pairs of the accuracy halfway and the final one, 0..=1; `None` if there are fewer than [`LEAST`].
    #[must_use]
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        if pairs.len() < LEAST {
            return None;
        }
        let residual = |left_out: usize| {
            let (halfway, end) = pairs[left_out];
            let others = pairs.iter().enumerate().filter(|(i, _)| *i != left_out).map(|(_, pair)| *pair);
            end - Line::through(&others.collect::<Vec<_>>()).at(halfway)
        };
        let margin = (0..pairs.len()).map(residual).fold(0.0, f64::max);
        Some(Self { line: Line::through(pairs), margin })
    }

    /// The expected final accuracy.
    #[must_use]
    pub fn expected(&self, halfway: f64) -> f64 {
        self.line.at(halfway).clamp(0.0, 1.0)
    }

    /// The final accuracy that is hardly exceeded.
    #[must_use]
    pub fn bound(&self, halfway: f64) -> f64 {
        (self.line.at(halfway) + self.margin).clamp(0.0, 1.0)
    }
}

impl Line {
    fn through(pairs: &[(f64, f64)]) -> Self {
        let n = pairs.len() as f64;
        let mean = |value: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(value).sum::<f64>() / n;
        let centre = (mean(&|pair| pair.0), mean(&|pair| pair.1));
        let variance = mean(&|pair| (pair.0 - centre.0).powi(2));
        let covariance = mean(&|pair| (pair.0 - centre.0) * (pair.1 - centre.1));
        // A network that is worse halfway is never expected to end better for it.
        let slope = if variance > 0.0 { (covariance / variance).max(0.0) } else { 0.0 };
        Self { centre, slope }
    }

    fn at(&self, halfway: f64) -> f64 {
        self.centre.1 + self.slope * (halfway - self.centre.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;
    use rand::RngExt;

    fn pairs(n: usize, seed: u64, noise: f64) -> Vec<(f64, f64)> {
        let mut rng = stream(seed, 0, "test");
        let pair = |_| {
            let halfway = rng.random_range(0.3..0.85);
            (halfway, 0.5 + 0.45 * halfway + noise * rng.random_range(-1.0..1.0))
        };
        (0..n).map(pair).collect()
    }

    #[test]
    fn few_networks_predict_nothing() {
        assert_eq!(Forecast::of(&pairs(LEAST - 1, 1, 0.0)), None);
    }

    #[test]
    fn a_line_without_noise_is_found() {
        let forecast = Forecast::of(&pairs(20, 2, 0.0)).unwrap();
        assert!((forecast.expected(0.6) - 0.77).abs() < 1e-9);
        assert!((forecast.bound(0.6) - 0.77).abs() < 1e-9);
    }

    #[test]
    fn the_bound_is_exceeded_as_rarely_as_promised() {
        let (mut exceeded, studies, n) = (0, 2000, 19);
        for seed in 0..studies {
            let all = pairs(n + 1, seed, 0.05);
            let (halfway, end) = all[n];
            exceeded += usize::from(end > Forecast::of(&all[..n]).unwrap().bound(halfway));
        }
        let part = exceeded as f64 / studies as f64;
        assert!((0.02..0.09).contains(&part), "{part}");
    }

    #[test]
    fn equal_halves_are_no_division_by_zero() {
        let forecast = Forecast::of(&[(0.5, 0.8); 12]).unwrap();
        assert!((forecast.expected(0.1) - 0.8).abs() < 1e-12 && (forecast.bound(0.9) - 0.8).abs() < 1e-12);
    }
}
