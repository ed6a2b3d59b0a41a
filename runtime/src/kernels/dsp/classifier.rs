//! The fully connected classifier: each weight is used once, so it goes from the packed stream to the multiplier. The
//! inputs are brought into the order of the weights once, some at a time, for all classes.

use super::has;
use super::machine::{Codes, dots, even_halves, odd_halves, scale, smlad};
use super::unpack::{nibble_order, quick_factor};
use crate::kernels::{Needs, broken_invariant};
use crate::layer::Weights;
use crate::quant::{self, Factor};

/// Inputs that are kept in the scratch at a time; a multiple of 8.
const CHUNK: usize = 256;

/// Words of scratch.
pub(in super::super) const fn words(fan_in: usize) -> usize {
    let chunk = if fan_in < CHUNK { fan_in } else { CHUNK };
    chunk.div_ceil(8) * 4
}

#[inline(never)]
pub(super) fn classifier<const NEEDS: u32>(
    weights: &Weights<'_>,
    input: &[i8],
    logits: &mut [i32],
    scratch: &mut [u32],
) {
    for (logit, channel) in logits.iter_mut().zip(weights.channels) {
        *logit = channel.bias();
    }
    let bits = usize::from(weights.bits);
    let whole = weights.packed.aligned(0, weights.fan_in * weights.channels.len());
    if weights.fan_in.is_multiple_of(8) && !whole.is_empty() {
        for (first, values) in (0..).step_by(CHUNK).zip(input.chunks(CHUNK)) {
            let (inputs, sum) = arrange(values, bits, scratch);
            // Codes are weights plus 2^(b - 1).
            let excess = sum.wrapping_mul(1 << (bits - 1));
            for logit in logits.iter_mut() {
                *logit = logit.wrapping_sub(excess);
            }
            let bytes = whole.get(first / 8 * bits..).unwrap_or(&[]);
            dots::<NEEDS>(Codes { bytes, step: weights.fan_in / 8 * bits, bits }, inputs, logits);
        }
    } else if has(NEEDS, Needs::ODD_CLASSIFIER) {
        for (class, logit) in logits.iter_mut().enumerate() {
            *logit = plain_dot(weights, class, input, *logit);
        }
    } else {
        broken_invariant();
    }
    let mut fine = weights.fine.iter();
    for (logit, channel) in logits.iter_mut().zip(weights.channels) {
        // As `Weights::factor`, without looking each up.
        let factor = match fine.next() {
            Some(fine) => Factor::wide(channel.multiplier(), fine.get(), weights.base_shift),
            None => Factor::narrow(channel.multiplier(), weights.base_shift),
        };
        *logit = match quick_factor(factor) {
            Some(factor) => scale(*logit, factor),
            None if has(NEEDS, Needs::RARE_FACTOR) => plain_logit(*logit, factor),
            None => {
                broken_invariant();
                0
            }
        };
    }
}

/// Inputs in the order of the weights, and their sum; a whole number of eights.
#[inline(never)]
fn arrange<'a>(values: &[i8], bits: usize, scratch: &'a mut [u32]) -> (&'a [[u32; 4]], i32) {
    let (places, _) = scratch.as_chunks_mut::<4>();
    let (eights, _) = values.as_chunks::<8>();
    let mut sum = 0;
    for (place, &eight) in places.iter_mut().zip(eights) {
        let eight = u64::from_le_bytes(eight.map(|value| value as u8));
        let (low, high) = (eight as u32, (eight >> 32) as u32);
        *place = [even_halves(low), odd_halves(low), even_halves(high), odd_halves(high)];
        sum = place.iter().fold(sum, |sum, &pair| smlad(pair, 0x0001_0001, sum));
    }
    let places = places.get_mut(..eights.len()).unwrap_or(&mut []);
    if bits == 4 {
        for place in &mut *places {
            *place = nibble_order(*place);
        }
    }
    (places, sum)
}

/// For weights that do not begin at a byte.
#[inline(never)]
fn plain_dot(weights: &Weights<'_>, class: usize, input: &[i8], sum: i32) -> i32 {
    let mut row = weights.packed.values(class * weights.fan_in);
    input.iter().fold(sum, |sum, &value| sum.wrapping_add(i32::from(row.next_value()) * i32::from(value)))
}

/// [`quant::logit`], out of the way.
#[cold]
#[inline(never)]
fn plain_logit(sum: i32, factor: Factor) -> i32 {
    quant::logit(sum, factor)
}
