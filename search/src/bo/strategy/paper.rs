//! `paper`: the optimiser of van Son et al., "BOMP-NAS: Bayesian Optimization Mixed Precision NAS", 2023, as a baseline.
//!
//! A Gaussian process on one score, equation (1), with a Matern 5/2 kernel; the next trial maximises the upper confidence
//! bound. As the framework of that time (keras-tuner up to 1.1.3) did it, with what is wrong with it: the length scale is
//! 1 and never fitted, whatever the number of dimensions; every choice is a number, ordered or not; the acquisition is
//! maximised between the choices and then rounded; what was tried before may be tried again. Only two things differ: a
//! point that is not feasible is replaced, and what is pending counts as if its prediction had come true.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{SearchState, Strategy, Suggestion};
use crate::bo::candidates::Pool;
use crate::bo::cholesky::Factor;
use crate::bo::lbfgs::minimise;
use crate::bo::pareto::{Objectives, Reference};
use crate::bo::problem::{Point, Problem};

/// Weight of the uncertainty in the upper confidence bound.
const BETA: f64 = 2.6;
/// Variance of the noise, as a part of that of the scores.
const NOISE: f64 = 1e-4;
/// Random starts for the maximisation of the bound, and iterations from each.
const STARTS: usize = 50;
const ITERATIONS: usize = 50;

/// Equation (1): score = accuracy / reference accuracy + reference size / log10(size in bits).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The size term's numerator: 8 for CIFAR-10, 6 for CIFAR-100.
    pub reference_size: f64,
    /// What turns a cost into log10(bits): log10(8) where costs are log10(bytes). `None` for costs that are no sizes: then
    /// the cost of reference counts as the reference size.
    pub log_bits: Option<f64>,
    /// What accuracies are divided by. `None`: the value of reference.
    pub reference_accuracy: Option<f64>,
}

impl Score {
    /// The paper's reference accuracy, 0..=1.
    pub const PAPERS_ACCURACY: f64 = 0.8;

    /// Of networks, whose value is an accuracy, 0..=1, and whose cost is log10(bytes).
    #[must_use]
    pub fn of_networks(reference_accuracy: f64, reference_size: f64) -> Self {
        Self { reference_size, log_bits: Some(8f64.log10()), reference_accuracy: Some(reference_accuracy) }
    }

    /// The score of `objectives`, with what this score does not say itself from `reference`.
    #[must_use]
    pub fn of(&self, objectives: Objectives, reference: Reference) -> f64 {
        let unit = self.reference_accuracy.unwrap_or(reference.value);
        let unit = if unit > 0.0 { unit } else { 1.0 };
        objectives.value / unit + self.size_term(objectives.cost, reference)
    }

    /// What a cost adds to the score.
    #[must_use]
    pub fn size_term(&self, cost: f64, reference: Reference) -> f64 {
        let offset = self.log_bits.unwrap_or(self.reference_size - reference.cost);
        // Below ten bits the formula runs into its pole.
        self.reference_size / (cost + offset).max(1.0)
    }
}

/// The paper's optimiser.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    /// Random trials before the first proposal.
    pub initial: usize,
    /// What is maximised.
    pub score: Score,
}

impl Paper {
    /// Random trials before the first proposal, by default.
    pub const INITIAL: usize = 2;
}

impl Strategy for Paper {
    fn name(&self) -> &'static str {
        "paper"
    }

    fn propose(&self, state: &SearchState<'_>, count: usize, rng: &mut ChaCha8Rng) -> Suggestion {
        let problem = state.problem;
        let mut pool = Pool::new(problem, state.history, state.pending);
        let encode = |point: &Point| encoded(problem, point);
        let finished = state.history.finished();
        let (mut inputs, mut scores): (Vec<_>, Vec<_>) =
            finished.map(|(p, o)| (encode(p), self.score.of(o, state.reference))).unzip();
        let mut waiting: Vec<Point> = state.pending.to_vec();
        let begun = state.history.observations().len() + state.pending.len();
        let mut points = Vec::with_capacity(count);
        while points.len() < count {
            let informed = begun + points.len() >= self.initial && !scores.is_empty();
            let maximum = if informed {
                for input in waiting.drain(..).map(|point| encode(&point)) {
                    let score = Posterior::of(&inputs, &scores).score(&input);
                    inputs.push(input);
                    scores.push(score);
                }
                Posterior::of(&inputs, &scores).maximum(problem, rng)
            } else {
                None
            };
            let Some(point) = maximum.or_else(|| pool.sample(1, rng).pop().map(|new| new.point)) else {
                break;
            };
            pool.exclude(&point);
            waiting.push(point.clone());
            points.push(point);
        }
        Suggestion { exhausted: points.len() < count, points, expected_improvement: None }
    }
}

/// Every choice as the middle of its part of 0..1.
fn encoded(problem: &dyn Problem, point: &Point) -> Vec<f64> {
    let levels = problem.dimensions().iter().map(|dimension| dimension.levels() as f64);
    point.iter().zip(levels).map(|(&level, levels)| (f64::from(level) + 0.5) / levels).collect()
}

/// A Gaussian process with nothing to fit, on standardised scores.
struct Posterior<'a> {
    inputs: &'a [Vec<f64>],
    /// K^-1 and K^-1 y.
    inverse: DMatrix<f64>,
    weights: DVector<f64>,
    mean: f64,
    deviation: f64,
}

