//! The policies of bit widths of networks that are trained already, as a problem of its own: what can be tried without
//! training a float network again.

use std::collections::{HashMap, HashSet};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::bo::problem::{Dimension, Point, Problem};

use super::SpaceProblem;
use super::genes::Role;

/// The points of a space that differ from some given ones in nothing but bit widths.
#[derive(Clone, Debug)]
pub struct Policies<'a> {
    problem: &'a SpaceProblem,
    /// The genes that are bit widths.
    widths: Vec<usize>,
    /// Of each architecture the narrowest policy, which stands for it; in order and as a set.
    architectures: Vec<Point>,
    known: HashSet<Point>,
    /// The accuracy of the float networks that are known, by narrowest policy.
    floats: HashMap<Point, f64>,
}

impl<'a> Policies<'a> {
    /// Of the architectures of `points`, within the limits of `problem`.
    ///
    /// # Panics
    /// If there are no points.
    #[must_use]
    pub fn new(problem: &'a SpaceProblem, points: impl IntoIterator<Item = Point>) -> Self {
        let mut policies = Self {
            problem,
            widths: widths(problem),
            architectures: Vec::new(),
            known: HashSet::new(),
            floats: HashMap::new(),
        };
        for point in points {
            let narrowest = policies.narrowest(&point);
            if policies.known.insert(narrowest.clone()) {
                policies.architectures.push(narrowest);
            }
        }
        assert!(!policies.architectures.is_empty(), "policies of no network");
        policies
    }

    /// The point of the same architecture with every width of its narrowest choice: the smallest policy. Points of the same
    /// architecture, and no others, have the same one.
    #[must_use]
    pub fn narrowest(&self, point: &Point) -> Point {
        self.with(point, |_| 0)
    }

    /// The same, given the accuracies of float networks, each by a point of its architecture.
    #[must_use]
    pub fn with_floats(mut self, accuracies: impl IntoIterator<Item = (Point, f64)>) -> Self {
        for (point, accuracy) in accuracies {
            self.floats.insert(self.narrowest(&point), accuracy);
        }
        self
    }

    /// Whether the accuracy of the float network of `point` is known.
    #[must_use]
    pub fn knows_float(&self, point: &Point) -> bool {
        self.floats.contains_key(&self.narrowest(point))
    }

    /// The canonical point of the architecture of `point` in which `level` chooses the width of each of the genes.
    fn with(&self, point: &Point, mut level: impl FnMut(usize) -> u16) -> Point {
        let mut point = point.clone();
        for &gene in &self.widths {
            point[gene] = level(gene);
        }
        self.problem.canonicalise(&mut point);
        point
    }

    fn levels(&self, gene: usize) -> u16 {
        self.dimensions()[gene].levels() as u16
    }
}

/// The genes of `problem` that are bit widths.
fn widths(problem: &SpaceProblem) -> Vec<usize> {
    let genes = problem.space().genes().iter().enumerate();
    genes.filter(|(_, gene)| matches!(gene.role, Role::Bits)).map(|(index, _)| index).collect()
}

/// The genes of `problem` that are not bit widths: they identify a trained float network.
pub(super) fn architecture(problem: &SpaceProblem) -> Vec<usize> {
    let widths = widths(problem);
    (0..problem.dimensions().len()).filter(|gene| !widths.contains(gene)).collect()
}

impl Problem for Policies<'_> {
    fn dimensions(&self) -> &[Dimension] {
        self.problem.dimensions()
    }

    fn canonicalise(&self, point: &mut [u16]) {
        self.problem.canonicalise(point);
    }

    /// No other architecture is feasible.
    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        let own = |point: &Point| self.known.contains(&self.narrowest(point));
        let costs = self.problem.costs(points);
        points.iter().zip(costs).map(|(point, cost)| cost.filter(|_| own(point))).collect()
    }

    fn features(&self, points: &[Point]) -> Vec<Vec<f64>> {
        self.problem.features(points)
    }

    fn shared(&self) -> &[usize] {
        self.problem.shared()
    }

    /// The accuracy before quantisation, where it is known.
    fn baselines(&self, points: &[Point]) -> Vec<f64> {
        points.iter().map(|point| self.floats.get(&self.narrowest(point)).copied().unwrap_or(0.0)).collect()
    }

    /// Widths up to a random one, so that policies of all sizes are met; the limits are left to [`Problem::costs`].
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        let architecture = &self.architectures[rng.random_range(0..self.architectures.len())];
        let most = self.widths.iter().map(|&gene| self.levels(gene)).max().unwrap_or(1);
        let widest = rng.random_range(1..=most);
        self.with(architecture, |gene| rng.random_range(0..widest.min(self.levels(gene))))
    }

    /// `point` with one or two widths changed, or its widths in another architecture if its own is not among these.
    fn mutate(&self, point: &Point, rng: &mut ChaCha8Rng) -> Point {
        let narrowest = self.narrowest(point);
        let architecture = if self.known.contains(&narrowest) {
            &narrowest
        } else {
            &self.architectures[rng.random_range(0..self.architectures.len())]
        };
        if self.widths.is_empty() {
            return architecture.clone();
        }
        let changed = [(); 2].map(|()| self.widths[rng.random_range(0..self.widths.len())]);
        self.with(architecture, |gene| {
            if changed.contains(&gene) { rng.random_range(0..self.levels(gene)) } else { point[gene] }
        })
    }

    fn neighbours(&self, point: &Point) -> Vec<Point> {
        let neighbours = self.problem.neighbours(point).into_iter();
        let own = self.narrowest(point);
        neighbours.filter(|neighbour| self.narrowest(neighbour) == own).collect()
    }
}

/// The points of a space whose architectures are others than those of some policies: networks that were not trained yet.
#[derive(Clone, Debug)]
pub struct NewNetworks<'a>(Policies<'a>);

impl<'a> NewNetworks<'a> {
    /// All but the architectures of `trained`.
    #[must_use]
    pub fn besides(trained: Policies<'a>) -> Self {
        Self(trained)
    }
}

impl Problem for NewNetworks<'_> {
    fn dimensions(&self) -> &[Dimension] {
        self.0.dimensions()
    }

    fn canonicalise(&self, point: &mut [u16]) {
        self.0.canonicalise(point);
    }

    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        let new = |point: &Point| !self.0.known.contains(&self.0.narrowest(point));
        let costs = self.0.problem.costs(points);
        points.iter().zip(costs).map(|(point, cost)| cost.filter(|_| new(point))).collect()
    }

    fn features(&self, points: &[Point]) -> Vec<Vec<f64>> {
        self.0.features(points)
    }

    fn shared(&self) -> &[usize] {
        self.0.shared()
    }

    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        self.0.problem.sample(rng)
    }

    fn mutate(&self, point: &Point, rng: &mut ChaCha8Rng) -> Point {
        self.0.problem.mutate(point, rng)
    }

    fn neighbours(&self, point: &Point) -> Vec<Point> {
        self.0.problem.neighbours(point)
    }
}
