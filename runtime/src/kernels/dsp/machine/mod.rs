//! The inner loops of the DSP kernels, behind safe functions that check every length once per call.
//!
//! On an Arm processor with the DSP extension they are the assembly of `arm` and `thumb2`, on others from Armv7-M on that of `thumb2`;
//! elsewhere plain Rust over the very same tables, `scalar`. The property tests of the host hold that against
//! `emulated`, which does what the assembly does. A call that does not fit its slices is a
//! [`broken_invariant`] and does nothing.

/// What the assembler must be told before a function that stands by itself: of Armv8-M it takes no extension for granted.
#[cfg(all(bomp_dsp, bomp_v8m))]
macro_rules! processor {
    () => {
        ".cpu cortex-m33
        "
    };
}
#[cfg(all(bomp_thumb2, not(all(bomp_dsp, bomp_v8m))))]
macro_rules! processor {
    () => {
        ""
    };
}

#[cfg(bomp_dsp)]
#[allow(unsafe_code)]
mod arm;
mod emulated;
#[cfg(not(bomp_thumb2))]
mod scalar;
#[cfg(bomp_thumb2)]
#[allow(unsafe_code)]
mod thumb2;

use super::at_least_1;
use crate::kernels::broken_invariant;
use crate::quant::AddScale;

pub(super) use emulated::{plane_sum, sums};

/// The best that there is of each loop.
mod loops {
    #[cfg(bomp_dsp)]
    pub(super) use super::arm::{dots, limit};
    #[cfg(not(bomp_dsp))]
    pub(super) use super::emulated::{dots, limit};
    #[cfg(bomp_thumb2)]
    pub(super) use super::thumb2::{add, pixels, rows, spread};
    #[cfg(not(bomp_thumb2))]
    pub(super) use super::{
        emulated::{add, spread},
        scalar::{pixels, rows},
    };
}
#[cfg(bomp_dsp)]
pub(super) use arm::{even_halves, odd_halves, scale, smlad, subtract_halves};
#[cfg(not(bomp_dsp))]
pub(super) use emulated::{even_halves, odd_halves, scale, smlad, subtract_halves};

/// Words of a convolution's table before the weights: the start values of four channels.
pub(super) const GROUP_HEAD: usize = 4;
/// Words after the weights: four factors, zero point, step of the output, and three for the loop's own use.
pub(super) const GROUP_TAIL: usize = 9;
/// Words of a depthwise table before the weights: the start value, twice.
pub(super) const LANE_HEAD: usize = 2;
/// Words after the weights: factor, zero point and ten for the loop's own use.
pub(super) const LANE_TAIL: usize = 12;

/// Weights of four output channels for the same taps, as [`pixels`] reads them, [`GROUP_HEAD`] + 8 `fours` +
/// [`GROUP_TAIL`] words. For every four taps: taps 0 and 2 of each channel, then 1 and 3, as 16-bit halves.
pub(super) struct Group<'a> {
    /// The table.
    pub(super) table: &'a mut [u32],
    /// Taps, rounded up to whole fours, divided by 4; at least 1.
    pub(super) fours: usize,
}

/// Where neighbouring pixels lie.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    /// Elements from the first tap of a pixel to that of the next.
    pub(super) input: usize,
    /// Elements from a pixel's output to the next one's.
    pub(super) output: usize,
    /// Pixels.
    pub(super) count: usize,
}

/// Computes `steps.count` pixels of four channels: the taps of pixel i begin at `input[i * steps.input]`, its outputs go
/// to `output[i * steps.output..][..4]`. Up to three elements after the taps are read, and must be there.
#[inline]
pub(super) fn pixels<const NEEDS: u32>(group: Group<'_>, steps: Steps, input: &[i8], output: &mut [i8]) {
    // All pixels may be gathered.
    let Some(last) = steps.count.checked_sub(1) else { return };
    let long = |step: usize, length: usize| last.checked_mul(step).and_then(|at| at.checked_add(length));
    let needed = (long(steps.input, group.fours * 4), long(steps.output, 4));
    let (Some(inputs), Some(outputs)) = needed else { return broken_invariant() };
    let words = GROUP_HEAD + 8 * group.fours + GROUP_TAIL;
    if group.fours == 0 || input.len() < inputs || output.len() < outputs || group.table.len() != words {
        return broken_invariant();
    }
    loops::pixels::<NEEDS>(group, steps, input, output);
}

