//! Convolution over all input channels: four output channels at a time, whose weights are unpacked once, times each pixel.
//!
//! A pointwise convolution reads its taps where they are. Any other gathers the taps of a few pixels into columns first,
//! for as many output channels as find room in the scratch.

use super::machine::{self, GROUP_HEAD, GROUP_TAIL, Group, Steps};
use super::unpack::{table_factors, unpack_row};
use super::{at_least_1, has};
use crate::kernels::{Needs, broken_invariant};
use crate::layer::{Layer, Op, Shape, Weights, Window};
use crate::quant::{self, Factor};

/// Words for unpacked weights, as long as that is more than one group of channels needs.
const WEIGHT_WORDS: usize = 280;
/// Elements of gathered columns, as long as that is more than one.
const COLUMN_ELEMENTS: usize = 256;

/// How the work is divided; the size of the scratch follows from it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Plan {
    /// Whether output pixel i sees input pixel i and nothing else.
    pointwise: bool,
    /// Taps divided by 4, rounded up.
    fours: usize,
    /// Groups of four output channels whose weights are unpacked at a time.
    groups: usize,
    /// Columns gathered at a time.
    columns: usize,
}

impl Plan {
    pub(in super::super) const fn new(window: Window, fan_in: usize, from: Shape, to: Shape) -> Self {
        // A single tap would be read together with those of the next three pixels, which the last ones do not have.
        let pointwise = fan_in == from.channels
            && fan_in > 1
            && window.stride == 1
            && from.height == to.height
            && from.width == to.width;
        let fours = fan_in.div_ceil(4);
        let mut groups = 1;
        let mut columns = 0;
        if !pointwise {
            let all = to.channels.div_ceil(4);
            groups = WEIGHT_WORDS / (GROUP_HEAD + 8 * fours + GROUP_TAIL);
            groups = if groups > all { all } else { groups };
            groups = if groups == 0 { 1 } else { groups };
            columns = COLUMN_ELEMENTS / at_least_1(4 * fours);
            columns = if columns > to.width { to.width } else { columns };
        }
        // The last pixel is gathered even of a pointwise convolution, if its last four taps are not whole.
        if columns == 0 && (!pointwise || !fan_in.is_multiple_of(4)) {
            columns = 1;
        }
        Self { pointwise, fours, groups, columns }
    }

    const fn group_words(&self) -> usize {
        GROUP_HEAD + 8 * self.fours + GROUP_TAIL
    }

    /// Whether the taps of some pixel are gathered.
    pub(in super::super) const fn gathers(&self) -> bool {
        self.columns > 0
    }

    /// Words of scratch.
    pub(in super::super) const fn words(&self) -> usize {
        self.groups * self.group_words() + self.columns * self.fours
    }
}

#[inline(never)]
pub(super) fn convolution<const NEEDS: u32>(
    layer: &Layer<'_>,
    input: &[i8],
    output: &mut [i8],
    scratch: &mut [u32],
) {
    let Op::Convolution(window, weights) = &layer.op else { return broken_invariant() };
    let (from, to) = (layer.input.shape, layer.output.shape);
    let plan = Plan::new(*window, weights.fan_in, from, to);
    let Some((tables, columns)) = scratch.split_at_mut_checked(plan.groups * plan.group_words()) else {
        return broken_invariant();
    };
    let columns: &mut [i8] = bytemuck::cast_slice_mut(columns);
    let work = Work::<'_, '_, NEEDS> { layer, window, weights, plan, input };
    let pixels = to.height * to.width;
    for first in (0..to.channels).step_by(at_least_1(4 * plan.groups)) {
        let here = (to.channels - first).div_ceil(4).min(plan.groups);
        for (index, table) in tables.chunks_exact_mut(at_least_1(plan.group_words())).take(here).enumerate() {
            work.unpack(first + 4 * index, table);
        }
        let mut run = |pixel: usize, count: usize, step: usize, columns: &[i8]| {
            for (index, table) in
                tables.chunks_exact_mut(at_least_1(plan.group_words())).take(here).enumerate()
            {
                let steps = Steps { input: step, output: to.channels, count };
                work.multiply(first + 4 * index, pixel, steps, columns, table, output);
            }
        };
        if plan.pointwise || !has(NEEDS, Needs::GATHER) {
            let direct = pixels - plan.columns;
            run(0, direct, from.channels, input);
            if plan.columns > 0 && has(NEEDS, Needs::GATHER) {
                columns.fill(0);
                work.gather(direct, columns);
                run(direct, 1, 4 * plan.fours, columns);
            }
        } else {
            let column = 4 * plan.fours;
            let rows = (0..to.height)
                .flat_map(|y| (0..to.width).step_by(at_least_1(plan.columns)).map(move |x| (y, x)));
            for (y, x) in rows {
                let count = plan.columns.min(to.width - x);
                for (index, column) in columns.chunks_exact_mut(at_least_1(column)).take(count).enumerate() {
                    work.gather(y * to.width + x + index, column);
                }
                run(y * to.width + x, count, column, columns);
            }
        }
    }
    machine::limit(layer.quantisation.min, layer.quantisation.max, output);
}

struct Work<'a, 'b, const NEEDS: u32> {
    layer: &'a Layer<'b>,
    window: &'a Window,
    weights: &'a Weights<'b>,
    plan: Plan,
    input: &'a [i8],
}

