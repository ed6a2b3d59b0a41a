//! The loops that multiply, in plain Rust for processors that do one multiplication at a time, over the tables of [`super`].

use super::super::{at_least_1, has};
use super::emulated::finish;
use super::{GROUP_HEAD, Group, LANE_HEAD, Lane, Rows, Steps, plane_sum};
use crate::kernels::{Needs, broken_invariant};

#[inline(always)]
fn multiply(weight: i16, value: i32, sum: i32) -> i32 {
    sum.wrapping_add(i32::from(weight) * value)
}

pub(super) fn pixels<const NEEDS: u32>(group: Group<'_>, steps: Steps, input: &[i8], output: &mut [i8]) {
    let Some((start, rest)) = group.table.split_first_chunk::<GROUP_HEAD>() else {
        return broken_invariant();
    };
    let Some((weights, tail)) = rest.split_at_checked(8 * group.fours) else { return broken_invariant() };
    let Some(&[f0, f1, f2, f3, zero_point]) = tail.first_chunk() else { return broken_invariant() };
    let (fours, _) = bytemuck::cast_slice::<u32, i16>(weights).as_chunks::<16>();
    for pixel in 0..steps.count {
        let [mut s0, mut s1, mut s2, mut s3] = start.map(|start| start as i32);
        let (columns, _) = input.get(pixel * steps.input..).unwrap_or(&[]).as_chunks::<4>();
        for (weights, &column) in fours.iter().zip(columns) {
            let [a, b, c, d] = column.map(i32::from);
            let &[a0, c0, a1, c1, a2, c2, a3, c3, b0, d0, b1, d1, b2, d2, b3, d3] = weights;
            s0 = multiply(d0, d, multiply(c0, c, multiply(b0, b, multiply(a0, a, s0))));
            s1 = multiply(d1, d, multiply(c1, c, multiply(b1, b, multiply(a1, a, s1))));
            s2 = multiply(d2, d, multiply(c2, c, multiply(b2, b, multiply(a2, a, s2))));
            s3 = multiply(d3, d, multiply(c3, c, multiply(b3, b, multiply(a3, a, s3))));
        }
        let places = output.get_mut(pixel * steps.output..).and_then(|output| output.first_chunk_mut::<4>());
        let Some(places) = places else { return broken_invariant() };
        let results = [(s0, f0), (s1, f1), (s2, f2), (s3, f3)];
        *places = results.map(|(sum, factor)| finish::<NEEDS>(sum, factor, zero_point));
    }
    #[cfg(test)]
    tests::same_pixels(group, steps, input, output);
}

pub(super) fn rows<const NEEDS: u32>(lane: Lane<'_>, rows: Rows, plane: &[u32], output: &mut [i8]) {
    let tail = LANE_HEAD + lane.kernel_rows * Lane::row_words(lane.pairs, lane.stride);
    let Some(&[factor, zero_point]) = lane.table.get(tail..).and_then(|tail| tail.first_chunk()) else {
        return broken_invariant();
    };
    let halves: &[i16] = bytemuck::cast_slice(plane);
    for y in 0..rows.count {
        let top = y * lane.stride * 2 * rows.pitch;
        let Some(output) = output.get_mut(y * rows.width * rows.step..) else { return broken_invariant() };
        for x in (0..rows.width).step_by(4) {
            // The last four outputs overlap those before.
            let x = x.min(rows.width.saturating_sub(4));
            let values = halves.get(top + x * lane.stride..).unwrap_or(&[]);
            let sums = if rows.width < 4 {
                None
            } else if lane.stride == 1 && has_stride::<NEEDS>(1) {
                four_outputs::<1, 7>(&lane, rows.pitch, values)
            } else if lane.stride == 2 && has_stride::<NEEDS>(2) {
                four_outputs::<2, 10>(&lane, rows.pitch, values)
            } else {
                None
            };
            let places =
                output.iter_mut().skip(x * rows.step).step_by(at_least_1(rows.step)).take(4.min(rows.width));
            for (index, place) in places.enumerate() {
                let at = top + (x + index) * lane.stride;
                let sum = sums.map_or_else(
                    || plane_sum(&lane, halves, 2 * rows.pitch, at),
                    |sums| sums.get(index).copied().unwrap_or(0),
                );
                *place = finish::<NEEDS>(sum, factor, zero_point);
            }
        }
    }
    #[cfg(test)]
    tests::same_rows(lane, rows, plane, output);
}

