//! Where the resolution reductions take effect.
//!
//! A reduction after block p halves the resolution in the first depthwise convolution of the next block that is present.
//! Several that fall on the same block multiply to one stride of 4 or 8, so that the resolution before conv2, which the
//! paper fixes, does not depend on which blocks are present; one that no block follows has no effect.

use super::definition::Choice;

/// Index of the block (from 0) that a reduction after block number `position` strikes.
fn struck(present: &[bool], position: usize) -> Option<usize> {
    (position..present.len()).find(|&block| present[block])
}

/// The stride of the first depthwise convolution of each block.
pub(super) fn strides(present: &[bool], positions: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; present.len()];
    for block in positions.iter().filter_map(|&position| struck(present, position)) {
        strides[block] *= 2;
    }
    strides
}

/// Of all positions with the same effect as `positions`, those that one canonical form uses: the last reduction is as late as
/// possible, then the one before it, and so on. With equal choices the positions ascend.
pub(super) fn canonical(choices: &[Choice<usize>], present: &[bool], positions: &[usize]) -> Vec<usize> {
    let mut effects: Vec<_> = positions.iter().map(|&position| struck(present, position)).collect();
    let mut reversed = Vec::with_capacity(positions.len());
    let found = assign(choices, present, &mut effects, &mut reversed);
    debug_assert!(found, "the positions themselves have the effect");
    reversed.reverse();
    reversed
}

/// Finds positions, the last reduction's first, whose effects are exactly `effects`.
fn assign(
    choices: &[Choice<usize>],
    present: &[bool],
    effects: &mut Vec<Option<usize>>,
    reversed: &mut Vec<usize>,
) -> bool {
    let Some((last, rest)) = choices.split_last() else { return true };
    for &position in last.choices.iter().rev() {
        let effect = struck(present, position);
        let Some(index) = effects.iter().position(|&wanted| wanted == effect) else { continue };
        effects.remove(index);
        reversed.push(position);
        if assign(rest, present, effects, reversed) {
            return true;
        }
        reversed.pop();
        effects.insert(index, effect);
    }
    false
}

/// Every combination of positions, one for each reduction.
pub(super) fn combinations(choices: &[Choice<usize>]) -> Vec<Vec<usize>> {
    choices.iter().fold(vec![Vec::new()], |prefixes, choice| {
        let extend = |prefix: &Vec<usize>| {
            let prefix = prefix.clone();
            choice.choices.iter().map(move |&position| [&prefix[..], &[position]].concat())
        };
        prefixes.iter().flat_map(extend).collect()
    })
}
