//! Convolutions of each channel by itself.
//!
//! A channel is read once into a plane, normalised on the way. In a [`Grid`] what one weight of the kernel multiplies
//! for a row of outputs is one run of memory, so a kernel has many sums in registers whatever the number of images and
//! the stride. Rows of padding cost nothing, columns of it little.

use std::ops::Range;

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::lanes::{Batch, Lanes};
use super::product::wide;
use super::tensor::{Above, Finish, Gradient, Pair, Sums, Tensor};
use bomp_export::ir::Window;

/// Memory for planes.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    input: Vec<Lanes>,
    output: Vec<Lanes>,
    result: Vec<Lanes>,
    sums: Vec<Lanes>,
}

/// A layer's geometry and weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct DepthwiseLayer<'a> {
    pub(super) window: &'a Window,
    /// (height, width) of the output.
    pub(super) size: (usize, usize),
    /// [channels, kernel, kernel].
    pub(super) weights: &'a [f32],
}

/// Where the elements of a channel lie in planes [rows, columns, N].
///
/// Columns of the input's plane begin with the padding and are sorted by their remainder by the stride s: those of
/// remainder 0, then those of 1, and so on. Output x reads the columns x s + j, whose remainder is that of j and whose
/// position among those of that remainder is x + j / s: one more with each output. Columns of the gradient's plane
/// begin with as many zeros as make each input read from there in the same way.
#[derive(Clone, Copy, Debug)]
struct Grid<'a> {
    window: &'a Window,
    input: (usize, usize),
    output: (usize, usize),
    groups: usize,
    /// Columns of each remainder.
    columns: usize,
    /// The most outputs of a row that an input reaches.
    reach: usize,
}

impl<'a> Grid<'a> {
    fn new(layer: &DepthwiseLayer<'a>, input: &Tensor, batch: &Batch) -> Self {
        let Window { kernel, stride, padding, .. } = *layer.window;
        let columns = ((layer.size.1 - 1) * stride + kernel).max(padding[1] + input.width);
        Self {
            window: layer.window,
            input: (input.height, input.width),
            output: layer.size,
            groups: batch.groups,
            columns: columns.div_ceil(stride),
            reach: kernel.div_ceil(stride),
        }
    }

    /// Elements of a row of the input's plane.
    fn input_row(&self) -> usize {
        self.window.stride * self.columns * self.groups
    }

    /// Elements of a row of the gradient's plane.
    fn gradient_row(&self) -> usize {
        (self.reach - 1 + self.columns.max(self.output.1)) * self.groups
    }

    /// Elements of a row of the gradient's plane before its first output.
    fn before_gradient(&self) -> usize {
        (self.reach - 1) * self.groups
    }

    /// Where a padded column of the input begins in a row of its plane; from there on the kernel's column of this number
    /// meets the outputs of a row.
    fn offset(&self, column: usize) -> usize {
        let stride = self.window.stride;
        (column % stride * self.columns + column / stride) * self.groups
    }

    /// Copies a channel's rows into the input's plane.
    #[inline(always)]
    fn copy(&self, channel: &[Lanes], plane: &mut [Lanes], read: impl Fn(&[Lanes], &mut [Lanes])) {
        let left = self.window.padding[1];
        let rows = channel.chunks_exact(self.input.1 * self.groups);
        for (from, to) in rows.zip(plane.chunks_exact_mut(self.input_row())) {
            if self.window.stride == 1 {
                read(from, &mut to[left * self.groups..][..from.len()]);
                continue;
            }
            for (column, from) in from.chunks_exact(self.groups).enumerate() {
                read(from, &mut to[self.offset(left + column)..][..self.groups]);
            }
        }
    }

    /// Rows of the kernel that meet the image at output row `at`, and the row that the first of them meets.
    fn rows(&self, at: usize) -> (Range<usize>, usize) {
        let Window { kernel, stride, padding: [top, ..], .. } = *self.window;
        let start = at * stride;
        let first = top.saturating_sub(start).min(kernel);
        let end = (self.input.0 + top).saturating_sub(start).min(kernel);
        (first..end.max(first), (start + first).saturating_sub(top))
    }

    /// Rows of the output that input row `at` reaches, and the row of the kernel through which it reaches the first; it
    /// reaches each further one through a row lower by the stride.
    fn reached(&self, at: usize) -> (Range<usize>, usize) {
        let Window { kernel, stride, padding: [top, ..], .. } = *self.window;
        let last = (at + top) / stride;
        let first = (at + top + 1).saturating_sub(kernel).div_ceil(stride).min(self.output.0);
        let end = (last + 1).clamp(first, self.output.0);
        (first..end, (at + top).saturating_sub(first * stride))
    }
}