/// Whether some depthwise convolution of this stride is needed.
const fn has_stride<const NEEDS: u32>(stride: usize) -> bool {
    let mut pairs = 1;
    while pairs <= 4 {
        if has(NEEDS, Needs::depthwise_loop(pairs, stride)) {
            return true;
        }
        pairs += 1;
    }
    false
}

/// Sums of four neighbouring outputs whose taps begin at `values[0]`; `REACH` is four taps and what three steps add. `None`
/// where the plane ends before a tap whose weight is 0.
#[inline(never)]
fn four_outputs<const STRIDE: usize, const REACH: usize>(
    lane: &Lane<'_>,
    pitch: usize,
    values: &[i16],
) -> Option<[i32; 4]> {
    let row_words = Lane::row_words(lane.pairs, STRIDE);
    // Two pairs of taps, of a stride of 1 with those that are shifted after them.
    let step = if STRIDE == 1 { 8 } else { 4 };
    let mut sums = [lane.table.first().copied()? as i32; 4];
    let weights = lane.table.get(LANE_HEAD..LANE_HEAD + lane.kernel_rows * row_words)?;
    let weights = bytemuck::cast_slice::<u32, i16>(weights);
    for (weights, values) in
        weights.chunks_exact(at_least_1(2 * row_words)).zip(values.chunks(at_least_1(2 * pitch)))
    {
        let mut taps = values;
        let mut rest = weights;
        while let Some(&[w0, w1, w2, w3]) = rest.first_chunk::<4>().filter(|_| rest.len() >= step) {
            let values = taps.first_chunk::<REACH>()?;
            sums = add_taps::<STRIDE, REACH>([w0, w1], values, 0, sums);
            sums = add_taps::<STRIDE, REACH>([w2, w3], values, 2, sums);
            (taps, rest) = (taps.get(4..)?, rest.get(step..)?);
        }
        if let Some(&[w0, w1]) = rest.first_chunk::<2>() {
            // What is one pair shorter is the end of a longer array.
            let mut values = [0; REACH];
            values.get_mut(..REACH - 2)?.copy_from_slice(taps.get(..REACH - 2)?);
            sums = add_taps::<STRIDE, REACH>([w0, w1], &values, 0, sums);
        }
    }
    Some(sums)
}

/// Adds the products of two taps, the first at `values[first]` for the first output.
#[inline(always)]
fn add_taps<const STRIDE: usize, const REACH: usize>(
    [w0, w1]: [i16; 2],
    values: &[i16; REACH],
    first: usize,
    [s0, s1, s2, s3]: [i32; 4],
) -> [i32; 4] {
    let value = |output: usize, tap: usize| {
        values.get(output * STRIDE + first + tap).map_or(0, |&value| i32::from(value))
    };
    [
        multiply(w1, value(0, 1), multiply(w0, value(0, 0), s0)),
        multiply(w1, value(1, 1), multiply(w0, value(1, 0), s1)),
        multiply(w1, value(2, 1), multiply(w0, value(2, 0), s2)),
        multiply(w1, value(3, 1), multiply(w0, value(3, 0), s3)),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::emulated;
    use super::*;

    /// What the assembly does gives the same.
    pub(super) fn same_pixels(group: Group<'_>, steps: Steps, input: &[i8], output: &[i8]) {
        let mut found = output.to_vec();
        found.iter_mut().for_each(|value| *value = value.wrapping_add(1));
        emulated::pixels(group, steps, input, &mut found);
        for pixel in 0..steps.count {
            let range = pixel * steps.output..pixel * steps.output + 4;
            assert_eq!(found[range.clone()], output[range]);
        }
    }

    /// What the assembly does gives the same.
    pub(super) fn same_rows(lane: Lane<'_>, rows: Rows, plane: &[u32], output: &[i8]) {
        let mut found = output.to_vec();
        emulated::rows(lane, rows, plane, &mut found);
        let outputs = output.iter().zip(&found).step_by(rows.step).take(rows.width * rows.count);
        assert!(outputs.into_iter().all(|(a, b)| a == b));
    }
}
