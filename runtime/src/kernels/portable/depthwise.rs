//! Depthwise convolution: a few neighbouring channels at a time, so that their sums stay in registers.
//!
//! Taps beside the image are the same for many pixels, so what they add is computed once and put into the start values of
//! the sums; the loop over taps then has no test for the image's edges. Four channels are multiplied as halves of words,
//! as in a [`super::convolution`], their inputs kept as value + 128; other numbers of channels one by one.

use super::requantiser::Requantiser;
use super::{OFFSET, multiply_halves, spread};
use crate::kernels::{Kernels, Reference, broken_invariant};
use crate::layer::{Layer, Op, Weights, Window};

/// Largest number of taps in one direction; larger kernels, which no search space has, are left to the reference.
const MAX_SIDE: usize = 7;
/// Largest number of taps of a kernel.
const MAX_TAPS: usize = MAX_SIDE * MAX_SIDE;

pub(super) fn depthwise(layer: &Layer<'_>, input: &[i8], output: &mut [i8]) {
    let Op::Depthwise(window, weights) = layer.op else { return broken_invariant() };
    let channels = layer.output.shape.channels;
    if window.kernel_height > MAX_SIDE || window.kernel_width > MAX_SIDE {
        return Reference::depthwise(layer, input, output, &mut []);
    }
    // Four sums are what a Cortex-M has registers for; the host's vectors hold more.
    if cfg!(not(target_arch = "arm")) && channels >= 16 {
        in_lanes::<16>(layer, window, weights, input, output);
    } else if channels >= 4 {
        in_lanes::<4>(layer, window, weights, input, output);
    } else {
        in_lanes::<1>(layer, window, weights, input, output);
    }
}

/// All channels, `LANES` at a time, which is at most their number. The last group overlaps the one before if it must; what
/// both compute is the same.
#[inline(never)]
fn in_lanes<const LANES: usize>(
    layer: &Layer<'_>,
    window: Window,
    weights: Weights<'_>,
    input: &[i8],
    output: &mut [i8],
) {
    let (from, to) = (layer.input.shape, layer.output.shape);
    let pitch = from.width * from.channels;
    let mut lanes = Lanes::<LANES> { weights: [[0; LANES]; MAX_TAPS], offsets: [0; MAX_TAPS] };
    let padding = i32::from(layer.input.zero_point) + Lanes::<LANES>::OFFSET;
    let positions = (0..window.kernel_height).flat_map(|y| (0..window.kernel_width).map(move |x| (y, x)));
    for (offset, (y, x)) in lanes.offsets.iter_mut().zip(positions) {
        *offset = y * pitch + x * from.channels;
    }
    for first in (0..to.channels).step_by(LANES) {
        let first = first.min(to.channels - LANES);
        let totals = lanes.load(weights, first);
        let channels = weights.channels.get(first..first + LANES).unwrap_or(&[]);
        let requantiser = Requantiser::<LANES>::new(weights, first..first + LANES, layer.quantisation);
        let mut start = [0; LANES];
        for ((start, channel), total) in start.iter_mut().zip(channels).zip(totals) {
            *start = channel.bias().wrapping_sub(total * Lanes::<LANES>::OFFSET);
        }
        let mut edges = Edges { start, columns: [[0; LANES]; MAX_SIDE] };
        let mut last_rows = None;
        for (y, output) in output.chunks_exact_mut(to.width * to.channels).enumerate() {
            let rows = Covered::new(y * window.stride, window.pad_top, window.kernel_height, from.height);
            if last_rows != Some(rows) {
                edges = Edges::new(start, window, &lanes, rows, padding);
                last_rows = Some(rows);
            }
            let row = Row { layer, window, lanes: &lanes, rows, edges: &edges, input, first };
            row.run(y, &requantiser, output);
        }
    }
}

/// The weights of neighbouring channels and where the values that belong to them lie.
struct Lanes<const LANES: usize> {
    /// [K_H * K_W][[`Self::place`] of the lane].
    weights: [[i16; LANES]; MAX_TAPS],
    /// Of each tap, counted from the first one, in elements of the input.
    offsets: [usize; MAX_TAPS],
}

impl<const LANES: usize> Lanes<LANES> {
    /// What is added to inputs.
    const OFFSET: i32 = if LANES == 4 { OFFSET } else { 0 };

    /// Where the weight of a lane is kept: of four, 0 and 2 share a word, and 1 and 3.
    const fn place(lane: usize) -> usize {
        match (LANES, lane) {
            (4, 1) => 2,
            (4, 2) => 1,
            _ => lane,
        }
    }

    /// Unpacks the weights of the channels `first..`; returns the sum of each channel.
    #[inline(never)]
    fn load(&mut self, weights: Weights<'_>, first: usize) -> [i32; LANES] {
        let mut totals = [0; LANES];
        for (lane, total) in totals.iter_mut().enumerate() {
            for (tap, row) in self.weights.iter_mut().enumerate().take(weights.fan_in) {
                let weight = i16::from(weights.packed.get((first + lane) * weights.fan_in + tap));
                if let Some(place) = row.get_mut(Self::place(lane)) {
                    *place = weight;
                }
                *total += i32::from(weight);
            }
        }
        totals
    }

