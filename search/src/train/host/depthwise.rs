//! Convolutions of each channel by itself.
//!
//! A channel is read once into a plane, normalised on the way. Each output is a sum over those places of the kernel that
//! lie within the image, so padding costs nothing.

use std::ops::Range;

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::lanes::{Batch, Lanes};
use super::tensor::{Above, Finish, Gradient, Pair, Sums, Tensor};
use bomp_export::ir::Window;

/// Memory for planes.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    input: Vec<Lanes>,
    output: Vec<Lanes>,
    result: Vec<Lanes>,
    places: Vec<Lanes>,
}

/// A layer's geometry and weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer<'a> {
    pub(super) window: &'a Window,
    /// (height, width) of the output.
    pub(super) size: (usize, usize),
    /// [channels, kernel, kernel].
    pub(super) weights: &'a [f32],
}

/// The weights of one channel.
#[derive(Clone, Copy)]
struct Kernel<'a> {
    weights: &'a [f32],
    size: usize,
    stride: usize,
}

/// A channel [H, W, N].
#[derive(Clone, Copy)]
struct Plane<'a> {
    elements: &'a [Lanes],
    width: usize,
}

impl<'a> Layer<'a> {
    fn kernels(&self) -> impl Iterator<Item = Kernel<'a>> {
        let Window { kernel: size, stride, .. } = *self.window;
        self.weights.chunks_exact(size * size).map(move |weights| Kernel { weights, size, stride })
    }
}

/// Kernel rows (or columns) that meet an image of `size` at output `at`, and the input that the first of them meets.
fn places(window: &Window, padding: usize, size: usize, at: usize) -> (Range<usize>, usize) {
    let start = at * window.stride;
    let first = padding.saturating_sub(start).min(window.kernel);
    let end = (size + padding).saturating_sub(start).min(window.kernel);
    (first..end.max(first), (start + first).saturating_sub(padding))
}

/// Outputs that input `at` reaches, and the place of the kernel through which it reaches the first; further outputs do
/// through a place lower by the stride.
fn reached(window: &Window, padding: usize, outputs: usize, at: usize) -> (Range<usize>, usize) {
    let last = (at + padding) / window.stride;
    let first = (at + padding + 1).saturating_sub(window.kernel).div_ceil(window.stride);
    let first = first.min(outputs);
    let end = (last + 1).clamp(first, outputs);
    (first..end, (at + padding).saturating_sub(first * window.stride))
}

/// Forward pass: fills the output, and the sums as `finish` says.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    simd: S,
    layer: Layer<'_>,
    input: &Tensor,
    finish: Finish<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    (output, sums): (&mut [Lanes], &mut Sums),
) {
    let Layer { window, size, .. } = layer;
    let run = size.0 * size.1 * batch.groups;
    scratch.input.resize(input.run(batch), Lanes::ZERO);
    for (channel, (output, kernel)) in output.chunks_exact_mut(run).zip(layer.kernels()).enumerate() {
        input.view.of(simd, channel).read_run(input.channel(channel, batch), &mut scratch.input);
        batch.clear(&mut scratch.input, 0);
        let plane = Plane { elements: &scratch.input, width: input.width };
        let mut outputs = output.chunks_exact_mut(batch.groups);
        for y in 0..size.0 {
            let rows = places(window, window.padding[0], input.height, y);
            for x in 0..size.1 {
                let columns = places(window, window.padding[1], input.width, x);
                let to = outputs.next().expect("an output for each place");
                gather(simd, kernel, &rows, &columns, plane, to);
            }
        }
        let (finish, mut pair) = (finish.of(simd, channel), Pair::zero(simd));
        for lanes in output.iter_mut() {
            lanes.store(finish.apply(lanes.load(simd), &mut pair));
        }
        pair.add_to(simd, &mut sums.pairs[channel]);
    }
}

/// Sum of the places `rows` by `columns` of a kernel, which begin at the given places of the plane.
#[inline(always)]
fn gather<S: Simd>(
    simd: S,
    kernel: Kernel<'_>,
    rows: &(Range<usize>, usize),
    columns: &(Range<usize>, usize),
    plane: Plane<'_>,
    to: &mut [Lanes],
) {
    let groups = to.len();
    let mut first = 0;
    while first < groups {
        if groups - first >= 4 {
            gather_groups::<S, 4>(simd, kernel, rows, columns, plane, first, to);
            first += 4;
        } else {
            gather_groups::<S, 1>(simd, kernel, rows, columns, plane, first, to);
            first += 1;
        }
    }
}

#[inline(always)]
fn gather_groups<S: Simd, const N: usize>(
    simd: S,
    kernel: Kernel<'_>,
    rows: &(Range<usize>, usize),
    columns: &(Range<usize>, usize),
    plane: Plane<'_>,
    first: usize,
    to: &mut [Lanes],
) {
    let groups = to.len();
    let mut sums = [f32x16::splat(simd, 0.0); N];
    for (row, y) in rows.0.clone().zip(rows.1..) {
        let weights = &kernel.weights[row * kernel.size..][columns.0.clone()];
        let from = &plane.elements[(y * plane.width + columns.1) * groups..][..weights.len() * groups];
        for (&weight, from) in weights.iter().zip(from.chunks_exact(groups)) {
            let weight = f32x16::splat(simd, weight);
            for (sum, lanes) in sums.iter_mut().zip(&from[first..][..N]) {
                *sum = weight.mul_add(lanes.load(simd), *sum);
            }
        }
    }
    for (sum, to) in sums.into_iter().zip(&mut to[first..][..N]) {
        to.store(sum);
    }
}

