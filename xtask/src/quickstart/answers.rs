//! What the programs answer with `--json`, as far as quickstart uses it. Counts are images, sizes bytes.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::PathBuf;

/// `bomp-search status --json`.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    trials: Vec<Trial>,
}

/// A trial; what is scored is there once it has finished.
#[derive(Debug, Deserialize)]
pub(super) struct Trial {
    pub(super) number: u64,
    pub(super) usage: Usage,
    pub(super) correct: Option<u64>,
    pub(super) images: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    pub(super) bytes: u64,
}

impl Status {
    /// Trial 0, the network that every search begins with, and the trial with the best validation accuracy of those that are not
    /// larger; of equals the smallest.
    ///
    /// # Errors
    /// The search found nothing better, with what to do.
    pub(super) fn seed_and_best(&self) -> Result<(&Trial, &Trial)> {
        let seed = self.trials.iter().find(|trial| trial.number == 0 && trial.correct.is_some());
        let seed = seed.context(
            "trial 0, the network that the search begins with, did not finish; see `bomp-search status`",
        )?;
        let others = self.trials.iter().filter(|trial| trial.usage.bytes <= seed.usage.bytes);
        let better = others.filter(|trial| trial.correct > seed.correct);
        let best = better.max_by_key(|trial| (trial.correct, std::cmp::Reverse(trial.usage.bytes)));
        let best = best.context(
            "the search found no network that is better than the one it begins with and not larger; search on with more --trials, \
             or begin again in another --out with another --seed",
        )?;
        Ok((seed, best))
    }
}

/// One line of `bomp-search finalise --json`.
#[derive(Debug, Deserialize)]
pub(super) struct Finished {
    pub(super) trial: u64,
    pub(super) candidate: PathBuf,
    pub(super) test_images: u64,
    pub(super) float_correct: u64,
    pub(super) integer_correct: u64,
}

/// `bomp-export size --json`.
#[derive(Debug, Deserialize)]
pub(super) struct Size {
    pub(super) total_bytes: u64,
    pub(super) arena_bytes: u64,
    pub(super) macs: u64,
}

/// `bomp-export validate --json`.
#[derive(Debug, Deserialize)]
pub(super) struct Validation {
    pub(super) images: u64,
    pub(super) integer: Accuracy,
    pub(super) against: Vec<Engine>,
}

/// One engine beside the integer runtime.
#[derive(Debug, Deserialize)]
pub(super) struct Engine {
    pub(super) accuracy: Accuracy,
    pub(super) agreement: f64,
    pub(super) agreeing: u64,
    pub(super) layers: Layers,
}

/// int8 elements of all layers, each computed from equal inputs.
#[derive(Debug, Deserialize)]
pub(super) struct Layers {
    pub(super) elements: u64,
    pub(super) differing: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Accuracy {
    pub(super) correct: u64,
}

/// `bomp-sim run --json`.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) images: u64,
    pub(super) device_correct: u64,
    pub(super) logits_equal: bool,
    pub(super) section_bytes: u64,
    pub(super) section_equals_file: bool,
    pub(super) instructions: Instructions,
    pub(super) ram: Ram,
}

#[derive(Debug, Deserialize)]
pub(super) struct Instructions {
    pub(super) mean: f64,
    pub(super) per_mac: f64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Ram {
    pub(super) arena_used: u64,
    pub(super) stack_used: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(trials: &[(u64, u64, Option<u64>)]) -> Status {
        let trial =
            |&(number, bytes, correct)| Trial { number, usage: Usage { bytes }, correct, images: Some(100) };
        Status { trials: trials.iter().map(trial).collect() }
    }

    #[test]
    fn the_best_is_better_than_the_seed_and_not_larger() {
        let trials =
            [(0, 100, Some(50)), (1, 101, Some(90)), (2, 100, Some(60)), (3, 90, Some(60)), (4, 80, None)];
        let status = status(&trials);
        let (seed, best) = status.seed_and_best().unwrap();
        assert_eq!((seed.number, best.number), (0, 3));
    }

    #[test]
    fn a_search_that_found_nothing_says_what_to_do() {
        for trials in
            [vec![(0, 100, Some(50)), (1, 101, Some(90)), (2, 99, Some(50))], vec![(0, 100, None)], vec![]]
        {
            let error = status(&trials).seed_and_best().unwrap_err().to_string();
            assert!(error.contains("--seed") || error.contains("bomp-search status"), "{error}");
        }
    }
}
