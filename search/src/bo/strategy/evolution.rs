//! `evolution`: aging evolution, the search of uNAS and JASQ.
//!
//! The youngest trials are the population; old ones leave it however good they are (Real, Aggarwal, Huang and Le,
//! "Regularized evolution for image classifier architecture search", 2019). A child is a mutation of the winner of a
//! tournament. Several objectives are weighed by a random Chebyshev scalarisation, another one for each tournament, as in
//! uNAS (Liberis, Dudziak and Lane 2021).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{SearchState, Strategy, Suggestion};
use crate::bo::candidates::{Candidate, Pool};
use crate::bo::history::{Observation, Outcome};
use crate::bo::pareto::Objectives;
use crate::bo::problem::Point;

/// Mutations tried for one child before it is drawn at random instead.
const ATTEMPTS: usize = 200;

/// Aging evolution with tournaments.
#[derive(Clone, Copy, Debug)]
pub struct Evolution {
    /// The youngest trials that a parent is drawn from; that many random ones come first.
    pub population: usize,
    /// Trials drawn, with replacement, for a tournament.
    pub tournament: usize,
}

impl Default for Evolution {
    /// The best of populations of 10 to 100 and tournaments of 2 to 20 on NAS-Bench-201.
    fn default() -> Self {
        Self { population: 20, tournament: 20 }
    }
}

impl Strategy for Evolution {
    fn name(&self) -> &'static str {
        "evolution"
    }

    fn propose(&self, state: &SearchState<'_>, count: usize, rng: &mut ChaCha8Rng) -> Suggestion {
        let mut pool = Pool::new(state.problem, state.history, state.pending);
        let observations = state.history.observations();
        let begun = observations.len() + state.pending.len();
        let population = &observations[observations.len().saturating_sub(self.population)..];
        let mut points: Vec<Point> = Vec::with_capacity(count);
        while points.len() < count {
            let grown = begun + points.len() >= self.population;
            let parent = if grown { self.parent(population, rng) } else { None };
            let child = parent
                .and_then(|parent| mutated(state, parent, &mut pool, rng))
                .or_else(|| pool.sample(1, rng).pop());
            let Some(child) = child else { break };
            pool.exclude(&child.point);
            points.push(child.point);
        }
        Suggestion { exhausted: points.len() < count, points, expected_improvement: None }
    }
}

impl Evolution {
    /// The winner of a tournament; `None` if no trial drawn has finished.
    fn parent<'a>(&self, population: &'a [Observation], rng: &mut ChaCha8Rng) -> Option<&'a Point> {
        let ranges = Ranges::of(population)?;
        let weight: f64 = rng.random();
        let drawn = (0..self.tournament.max(1)).map(|_| &population[rng.random_range(0..population.len())]);
        let finished = drawn.filter_map(|o| match o.outcome {
            Outcome::Finished(objectives) => Some((ranges.shortfall(objectives, weight), &o.point)),
            Outcome::Failed => None,
        });
        finished.reduce(|a, b| if b.0 < a.0 { b } else { a }).map(|(_, point)| point)
    }
}

/// A new mutation of `parent`.
fn mutated(
    state: &SearchState<'_>,
    parent: &Point,
    pool: &mut Pool<'_>,
    rng: &mut ChaCha8Rng,
) -> Option<Candidate> {
    (0..ATTEMPTS).find_map(|_| pool.admit([state.problem.mutate(parent, rng)]).pop())
}

/// Best and worst of each objective in a population.
struct Ranges {
    best: Objectives,
    worst: Objectives,
}

impl Ranges {
    fn of(population: &[Observation]) -> Option<Self> {
        let finished = population.iter().filter_map(|o| match o.outcome {
            Outcome::Finished(objectives) => Some(Self { best: objectives, worst: objectives }),
            Outcome::Failed => None,
        });
        finished.reduce(|a, b| Self {
            best: Objectives { value: a.best.value.max(b.best.value), cost: a.best.cost.min(b.best.cost) },
            worst: Objectives {
                value: a.worst.value.min(b.worst.value),
                cost: a.worst.cost.max(b.worst.cost),
            },
        })
    }

    /// The larger of the weighted distances from the best of either objective, as parts of its range.
    fn shortfall(&self, o: Objectives, weight: f64) -> f64 {
        let part = |distance: f64, range: f64| if range > 0.0 { distance / range } else { 0.0 };
        let value = part(self.best.value - o.value, self.best.value - self.worst.value);
        let cost = part(o.cost - self.best.cost, self.worst.cost - self.best.cost);
        (weight * value).max((1.0 - weight) * cost)
    }
}