/// Backward pass: adds the gradient by the weights to `by_weights`, and that by the input to `by_input`, if there is one.
#[inline(always)]
pub(super) fn backward<S: Simd>(
    simd: S,
    layer: Layer<'_>,
    input: &Tensor,
    above: Above<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    (by_weights, mut by_input): (&mut [f32], Option<&mut Gradient>),
) {
    let Layer { window, size, .. } = layer;
    let Scratch { input: plane, output, result, places: sums } = scratch;
    plane.resize(input.run(batch), Lanes::ZERO);
    output.resize(size.0 * size.1 * batch.groups, Lanes::ZERO);
    result.resize(batch.groups, Lanes::ZERO);
    let found = by_weights.chunks_exact_mut(window.kernel * window.kernel);
    for (channel, (kernel, found)) in layer.kernels().zip(found).enumerate() {
        let view = input.view.of(simd, channel);
        let stored = input.channel(channel, batch);
        view.read_run(stored, plane);
        batch.clear(plane, 0);
        above.read_run(simd, channel, channel * output.len(), output);
        batch.clear(output, 0);

        sums.clear();
        sums.resize(found.len(), Lanes::ZERO);
        let mut outputs = output.chunks_exact(batch.groups);
        let read = Plane { elements: plane, width: input.width };
        for y in 0..size.0 {
            let rows = places(window, window.padding[0], input.height, y);
            for x in 0..size.1 {
                let columns = places(window, window.padding[1], input.width, x);
                let gradient = outputs.next().expect("an output for each place");
                scatter(simd, sums, window.kernel, &rows, &columns, read, gradient);
            }
        }
        for (to, sum) in found.iter_mut().zip(sums.iter()) {
            *to += sum.total() as f32;
        }

        let Some(by_input) = &mut by_input else { continue };
        let gradients = Plane { elements: output, width: size.1 };
        let first_part = !by_input.filled;
        let to = &mut by_input.data[channel * plane.len()..][..plane.len()];
        let groups = batch.groups;
        let mut pixels =
            to.chunks_exact_mut(groups).zip(plane.chunks_exact(groups)).zip(stored.chunks_exact(groups));
        let mut pair = Pair::zero(simd);
        for y in 0..input.height {
            let rows = reached(window, window.padding[0], size.0, y);
            for x in 0..input.width {
                let columns = reached(window, window.padding[1], size.1, x);
                spread(simd, kernel, &rows, &columns, gradients, result);
                let ((to, read), stored) = pixels.next().expect("a pixel for each place");
                for (((gradient, read), stored), to) in result.iter().zip(read).zip(stored).zip(to) {
                    let gradient = view.pass(read.load(simd), gradient.load(simd));
                    pair.add(gradient, stored.load(simd));
                    to.store(if first_part { gradient } else { gradient + to.load(simd) });
                }
            }
        }
        pair.add_to(simd, &mut by_input.sums.pairs[channel]);
    }
}

/// Adds the products of the gradient of one output with what it was made from to `sums`, one for each place.
#[inline(always)]
fn scatter<S: Simd>(
    simd: S,
    sums: &mut [Lanes],
    kernel: usize,
    rows: &(Range<usize>, usize),
    columns: &(Range<usize>, usize),
    plane: Plane<'_>,
    gradient: &[Lanes],
) {
    let groups = gradient.len();
    for (row, y) in rows.0.clone().zip(rows.1..) {
        let sums = &mut sums[row * kernel..][columns.0.clone()];
        let from = &plane.elements[(y * plane.width + columns.1) * groups..][..sums.len() * groups];
        for (to, from) in sums.iter_mut().zip(from.chunks_exact(groups)) {
            let mut sum = to.load(simd);
            for (gradient, from) in gradient.iter().zip(from) {
                sum = gradient.load(simd).mul_add(from.load(simd), sum);
            }
            to.store(sum);
        }
    }
}

/// Sum of the gradients of the outputs `rows` by `columns` that one input reaches, times the weights through which.
#[inline(always)]
fn spread<S: Simd>(
    simd: S,
    kernel: Kernel<'_>,
    rows: &(Range<usize>, usize),
    columns: &(Range<usize>, usize),
    plane: Plane<'_>,
    to: &mut [Lanes],
) {
    let groups = to.len();
    let mut first = 0;
    while first < groups {
        if groups - first >= 4 {
            spread_groups::<S, 4>(simd, kernel, rows, columns, plane, first, to);
            first += 4;
        } else {
            spread_groups::<S, 1>(simd, kernel, rows, columns, plane, first, to);
            first += 1;
        }
    }
}

#[inline(always)]
fn spread_groups<S: Simd, const N: usize>(
    simd: S,
    kernel: Kernel<'_>,
    rows: &(Range<usize>, usize),
    columns: &(Range<usize>, usize),
    plane: Plane<'_>,
    first: usize,
    to: &mut [Lanes],
) {
    let groups = to.len();
    let mut sums = [f32x16::splat(simd, 0.0); N];
    for (index, y) in rows.0.clone().enumerate() {
        let row = rows.1 - index * kernel.stride;
        let from =
            &plane.elements[(y * plane.width + columns.0.start) * groups..][..columns.0.len() * groups];
        for (index, from) in from.chunks_exact(groups).enumerate() {
            let weight = kernel.weights[row * kernel.size + columns.1 - index * kernel.stride];
            let weight = f32x16::splat(simd, weight);
            for (sum, lanes) in sums.iter_mut().zip(&from[first..][..N]) {
                *sum = weight.mul_add(lanes.load(simd), *sum);
            }
        }
    }
    for (sum, to) in sums.into_iter().zip(&mut to[first..][..N]) {
        to.store(sum);
    }
}