/// How the sums of a row are computed: where the runs begin that its weights multiply, and part by part.
#[derive(Debug)]
struct Plan {
    /// Of each weight, in the order in which they are summed.
    offsets: Vec<usize>,
    parts: Vec<Part>,
}

/// Neighbouring sums that are kept in registers together.
#[derive(Debug)]
struct Part {
    first: usize,
    count: usize,
    /// Those weights that meet more than padding.
    weights: Range<usize>,
}

impl Plan {
    /// For rows of `columns` by `groups` elements, at most `most` at once; `weights(first, last)` are the weights that
    /// meet more than padding in the columns `first..=last`.
    fn new(
        offsets: Vec<usize>,
        (columns, groups): (usize, usize),
        most: usize,
        weights: impl Fn(usize, usize) -> Range<usize>,
    ) -> Self {
        let mut parts = Vec::new();
        let (mut first, end) = (0, columns * groups);
        while first < end {
            let count = most.min(1 << (end - first).ilog2());
            parts.push(Part { first, count, weights: weights(first / groups, (first + count - 1) / groups) });
            first += count;
        }
        Self { offsets, parts }
    }

    /// That of the forward pass, over the columns of the kernel.
    fn forward(grid: &Grid<'_>, most: usize) -> Self {
        let Window { kernel, stride, padding: [_, left, ..], .. } = *grid.window;
        let offsets = (0..kernel).map(|column| grid.offset(column)).collect();
        Self::new(offsets, (grid.output.1, grid.groups), most, |first, last| {
            let start = left.saturating_sub(last * stride).min(kernel);
            start..(grid.input.1 + left).saturating_sub(first * stride).clamp(start, kernel)
        })
    }

    /// That of the gradient w.r.t. the inputs of a remainder, whose weights of a row are `weights`: the first of them is
    /// met by the output furthest to the left.
    fn backward(grid: &Grid<'_>, weights: usize, most: usize) -> Self {
        let skipped = grid.reach - weights;
        let offsets = (skipped..grid.reach).map(|column| column * grid.groups).collect();
        Self::new(offsets, (grid.columns, grid.groups), most, |first, last| {
            // Weight t of input q meets output q + t + 1 - weights.
            let start = weights.saturating_sub(last + 1).min(weights);
            start..(grid.output.1 + weights - 1).saturating_sub(first).clamp(start, weights)
        })
    }

    /// Fills a row with its sums.
    #[inline(always)]
    fn sum<S: Simd>(&self, simd: S, rows: Rows<'_>, to: &mut [Lanes]) {
        for part in &self.parts {
            match part.count {
                8 => self.sum_part::<S, 8>(simd, part, rows, to),
                4 => self.sum_part::<S, 4>(simd, part, rows, to),
                2 => self.sum_part::<S, 2>(simd, part, rows, to),
                _ => self.sum_part::<S, 1>(simd, part, rows, to),
            }
        }
    }

    #[inline(always)]
    fn sum_part<S: Simd, const N: usize>(&self, simd: S, part: &Part, rows: Rows<'_>, to: &mut [Lanes]) {
        let mut sums = [f32x16::splat(simd, 0.0); N];
        let offsets = &self.offsets[part.weights.clone()];
        for row in 0..rows.count {
            let weights = &rows.weights[row * rows.step * self.offsets.len()..][part.weights.clone()];
            let from = &rows.plane[row * rows.length + part.first..];
            for (&weight, &offset) in weights.iter().zip(offsets) {
                let weight = f32x16::splat(simd, weight);
                for (sum, lanes) in sums.iter_mut().zip(&from[offset..][..N]) {
                    *sum = weight.mul_add(lanes.load(simd), *sum);
                }
            }
        }
        for (sum, to) in sums.into_iter().zip(&mut to[part.first..][..N]) {
            to.store(sum);
        }
    }
}

/// What is summed into a row. An iterator in its place would be called, and a call leaves no vector in its register.
#[derive(Clone, Copy)]
struct Rows<'a> {
    count: usize,
    /// Of the rows of a kernel, of which each `step`th is summed.
    weights: &'a [f32],
    step: usize,
    /// Rows of `length`.
    plane: &'a [Lanes],
    length: usize,
}

/// Sums to keep in registers.
const fn most<S: Simd>() -> usize {
    if wide::<S>() { 8 } else { 4 }
}

