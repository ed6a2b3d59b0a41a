//! Where the resolution reductions take effect.
//!
//! A reduction after block p halves the resolution in the first depthwise convolution of the next block that is present.
//! Several that fall on the same block multiply to one stride of 4 or 8, so that the resolution before conv2, which the
//! paper fixes, does not depend on which blocks are present; one that no block follows has no effect.

use super::definition::Choice;

/// Index of the block (from 0) that a reduction after block number `place` strikes.
fn struck(present: &[bool], place: usize) -> Option<usize> {
    (place..present.len()).find(|&block| present[block])
}

/// The stride of the first depthwise convolution of each block.
pub(super) fn strides(present: &[bool], places: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; present.len()];
    for block in places.iter().filter_map(|&place| struck(present, place)) {
        strides[block] *= 2;
    }
    strides
}

/// Of all places with the same effect as `places`, those that one canonical form uses: the last reduction is as late as
/// possible, then the one before it, and so on. With equal choices the places ascend.
pub(super) fn canonical(choices: &[Choice<usize>], present: &[bool], places: &[usize]) -> Vec<usize> {
    let mut effects: Vec<_> = places.iter().map(|&place| struck(present, place)).collect();
    let mut reversed = Vec::with_capacity(places.len());
    let found = assign(choices, present, &mut effects, &mut reversed);
    debug_assert!(found, "the places themselves have the effect");
    reversed.reverse();
    reversed
}

/// Finds places, the last reduction's first, whose effects are exactly `effects`.
fn assign(
    choices: &[Choice<usize>],
    present: &[bool],
    effects: &mut Vec<Option<usize>>,
    reversed: &mut Vec<usize>,
) -> bool {
    let Some((last, rest)) = choices.split_last() else { return true };
    for &place in last.choices.iter().rev() {
        let effect = struck(present, place);
        let Some(index) = effects.iter().position(|&wanted| wanted == effect) else { continue };
        effects.remove(index);
        reversed.push(place);
        if assign(rest, present, effects, reversed) {
            return true;
        }
        reversed.pop();
        effects.insert(index, effect);
    }
    false
}

/// Every combination of places, one for each reduction.
pub(super) fn combinations(choices: &[Choice<usize>]) -> Vec<Vec<usize>> {
    choices.iter().fold(vec![Vec::new()], |prefixes, choice| {
        let extend = |prefix: &Vec<usize>| {
            let prefix = prefix.clone();
            choice.choices.iter().map(move |&place| [&prefix[..], &[place]].concat())
        };
        prefixes.iter().flat_map(extend).collect()
    })
}
