//! How many networks a space holds, exactly.
//!
//! Whether a block is present decides which other genes act: its own, and which positions of the reductions differ in
//! effect. So the sum runs over the sets of present blocks, and within one set the genes are independent:
//!
//! sum over sets P of E(P) x prod over blocks b in P of C(b) x C(stem) x C(conv2) x C(classifier)
//!
//! with E(P) the number of different effects of the reductions and C the number of choices that matter.

use std::collections::HashSet;

use num_bigint::BigUint;

use super::definition::{BlockDefinition, Definition};
use super::reductions;

/// Numbers of networks, exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cardinality {
    /// Combinations of the architecture's choices: what the paper counts in Table I.
    pub architectures: BigUint,
    /// Combinations of the bit widths of all slots.
    pub policies: BigUint,
    /// The product of both.
    pub combinations: BigUint,
    /// Architectures without regard to genes that do not act.
    pub active_architectures: BigUint,
    /// Of those, the different ones: several width multipliers may give the same numbers of filters.
    pub distinct_architectures: BigUint,
    /// Different networks with their bit widths, which is the number of canonical points.
    pub distinct_networks: BigUint,
}

/// What one count regards as different.
#[derive(Clone, Copy)]
struct Counting {
    /// Choices of each bit width that acts.
    bits: usize,
    /// Width multipliers that give the same numbers of filters count once.
    merge_widths: bool,
}

impl Cardinality {
    /// Counts the networks of a definition.
    pub(super) fn of(definition: &Definition) -> Self {
        let architectures = raw_architectures(definition);
        let bits = definition.bits.choices.len();
        let policies = BigUint::from(bits).pow(slots(definition));
        let active = |bits, merge_widths| count(definition, Counting { bits, merge_widths });
        Self {
            combinations: &architectures * &policies,
            architectures,
            policies,
            active_architectures: active(1, false),
            distinct_architectures: active(1, true),
            distinct_networks: active(bits, true),
        }
    }
}

/// Number of bit-width slots: one for each (block, layer kind) that some network of the space has.
pub(super) fn slots(definition: &Definition) -> u32 {
    let blocks =
        definition.blocks.iter().map(|block| 2 + u32::from(block.expansion.choices.iter().any(|&e| e > 1)));
    2 + blocks.sum::<u32>() + u32::from(definition.conv2.filters.choices.iter().any(|&filters| filters > 0))
}

fn raw_architectures(definition: &Definition) -> BigUint {
    let blocks = definition.blocks.iter().flat_map(|b| {
        [
            b.kernel.choices.len(),
            b.width.choices.len(),
            b.expansion.choices.len(),
            b.repetitions.choices.len(),
        ]
    });
    let reductions = definition.reductions.iter().map(|positions| positions.choices.len());
    let ends = [definition.stem.stride.choices.len(), definition.conv2.filters.choices.len()];
    blocks.chain(reductions).chain(ends).map(BigUint::from).product()
}

fn count(definition: &Definition, counting: Counting) -> BigUint {
    let bits = BigUint::from(counting.bits);
    let blocks: Vec<BigUint> =
        (0..definition.blocks.len()).map(|i| present(definition, i, counting)).collect();
    let stem = &bits * definition.stem.stride.choices.len();
    let conv2: BigUint = definition
        .conv2
        .filters
        .choices
        .iter()
        .map(|&f| if f > 0 { bits.clone() } else { 1u32.into() })
        .sum();
    presences(&definition.blocks)
        .map(|presence| effects(definition, &presence) * product(&blocks, &presence))
        .sum::<BigUint>()
        * stem
        * conv2
        * bits
}

fn product(blocks: &[BigUint], presence: &[bool]) -> BigUint {
    blocks.iter().zip(presence).filter(|(_, present)| **present).map(|(block, _)| block).product()
}

/// Choices of block `index` where it is present.
fn present(definition: &Definition, index: usize, counting: Counting) -> BigUint {
    let block = &definition.blocks[index];
    let filters = |&width: &f64| {
        let stem = if index == 0 { definition.stem.channels(width) } else { 0 };
        (stem, block.channels(width))
    };
    let widths = if counting.merge_widths {
        block.width.choices.iter().map(filters).collect::<HashSet<_>>().len()
    } else {
        block.width.choices.len()
    };
    let policies = |&expansion: &usize| BigUint::from(counting.bits).pow(2 + u32::from(expansion > 1));
    let expansions: BigUint = block.expansion.choices.iter().map(policies).sum();
    let repetitions = block.repetitions.choices.iter().filter(|&&n| n > 0).count();
    expansions * block.kernel.choices.len() * widths * repetitions
}

/// Every set of present blocks.
fn presences(blocks: &[BlockDefinition]) -> impl Iterator<Item = Vec<bool>> {
    let fixed = |block: &BlockDefinition| {
        (!block.is_optional())
            .then_some(true)
            .or_else(|| block.repetitions.choices.iter().all(|&n| n == 0).then_some(false))
    };
    let fixed: Vec<Option<bool>> = blocks.iter().map(fixed).collect();
    (0..1u32 << fixed.iter().filter(|f| f.is_none()).count()).map(move |mut pattern| {
        let mut next = || {
            let bit = pattern & 1 == 1;
            pattern >>= 1;
            bit
        };
        fixed.iter().map(|fixed| fixed.unwrap_or_else(&mut next)).collect()
    })
}

/// The number of different effects that the reductions can have.
fn effects(definition: &Definition, presence: &[bool]) -> usize {
    let combinations = reductions::combinations(&definition.reductions);
    combinations
        .iter()
        .map(|positions| reductions::strides(presence, positions))
        .collect::<HashSet<_>>()
        .len()
}