/// Weights of one channel of a depthwise convolution, as [`rows`] reads them: [`LANE_HEAD`] words, then for each kernel row
/// [`Lane::row_words`], then [`LANE_TAIL`].
///
/// A row of `pairs` pairs of taps is, for a stride of 2, those pairs. For a stride of 1 two neighbouring pixels share the
/// pairs of inputs, so there are weights E for the first and O, shifted by one tap, for the second: E0 E1 O0 O1, then
/// E2 E3 O2 O3, a last single one as E O.
pub(super) struct Lane<'a> {
    /// The table.
    pub(super) table: &'a mut [u32],
    /// Pairs of taps of a kernel row, those shifted by one included.
    pub(super) pairs: usize,
    /// Kernel rows.
    pub(super) kernel_rows: usize,
    /// Step of the kernel.
    pub(super) stride: usize,
}

impl Lane<'_> {
    /// Words of one kernel row.
    pub(super) const fn row_words(pairs: usize, stride: usize) -> usize {
        if stride == 1 { 2 * pairs } else { pairs }
    }

    /// Where in its row pair `index` of the weights E lies.
    pub(super) const fn place(index: usize, stride: usize) -> usize {
        if stride == 1 { index / 2 * 4 + index % 2 } else { index }
    }

    /// How far after it that of the weights O lies, for a stride of 1.
    pub(super) const fn odd_distance(index: usize, pairs: usize) -> usize {
        if index / 2 * 2 + 1 < pairs { 2 } else { 1 }
    }

    /// Whether [`rows`] can do it.
    pub(super) const fn is_quick(pairs: usize, stride: usize) -> bool {
        1 <= pairs && pairs <= 4 && 1 <= stride && stride <= 2
    }
}

/// Rows of output of one channel, one after the other.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// Words from a row of the plane to the next.
    pub(super) pitch: usize,
    /// Elements from an output to the next, whether in its row or not; at least 1.
    pub(super) step: usize,
    /// Outputs of a row.
    pub(super) width: usize,
    /// Rows.
    pub(super) count: usize,
}

/// Computes one channel of some rows of output. The first tap of the first output is the first half of `plane[0]`; output i
/// goes to `output[i * rows.step]`. Outputs come in pairs: one beyond an odd width is computed, not stored, so that its taps
/// must be there.
#[inline]
pub(super) fn rows<const NEEDS: u32>(lane: Lane<'_>, rows: Rows, plane: &[u32], output: &mut [i8]) {
    let (Some(last), Some(last_row)) = (rows.width.checked_sub(1), rows.count.checked_sub(1)) else {
        return broken_invariant();
    };
    let Some(last_tap) = (last_row * lane.stride + lane.kernel_rows).checked_sub(1) else {
        return broken_invariant();
    };
    let words = LANE_HEAD + lane.kernel_rows * Lane::row_words(lane.pairs, lane.stride) + LANE_TAIL;
    // Words of a plane's row that the pairs of outputs reach.
    let reach = last / 2 * lane.stride + lane.pairs + (lane.stride - 1).min(1);
    let needed = last_tap.checked_mul(rows.pitch).and_then(|words| words.checked_add(reach));
    let outputs = (last_row * rows.width + last).checked_mul(rows.step).and_then(|at| at.checked_add(1));
    let (Some(needed), Some(outputs)) = (needed, outputs) else { return broken_invariant() };
    let fits = plane.len() >= needed && output.len() >= outputs && lane.table.len() == words;
    if fits && rows.step > 0 && Lane::is_quick(lane.pairs, lane.stride) {
        loops::rows::<NEEDS>(lane, rows, plane, output);
    } else {
        broken_invariant();
    }
}

/// One channel of some rows of pixels, to be copied to 16-bit halves.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    /// Elements from a pixel to the next in its row.
    pub(super) step: usize,
    /// Elements from a row to the next.
    pub(super) row_step: usize,
    /// Halves from a row to the next.
    pub(super) pitch: usize,
    /// Pixels of a row that are copied.
    pub(super) width: usize,
    /// Rows.
    pub(super) count: usize,
}

/// `to[row * pitch + i] = from[row * row_step + i * step]` for all rows and pixels.
#[inline]
pub(super) fn spread(spread: Spread, from: &[i8], to: &mut [i16]) {
    let (Some(last), Some(last_row)) = (spread.width.checked_sub(1), spread.count.checked_sub(1)) else {
        return broken_invariant();
    };
    let fits = from.len() > last_row * spread.row_step + last * spread.step
        && to.len() > last_row * spread.pitch + last;
    if fits && spread.width <= spread.pitch {
        loops::spread(spread, from, to);
    } else {
        broken_invariant();
    }
}

