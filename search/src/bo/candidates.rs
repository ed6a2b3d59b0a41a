//! Where proposals come from: new, canonical, feasible points.
//!
//! A [`Pool`] never hands out a point that was tried before, is pending or is infeasible, and within a round hands out
//! each point at most once.

use std::collections::HashSet;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::history::History;
use super::problem::{Point, Problem, enumerate};

/// Spaces of up to this many points (before canonicalisation) are searched whole where sampling finds nothing new.
const ENUMERABLE: usize = 1 << 18;
/// Batches drawn before sampling gives up, and the size of the largest.
const ATTEMPTS: u32 = 20;
const LARGEST_BATCH: usize = 4096;

/// A feasible point that was not tried before.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The point, canonical.
    pub point: Point,
    /// Its cost, if the problem knows it.
    pub cost: f64,
}

/// The points of a problem that may still be proposed.
pub struct Pool<'a> {
    problem: &'a dyn Problem,
    excluded: HashSet<Point>,
    handed_out: HashSet<Point>,
}

impl<'a> Pool<'a> {
    /// All points but those of `history` and `pending`.
    pub fn new(problem: &'a dyn Problem, history: &History, pending: &[Point]) -> Self {
        let mut pool = Self { problem, excluded: HashSet::new(), handed_out: HashSet::new() };
        history.observations().iter().map(|o| &o.point).chain(pending).for_each(|p| pool.exclude(p));
        pool
    }

    /// Never hands out `point`, nor what means the same, from now on.
    pub fn exclude(&mut self, point: &Point) {
        let mut point = point.clone();
        self.problem.canonicalise(&mut point);
        self.excluded.insert(point);
    }

    /// Begins a round: whatever is not excluded may be handed out again.
    pub fn begin_round(&mut self) {
        self.handed_out.clear();
    }

    /// Those of `points` that may be handed out, in order.
    pub fn admit(&mut self, points: impl IntoIterator<Item = Point>) -> Vec<Candidate> {
        let points = points.into_iter();
        let new: Vec<Point> =
            points.filter(|p| !self.excluded.contains(p) && self.handed_out.insert(p.clone())).collect();
        if new.is_empty() {
            return Vec::new();
        }
        let costs = self.problem.costs(&new);
        debug_assert_eq!(costs.len(), new.len());
        let feasible = |(point, cost): (Point, Option<f64>)| {
            cost.filter(|cost| cost.is_finite()).map(|cost| Candidate { point, cost })
        };
        new.into_iter().zip(costs).filter_map(feasible).collect()
    }

    /// Up to `count` random candidates. Fewer than `count` means that the space
    /// has no others (proved by looking at every point if there are at most 2^18, concluded from tens of thousands of
    /// draws in vain if there are more).
    pub fn sample(&mut self, count: usize, rng: &mut ChaCha8Rng) -> Vec<Candidate> {
        let mut found = Vec::with_capacity(count);
        for attempt in 0..ATTEMPTS {
            let missing = count - found.len();
            if missing == 0 {
                return found;
            }
            let batch = missing.saturating_mul(1 << attempt).min(LARGEST_BATCH);
            let drawn: Vec<Point> = (0..batch).map(|_| self.problem.sample(rng)).collect();
            found.extend(self.admit(drawn));
            self.hand_back(&mut found, count);
        }
        if found.len() < count {
            let mut rest = self.remaining(ENUMERABLE).unwrap_or_default();
            rest.shuffle(rng);
            found.extend(rest);
            self.hand_back(&mut found, count);
        }
        found
    }

    /// Every candidate that is left, or `None` if the space has more than `limit` points before canonicalisation.
    pub fn remaining(&mut self, limit: usize) -> Option<Vec<Candidate>> {
        enumerate(self.problem, limit).map(|points| self.admit(points))
    }

    /// Shortens `found` to `count`; the rest may be handed out again.
    fn hand_back(&mut self, found: &mut Vec<Candidate>, count: usize) {
        for candidate in found.drain(count.min(found.len())..) {
            self.handed_out.remove(&candidate.point);
        }
    }
}
