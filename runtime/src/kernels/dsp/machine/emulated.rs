//! The loops of [`super`] in plain Rust: what the assembly computes, over the same tables.

use super::super::at_least_1;
#[cfg(not(bomp_dsp))]
use super::super::has;
#[cfg(not(bomp_dsp))]
use super::super::unpack::{code_pairs, nibble_order};
#[cfg(not(bomp_dsp))]
use super::Codes;
#[cfg(bomp_dsp)]
use super::smlad;
use super::{GROUP_HEAD, LANE_HEAD, Lane, pairs_of};
#[cfg(test)]
use super::{Group, Rows, Steps};
#[cfg(not(bomp_thumb2))]
use super::{Spread, Sum};
#[cfg(not(bomp_dsp))]
use crate::kernels::Needs;
use crate::kernels::broken_invariant;

/// `sum` plus the products of both halves: the instruction SMLAD.
#[inline(always)]
#[cfg(not(bomp_dsp))]
pub(in super::super) const fn smlad(a: u32, b: u32, sum: i32) -> i32 {
    let lower = a as i16 as i32 * b as i16 as i32;
    sum.wrapping_add(lower).wrapping_add((a as i32 >> 16) * (b as i32 >> 16))
}

/// The accumulators of four channels at one pixel whose taps are `column`.
pub(in super::super) fn sums(table: &[u32], fours: usize, column: &[i8]) -> [i32; 4] {
    let (heads, _) = table.as_chunks::<GROUP_HEAD>();
    let Some((start, weights)) = heads.split_first() else {
        broken_invariant();
        return [0; 4];
    };
    let mut sums = start.map(|start| start as i32);
    let (columns, (weights, _)) = (column.as_chunks::<4>().0, weights.as_chunks::<2>());
    for ([even, odd], &column) in weights.iter().zip(columns).take(fours) {
        let [x0, x1] = pairs_of(column);
        for (sum, (&even, &odd)) in sums.iter_mut().zip(even.iter().zip(odd)) {
            *sum = smlad(odd, x1, smlad(even, x0, *sum));
        }
    }
    sums
}

/// The accumulator of one channel of a depthwise convolution whose first tap is `plane[at]`; rows are `pitch` halves apart.
pub(in super::super) fn plane_sum(lane: &Lane<'_>, plane: &[i16], pitch: usize, at: usize) -> i32 {
    let mut sum = lane.table.first().map_or(0, |&start| start as i32);
    let rows = lane
        .table
        .get(LANE_HEAD..)
        .unwrap_or(&[])
        .chunks(at_least_1(Lane::row_words(lane.pairs, lane.stride)));
    for (row, weights) in rows.take(lane.kernel_rows).enumerate() {
        let values = plane.get(at + row * pitch..).unwrap_or(&[]);
        for index in 0..lane.pairs {
            let weights = weights.get(Lane::place(index, lane.stride)).copied().unwrap_or(0);
            // The last pair may reach beyond the plane, with a weight of 0.
            let value = |at: usize| values.get(at).map_or(0, |&value| i32::from(value));
            sum = smlad(weights, super::halves(value(2 * index), value(2 * index + 1)), sum);
        }
    }
    sum
}

/// (a * b + c * 2^32 + 2^31) / 2^32, rounded down: the instruction SMMLAR.
#[cfg(not(bomp_dsp))]
pub(super) const fn smmlar(a: i32, b: i32, c: i32) -> i32 {
    ((a as i64 * b as i64).wrapping_add((c as i64) << 32).wrapping_add(1 << 31) >> 32) as i32
}

/// Requantises a sum with a factor of either form.
#[cfg(not(bomp_thumb2))]
pub(super) fn finish<const NEEDS: u32>(sum: i32, factor: u32, zero_point: u32) -> i8 {
    if has(NEEDS, Needs::RARE_FACTOR) && super::super::unpack::is_long(factor) {
        let (upper, shift) = ((i64::from(sum) * i64::from(factor & !31)) >> 32, factor & 31);
        let value = ((upper + (1 << (shift - 1))) >> shift) as i32;
        return saturate(value.wrapping_add(zero_point as i32));
    }
    saturate(smmlar(sum, factor as i32, zero_point as i32))
}

#[cfg(not(bomp_thumb2))]
pub(super) fn saturate(value: i32) -> i8 {
    value.clamp(i8::MIN.into(), i8::MAX.into()) as i8
}

#[cfg(test)]
pub(super) fn pixels(group: Group<'_>, steps: Steps, input: &[i8], output: &mut [i8]) {
    let tail = group.table.get(GROUP_HEAD + 8 * group.fours..).unwrap_or(&[]);
    let Some(&[f0, f1, f2, f3, zero_point]) = tail.first_chunk() else { return broken_invariant() };
    for pixel in 0..steps.count {
        let column = input.get(pixel * steps.input..).unwrap_or(&[]);
        let sums = sums(group.table, group.fours, column);
        let Some(places) = output.get_mut(pixel * steps.output..) else { return broken_invariant() };
        for ((place, sum), factor) in places.iter_mut().zip(sums).zip([f0, f1, f2, f3]) {
            *place = finish::<{ Needs::EVERYTHING.bits() }>(sum, factor, zero_point);
        }
    }
}

