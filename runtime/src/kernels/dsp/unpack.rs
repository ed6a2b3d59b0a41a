//! From packed weights to operands of two 16-bit halves, in the natural order of the stream.
//!
//! Eight weights of b bits are b bytes. The first four are the low bits of the first four bytes, the last four the high bits
//! of the last four; either word becomes two pairs, (0, 2) and (1, 3), by one shift that puts weight 2 at bit 16 and two
//! masks. So every width costs the same, and no other order of the stream would be cheaper.

use super::machine::{pairs_of, subtract_halves};
use super::{at_least_1, has};
use crate::kernels::{Needs, broken_invariant};
use crate::layer::Weights;
use crate::quant::{Factor, Packed};

/// Unsigned codes of eight weights of `B` bits as pairs: 0 and 2, 1 and 3, 4 and 6, 5 and 7. `B` is 4..=8: fewer bits do not fill the
/// two words that are read, which does not compile.
#[inline(always)]
pub(super) fn code_pairs<const B: usize>(codes: &[u8; B]) -> [u32; 4] {
    const { assert!(B >= 4 && B <= 8, "eight codes of B bits fill two words") };
    let (Some(&low), Some(&high)) = (codes.first_chunk(), codes.last_chunk()) else {
        broken_invariant();
        return [0; 4];
    };
    let (low, high) = (u32::from_le_bytes(low), u32::from_le_bytes(high));
    let mask = ((1u32 << B) - 1) * 0x0001_0001;
    let apart = 16 - 2 * B as u32;
    let low = low & 0xffff | (low << apart) & 0xffff_0000;
    // Weights 4 and 6 at the same distance from the beginnings of their halves.
    let high = (high >> apart) & 0xffff | high & 0xffff_0000;
    [low & mask, low >> B & mask, high >> apart & mask, high >> (apart + B as u32) & mask]
}

/// Eight values in the order of [`code_pairs`] in the order that suits weights of 4 bits better: 0 and 4, 1 and 5, 2 and 6,
/// 3 and 7. One mask then takes a pair of weights from the word that holds all eight.
#[inline(always)]
pub(super) const fn nibble_order([even, odd, later_even, later_odd]: [u32; 4]) -> [u32; 4] {
    [
        even & 0xffff | later_even << 16,
        odd & 0xffff | later_odd << 16,
        even >> 16 | later_even & 0xffff_0000,
        odd >> 16 | later_odd & 0xffff_0000,
    ]
}

/// Unpacks the weights `start..start + count` into one of four channels' places in a [`super::machine::Group`]: words 0, 4,
/// 8, 12 and so on of `places`. What is left of the last four taps becomes 0.
pub(super) fn unpack_row<const NEEDS: u32>(
    packed: Packed<'_>,
    start: usize,
    count: usize,
    places: &mut [u32],
) {
    let bytes = packed.aligned(start, count / 8 * 8);
    match packed.bits() {
        4 if has(NEEDS, Needs::width(4)) => unpack_eights::<4>(bytes, places),
        5 if has(NEEDS, Needs::width(5)) => unpack_eights::<5>(bytes, places),
        6 if has(NEEDS, Needs::width(6)) => unpack_eights::<6>(bytes, places),
        7 if has(NEEDS, Needs::width(7)) => unpack_eights::<7>(bytes, places),
        8 if has(NEEDS, Needs::width(8)) => unpack_eights::<8>(bytes, places),
        _ => return broken_invariant(),
    }
    let done = bytes.len() / at_least_1(packed.bits().into()) * 8;
    let rest = places.get_mut(2 * done..).unwrap_or(&mut []);
    for (first, places) in (done..count).step_by(4).zip(rest.chunks_mut(8)) {
        let mut four = [0; 4];
        packed.unpack(start + first, four.get_mut(..4.min(count - first)).unwrap_or(&mut []));
        if let [even, _, _, _, odd, ..] = places {
            [*even, *odd] = pairs_of(four);
        }
    }
}

#[inline(never)]
fn unpack_eights<const B: usize>(bytes: &[u8], places: &mut [u32]) {
    let offset = (1 << (B - 1)) * 0x0001_0001;
    for (codes, places) in bytes.as_chunks::<B>().0.iter().zip(places.chunks_mut(16)) {
        if let [a, _, _, _, b, _, _, _, c, _, _, _, d, ..] = places {
            [*a, *b, *c, *d] = code_pairs(codes).map(|pair| subtract_halves(pair, offset));
        }
    }
}

/// A factor times 2^32, or `None` where it is not an integer of 32 bits: then one instruction cannot requantise exactly.
#[inline]
pub(in super::super) const fn quick_factor(factor: Factor) -> Option<i32> {
    factor.scaled_up(32)
}

/// Writes the factors of the channels from `first` on, all in the form that does for all of them, [`quick_factor`] before
/// [`long_factor`]; zeros where neither does, which means that they are requantised the long way.
#[inline(never)]
pub(super) fn table_factors<const NEEDS: u32>(weights: &Weights<'_>, first: usize, places: &mut [u32]) {
    for long in [false, true] {
        let mut all = true;
        for (channel, place) in (first..).zip(&mut *places) {
            let factor = weights.factor(channel);
            let factor = if long { long_factor(factor) } else { quick_factor(factor) };
            all &= factor.is_some();
            *place = factor.unwrap_or(0) as u32;
        }
        if all || !has(NEEDS, Needs::RARE_FACTOR) {
            return;
        }
    }
    places.fill(0);
}

/// A factor in two steps, without loss as both round down: the mantissa shifted up to bit 30, of whose product the upper word is
/// taken, and in the low 5 bits what is left to shift, 1..=31. That reaches shifts of 15..=45, in a wide layer of 28..=58. See
/// [`is_long`].
#[inline]
fn long_factor(factor: Factor) -> Option<i32> {
    let left = (factor.shift + factor.room()).wrapping_sub(32);
    (1..=31).contains(&left).then(|| factor.mantissa << factor.room() | left as i32)
}

/// Whether a factor is one of [`long_factor`]: it is at least 2^30 and not a multiple of 32, which no [`quick_factor`] is.
#[inline]
pub(super) const fn is_long(factor: u32) -> bool {
    factor >= 1 << 30 && factor & 31 != 0
}
