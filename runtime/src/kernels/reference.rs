//! The specification: each kernel as its formula, element by element. Never optimised.

use super::{Kernels, broken_invariant};
use crate::layer::{Layer, Op, Shape, Weights, Window};
use crate::quant::{self, AddScale, Output};

/// The kernels that define the arithmetic.
#[derive(Clone, Copy, Debug)]
pub struct Reference;

/// acc = bias + sum of weight(tap) * value(tap) over the `fan_in` taps of one output channel.
fn accumulate(weights: Weights<'_>, channel: usize, value: impl Fn(usize) -> i8) -> i32 {
    let bias = weights.channels.get(channel).map_or(0, |c| c.bias());
    (0..weights.fan_in).fold(bias, |acc, tap| {
        let weight = weights.packed.get(channel * weights.fan_in + tap);
        acc.wrapping_add(i32::from(weight) * i32::from(value(tap)))
    })
}

/// Calls `at(y, x, channel)` for each output element in order and requantises the accumulator that it returns.
fn each_output(
    layer: &Layer<'_>,
    weights: Weights<'_>,
    output: &mut [i8],
    at: impl Fn(usize, usize, usize) -> i32,
) {
    let (width, channels) = (layer.output.shape.width.max(1), layer.output.shape.channels.max(1));
    for (index, out) in output.iter_mut().enumerate() {
        let channel = index % channels;
        let x = index / channels % width;
        let y = index / channels / width;
        *out = quant::requantise(at(y, x, channel), weights.factor(channel), layer.quantisation);
    }
}

/// Row and column of the input under kernel position (`ky`, `kx`) of output position (`y`, `x`); `None` outside the image.
fn position(
    shape: Shape,
    window: Window,
    (y, x): (usize, usize),
    (ky, kx): (usize, usize),
) -> Option<(usize, usize)> {
    let row = (y * window.stride + ky).checked_sub(window.pad_top).filter(|&row| row < shape.height)?;
    let column =
        (x * window.stride + kx).checked_sub(window.pad_left).filter(|&column| column < shape.width)?;
    Some((row, column))
}

/// Input element of channel `c` under a kernel position of an output position; the zero point outside the image.
fn tap(
    layer: &Layer<'_>,
    window: Window,
    input: &[i8],
    at: (usize, usize),
    (ky, kx, c): (usize, usize, usize),
) -> i8 {
    let shape = layer.input.shape;
    position(shape, window, at, (ky, kx))
        .and_then(|(row, column)| input.get((row * shape.width + column) * shape.channels + c).copied())
        .unwrap_or(layer.input.zero_point)
}

/// The rows of one channel that the kernel covers, kept while the channel's output is written over its input.
struct Rows<'a> {
    /// [K_H][W]: row r of the input is kept at row r mod K_H.
    kept: &'a mut [i8],
    kernel_height: usize,
    shape: Shape,
    /// Rows of the input that have been kept so far.
    end: usize,
}

impl Rows<'_> {
    /// Keeps the rows before `end` that have not been kept yet.
    fn keep(&mut self, place: &[i8], channel: usize, end: usize) {
        let Shape { height, width, channels } = self.shape;
        for row in self.end..end.min(height) {
            for x in 0..width {
                let value = place.get((row * width + x) * channels + channel).copied().unwrap_or(0);
                if let Some(kept) = self.kept.get_mut(row % self.kernel_height.max(1) * width + x) {
                    *kept = value;
                }
            }
        }
        self.end = self.end.max(end.min(height));
    }

    fn get(&self, row: usize, x: usize) -> Option<i8> {
        self.kept.get(row % self.kernel_height.max(1) * self.shape.width + x).copied()
    }
}

impl Kernels for Reference {
    fn convolution(layer: &Layer<'_>, input: &[i8], output: &mut [i8], _: &mut [u32]) {
        let Op::Convolution(window, weights) = layer.op else { return broken_invariant() };
        let (channels, kernel_width) = (layer.input.shape.channels.max(1), window.kernel_width.max(1));
        each_output(layer, weights, output, |y, x, channel| {
            accumulate(weights, channel, |t| {
                let (position, c) = (t / channels, t % channels);
                tap(layer, window, input, (y, x), (position / kernel_width, position % kernel_width, c))
            })
        });
    }

    fn depthwise(layer: &Layer<'_>, input: &[i8], output: &mut [i8], _: &mut [u32]) {
        let Op::Depthwise(window, weights) = layer.op else { return broken_invariant() };
        let kernel_width = window.kernel_width.max(1);
        each_output(layer, weights, output, |y, x, channel| {
            accumulate(weights, channel, |t| {
                tap(layer, window, input, (y, x), (t / kernel_width, t % kernel_width, channel))
            })
        });
    }

    fn depthwise_in_place(layer: &Layer<'_>, place: &mut [i8], scratch: &mut [u32]) {
        let Op::Depthwise(window, weights) = layer.op else { return broken_invariant() };
        let (shape, to) = (layer.input.shape, layer.output.shape);
        let (kernel_height, kernel_width) = (window.kernel_height.max(1), window.kernel_width.max(1));
        for channel in 0..weights.channels.len() {
            let kept = bytemuck::cast_slice_mut(&mut *scratch);
            let mut rows = Rows { kept, kernel_height, shape, end: 0 };
            for y in 0..to.height {
                // Before row y of the output is written, all rows up to the last that it reads are kept.
                rows.keep(place, channel, (y * window.stride + kernel_height).saturating_sub(window.pad_top));
                for x in 0..to.width {
                    let accumulator = accumulate(weights, channel, |t| {
                        let (ky, kx) = (t / kernel_width, t % kernel_width);
                        position(shape, window, (y, x), (ky, kx))
                            .and_then(|(row, column)| rows.get(row, column))
                            .unwrap_or(layer.input.zero_point)
                    });
                    if let Some(out) = place.get_mut((y * to.width + x) * to.channels + channel) {
                        *out = quant::requantise(accumulator, weights.factor(channel), layer.quantisation);
                    }
                }
            }
        }
    }

    fn classifier(layer: &Layer<'_>, input: &[i8], logits: &mut [i32], _: &mut [u32]) {
        let Op::Classifier(weights) = layer.op else { return broken_invariant() };
        for (class, logit) in logits.iter_mut().enumerate() {
            let accumulator = accumulate(weights, class, |t| input.get(t).copied().unwrap_or(0));
            *logit = quant::logit(accumulator, weights.factor(class));
        }
    }

    fn average_pool(layer: &Layer<'_>, input: &[i8], output: &mut [i8], _: &mut [u32]) {
        let Op::AveragePool { factor, shift } = layer.op else { return broken_invariant() };
        let zero_point = i32::from(layer.input.zero_point);
        let channels = layer.input.shape.channels;
        for (channel, out) in output.iter_mut().enumerate() {
            let values = input.iter().skip(channel).step_by(channels.max(1));
            let sum = values.fold(0i32, |sum, &value| sum.wrapping_add(i32::from(value) - zero_point));
            *out = quant::scale(sum, factor, shift, layer.quantisation);
        }
    }

    fn add_assign(output: Output, scale: AddScale, place: &mut [i8], other: &[i8], _: &mut [u32]) {
        for (a, &b) in place.iter_mut().zip(other) {
            *a = quant::add(*a, b, scale, output);
        }
    }

    fn add_to_self(output: Output, scale: AddScale, place: &mut [i8], _: &mut [u32]) {
        for a in place {
            *a = quant::add(*a, *a, scale, output);
        }
    }
}
