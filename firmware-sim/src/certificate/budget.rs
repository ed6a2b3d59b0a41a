//! What the firmware may take on each processor, whatever the model is: the limits of `budget.toml`, part of the program.

use serde::{Deserialize, Serialize};

/// The file, beside this crate's manifest.
const FILE: &str = include_str!("../../budget.toml");

/// Bytes that the firmware may take beside the model and its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Code and constants.
    pub code: u64,
    /// Variables other than the arena, one image and the logits.
    pub variables: u64,
    /// Bound of the stack.
    pub stack: u64,
}

impl Budget {
    /// The budget of firmware for a processor.
    #[must_use]
    pub fn of(cpu: &str) -> Option<Self> {
        let budgets: std::collections::BTreeMap<String, Self> =
            toml::from_str(FILE).expect("a test reads this file");
        budgets.get(cpu).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_export::board::BOARDS;

    #[test]
    fn every_processor_has_a_budget() {
        for board in &BOARDS {
            assert!(Budget::of(board.cpu).is_some(), "{}", board.cpu);
        }
        assert_eq!(Budget::of("cortex-m9"), None);
    }
}
