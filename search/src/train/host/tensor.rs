//! What is kept of a tensor between the forward and the backward pass, and what a layer does to its sums.

use fearless_simd::{Simd, SimdBase, SimdFloat, SimdNarrow, SimdWiden, f32x16, f64x8};

use super::lanes::{Batch, Lanes, View};

/// A tensor [C, H * W, N].
#[derive(Debug, Default)]
pub(super) struct Tensor {
    pub(super) data: Vec<Lanes>,
    pub(super) view: View,
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Tensor {
    /// Elements of a channel, in groups.
    pub(super) fn run(&self, batch: &Batch) -> usize {
        self.height * self.width * batch.groups
    }

    /// The stored elements of a channel.
    pub(super) fn channel(&self, channel: usize, batch: &Batch) -> &[Lanes] {
        let run = self.run(batch);
        &self.data[channel * run..][..run]
    }
}

/// The gradient of the loss w.r.t. a tensor as it is meant, after its activation has cut it, and sums of it.
#[derive(Debug, Default)]
pub(super) struct Gradient {
    /// At least as long as the tensor.
    pub(super) data: Vec<Lanes>,
    /// Whether a layer that reads the tensor has put its part there; before, there is nothing to add to.
    pub(super) filled: bool,
    pub(super) sums: Sums,
}

/// Two sums for each channel, the lanes not yet added up: of the stored elements and of their squares in the forward pass,
/// of the gradient and of its products with the stored elements in the backward pass.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) pairs: Vec<[Lanes; 2]>,
}

impl Sums {
    pub(super) fn clear(&mut self, channels: usize) {
        self.pairs.clear();
        self.pairs.resize(channels, [Lanes::ZERO; 2]);
    }

    /// The two sums of `channel`.
    pub(super) fn of(&self, channel: usize) -> [f64; 2] {
        [self.pairs[channel][0].total(), self.pairs[channel][1].total()]
    }
}

/// The two sums of a channel in the making.
#[derive(Clone, Copy)]
pub(super) struct Pair<S: Simd>([f32x16<S>; 2]);

impl<S: Simd> Pair<S> {
    #[inline(always)]
    pub(super) fn zero(simd: S) -> Self {
        Self([f32x16::splat(simd, 0.0); 2])
    }

    /// Adds `value`, and `value * other`.
    #[inline(always)]
    pub(super) fn add(&mut self, value: f32x16<S>, other: f32x16<S>) {
        self.0[0] += value;
        self.0[1] = value.mul_add(other, self.0[1]);
    }

    #[inline(always)]
    pub(super) fn add_to(self, simd: S, pair: &mut [Lanes; 2]) {
        for (sum, lanes) in self.0.into_iter().zip(pair) {
            lanes.store(sum + lanes.load(simd));
        }
    }
}

/// How a tensor is rounded: round(min(max(x, low), high) * steps) * step. The gradient stops where the bounds cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rounding {
    pub(super) low: f32,
    pub(super) high: f32,
    /// Steps of a unit.
    pub(super) steps: f32,
    /// Units of a step.
    pub(super) step: f32,
}

/// What a layer does to its sums before it stores them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finish<'a> {
    /// Nothing, but their sums and squares are summed for a batch norm.
    Measure,
    /// Adds the bias of each channel.
    Bias(&'a [f32]),
    /// Requantises integers, see [`Requantise`].
    Requantise(Requantise<'a>),
}

/// Requantisation of integers: min(max(floor(sum * factor + offset), low), high) in double precision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Requantise<'a> {
    /// Of each channel.
    pub(super) factors: &'a [f64],
    /// Of each channel.
    pub(super) offsets: &'a [f64],
    pub(super) low: f64,
    pub(super) high: f64,
}

/// [`Finish`] for one channel.
#[derive(Clone, Copy)]
pub(super) enum ChannelFinish<S: Simd> {
    Measure,
    Bias(f32x16<S>),
    Requantise { factor: f64x8<S>, offset: f64x8<S>, low: f64x8<S>, high: f64x8<S> },
}

/// [`Rounding`] in vectors.
#[derive(Clone, Copy)]
pub(super) struct ChannelRounding<S: Simd> {
    low: f32x16<S>,
    high: f32x16<S>,
    steps: f32x16<S>,
    step: f32x16<S>,
}

impl Rounding {
    #[inline(always)]
    pub(super) fn of<S: Simd>(self, simd: S) -> ChannelRounding<S> {
        let [low, high, steps, step] = [
            f32x16::splat(simd, self.low),
            f32x16::splat(simd, self.high),
            f32x16::splat(simd, self.steps),
            f32x16::splat(simd, self.step),
        ];
        ChannelRounding { low, high, steps, step }
    }
}

impl<S: Simd> ChannelRounding<S> {
    #[inline(always)]
    pub(super) fn apply(self, value: f32x16<S>) -> f32x16<S> {
        // In this order x86 hands on what is not a number.
        let within = self.high.min(self.low.max(value));
        (within * self.steps).round_ties_even() * self.step
    }
}

impl Finish<'_> {
    #[inline(always)]
    pub(super) fn of<S: Simd>(&self, simd: S, channel: usize) -> ChannelFinish<S> {
        match *self {
            Self::Measure => ChannelFinish::Measure,
            Self::Bias(bias) => ChannelFinish::Bias(f32x16::splat(simd, bias[channel])),
            Self::Requantise(Requantise { factors, offsets, low, high }) => ChannelFinish::Requantise {
                factor: f64x8::splat(simd, factors[channel]),
                offset: f64x8::splat(simd, offsets[channel]),
                low: f64x8::splat(simd, low),
                high: f64x8::splat(simd, high),
            },
        }
    }
}

impl<S: Simd> ChannelFinish<S> {
    #[inline(always)]
    pub(super) fn apply(self, sum: f32x16<S>, pair: &mut Pair<S>) -> f32x16<S> {
        match self {
            Self::Measure => {
                pair.add(sum, sum);
                sum
            }
            Self::Bias(bias) => sum + bias,
            Self::Requantise { factor, offset, low, high } => {
                let (left, right) = sum.widen();
                let left = high.min(low.max((left * factor + offset).floor()));
                let right = high.min(low.max((right * factor + offset).floor()));
                left.narrow(right)
            }
        }
    }
}

/// The gradient w.r.t. a layer's output, and what makes of it that w.r.t. the layer's sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Above<'a> {
    pub(super) stored: &'a [Lanes],
    pub(super) gradient: &'a [Lanes],
    /// Factors of the gradient and of the sums, and a constant, for each channel; `None` where the output is the sums.
    pub(super) derivative: Option<&'a [[f32; 3]]>,
}

impl Above<'_> {
    /// Reads the gradient w.r.t. the sums of `channel` from position `first` of the tensor on.
    #[inline(always)]
    pub(super) fn read_run<S: Simd>(&self, simd: S, channel: usize, first: usize, to: &mut [Lanes]) {
        let gradient = &self.gradient[first..][..to.len()];
        let Some(factors) = self.derivative else {
            to.copy_from_slice(gradient);
            return;
        };
        let [a, b, c] = factors[channel];
        let (a, b, c) = (f32x16::splat(simd, a), f32x16::splat(simd, b), f32x16::splat(simd, c));
        for ((gradient, stored), to) in gradient.iter().zip(&self.stored[first..]).zip(to) {
            to.store(a.mul_add(gradient.load(simd), b.mul_add(stored.load(simd), c)));
        }
    }
}