impl<const NEEDS: u32> Work<'_, '_, NEEDS> {
    /// The first of the four channels that are computed with `channel`: the last group overlaps the one before if it must.
    /// With fewer than four channels, those.
    fn first(&self, channel: usize) -> usize {
        channel.min(self.layer.output.shape.channels.saturating_sub(4))
    }

    /// Fills the table of the four channels from about `channel` on.
    #[inline(never)]
    fn unpack(&self, channel: usize, table: &mut [u32]) {
        let first = self.first(channel);
        let fan_in = self.weights.fan_in;
        let Some((head, rest)) = table.split_first_chunk_mut::<GROUP_HEAD>() else {
            return broken_invariant();
        };
        let Some((weights, tail)) = rest.split_at_mut_checked(8 * self.plan.fours) else {
            return broken_invariant();
        };
        let channels = self.weights.channels.get(first..).unwrap_or(&[]);
        if channels.len() < 4 {
            weights.fill(0);
        }
        for (lane, (channel, start)) in channels.iter().zip(head).enumerate() {
            *start = channel.bias() as u32;
            let places = weights.get_mut(lane..).unwrap_or(&mut []);
            unpack_row::<NEEDS>(self.weights.packed, (first + lane) * fan_in, fan_in, places);
        }
        let Some([a, b, c, d, zero_point, ..]) = tail.first_chunk_mut::<GROUP_TAIL>() else {
            return broken_invariant();
        };
        let mut factors = [0; 4];
        // Fewer than four channels are requantised one by one.
        if channels.len() >= 4 {
            table_factors::<NEEDS>(self.weights, first, &mut factors);
        }
        [*a, *b, *c, *d] = factors;
        *zero_point = i32::from(self.layer.quantisation.zero_point) as u32;
    }

    /// Computes `steps.count` pixels from `pixel` on, whose taps begin at `values`, with a table that [`Self::unpack`] filled.
    /// Seven parameters: it is called for each row of pixels, and to put them together costs 0.5 % of a convolution.
    #[inline(never)]
    fn multiply(
        &self,
        channel: usize,
        pixel: usize,
        steps: Steps,
        values: &[i8],
        table: &mut [u32],
        output: &mut [i8],
    ) {
        let first = self.first(channel);
        let Some(output) = output.get_mut(pixel * steps.output + first..) else { return broken_invariant() };
        let fours = self.plan.fours;
        if table.get(GROUP_HEAD + 8 * fours).is_some_and(|&factor| factor != 0) {
            return machine::pixels::<NEEDS>(Group { table, fours }, steps, values, output);
        }
        if !has(NEEDS, Needs::RARE_FACTOR) {
            return broken_invariant();
        }
        for index in 0..steps.count {
            let sums = machine::sums(table, fours, values.get(index * steps.input..).unwrap_or(&[]));
            let places = output.get_mut(index * steps.output..).unwrap_or(&mut []);
            let channels = first..self.weights.channels.len();
            for ((sum, channel), place) in sums.into_iter().zip(channels).zip(places) {
                *place = plain(sum, self.weights.factor(channel), self.layer.quantisation);
            }
        }
    }

    /// Gathers what output pixel `pixel` sees. What follows the last tap in `column` is anything.
    #[inline(never)]
    fn gather(&self, pixel: usize, column: &mut [i8]) {
        let (shape, window) = (self.layer.input.shape, self.window);
        let zero_point = self.layer.input.zero_point;
        let width = self.layer.output.shape.width.max(1);
        let top = (pixel / width * window.stride).wrapping_sub(window.pad_top);
        let left = (pixel % width * window.stride).wrapping_sub(window.pad_left);
        let taps = window.kernel_width * shape.channels;
        let inside = left < shape.width && window.kernel_width <= shape.width - left;
        for ky in 0..window.kernel_height {
            let y = top.wrapping_add(ky);
            let Some(column) = column.get_mut(ky * taps..) else { return broken_invariant() };
            if y >= shape.height {
                column.get_mut(..taps).unwrap_or(&mut []).fill(zero_point);
            } else if inside {
                let start = (y * shape.width + left) * shape.channels;
                copy(self.input.get(start..).unwrap_or(&[]), column, taps);
            } else {
                for (kx, taps) in
                    column.chunks_mut(at_least_1(shape.channels)).take(window.kernel_width).enumerate()
                {
                    let x = left.wrapping_add(kx);
                    if x < shape.width {
                        let start = (y * shape.width + x) * shape.channels;
                        copy(self.input.get(start..).unwrap_or(&[]), taps, shape.channels);
                    } else {
                        taps.fill(zero_point);
                    }
                }
            }
        }
    }
}

/// Copies `count` elements, and up to three more where both have them. For so few a loop is quicker than a call.
#[inline(always)]
fn copy(from: &[i8], to: &mut [i8], count: usize) {
    let fours = count.div_ceil(4);
    let (from_fours, to_fours) = (from.as_chunks::<4>().0, to.as_chunks_mut::<4>().0);
    if let (Some(from), Some(to)) = (from_fours.get(..fours), to_fours.get_mut(..fours)) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    } else {
        for (to, &from) in to.iter_mut().zip(from).take(count) {
            *to = from;
        }
    }
}

/// [`quant::requantise`], out of the way.
#[cold]
#[inline(never)]
pub(super) fn plain(sum: i32, factor: Factor, output: quant::Output) -> i8 {
    quant::requantise(sum, factor, output)
}
