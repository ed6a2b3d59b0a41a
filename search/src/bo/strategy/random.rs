//! `random`: new feasible points as the problem samples them. The baseline that every other strategy has to beat.

use rand_chacha::ChaCha8Rng;

use super::{SearchState, Strategy, Suggestion};
use crate::bo::candidates::Pool;

/// Random search without repetition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Strategy for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn propose(&self, state: &SearchState<'_>, count: usize, rng: &mut ChaCha8Rng) -> Suggestion {
        let mut pool = Pool::new(state.problem, state.history, state.pending);
        let found = pool.sample(count, rng);
        Suggestion {
            exhausted: found.len() < count,
            points: found.into_iter().map(|c| c.point).collect(),
            expected_improvement: None,
        }
    }
}
