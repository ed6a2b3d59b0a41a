//! The specification: each kernel as its formula, element by element. Never optimised.

use super::Kernels;
use crate::layer::{Layer, Weights, Window};
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
    let shape = layer.output.shape;
    for (index, out) in output.iter_mut().enumerate() {
        let channel = index % shape.channels;
        let x = index / shape.channels % shape.width;
        let y = index / shape.channels / shape.width;
        let multiplier = weights.channels.get(channel).map_or(quant::Multiplier(0), |c| c.multiplier());
        *out = quant::requantise(at(y, x, channel), multiplier, weights.base_shift, layer.quantisation);
    }
}

/// Input element of output position (`y`, `x`) under kernel position (`ky`, `kx`); the zero point outside the image.
fn tap(
    layer: &Layer<'_>,
    window: Window,
    input: &[i8],
    (y, x): (usize, usize),
    (ky, kx): (usize, usize),
    c: usize,
) -> i8 {
    let shape = layer.input.shape;
    let row = (y * window.stride + ky).checked_sub(window.pad_top).filter(|&row| row < shape.height);
    let column = (x * window.stride + kx).checked_sub(window.pad_left).filter(|&column| column < shape.width);
    match (row, column) {
        (Some(row), Some(column)) => {
            let index = (row * shape.width + column) * shape.channels + c;
            input.get(index).copied().unwrap_or(layer.input.zero_point)
        }
        _ => layer.input.zero_point,
    }
}

impl Kernels for Reference {
    fn convolution(layer: &Layer<'_>, window: Window, weights: Weights<'_>, input: &[i8], output: &mut [i8]) {
        let channels = layer.input.shape.channels;
        each_output(layer, weights, output, |y, x, channel| {
            accumulate(weights, channel, |t| {
                let (position, c) = (t / channels, t % channels);
                let at = (position / window.kernel_width, position % window.kernel_width);
                tap(layer, window, input, (y, x), at, c)
            })
        });
    }

    fn depthwise(layer: &Layer<'_>, window: Window, weights: Weights<'_>, input: &[i8], output: &mut [i8]) {
        each_output(layer, weights, output, |y, x, channel| {
            accumulate(weights, channel, |t| {
                let at = (t / window.kernel_width, t % window.kernel_width);
                tap(layer, window, input, (y, x), at, channel)
            })
        });
    }

    fn classifier(_: &Layer<'_>, weights: Weights<'_>, input: &[i8], logits: &mut [i32]) {
        for (class, logit) in logits.iter_mut().enumerate() {
            let accumulator = accumulate(weights, class, |t| input.get(t).copied().unwrap_or(0));
            let multiplier = weights.channels.get(class).map_or(quant::Multiplier(0), |c| c.multiplier());
            *logit = quant::logit(accumulator, multiplier, weights.base_shift);
        }
    }

    fn average_pool(layer: &Layer<'_>, factor: i32, shift: u8, input: &[i8], output: &mut [i8]) {
        let zero_point = i32::from(layer.input.zero_point);
        let channels = layer.input.shape.channels;
        for (channel, out) in output.iter_mut().enumerate() {
            let values = input.iter().skip(channel).step_by(channels);
            let sum = values.fold(0i32, |sum, &value| sum.wrapping_add(i32::from(value) - zero_point));
            *out = quant::scale(sum, factor, shift, layer.quantisation);
        }
    }

    fn add_assign(output: Output, scale: AddScale, place: &mut [i8], other: &[i8]) {
        for (a, &b) in place.iter_mut().zip(other) {
            *a = quant::add(*a, b, scale, output);
        }
    }

    fn add_to_self(output: Output, scale: AddScale, place: &mut [i8]) {
        for a in place {
            *a = quant::add(*a, *a, scale, output);
        }
    }
}
