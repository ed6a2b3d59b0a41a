//! Depthwise convolution: one channel at a time, whose input is copied row by row to a plane of 16-bit halves with the
//! padding around it. So two taps are multiplied at once, the image's edges are no special case, and the output may be
//! written over the input: a row is in the plane before it is overwritten.

use core::cell::Cell;
use core::ops::Range;

use super::convolution::plain;
use super::machine::{self, LANE_HEAD, LANE_TAIL, Lane, Rows, halves};
use super::unpack::table_factors;
use super::{at_least_1, has};
use crate::kernels::{Needs, broken_invariant};
use crate::layer::{Layer, Op, Shape, Weights, Window};

/// Rows of the plane beyond the kernel's, at least; each saves copying.
const SPARE_ROWS: usize = 4;
/// Words of the plane, as long as that is enough for those and not more than the image needs.
const PLANE_WORDS: usize = 192;

/// How the work is divided; the size of the scratch follows from it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Plan {
    /// Pairs of taps of a kernel row.
    pairs: usize,
    /// Words of a row of the plane.
    pitch: usize,
    /// Rows of the plane.
    rows: usize,
    /// Words of the table of weights.
    table: usize,
}

impl Plan {
    pub(in super::super) const fn new(window: Window, to: Shape) -> Self {
        let shifted = if window.stride == 1 { 1 } else { 0 };
        let pairs = (window.kernel_width + shifted).div_ceil(2);
        // Outputs come in pairs; what the last one sees is read even if it is not there.
        let last = (to.width - 1) / 2 * 2 * window.stride;
        let pitch = last / 2 + pairs + if window.stride == 1 { 0 } else { window.stride.div_ceil(2) };
        let padded = (to.height - 1) * window.stride + window.kernel_height;
        let least = window.kernel_height + SPARE_ROWS;
        let most = PLANE_WORDS / at_least_1(pitch);
        let most = if most < least { least } else { most };
        let rows = if padded < most { padded } else { most };
        let table = LANE_HEAD + window.kernel_height * Lane::row_words(pairs, window.stride) + LANE_TAIL;
        Self { pairs, pitch, rows, table }
    }

    /// Pairs of taps of a kernel row.
    pub(in super::super) const fn pairs(&self) -> usize {
        self.pairs
    }

    /// Words of scratch.
    pub(in super::super) const fn words(&self) -> usize {
        self.table + self.rows * self.pitch
    }
}

/// The activations: two tensors, or one in which the output replaces the input.
pub(super) enum Place<'a> {
    Apart(&'a [i8], &'a mut [i8]),
    Same(&'a mut [i8]),
}

impl Place<'_> {
    fn input(&self) -> &[i8] {
        match self {
            Self::Apart(input, _) => input,
            Self::Same(place) => place,
        }
    }

    fn output(&mut self) -> &mut [i8] {
        match self {
            Self::Apart(_, output) => output,
            Self::Same(place) => place,
        }
    }
}

#[inline(never)]
pub(super) fn depthwise<const NEEDS: u32>(layer: &Layer<'_>, mut place: Place<'_>, scratch: &mut [u32]) {
    let Op::Depthwise(window, weights) = &layer.op else { return broken_invariant() };
    let plan = Plan::new(*window, layer.output.shape);
    let Some((table, plane)) = scratch.split_at_mut_checked(plan.table) else { return broken_invariant() };
    let Some(plane) = plane.get_mut(..plan.rows * plan.pitch) else { return broken_invariant() };
    let zero_point = i16::from(layer.input.zero_point);
    bytemuck::cast_slice_mut::<u32, i16>(plane).fill(zero_point);
    let mut work = Work::<'_, '_, NEEDS> { layer, window, weights, plan, table, plane };
    for channel in 0..layer.output.shape.channels {
        work.load_weights(channel);
        work.convolve(channel, &mut place);
    }
    machine::limit(layer.quantisation.min, layer.quantisation.max, place.output());
}

struct Work<'a, 'b, const NEEDS: u32> {
    layer: &'a Layer<'b>,
    window: &'a Window,
    weights: &'a Weights<'b>,
    plan: Plan,
    table: &'a mut [u32],
    /// [rows][pitch], halves; beside the image the zero point.
    plane: &'a mut [u32],
}

impl<const NEEDS: u32> Work<'_, '_, NEEDS> {
    /// Fills the table with the weights of `channel`.
    #[inline(never)]
    fn load_weights(&mut self, channel: usize) {
        let Plan { pairs, .. } = self.plan;
        let Window { kernel_width, stride, .. } = *self.window;
        let mut taps = self.weights.packed.values(channel * self.weights.fan_in);
        let Some((head, rest)) = self.table.split_first_chunk_mut::<LANE_HEAD>() else {
            return broken_invariant();
        };
        let Some((rows, tail)) = rest.split_last_chunk_mut::<LANE_TAIL>() else { return broken_invariant() };
        for row in rows.chunks_exact_mut(at_least_1(Lane::row_words(pairs, stride))) {
            let mut before = 0;
            let mut left = kernel_width;
            for index in 0..pairs {
                let mut tap = || {
                    let tap = if left > 0 { i32::from(taps.next_value()) } else { 0 };
                    left = left.saturating_sub(1);
                    tap
                };
                let (first, second) = (tap(), tap());
                let at = Lane::place(index, stride);
                if let Some(place) = row.get_mut(at) {
                    *place = halves(first, second);
                }
                if stride == 1
                    && let Some(place) = row.get_mut(at + Lane::odd_distance(index, pairs))
                {
                    *place = halves(before, first);
                }
                before = second;
            }
        }
        let Some(parameters) = self.weights.channels.get(channel) else { return broken_invariant() };
        *head = [parameters.bias() as u32; LANE_HEAD];
        let [place, zero_point, ..] = tail;
        table_factors::<NEEDS>(self.weights, channel, core::slice::from_mut(place));
        *zero_point = i32::from(self.layer.quantisation.zero_point) as u32;
    }

