//! The policies of bit widths of one architecture, as a problem of its own: what may share a trained float network.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::bo::problem::{Dimension, Point, Problem};

use super::SpaceProblem;
use super::genes::Role;

/// The points of a space that differ from one another in nothing but bit widths.
#[derive(Clone, Debug)]
pub struct Policies<'a> {
    problem: &'a SpaceProblem,
    /// Any of them.
    architecture: Point,
    /// The genes that are bit widths.
    widths: Vec<usize>,
}

impl<'a> Policies<'a> {
    /// Of the architecture of `point`, within the limits of `problem`.
    #[must_use]
    pub fn new(problem: &'a SpaceProblem, point: &Point) -> Self {
        Self { widths: widths(problem), architecture: point.clone(), problem }
    }

    /// The canonical point with every width of its narrowest choice: the smallest policy.
    #[must_use]
    pub fn narrowest(&self) -> Point {
        self.with(|_| 0)
    }

    /// The canonical point of this architecture in which `level` chooses the width of each of the genes.
    fn with(&self, mut level: impl FnMut(usize) -> u16) -> Point {
        let mut point = self.architecture.clone();
        for &gene in &self.widths {
            point[gene] = level(gene);
        }
        self.problem.canonicalise(&mut point);
        point
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
        let own = |point: &Point| self.with(|gene| point[gene]) == *point;
        let costs = self.problem.costs(points);
        points.iter().zip(costs).map(|(point, cost)| cost.filter(|_| own(point))).collect()
    }

    fn features(&self, points: &[Point]) -> Vec<Vec<f64>> {
        self.problem.features(points)
    }

    fn shared(&self) -> &[usize] {
        self.problem.shared()
    }

    /// Widths up to a random one, so that policies of all sizes are met; the limits are left to [`Problem::costs`].
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        let most = self.widths.iter().map(|&gene| self.dimensions()[gene].levels()).max().unwrap_or(1);
        let widest = rng.random_range(0..most);
        self.with(|gene| rng.random_range(0..(widest + 1).min(self.dimensions()[gene].levels())) as u16)
    }

    /// The widths of `point`, whatever its architecture, with one or two changed.
    fn mutate(&self, point: &Point, rng: &mut ChaCha8Rng) -> Point {
        let mutated = self.problem.mutate(point, rng);
        self.with(|gene| mutated[gene])
    }

    fn neighbours(&self, point: &Point) -> Vec<Point> {
        let neighbours = self.problem.neighbours(point).into_iter();
        neighbours.map(|neighbour| self.with(|gene| neighbour[gene])).filter(|other| other != point).collect()
    }
}