#[cfg(test)]
pub(super) fn rows(lane: Lane<'_>, rows: Rows, plane: &[u32], output: &mut [i8]) {
    let tail = LANE_HEAD + lane.kernel_rows * Lane::row_words(lane.pairs, lane.stride);
    let Some(&[factor, zero_point]) = lane.table.get(tail..).and_then(|tail| tail.first_chunk()) else {
        return broken_invariant();
    };
    // The halves as the processor's loads see them: pairs of outputs, whole words, weights E and O.
    let word = |at: usize| plane.get(at).copied().unwrap_or(0);
    let outputs = output.iter_mut().step_by(rows.step.max(1)).take(rows.width * rows.count);
    for (index, place) in outputs.enumerate() {
        let (y, x) = (index / rows.width, index % rows.width);
        let mut sum = lane.table.first().map_or(0, |&start| start as i32);
        let row_words = Lane::row_words(lane.pairs, lane.stride);
        let weights = lane.table.get(LANE_HEAD..tail).unwrap_or(&[]).chunks(row_words.max(1));
        for (kernel_row, weights) in weights.enumerate() {
            for pair in 0..lane.pairs {
                let (first, shift) = if lane.stride == 1 {
                    (x / 2, x % 2 * Lane::odd_distance(pair, lane.pairs))
                } else {
                    (x, 0)
                };
                let weights = weights.get(Lane::place(pair, lane.stride) + shift).copied().unwrap_or(0);
                sum = smlad(weights, word((y * lane.stride + kernel_row) * rows.pitch + first + pair), sum);
            }
        }
        *place = finish::<{ Needs::EVERYTHING.bits() }>(sum, factor, zero_point);
    }
}

#[cfg(not(bomp_thumb2))]
pub(super) fn spread(spread: Spread, from: &[i8], to: &mut [i16]) {
    for (from, to) in
        from.chunks(spread.row_step.max(1)).zip(to.chunks_mut(spread.pitch.max(1))).take(spread.count)
    {
        for (to, &from) in to.iter_mut().zip(from.iter().step_by(spread.step.max(1))).take(spread.width) {
            *to = from.into();
        }
    }
}

#[cfg(not(bomp_dsp))]
pub(super) fn limit(min: i8, max: i8, elements: &mut [i8]) {
    for element in elements {
        *element = (*element).clamp(min, max.max(min));
    }
}

#[cfg(not(bomp_thumb2))]
pub(super) fn add(sum: &Sum, place: &mut [i8], other: &[i8]) {
    let start = u64::from(sum.start_low) | u64::from(sum.start_high) << 32;
    for (a, &b) in place.iter_mut().zip(other) {
        let part = |value: i8, factor: u32| u64::from((value as u8) ^ 0x80) * u64::from(factor);
        let total = start.wrapping_add(part(*a, sum.factor_a)).wrapping_add(part(b, sum.factor_b));
        *a = saturate((total >> 32) as i32);
    }
}

#[cfg(not(bomp_dsp))]
pub(super) fn dots<const NEEDS: u32>(codes: Codes<'_>, inputs: &[[u32; 4]], sums: &mut [i32]) {
    match codes.bits {
        4 if has(NEEDS, Needs::classifier_width(4)) => dots_of::<4>(codes, inputs, sums),
        5 if has(NEEDS, Needs::classifier_width(5)) => dots_of::<5>(codes, inputs, sums),
        6 if has(NEEDS, Needs::classifier_width(6)) => dots_of::<6>(codes, inputs, sums),
        7 if has(NEEDS, Needs::classifier_width(7)) => dots_of::<7>(codes, inputs, sums),
        8 if has(NEEDS, Needs::classifier_width(8)) => dots_of::<8>(codes, inputs, sums),
        _ => broken_invariant(),
    }
}

#[cfg(not(bomp_dsp))]
fn dots_of<const B: usize>(codes: Codes<'_>, inputs: &[[u32; 4]], sums: &mut [i32]) {
    for (sum, row) in sums.iter_mut().zip(codes.bytes.chunks(codes.step.max(1))) {
        for (eight, inputs) in row.as_chunks::<B>().0.iter().zip(inputs) {
            let pairs = code_pairs(eight);
            let pairs = if B == 4 { nibble_order(pairs) } else { pairs };
            *sum = pairs.iter().zip(inputs).fold(*sum, |sum, (&codes, &values)| smlad(codes, values, sum));
        }
    }
}

/// The differences of both halves.
#[cfg(not(bomp_dsp))]
#[inline(always)]
pub(in super::super) const fn subtract_halves(a: u32, b: u32) -> u32 {
    super::halves((a as i32).wrapping_sub(b as i32), (a as i32 >> 16).wrapping_sub(b as i32 >> 16))
}

/// The bytes 0 and 2 as signed halves: the instruction SXTB16.
#[cfg(not(bomp_dsp))]
#[inline(always)]
pub(in super::super) const fn even_halves(word: u32) -> u32 {
    super::halves(word as i8 as i32, (word >> 16) as i8 as i32)
}

/// The bytes 1 and 3 as signed halves.
#[cfg(not(bomp_dsp))]
#[inline(always)]
pub(in super::super) const fn odd_halves(word: u32) -> u32 {
    even_halves(word >> 8)
}

/// accumulator * factor / 2^32, rounded half up.
#[cfg(not(bomp_dsp))]
pub(in super::super) const fn scale(accumulator: i32, factor: i32) -> i32 {
    smmlar(accumulator, factor, 0)
}
