//! What to try next: one trait, one file for each strategy.
//!
//! A strategy keeps no state: its suggestion depends on the search state and the random stream alone, so a study that was
//! interrupted continues as if it had not been.

mod ehvi;
mod evolution;
mod paper;
mod random;

pub use ehvi::Ehvi;
pub use evolution::Evolution;
pub use paper::{Paper, Score};
pub use random::Random;

use rand_chacha::ChaCha8Rng;

use super::history::History;
use super::pareto::Reference;
use super::problem::{Point, Problem};

/// Everything a proposal depends on.
#[derive(Clone, Copy)]
pub struct SearchState<'a> {
    /// The space.
    pub problem: &'a dyn Problem,
    /// Where the hypervolume begins.
    pub reference: Reference,
    /// What was tried.
    pub history: &'a History,
    /// What is being tried, in the order of its proposal.
    pub pending: &'a [Point],
}

/// What to try next.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// New, different, canonical and feasible points; as many as were asked for unless the space is exhausted. Only
    /// `paper` may repeat what was tried.
    pub points: Vec<Point>,
    /// Whether there are no further points beyond these.
    pub exhausted: bool,
    /// By how much the first point is expected to raise the hypervolume, if the strategy knows.
    pub expected_improvement: Option<f64>,
}

/// A way of choosing what to try next.
pub trait Strategy {
    /// The name on the command line and in reports.
    fn name(&self) -> &'static str;

    /// Up to `count` points to try next.
    fn propose(&self, state: &SearchState<'_>, count: usize, rng: &mut ChaCha8Rng) -> Suggestion;
}
