//! Convolution as a product of matrices: rows of weights, unpacked once, times columns of input, gathered once for several
//! rows.
//!
//! Both are kept as words of two 16-bit values, taps 0 and 2, then 1 and 3 of each four, two rows or two columns side by
//! side. So four values are unpacked by two masks, a Cortex-M with DSP multiplies the halves as they are, and each word
//! that is loaded is used twice. Inputs are kept as value + 128, which is not negative and needs no sign; the start values
//! of the sums make up for it. Sums wrap around on the way, never in the end.

use core::ops::Range;

use super::requantiser::Requantiser;
use super::{OFFSET, STRIP, multiply_halves, spread};
use crate::kernels::broken_invariant;
use crate::layer::{Layer, Op, Window};
use crate::quant::Packed;

/// Weights of a channel that are taken at a time; most networks' channels fit whole.
const CHUNK: usize = 128;
/// Output channels that share gathered columns, at most; even.
const GROUP: usize = 16;
/// Words of two rows of unpacked weights, side by side: four channels of [`CHUNK`] weights, or more of fewer.
const ROW_WORDS: usize = 2 * CHUNK / 2;
/// Sums that are held at a time; a multiple of [`GROUP`].
const SUMS: usize = 128;

/// The words at one position of two rows or columns.
type Two = [u32; 2];

#[inline(never)]
pub(super) fn convolution(layer: &Layer<'_>, input: &[i8], output: &mut [i8]) {
    let Op::Convolution(window, weights) = layer.op else { return broken_invariant() };
    let shape = layer.output.shape;
    let fan_in = weights.fan_in;
    let chunk = fan_in.clamp(1, CHUNK);
    let row_words = words_of(chunk);
    let group = (ROW_WORDS / row_words.max(1) * 2).clamp(1, GROUP);
    let tile = ((SUMS / group) & !1).max(1);
    let pixels = shape.height * shape.width;
    let mut source = Source::new(layer, window, fan_in, input);
    let mut rows = [[0u32; 2]; ROW_WORDS];
    let mut columns = [[0u32; 2]; CHUNK / 2];
    let mut sums = [0i32; SUMS];
    for (index, channels) in weights.channels.chunks(group).enumerate() {
        let first_channel = index * group;
        let unpack_chunk = |rows: &mut [Two], index: usize, first: usize| {
            let row = rows.get_mut(index / 2 * row_words..).unwrap_or(&mut []);
            let count = chunk.min(fan_in - first);
            unpack(weights.packed, (first_channel + index) * fan_in + first, count, row, index % 2)
        };
        let mut start = [0i32; GROUP];
        for ((index, channel), start) in channels.iter().enumerate().zip(&mut start) {
            let sum = (0..fan_in)
                .step_by(chunk.max(1))
                .fold(0i32, |sum, first| sum.wrapping_add(unpack_chunk(&mut rows, index, first)));
            *start = channel.bias().wrapping_sub(sum.wrapping_mul(OFFSET));
        }
        let range = first_channel..first_channel + channels.len();
        let requantiser = Requantiser::<GROUP>::new(weights, range, layer.quantisation);
        for first_pixel in (0..pixels).step_by(tile.max(1)) {
            for first in (0..fan_in).step_by(chunk.max(1)) {
                // Weights that fit whole are there since the start values were computed.
                if chunk < fan_in {
                    for index in 0..channels.len() {
                        unpack_chunk(&mut rows, index, first);
                    }
                }
                let count = chunk.min(fan_in - first);
                let pairs = (first_pixel..pixels).step_by(2);
                for (pixel, sums) in pairs.zip(sums.chunks_exact_mut(2 * group)).take(tile / 2) {
                    // After the last pixel of an odd number comes the last one again; the sums are dropped.
                    let taps = first..first + count;
                    source.gather(pixel, taps.clone(), &mut columns, 0);
                    source.gather((pixel + 1).min(pixels - 1), taps, &mut columns, 1);
                    let columns = columns.get(..words_of(count)).unwrap_or(&[]);
                    let start = if first == 0 { Some(&start) } else { None };
                    accumulate(start, &rows, row_words, columns, sums.split_at_mut(group));
                }
            }
            let places = output.chunks_exact_mut(shape.channels.max(1)).skip(first_pixel).take(tile);
            for (sums, places) in sums.chunks_exact(group).zip(places) {
                requantiser.apply(sums, places.get_mut(first_channel..).unwrap_or(&mut []));
            }
        }
    }
}

/// Words that hold `count` values.
const fn words_of(count: usize) -> usize {
    count.div_ceil(4) * 2
}

/// One side's word.
#[inline(always)]
const fn of([left, right]: &mut Two, side: usize) -> &mut u32 {
    if side == 0 { left } else { right }
}

/// Puts inputs into one side of `words`; what is left of the last four is anything, as the weights there are 0.
#[inline(always)]
fn spread_all(values: &[i8], words: &mut [Two], side: usize) {
    let values: &[u8] = bytemuck::cast_slice(values);
    let (fours, rest) = values.as_chunks::<4>();
    let (places, _) = words.as_chunks_mut::<2>();
    for (&four, [even, odd]) in fours.iter().zip(places.iter_mut()) {
        [*of(even, side), *of(odd, side)] = spread(four);
    }
    if let (false, Some([even, odd])) = (rest.is_empty(), places.get_mut(fours.len())) {
        let mut four = [0; 4];
        for (value, &rest) in four.iter_mut().zip(rest) {
            *value = rest;
        }
        [*of(even, side), *of(odd, side)] = spread(four);
    }
}

