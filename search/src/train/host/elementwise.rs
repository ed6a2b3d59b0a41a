//! Layers without weights: the sum of two tensors and the average over an image.

use fearless_simd::{Simd, SimdBase, f32x16};

use super::lanes::{Batch, Lanes};
use super::tensor::{Gradient, Pair, Rounding, Tensor};

/// `output` = the inputs times `factors`, added and, with a rounding, rounded.
#[inline(always)]
pub(super) fn add<S: Simd>(
    simd: S,
    inputs: [&Tensor; 2],
    factors: [f32; 2],
    rounding: Option<Rounding>,
    batch: &Batch,
    output: &mut [Lanes],
) {
    let run = inputs[0].run(batch);
    let factors = [f32x16::splat(simd, factors[0]), f32x16::splat(simd, factors[1])];
    for (channel, output) in output.chunks_exact_mut(run).enumerate() {
        let views = [inputs[0].view.of(simd, channel), inputs[1].view.of(simd, channel)];
        let rounding = rounding.map(|rounding| rounding.of(simd));
        let pairs = inputs[0].channel(channel, batch).iter().zip(inputs[1].channel(channel, batch));
        for ((left, right), to) in pairs.zip(output) {
            let [left, right] = [views[0].read(left.load(simd)), views[1].read(right.load(simd))];
            let sum = left * factors[0] + right * factors[1];
            to.store(match rounding {
                Some(rounding) => rounding.apply(sum),
                None => sum,
            });
        }
    }
}

/// `output` = the average over an image times `factor`, rounded with a rounding.
#[inline(always)]
pub(super) fn average<S: Simd>(
    simd: S,
    input: &Tensor,
    factor: f32,
    rounding: Option<Rounding>,
    batch: &Batch,
    output: &mut [Lanes],
) {
    let factor = f32x16::splat(simd, factor / (input.height * input.width) as f32);
    for (channel, output) in output.chunks_exact_mut(batch.groups).enumerate() {
        let view = input.view.of(simd, channel);
        for (group, to) in output.iter_mut().enumerate() {
            let mut sum = f32x16::splat(simd, 0.0);
            for lanes in input.channel(channel, batch)[group..].iter().step_by(batch.groups) {
                sum += view.read(lanes.load(simd));
            }
            let mean = sum * factor;
            to.store(match rounding {
                Some(rounding) => rounding.of(simd).apply(mean),
                None => mean,
            });
        }
    }
}

/// The integer arithmetic of a layer without weights, as [`bomp_runtime::quant`] has it; results are saturated at the bounds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Exact {
    /// floor(a * factors[0] + b * factors[1] + 1/2).
    Add { factors: [f64; 2], low: f64, high: f64 },
    /// (sum * factor + 2^(shift - 1)) >> shift.
    Average { factor: i64, shift: i64, low: i64, high: i64 },
}

/// Adds two tensors of integers.
pub(super) fn add_exactly(inputs: [&Tensor; 2], exact: Exact, output: &mut [Lanes]) {
    let Exact::Add { factors, low, high } = exact else { unreachable!("the arithmetic of an addition") };
    for ((left, right), to) in inputs[0].data.iter().zip(&inputs[1].data).zip(output) {
        for ((left, right), to) in left.0.iter().zip(right.0).zip(&mut to.0) {
            let sum = f64::from(*left) * factors[0] + f64::from(right) * factors[1];
            *to = (sum + 0.5).floor().clamp(low, high) as f32;
        }
    }
}

/// Averages a tensor of integers, whose sums a float holds.
pub(super) fn average_exactly(input: &Tensor, exact: Exact, batch: &Batch, output: &mut [Lanes]) {
    let Exact::Average { factor, shift, low, high } = exact else {
        unreachable!("the arithmetic of an average")
    };
    let run = input.run(batch);
    for (channel, output) in input.data.chunks_exact(run).zip(output.chunks_exact_mut(batch.groups)) {
        output.fill(Lanes::ZERO);
        for pixel in channel.chunks_exact(batch.groups) {
            for (to, from) in output.iter_mut().zip(pixel) {
                for (to, from) in to.0.iter_mut().zip(from.0) {
                    *to += from;
                }
            }
        }
        for value in output.iter_mut().flat_map(|lanes| &mut lanes.0) {
            let rounded = (*value as i64 * factor + (1 << (shift - 1))) >> shift;
            *value = rounded.clamp(low, high) as f32;
        }
    }
}

/// Adds `factor` times the gradient w.r.t. a layer's output to that w.r.t. its input. An average has one output for each image
/// (`shared`), an addition one for each element.
#[inline(always)]
pub(super) fn hand_back<S: Simd>(
    simd: S,
    input: &Tensor,
    gradient: &[Lanes],
    factor: f32,
    shared: bool,
    batch: &Batch,
    by_input: &mut Gradient,
) {
    let run = input.run(batch);
    let factor = f32x16::splat(simd, factor);
    let length = if shared { batch.groups } else { run };
    for (channel, gradient) in gradient.chunks_exact(length).enumerate().take(input.channels) {
        let view = input.view.of(simd, channel);
        let mut pair = Pair::zero(simd);
        let to = &mut by_input.data[channel * run..][..run];
        let stored = input.channel(channel, batch);
        for (to, stored) in to.chunks_exact_mut(length).zip(stored.chunks_exact(length)) {
            for ((to, stored), gradient) in to.iter_mut().zip(stored).zip(gradient) {
                let stored = stored.load(simd);
                let gradient = view.pass(view.read(stored), gradient.load(simd) * factor);
                pair.add(gradient, stored);
                to.store(if by_input.filled { gradient + to.load(simd) } else { gradient });
            }
        }
        pair.add_to(simd, &mut by_input.sums.pairs[channel]);
    }
}