/// Limits every element to `min..=max`.
#[inline]
pub(super) fn limit(min: i8, max: i8, elements: &mut [i8]) {
    if (min, max) != (i8::MIN, i8::MAX) {
        loops::limit(min, max, elements);
    }
}

/// A residual add as one sum of 64 bits, of which the upper word is the result: start + (a + 128) * A + (b + 128) * B.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Sum {
    pub(super) start_low: u32,
    pub(super) start_high: u32,
    pub(super) factor_a: u32,
    pub(super) factor_b: u32,
}

impl Sum {
    /// `None` where a factor, shifted to the upper word, does not fit 32 bits.
    pub(super) fn new(scale: AddScale, zero_point: i8) -> Option<Self> {
        let up = 32u32.checked_sub(u32::from(scale.shift))?;
        let factor = |factor: i32| u32::try_from(u64::from(factor.unsigned_abs()) << up.min(31)).ok();
        let (factor_a, factor_b) = (factor(scale.factor_a)?, factor(scale.factor_b)?);
        let part = |factor: u32, zero_point: i8| i64::from(factor) * (i64::from(zero_point) + 128);
        let start = (i64::from(zero_point) << 32) + (1 << 31)
            - part(factor_a, scale.zero_point_a)
            - part(factor_b, scale.zero_point_b);
        Some(Self { start_low: start as u32, start_high: (start >> 32) as u32, factor_a, factor_b })
    }
}

/// `place[i]` = the [`Sum`] of `place[i]` and `other[i]`, saturated to 8 bits.
#[inline]
pub(super) fn add(sum: &Sum, place: &mut [i8], other: &[i8]) {
    if place.len() == other.len() {
        loops::add(sum, place, other);
    } else {
        broken_invariant();
    }
}

/// Packed weights of some classes, as their unsigned codes, eights of them at multiples of 8 bits.
#[derive(Clone, Copy)]
pub(super) struct Codes<'a> {
    /// From the first code of the first class on.
    pub(super) bytes: &'a [u8],
    /// Bytes from a class to the next.
    pub(super) step: usize,
    /// Bits of a code, 4..=8.
    pub(super) bits: usize,
}

/// Adds the products of each class's codes with `inputs` to its sum. Inputs are eights in the order of
/// [`super::unpack::code_pairs`], with 4 bits in that of [`super::unpack::nibble_order`].
#[inline]
pub(super) fn dots<const NEEDS: u32>(codes: Codes<'_>, inputs: &[[u32; 4]], sums: &mut [i32]) {
    let Some(last) = sums.len().checked_sub(1) else { return broken_invariant() };
    let length = inputs.len() * codes.bits;
    let needed = last.checked_mul(codes.step).and_then(|at| at.checked_add(length));
    if length > 0 && length <= codes.step && needed.is_some_and(|needed| needed <= codes.bytes.len()) {
        loops::dots::<NEEDS>(codes, inputs, sums);
    } else {
        broken_invariant();
    }
}

/// Four elements as 16-bit halves: 0 and 2, 1 and 3.
#[inline(always)]
pub(super) const fn pairs_of([a, b, c, d]: [i8; 4]) -> [u32; 2] {
    [halves(a as i32, c as i32), halves(b as i32, d as i32)]
}

/// Two values as 16-bit halves.
#[inline(always)]
pub(super) const fn halves(lower: i32, upper: i32) -> u32 {
    lower as u32 & 0xffff | (upper as u32) << 16
}

/// Sums of four neighbouring channels from `first` on over all pixels of `values`, at most 256, each value plus 128.
#[inline]
pub(super) fn add_bytes(values: &[i8], first: usize, channels: usize) -> [u32; 4] {
    let (mut even, mut odd) = (0u32, 0u32);
    for pixel in values.chunks_exact(at_least_1(channels)) {
        let Some(&four) = pixel.get(first..).and_then(|pixel| pixel.first_chunk::<4>()) else {
            broken_invariant();
            return [0; 4];
        };
        let word = u32::from_le_bytes(four.map(|value| value as u8)) ^ 0x8080_8080;
        even += word & 0x00ff_00ff;
        odd += word >> 8 & 0x00ff_00ff;
    }
    [even & 0xffff, odd & 0xffff, even >> 16, odd >> 16]
}