    /// Adds the products of the taps `range`, the first tap of the kernel lying at element `at` of `input`, or before it
    /// by as much as it has wrapped around.
    #[inline(always)]
    fn multiply(&self, sums: &mut [i32; LANES], range: core::ops::Range<usize>, input: &[i8], at: usize) {
        let (Some(weights), Some(offsets)) = (self.weights.get(range.clone()), self.offsets.get(range))
        else {
            return broken_invariant();
        };
        for (weights, &offset) in weights.iter().zip(offsets) {
            let values =
                input.get(at.wrapping_add(offset)..).and_then(|values| values.first_chunk::<LANES>());
            let Some(values) = values else { return broken_invariant() };
            if let (Some(sums), Some(&weights), Some(values)) =
                (sums.first_chunk_mut(), weights.first_chunk(), values.first_chunk())
                && LANES == 4
            {
                multiply_four(sums, weights, values);
            } else {
                for ((sum, &weight), &value) in sums.iter_mut().zip(weights).zip(values) {
                    *sum = sum.wrapping_add(i32::from(weight) * i32::from(value));
                }
            }
        }
    }
}

#[inline(always)]
fn multiply_four([s0, s1, s2, s3]: &mut [i32; 4], [w0, w2, w1, w3]: [i16; 4], values: &[i8; 4]) {
    let word = |lower: i16, upper: i16| u32::from(lower as u16) | u32::from(upper as u16) << 16;
    let [even, odd] = spread(values.map(|value| value as u8));
    [*s0, *s2] = multiply_halves(word(w0, w2), even, [*s0, *s2]);
    [*s1, *s3] = multiply_halves(word(w1, w3), odd, [*s1, *s3]);
}

/// What taps beside the image add, for some rows of taps inside it.
struct Edges<const LANES: usize> {
    /// Bias and the rows of taps above and below the image.
    start: [i32; LANES],
    /// Each column of taps, to be added where it lies beside the image.
    columns: [[i32; LANES]; MAX_SIDE],
}

impl<const LANES: usize> Edges<LANES> {
    /// For sums that begin with `start`, and taps beside the image that read `padding`.
    #[inline(never)]
    fn new(start: [i32; LANES], window: Window, lanes: &Lanes<LANES>, rows: Covered, padding: i32) -> Self {
        let mut edges = Self { start, columns: [[0; LANES]; MAX_SIDE] };
        let mut taps = lanes.weights.iter();
        for row in 0..window.kernel_height {
            for (column, weights) in edges.columns.iter_mut().zip(&mut taps).take(window.kernel_width) {
                let sums = if rows.contains(row) { column } else { &mut edges.start };
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let weight = weights.get(Lanes::<LANES>::place(lane)).copied().unwrap_or(0);
                    *sum = sum.wrapping_add(i32::from(weight) * padding);
                }
            }
        }
        edges
    }

    /// Start of the sums of a pixel of which only `columns` of `width` columns of taps lie inside the image.
    fn start(&self, columns: Covered, width: usize) -> [i32; LANES] {
        let mut start = self.start;
        for (column, sums) in self.columns.iter().enumerate().take(width) {
            if !columns.contains(column) {
                for (start, &sum) in start.iter_mut().zip(sums) {
                    *start = start.wrapping_add(sum);
                }
            }
        }
        start
    }
}

/// A row of output.
struct Row<'a, 'b, const LANES: usize> {
    layer: &'a Layer<'b>,
    window: Window,
    lanes: &'a Lanes<LANES>,
    /// Rows of taps inside the image.
    rows: Covered,
    edges: &'a Edges<LANES>,
    input: &'a [i8],
    /// The channel of the first lane.
    first: usize,
}

impl<const LANES: usize> Row<'_, '_, LANES> {
    /// Computes the lanes of row `y`.
    #[inline(never)]
    fn run(&self, y: usize, requantiser: &Requantiser<'_, LANES>, output: &mut [i8]) {
        let Window { kernel_width, stride, pad_left, pad_top, .. } = self.window;
        let shape = self.layer.input.shape;
        let (first_tap, end_tap) = (self.rows.first * kernel_width, self.rows.end * kernel_width);
        // The first tap of the kernel may lie before the first element; the sums wrap around, and those of taps inside
        // the image wrap back.
        let top = (y * stride).wrapping_sub(pad_top).wrapping_mul(shape.width);
        for (x, pixel) in output.chunks_exact_mut(shape.channels).enumerate() {
            let columns = Covered::new(x * stride, pad_left, kernel_width, shape.width);
            let left = (x * stride).wrapping_sub(pad_left);
            let at = top.wrapping_add(left).wrapping_mul(shape.channels).wrapping_add(self.first);
            let mut sums;
            if columns.end - columns.first == kernel_width {
                sums = self.edges.start;
                self.lanes.multiply(&mut sums, first_tap..end_tap, self.input, at);
            } else {
                sums = self.at_edge(columns, at);
            }
            let Some(places) = pixel.get_mut(self.first..).and_then(|lanes| lanes.first_chunk_mut()) else {
                return broken_invariant();
            };
            *places = requantiser.apply_all(&sums);
        }
    }

    /// Sums of a pixel of which only `columns` lie inside the image.
    #[inline(never)]
    fn at_edge(&self, columns: Covered, at: usize) -> [i32; LANES] {
        let width = self.window.kernel_width;
        let mut sums = self.edges.start(columns, width);
        for row in self.rows.first..self.rows.end {
            let range = row * width + columns.first..row * width + columns.end;
            self.lanes.multiply(&mut sums, range, self.input, at);
        }
        sums
    }
}

/// The taps of a kernel that lie on the image, in one direction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Covered {
    first: usize,
    end: usize,
}

impl Covered {
    /// For a kernel of `kernel` taps that begins at element `start - pad` of `size`. Some tap lies on the image.
    #[inline]
    fn new(start: usize, pad: usize, kernel: usize, size: usize) -> Self {
        let first = pad.saturating_sub(start).min(kernel);
        let end = (size + pad).saturating_sub(start).min(kernel);
        Self { first, end: end.max(first) }
    }

    fn contains(self, tap: usize) -> bool {
        self.first <= tap && tap < self.end
    }
}
