//! `random`: new feasible points as the problem samples them. The baseline that every other strategy has to beat.

use rand_chacha::ChaCha8Rng;

use super::{Proposal, Situation, Strategy};
use crate::bo::candidates::Pool;

/// Random search without repetition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Strategy for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn propose(&self, situation: &Situation<'_>, count: usize, rng: &mut ChaCha8Rng) -> Proposal {
        let mut pool = Pool::new(situation.problem, situation.history, situation.pending);
        let found = pool.sample(count, rng);
        Proposal {
            exhausted: found.len() < count,
            points: found.into_iter().map(|c| c.point).collect(),
            expected_improvement: None,
        }
    }
}