/// Forward pass: fills the output, and the sums as `finish` says.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    simd: S,
    layer: DepthwiseLayer<'_>,
    input: &Tensor,
    finish: Finish<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    (output, sums): (&mut [Lanes], &mut Sums),
) {
    let grid = Grid::new(&layer, input, batch);
    let plan = Plan::forward(&grid, most::<S>());
    let (kernel, row) = (layer.window.kernel, grid.input_row());
    clear(&mut scratch.input, input.height * row);
    let channels = output.chunks_exact_mut(layer.size.0 * layer.size.1 * batch.groups);
    for (channel, (output, weights)) in channels.zip(layer.weights.chunks_exact(kernel * kernel)).enumerate()
    {
        let view = input.view.of(simd, channel);
        grid.copy(input.channel(channel, batch), &mut scratch.input, |from, to| view.read_run(from, to));
        batch.clear(&mut scratch.input, 0);
        let (finish, mut pair) = (finish.of(simd, channel), Pair::zero(simd));
        for (y, output) in output.chunks_exact_mut(layer.size.1 * batch.groups).enumerate() {
            let (rows, first) = grid.rows(y);
            let rows = Rows {
                count: rows.len(),
                weights: &weights[rows.start * kernel..],
                step: 1,
                plane: &scratch.input[first * row..],
                length: row,
            };
            plan.sum(simd, rows, output);
            for lanes in output.iter_mut() {
                lanes.store(finish.apply(lanes.load(simd), &mut pair));
            }
        }
        pair.add_to(simd, &mut sums.pairs[channel]);
    }
}

/// Backward pass, first half: adds the gradient w.r.t. the weights to `by_weights`.
#[inline(always)]
pub(super) fn by_weights<S: Simd>(
    simd: S,
    layer: DepthwiseLayer<'_>,
    input: &Tensor,
    above: Above<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    by_weights: &mut [f32],
) {
    let grid = Grid::new(&layer, input, batch);
    let Window { kernel, .. } = *layer.window;
    let offsets: Vec<usize> = (0..kernel).map(|column| grid.offset(column)).collect();
    let (row, run) = (grid.input_row(), layer.size.1 * batch.groups);
    let Scratch { input: plane, output: gradients, sums, .. } = scratch;
    clear(plane, input.height * row);
    clear(gradients, layer.size.0 * run);
    for (channel, found) in by_weights.chunks_exact_mut(kernel * kernel).enumerate() {
        let view = input.view.of(simd, channel);
        grid.copy(input.channel(channel, batch), plane, |from, to| view.read_run(from, to));
        batch.clear(plane, 0);
        above.read_run(simd, channel, channel * gradients.len(), gradients);
        batch.clear(gradients, 0);
        clear(sums, found.len());
        for (y, gradient) in gradients.chunks_exact(run).enumerate() {
            let (rows, first) = grid.rows(y);
            let sums = &mut sums[rows.start * kernel..rows.end * kernel];
            correlate(simd, gradient, &plane[first * row..], (row, &offsets), sums);
        }
        for (to, sum) in found.iter_mut().zip(sums.iter()) {
            *to += sum.total() as f32;
        }
    }
}

/// Backward pass, second half: adds the gradient w.r.t. the input to `by_input`. It reads the gradient again, into rows that
/// begin with zeros.
#[inline(always)]
pub(super) fn by_input<S: Simd>(
    simd: S,
    layer: DepthwiseLayer<'_>,
    input: &Tensor,
    above: Above<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    by_input: &mut Gradient,
) {
    let grid = Grid::new(&layer, input, batch);
    let Window { kernel, stride, padding: [_, left, ..], .. } = *layer.window;
    // Weights of a row through which inputs of a remainder reach outputs.
    let weights_of = |remainder: usize| (kernel - remainder.min(kernel)).div_ceil(stride);
    let plans: Vec<_> =
        (0..stride).map(|remainder| Plan::backward(&grid, weights_of(remainder), most::<S>())).collect();
    let (row, run) = (grid.gradient_row(), layer.size.1 * batch.groups);
    let Scratch { output: gradients, result, .. } = scratch;
    clear(gradients, layer.size.0 * row);
    clear(result, grid.input_row());
    let mut turned = vec![0.0; kernel * kernel];
    let first_part = !by_input.filled;
    let line = input.width * batch.groups;
    for (channel, weights) in layer.weights.chunks_exact(kernel * kernel).enumerate() {
        for (y, to) in gradients.chunks_exact_mut(row).enumerate() {
            let first = (channel * layer.size.0 + y) * run;
            above.read_run(simd, channel, first, &mut to[grid.before_gradient()..][..run]);
        }
        batch.clear(gradients, 0);
        turn(weights, kernel, stride, &mut turned);
        let (view, stored) = (input.view.of(simd, channel), input.channel(channel, batch));
        let to = &mut by_input.data[channel * stored.len()..][..stored.len()];
        let mut pair = Pair::zero(simd);
        for (y, (to, stored)) in to.chunks_exact_mut(line).zip(stored.chunks_exact(line)).enumerate() {
            let (outputs, last) = grid.reached(y);
            let mut turned = &turned[..];
            for (plan, result) in plans.iter().zip(result.chunks_exact_mut(grid.input_row() / stride)) {
                let (weights, rest) = turned.split_at(kernel * plan.offsets.len());
                turned = rest;
                let rows = Rows {
                    count: outputs.len(),
                    weights: &weights[(kernel - 1 - last) * plan.offsets.len()..],
                    step: stride,
                    plane: &gradients[outputs.start * row..],
                    length: row,
                };
                plan.sum(simd, rows, result);
            }
            let pixels = to.chunks_exact_mut(batch.groups).zip(stored.chunks_exact(batch.groups));
            for (column, (to, stored)) in pixels.enumerate() {
                let gradients = &result[grid.offset(left + column)..][..batch.groups];
                for ((gradient, stored), to) in gradients.iter().zip(stored).zip(to) {
                    let stored = stored.load(simd);
                    let gradient = view.pass(view.read(stored), gradient.load(simd));
                    pair.add(gradient, stored);
                    to.store(if first_part { gradient } else { gradient + to.load(simd) });
                }
            }
        }
        pair.add_to(simd, &mut by_input.sums.pairs[channel]);
    }
}