/// Unpacks the weights `start..start + count` into one side of `row`, the last four filled with 0. Returns their sum.
#[inline(never)]
fn unpack(packed: Packed<'_>, start: usize, count: usize, row: &mut [Two], side: usize) -> i32 {
    let mut sum = 0i32;
    for (first, words) in (0..count).step_by(STRIP).zip(row.chunks_mut(STRIP / 2)) {
        let mut strip = [0i8; STRIP];
        packed.unpack(start + first, strip.get_mut(..STRIP.min(count - first)).unwrap_or(&mut []));
        for (four, [even, odd]) in strip.as_chunks::<4>().0.iter().zip(words.as_chunks_mut::<2>().0) {
            let [a, b, c, d] = four.map(i32::from);
            let word = |lower: i32, upper: i32| lower as u32 & 0xffff | (upper as u32) << 16;
            (*of(even, side), *of(odd, side)) = (word(a, c), word(b, d));
            sum = sum.wrapping_add(a + b + c + d);
        }
    }
    sum
}

/// The input as columns: what each output pixel sees, in the order of the weights.
struct Source<'a, 'b> {
    layer: &'a Layer<'b>,
    window: Window,
    input: &'a [i8],
    fan_in: usize,
    /// Whether output pixel i sees input pixel i and nothing else.
    pointwise: bool,
    taps: [i8; CHUNK],
}

impl<'a, 'b> Source<'a, 'b> {
    fn new(layer: &'a Layer<'b>, window: Window, fan_in: usize, input: &'a [i8]) -> Self {
        let (from, to) = (layer.input.shape, layer.output.shape);
        let pointwise = fan_in == from.channels
            && window.stride == 1
            && (from.height, from.width) == (to.height, to.width);
        Self { layer, window, input, fan_in, pointwise, taps: [0; CHUNK] }
    }

    /// Gathers `taps` of output pixel `pixel` into one side of `columns`.
    #[inline(never)]
    fn gather(&mut self, pixel: usize, taps: Range<usize>, columns: &mut [Two; CHUNK / 2], side: usize) {
        let Range { start: first, end } = taps;
        let count = end - first;
        let values = if self.pointwise {
            let start = pixel * self.fan_in + first;
            self.input.get(start..start + count)
        } else {
            self.copy_taps(pixel, first, count);
            self.taps.get(..count)
        };
        spread_all(values.unwrap_or(&[]), columns, side);
    }

    /// Copies the taps `first..first + count` of output pixel `pixel` to `taps`.
    fn copy_taps(&mut self, pixel: usize, first: usize, count: usize) {
        let (shape, window) = (self.layer.input.shape, self.window);
        let zero_point = self.layer.input.zero_point;
        let width = self.layer.output.shape.width.max(1);
        let (y, x) = (pixel / width * window.stride, pixel % width * window.stride);
        let row_taps = (window.kernel_width * shape.channels).max(1);
        let row_elements = shape.width * shape.channels;
        // Elements of the input, counted from the left edge of the padding.
        let left = x * shape.channels;
        let edge = window.pad_left * shape.channels;
        let (mut ky, mut within) = (first / row_taps, first % row_taps);
        let mut rest = self.taps.get_mut(..count).unwrap_or(&mut []);
        while !rest.is_empty() {
            let (taps, later) = rest.split_at_mut(rest.len().min(row_taps - within));
            let row = (y + ky).wrapping_sub(window.pad_top);
            let from = left + within;
            if row < shape.height && from >= edge && from + taps.len() <= edge + row_elements {
                // Not a slice copy: for so few elements the call costs more than the loop.
                for (tap, at) in taps.iter_mut().zip(row * row_elements + from - edge..) {
                    *tap = self.input.get(at).copied().unwrap_or(zero_point);
                }
            } else {
                for (tap, at) in taps.iter_mut().zip(from..) {
                    let element = at.wrapping_sub(edge);
                    let inside = row < shape.height && element < row_elements;
                    let value = if inside { self.input.get(row * row_elements + element) } else { None };
                    *tap = value.copied().unwrap_or(zero_point);
                }
            }
            rest = later;
            (ky, within) = (ky + 1, 0);
        }
    }
}

/// Adds to the sums of two pixels, one for each channel, the products of the channels' rows with the pixels' columns. The
/// sums begin with `start` if there is one.
#[inline(never)]
fn accumulate(
    start: Option<&[i32; GROUP]>,
    rows: &[Two],
    row_words: usize,
    columns: &[Two],
    (left, right): (&mut [i32], &mut [i32]),
) {
    let mut rest = rows;
    let pairs = left.as_chunks_mut::<2>().0.iter_mut().zip(right.as_chunks_mut::<2>().0);
    for (index, (left, right)) in pairs.enumerate() {
        let Some((rows, after)) = rest.split_at_checked(row_words) else { return broken_invariant() };
        rest = after;
        if let Some(&start) = start.and_then(|start| start.as_chunks::<2>().0.get(index)) {
            (*left, *right) = (start, start);
        }
        let ([mut s00, mut s10], [mut s01, mut s11]) = (*left, *right);
        for (&[w0, w1], &[v0, v1]) in rows.iter().zip(columns) {
            s00 = dot(w0, v0, s00);
            s01 = dot(w0, v1, s01);
            s10 = dot(w1, v0, s10);
            s11 = dot(w1, v1, s11);
        }
        (*left, *right) = ([s00, s10], [s01, s11]);
    }
}

/// `sum` plus the products of both halves.
#[inline(always)]
fn dot(weights: u32, values: u32, sum: i32) -> i32 {
    let [sum, upper] = multiply_halves(weights, values, [sum, 0]);
    sum.wrapping_add(upper)
}
