//! `ehvi`, the default: expected hypervolume improvement in closed form under a Gaussian process.
//!
//! Candidates are random points and mutations of the front's members; from the best of them a local search follows the
//! acquisition function uphill.

use rand_chacha::ChaCha8Rng;

use super::{SearchState, Strategy, Suggestion};
use crate::bo::candidates::{Candidate, Pool};
use crate::bo::preference::Preference;
use crate::bo::problem::Point;
use crate::bo::surrogate::Surrogate;

/// Candidates drawn at random, and mutated from the front's members, for each proposal.
const RANDOM: usize = 512;
const MUTATED: usize = 1024;
/// Candidates from which the local search sets out.
const STARTS: usize = 4;
/// Points whose neighbours the local search looks at.
const EXPANSIONS: usize = 24;
/// Best trials to mutate while none is on the front.
const PARENTS: usize = 5;

/// Bayesian optimisation by expected hypervolume improvement.
#[derive(Clone, Copy, Debug)]
pub struct Ehvi {
    /// Random trials, pending ones included, before the surrogate is asked.
    pub initial: usize,
    /// Which part of the hypervolume is looked for.
    pub preference: Preference,
}

impl Ehvi {
    /// After `initial` random trials, 4 if it is `None`.
    #[must_use]
    pub fn new(initial: Option<usize>, preference: Preference) -> Self {
        Self { initial: initial.unwrap_or(4), preference }
    }
}

impl Default for Ehvi {
    fn default() -> Self {
        Self::new(None, Preference::Uniform)
    }
}

impl Strategy for Ehvi {
    fn name(&self) -> &'static str {
        "ehvi"
    }

    fn propose(&self, state: &SearchState<'_>, count: usize, rng: &mut ChaCha8Rng) -> Suggestion {
        let mut pool = Pool::new(state.problem, state.history, state.pending);
        let begun = state.history.observations().len() + state.pending.len();
        let uninformed = self.initial.saturating_sub(begun).min(count);
        let mut points = random(&mut pool, uninformed, rng);
        let mut expected_improvement = None;
        if points.len() == uninformed && uninformed < count {
            match Surrogate::fit(state, rng) {
                None => points.extend(random(&mut pool, count - uninformed, rng)),
                Some(mut surrogate) => {
                    surrogate.add_pending(&points, rng);
                    while points.len() < count {
                        let Some((best, improvement)) =
                            search(state, self.preference, &surrogate, &mut pool, rng)
                        else {
                            break;
                        };
                        pool.exclude(&best.point);
                        if points.is_empty() {
                            expected_improvement = Some(improvement);
                        }
                        if points.len() + 1 < count {
                            surrogate.add_pending(std::slice::from_ref(&best), rng);
                        }
                        points.push(best);
                    }
                }
            }
        }
        Suggestion {
            exhausted: points.len() < count,
            points: points.into_iter().map(|c| c.point).collect(),
            expected_improvement,
        }
    }
}

fn random(pool: &mut Pool<'_>, count: usize, rng: &mut ChaCha8Rng) -> Vec<Candidate> {
    let found = pool.sample(count, rng);
    found.iter().for_each(|candidate| pool.exclude(&candidate.point));
    found
}

/// The best candidate found, and what it is expected to gain; `None` if there is none left.
fn search(
    state: &SearchState<'_>,
    preference: Preference,
    surrogate: &Surrogate<'_>,
    pool: &mut Pool<'_>,
    rng: &mut ChaCha8Rng,
) -> Option<(Candidate, f64)> {
    let problem = state.problem;
    let score = |candidates| score(surrogate, preference, candidates);
    pool.begin_round();
    let mut scored = score(pool.sample(RANDOM, rng));
    let parents = parents(state);
    let mutants: Vec<Point> =
        parents.iter().cycle().take(MUTATED).map(|parent| problem.mutate(parent, rng)).collect();
    scored.extend(score(pool.admit(mutants)));
    // Stable: of equals the first found wins, here and below.
    scored.sort_by(|a, b| b.1.total_cmp(&a.1));
    scored.truncate(STARTS);

    let mut expansions = EXPANSIONS;
    for climber in &mut scored {
        while expansions > 0 {
            expansions -= 1;
            // Neighbours that another climb has looked at were worse than where it went.
            let neighbours = score(pool.admit(problem.neighbours(&climber.0.point)));
            let Some(best) = neighbours.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a }) else {
                break;
            };
            if best.1 <= climber.1 {
                break;
            }
            *climber = best;
        }
    }
    scored.into_iter().reduce(|a, b| if b.1 > a.1 { b } else { a })
}

fn score(
    surrogate: &Surrogate<'_>,
    preference: Preference,
    candidates: Vec<Candidate>,
) -> Vec<(Candidate, f64)> {
    if candidates.is_empty() {
        return Vec::new();
    }
    let scores = surrogate.score(&candidates, preference);
    candidates.into_iter().zip(scores).collect()
}

/// The points of the front's members, or of the trials with the best values while there are none.
fn parents<'a>(state: &SearchState<'a>) -> Vec<&'a Point> {
    let front = state.history.front(state.reference);
    let finished = state.history.finished();
    if !front.points().is_empty() {
        return finished.filter(|(_, o)| front.points().contains(o)).map(|(point, _)| point).collect();
    }
    let mut finished: Vec<_> = finished.collect();
    finished.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    finished.into_iter().take(PARENTS).map(|(point, _)| point).collect()
}