impl<'a> Posterior<'a> {
    fn of(inputs: &'a [Vec<f64>], scores: &[f64]) -> Self {
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / n;
        let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        let noise = |i: usize, j: usize| if i == j { NOISE } else { 0.0 };
        let gram = DMatrix::from_fn(inputs.len(), inputs.len(), |i, j| {
            matern(&inputs[i], &inputs[j]).0 + noise(i, j)
        });
        let factor = Factor::new(&gram).expect("the covariance of finite inputs is finite");
        let inverse = factor.inverse();
        let standard = scores.iter().map(|score| (score - mean) / deviation);
        let weights = &inverse * DVector::from_iterator(scores.len(), standard);
        Self { inputs, inverse, weights, mean, deviation }
    }

    fn score(&self, x: &[f64]) -> f64 {
        let covariance = self.inputs.iter().map(|input| matern(input, x).0);
        self.mean + self.deviation * covariance.zip(self.weights.iter()).map(|(k, w)| k * w).sum::<f64>()
    }

    /// Minus the upper confidence bound at `x` kept within 0..1, and its gradient.
    fn bound(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let inside: Vec<f64> = x.iter().map(|x| x.clamp(0.0, 1.0)).collect();
        let (covariance, slopes): (Vec<f64>, Vec<f64>) =
            self.inputs.iter().map(|input| matern(&inside, input)).unzip();
        let covariance = DVector::from_vec(covariance);
        let solved = &self.inverse * &covariance;
        let mean = covariance.dot(&self.weights);
        let deviation = (1.0 - covariance.dot(&solved)).max(1e-12).sqrt();
        let mut gradient = vec![0.0; x.len()];
        for (i, input) in self.inputs.iter().enumerate() {
            let weight = (self.weights[i] - BETA * solved[i] / deviation) * slopes[i];
            for (j, slope) in gradient.iter_mut().enumerate() {
                // Beyond the border nothing changes.
                if (0.0..=1.0).contains(&x[j]) {
                    *slope -= weight * (inside[j] - input[j]);
                }
            }
        }
        (-(mean + BETA * deviation), gradient)
    }

    /// The best feasible rounded maximum of the bound; `None` if none is feasible.
    fn maximum(&self, problem: &dyn Problem, rng: &mut ChaCha8Rng) -> Option<Point> {
        let dimensions = problem.dimensions();
        let mut maxima: Vec<(f64, Point)> = (0..STARTS)
            .map(|_| {
                let start: Vec<f64> = dimensions.iter().map(|_| rng.random()).collect();
                let (x, value) = minimise(|x| self.bound(x), &start, ITERATIONS, 1e-9);
                let rounded = x.iter().zip(dimensions).map(|(x, dimension)| {
                    let levels = dimension.levels();
                    ((x.clamp(0.0, 1.0) * levels as f64) as usize).min(levels - 1) as u16
                });
                let mut point: Point = rounded.collect();
                problem.canonicalise(&mut point);
                (value, point)
            })
            .collect();
        maxima.sort_by(|a, b| a.0.total_cmp(&b.0));
        let points: Vec<Point> = maxima.into_iter().map(|(_, point)| point).collect();
        let costs = problem.costs(&points);
        points.into_iter().zip(costs).find_map(|(point, cost)| cost.map(|_| point))
    }
}

/// The Matern 5/2 kernel with length scale 1, and what the difference of two points is multiplied with for its gradient.
fn matern(a: &[f64], b: &[f64]) -> (f64, f64) {
    let distance = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let scaled = 5f64.sqrt() * distance;
    let decay = (-scaled).exp();
    ((1.0 + scaled + scaled * scaled / 3.0) * decay, -5.0 / 3.0 * (1.0 + scaled) * decay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;

    #[test]
    fn the_score_is_equation_1() {
        let reference = Reference { value: 0.8, cost: 6.0 };
        let score = Score::of_networks(0.8, 8.0);
        // 12.5 MB are 10^8 bits.
        let objectives = Objectives { value: 0.8, cost: 12.5e6f64.log10() };
        assert!((score.of(objectives, reference) - 2.0).abs() < 1e-12);
        let smaller = Objectives { value: 0.8, cost: 12.5e3f64.log10() };
        assert!((score.of(smaller, reference) - (1.0 + 8.0 / 5.0)).abs() < 1e-12);
    }

    #[test]
    fn the_gradient_of_the_bound_is_its_derivative() {
        let mut rng = stream(1, 0, "test");
        let mut random = || -> Vec<f64> { (0..4).map(|_| rng.random()).collect() };
        let inputs: Vec<Vec<f64>> = (0..7).map(|_| random()).collect();
        let scores = random().into_iter().chain(random()).take(7).collect::<Vec<f64>>();
        let posterior = Posterior::of(&inputs, &scores);
        let x = random();
        let (_, gradient) = posterior.bound(&x);
        for (j, slope) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut moved = x.clone();
                moved[j] += by;
                posterior.bound(&moved).0
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((difference - slope).abs() < 1e-5, "{j}: {difference} {slope}");
        }
    }

    #[test]
    fn what_was_seen_is_believed() {
        let inputs = vec![vec![0.1, 0.9], vec![0.5, 0.5], vec![0.9, 0.1]];
        let scores = [1.0, 3.0, 2.0];
        let posterior = Posterior::of(&inputs, &scores);
        for (input, score) in inputs.iter().zip(scores) {
            assert!((posterior.score(input) - score).abs() < 1e-2);
        }
    }
}