/// `count` zeros.
fn clear(plane: &mut Vec<Lanes>, count: usize) {
    plane.clear();
    plane.resize(count, Lanes::ZERO);
}

/// The weights of a kernel as inputs meet them: for each remainder by the stride, from the last row to the first, those
/// of that remainder, from the last column to the first.
fn turn(weights: &[f32], kernel: usize, stride: usize, turned: &mut [f32]) {
    let columns = (0..stride).flat_map(|remainder| {
        weights
            .chunks_exact(kernel)
            .rev()
            .flat_map(move |row| row.iter().skip(remainder).step_by(stride).rev())
    });
    for (to, &weight) in turned.iter_mut().zip(columns) {
        *to = weight;
    }
}

/// Weights whose gradients are kept in registers together.
const TOGETHER: usize = 10;

/// Adds the products of the gradient of a row of outputs with what it was made from to `sums`, one for each weight of
/// the kernel's rows that meet `plane` from its first row on; its rows have `row` elements, in which what the weights
/// of a row multiply begins at `offsets`.
#[inline(always)]
fn correlate<S: Simd>(
    simd: S,
    gradient: &[Lanes],
    plane: &[Lanes],
    (row, offsets): (usize, &[usize]),
    sums: &mut [Lanes],
) {
    let offset = |weight: usize| weight / offsets.len() * row + offsets[weight % offsets.len()];
    for (part, sums) in sums.chunks_mut(TOGETHER).enumerate() {
        let from = |index: usize| &plane[offset(part * TOGETHER + index)..][..gradient.len()];
        match sums.len() {
            1 => correlate_some::<S, 1>(simd, gradient, from, sums),
            2 => correlate_some::<S, 2>(simd, gradient, from, sums),
            3 => correlate_some::<S, 3>(simd, gradient, from, sums),
            4 => correlate_some::<S, 4>(simd, gradient, from, sums),
            5 => correlate_some::<S, 5>(simd, gradient, from, sums),
            6 => correlate_some::<S, 6>(simd, gradient, from, sums),
            7 => correlate_some::<S, 7>(simd, gradient, from, sums),
            8 => correlate_some::<S, 8>(simd, gradient, from, sums),
            9 => correlate_some::<S, 9>(simd, gradient, from, sums),
            _ => correlate_some::<S, TOGETHER>(simd, gradient, from, sums),
        }
    }
}

#[inline(always)]
fn correlate_some<'a, S: Simd, const N: usize>(
    simd: S,
    gradient: &[Lanes],
    from: impl Fn(usize) -> &'a [Lanes],
    sums: &mut [Lanes],
) {
    let from: [&[Lanes]; N] = std::array::from_fn(from);
    let mut found = [f32x16::splat(simd, 0.0); N];
    for (found, sum) in found.iter_mut().zip(&*sums) {
        *found = sum.load(simd);
    }
    for (element, gradient) in gradient.iter().enumerate() {
        let gradient = gradient.load(simd);
        for (found, from) in found.iter_mut().zip(from) {
            *found = gradient.mul_add(from[element].load(simd), *found);
        }
    }
    for (found, sum) in found.into_iter().zip(sums) {
        sum.store(found);
    }
}
