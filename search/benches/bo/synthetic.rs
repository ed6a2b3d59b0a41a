//! A synthetic accuracy over the networks of Table I: real genes, real bytes and MACs; only the accuracy is a formula. It
//! rises with size and MACs towards a ceiling; most genes have a small optimum of their own, some pairs interact, and
//! trials are noisy.

use bomp_search::bo::pareto::{Objectives, Reference};
use bomp_search::bo::problem::{Kind, Point, Problem};
use bomp_search::space::{Limits, Space, SpaceProblem};
use bomp_search::stream::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::client::Oracle;
use crate::climb::climb;

/// Standard deviation of an observed accuracy.
const NOISE: f64 = 0.003;
/// Accuracy of a constant answer on data of ten classes.
const CHANCE: f64 = 0.1;

pub(crate) struct Synthetic {
    pub(crate) problem: SpaceProblem,
    /// Accuracy from which the hypervolume is measured.
    reference: f64,
    /// Whether the data are hard: small networks do not exceed a constant answer, and the best ones get half of it right.
    hard: bool,
    /// Size [B] from which the hypervolume is measured.
    largest: f64,
    /// For each dimension the best place and what being 1 away from it costs.
    optima: Vec<(f64, f64)>,
    /// Pairs of dimensions that should agree, and what disagreeing by 1 costs.
    pairs: Vec<(usize, usize, f64)>,
}

impl Synthetic {
    /// The space `paper` without limits.
    pub(crate) fn paper() -> anyhow::Result<Self> {
        Self::new("paper", Limits::default(), 0.5, false)
    }

    /// The space `extended` within 10 kB.
    pub(crate) fn extended() -> anyhow::Result<Self> {
        Self::within_10_kb(0.5, false)
    }

    /// The same with the hypervolume from a constant answer up, on easy data or on hard ones.
    pub(crate) fn from_chance(hard: bool) -> anyhow::Result<Self> {
        Self::within_10_kb(CHANCE, hard)
    }

    fn within_10_kb(reference: f64, hard: bool) -> anyhow::Result<Self> {
        Self::new("extended", Limits { max_size: Some(10_000), ..Limits::default() }, reference, hard)
    }

    fn new(space: &str, limits: Limits, reference: f64, hard: bool) -> anyhow::Result<Self> {
        let problem = SpaceProblem::new(Space::open(space)?, limits)?;
        let mut rng = stream(0, 0, "invented accuracy");
        let n = problem.dimensions().len();
        // Few genes matter much, most a little.
        let mut weight = |most: f64| most * rng.random::<f64>().powi(4);
        let weights: Vec<f64> = (0..n).map(|_| weight(0.05)).collect();
        let pair_weights: Vec<f64> = (0..n).map(|_| weight(0.03)).collect();
        let optima = weights.into_iter().map(|w| (rng.random::<f64>(), w)).collect();
        let pairs =
            pair_weights.into_iter().map(|w| (rng.random_range(0..n), rng.random_range(0..n), w)).collect();
        let largest: Point = problem.dimensions().iter().map(|d| d.levels() as u16 - 1).collect();
        let bytes = bomp_export::layout::blob_bytes(&problem.network(&largest)) as f64;
        let largest = limits.max_size.map_or(bytes, |limit| limit as f64) + 1.0;
        Ok(Self { problem, reference, hard, largest, optima, pairs })
    }

    fn size(&self, point: &Point) -> f64 {
        bomp_export::layout::blob_bytes(&self.problem.network(point)) as f64
    }

    /// What a noisy trial reports.
    pub(crate) fn observed(&self, point: &Point, rng: &mut ChaCha8Rng) -> f64 {
        self.accuracy(point) + NOISE * rng.sample::<f64, _>(rand_distr::StandardNormal)
    }

    fn accuracy(&self, point: &Point) -> f64 {
        let log_bytes = self.size(point).log10();
        let log_macs = self.problem.features(std::slice::from_ref(point))[0][0];
        let value = |d: usize| match &self.problem.dimensions()[d].kind {
            Kind::Ordinal(c) if c.len() > 1 => (c[usize::from(point[d])] - c[0]) / (c[c.len() - 1] - c[0]),
            _ => 0.0,
        };
        let own: f64 =
            self.optima.iter().enumerate().map(|(d, (best, w))| w * (value(d) - best).powi(2)).sum();
        let together: f64 = self.pairs.iter().map(|&(a, b, w)| w * (value(a) - value(b)).powi(2)).sum();
        let small = 0.25 * (-1.5 * (log_bytes - 3.0)).exp() + 0.1 * (-(log_macs - 4.5)).exp();
        let easy = (0.95 - small - own - together).max(CHANCE);
        if self.hard { CHANCE + 0.9 * ((easy - 0.5) / 0.4).clamp(0.0, 1.0).powi(2) * 0.5 } else { easy }
    }
}

impl Oracle for Synthetic {
    fn title(&self) -> String {
        let space = &self.problem.space().definition().name;
        let dimensions = self.problem.dimensions().len();
        let data = if self.hard { "hard" } else { "easy" };
        format!(
            "INVENTED accuracy of {data} data on the real sizes of space `{space}`, {dimensions} ordinal parameters, hypervolume \
             from {:.0} % up",
            100.0 * self.reference
        )
    }

    fn definition(&self) -> Value {
        let parameter = |dimension: &bomp_search::bo::problem::Dimension| {
            let Kind::Ordinal(coordinates) = &dimension.kind else { unreachable!("genes are ordinal") };
            json!({"name": dimension.name, "kind": "ordinal", "choices": coordinates})
        };
        json!({
            "parameters": self.problem.dimensions().iter().map(parameter).collect::<Vec<_>>(),
            "objectives": [
                {"name": "accuracy", "direction": "maximise", "reference": self.reference},
                {"name": "size", "direction": "minimise", "scale": "log10", "known": true, "reference": self.largest},
            ],
        })
    }

    fn reference(&self) -> Reference {
        Reference { value: self.reference, cost: self.largest.log10() }
    }

    /// That of the best front that hill climbing on the formula itself finds.
    fn best_hypervolume(&self) -> f64 {
        let feasible = |point: &Point| self.problem.costs(std::slice::from_ref(point))[0].is_some();
        climb(
            self.reference(),
            (3.0, self.largest.log10()),
            |rng| self.problem.sample(rng),
            |point, rng| self.problem.mutate(point, rng),
            |point| feasible(point).then(|| self.truth(point)),
        )
    }

    fn cost(&self, point: &Point) -> Option<f64> {
        Some(self.size(point))
    }

    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Option<Value> {
        Some(json!({"accuracy": self.observed(point, rng)}))
    }

    fn truth(&self, point: &Point) -> Objectives {
        Objectives { value: self.accuracy(point), cost: self.size(point).log10() }
    }
}