    #[inline(never)]
    fn convolve(&mut self, channel: usize, place: &mut Place<'_>) {
        let Plan { pitch, rows, .. } = self.plan;
        let Window { kernel_height, stride, .. } = *self.window;
        let to = self.layer.output.shape;
        // Rows of output that the plane is enough for.
        let batch = at_least_1((rows - kernel_height) / at_least_1(stride) + 1);
        // Padded rows of the image before this one are, or were, in the plane.
        let mut end = 0usize;
        for y in (0..to.height).step_by(batch) {
            let count = batch.min(to.height - y);
            let top = y * stride;
            let kept = end.saturating_sub(top);
            if kept > 0 && y > 0 {
                let words = Cell::from_mut(&mut *self.plane).as_slice_of_cells();
                let from = words.get(batch * stride * pitch..).unwrap_or(&[]);
                for (to, from) in words.iter().zip(from).take(kept * pitch) {
                    to.set(from.get());
                }
            }
            end = top + (count - 1) * stride + kernel_height;
            self.load_rows(channel, top + kept..end, kept, place.input());
            self.multiply(channel, y, count, place.output());
        }
    }

    /// Copies padded rows of the image to row `slot` of the plane and those after it.
    fn load_rows(&mut self, channel: usize, rows: Range<usize>, slot: usize, input: &[i8]) {
        let Range { start: first, end } = rows;
        let shape = self.layer.input.shape;
        let Window { pad_top, pad_left, .. } = *self.window;
        let pitch = 2 * self.plan.pitch;
        let plane: &mut [i16] = bytemuck::cast_slice_mut(self.plane);
        let Some(plane) = plane.get_mut(slot * pitch..(slot + end - first) * pitch) else {
            return broken_invariant();
        };
        // Of these rows, the first and last ones may lie above and below the image.
        let above = pad_top.saturating_sub(first).min(end - first);
        let below = (end - first).min((shape.height + pad_top).saturating_sub(first)).max(above);
        let zero_point = self.layer.input.zero_point.into();
        let Some((above, rest)) = plane.split_at_mut_checked(above * pitch) else {
            return broken_invariant();
        };
        let Some((inside, below)) = rest.split_at_mut_checked(below * pitch - above.len()) else {
            return broken_invariant();
        };
        above.fill(zero_point);
        below.fill(zero_point);
        let row = (first + above.len() / at_least_1(pitch)).saturating_sub(pad_top);
        let spread = machine::Spread {
            step: shape.channels,
            row_step: shape.width * shape.channels,
            pitch,
            width: shape.width.min(pitch.saturating_sub(pad_left)),
            count: inside.len() / at_least_1(pitch),
        };
        let values = input.get(row * spread.row_step + channel..).unwrap_or(&[]);
        machine::spread(spread, values, inside.get_mut(pad_left..).unwrap_or(&mut []));
    }

    /// Computes `count` rows of output from `y` on, whose first row of taps is the first of the plane.
    fn multiply(&mut self, channel: usize, y: usize, count: usize, output: &mut [i8]) {
        let Plan { pairs, pitch, .. } = self.plan;
        let Window { kernel_height, stride, .. } = *self.window;
        let shape = self.layer.output.shape;
        let lane = Lane { table: self.table, pairs, kernel_rows: kernel_height, stride };
        let output = output.get_mut(y * shape.width * shape.channels + channel..).unwrap_or(&mut []);
        let quick = lane.table.get(self.plan.table - LANE_TAIL).is_some_and(|&factor| factor != 0);
        if quick && Lane::is_quick(pairs, stride) {
            let rows = Rows { pitch, step: shape.channels, width: shape.width, count };
            return machine::rows::<NEEDS>(lane, rows, self.plane, output);
        }
        if !has(NEEDS, Needs::RARE_FACTOR) && !has(NEEDS, Needs::RARE_DEPTHWISE) {
            return broken_invariant();
        }
        let factor = self.weights.factor(channel);
        let plane = bytemuck::cast_slice(self.plane);
        let places = output.iter_mut().step_by(at_least_1(shape.channels)).take(shape.width * count);
        for (index, place) in places.enumerate() {
            let (y, x) = (index / at_least_1(shape.width), index % at_least_1(shape.width));
            let at = y * stride * 2 * pitch + x * stride;
            let sum = machine::plane_sum(&lane, plane, 2 * pitch, at);
            *place = plain(sum, factor, self.layer.quantisation);
        }
    }
}
