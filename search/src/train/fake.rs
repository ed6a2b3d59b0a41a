//! Fake quantisation of activations: float tensors that hold nothing but what the device's int8 tensors can.
//!
//! Each tensor has a unit, chosen so that the quantisation costs little: 6 units are the largest element after a ReLU6,
//! and one unit is one step of any other tensor. The units of a layer's input and output become a factor of its weights,
//! saturation is libtorch's own `relu6_`, and what is left is rounding in place.
//!
//! Rounding has the gradient of the identity (straight-through estimator; Bengio et al., "Estimating or propagating
//! gradients through stochastic neurons", 2013); saturation has none. The bounds are those that [`bomp_export::lower`] gives the device.

use bomp_export::candidate::Quantisation;
use bomp_export::ir::{Activation, Network, Op};
use bomp_export::lower;
use tch::Tensor;

use super::float::normalise;
use super::host::{self, Arithmetic};
use super::images::zero_of;
use super::net::{forward, spatial_mean, weighted_sum};
use super::quantise::Quantised;
use super::statistics::Moments;

/// How a tensor is held and rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FakeTensor {
    /// Real value of 1.
    pub(super) unit: f64,
    rounding: Rounding,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rounding {
    /// 0..=6 in this many steps.
    Relu6 { steps: f64 },
    /// Integers within these bounds.
    Integers { min: f64, max: f64 },
}

impl FakeTensor {
    /// The network's input: bytes, as steps away from the one that stands for 0. Pixels are 0..=255, which
    /// [`Quantisation::IMAGE`] reads as 0..=1.
    pub(super) fn input(input: Quantisation) -> Self {
        let zero = f64::from(zero_of(input));
        Self { unit: input.scale, rounding: Rounding::Integers { min: -zero, max: 255.0 - zero } }
    }

    /// Of the network's input, the byte that stands for 0.
    pub(super) fn zero(&self) -> u8 {
        match self.rounding {
            Rounding::Integers { min, .. } => -min as u8,
            Rounding::Relu6 { .. } => 0,
        }
    }

    /// The output of a layer with operation `op`.
    pub(super) fn of(op: &Op, quantisation: Quantisation) -> Self {
        let activation = host::activation(op);
        let bounds = lower::output(quantisation, activation);
        let [min, max] =
            [bounds.min, bounds.max].map(|bound| f64::from(bound) - f64::from(bounds.zero_point));
        // ReLU6's bounds leave at least one step, unless the zero point is the largest element.
        if activation == Activation::Relu6 && max >= 1.0 {
            Self { unit: quantisation.scale * max / 6.0, rounding: Rounding::Relu6 { steps: max } }
        } else {
            Self { unit: quantisation.scale, rounding: Rounding::Integers { min, max } }
        }
    }

    /// The input and the outputs of all layers but the classifier.
    pub(super) fn all(quantised: &Quantised) -> Vec<Self> {
        let outputs = quantised.network.layers.iter().zip(&quantised.tensors[1..]);
        let outputs = outputs.map(|(layer, &quantisation)| Self::of(&layer.op, quantisation));
        std::iter::once(Self::input(quantised.tensors[0])).chain(outputs).collect()
    }

    /// The output of a layer with operation `op`, in steps next to nothing.
    #[cfg(test)]
    pub(super) fn fine(op: &Op) -> Self {
        match op {
            Op::Convolution { activation: Activation::Relu6, .. }
            | Op::Depthwise { activation: Activation::Relu6, .. } => {
                Self { unit: 1.0, rounding: Rounding::Relu6 { steps: f64::from(1 << 20) } }
            }
            _ => {
                let bound = f64::from(1 << 30);
                Self {
                    unit: 1.0 / f64::from(1 << 16),
                    rounding: Rounding::Integers { min: -bound, max: bound },
                }
            }
        }
    }

    fn on_host(self) -> host::Rounding {
        let rounding = |low, high, steps: f64, step: f64| {
            let (steps, step) = (steps as f32, step as f32);
            host::Rounding { low, high, steps, step }
        };
        match self.rounding {
            Rounding::Relu6 { steps } => rounding(0.0, 6.0, steps / 6.0, 6.0 / steps),
            Rounding::Integers { min, max } => rounding(min as f32, max as f32, 1.0, 1.0),
        }
    }

    /// Saturates and rounds `output`, which is in units of this tensor, in place.
    fn round(self, mut output: Tensor) -> Tensor {
        // `data` shares the memory, but not the history: the gradient does not see what happens to it.
        match self.rounding {
            Rounding::Relu6 { steps } => {
                let output = output.relu6_();
                let _ = output.data().g_mul_scalar_(steps / 6.0).round_().g_mul_scalar_(6.0 / steps);
                output
            }
            Rounding::Integers { min, max } => {
                let output = output.clamp_(min, max);
                let _ = output.data().round_();
                output
            }
        }
    }
}

/// The same rounding and units for the host's own arithmetic.
pub(super) fn arithmetic(network: &Network, tensors: &[FakeTensor]) -> Arithmetic {
    let roundings = (0..network.layers.len()).map(|index| Some(tensors.get(index + 1)?.on_host()));
    let factors = network.layers.iter().enumerate().map(|(index, layer)| {
        let output = tensors.get(index + 1).map_or(1.0, |tensor| tensor.unit);
        let mut factors = [1.0; 2];
        for (factor, &input) in factors.iter_mut().zip(&layer.inputs) {
            *factor = (tensors[input].unit / output) as f32;
        }
        factors
    });
    let plain = Arithmetic::of_pixels(network.layers.len(), tensors[0].zero());
    Arithmetic { roundings: roundings.collect(), factors: factors.collect(), ..plain }
}

/// Values of a layer's parameters; [`host::Weights`] as tensors.
#[derive(Debug)]
pub(super) struct FakeLayer {
    /// [C_OUT, C_IN, K, K] or [CLASSES, INPUTS].
    pub(super) weight: Tensor,
    pub(super) after: FakeAfter,
}

/// What follows a layer's sums, before they are rounded.
#[derive(Debug)]
pub(super) enum FakeAfter {
    /// A batch norm over the images at hand, with the factor and the offset of each channel.
    Normalise { gamma: Tensor, beta: Tensor },
    /// The bias of each channel.
    Bias(Tensor),
}

/// Logits [N, CLASSES] of the network for `pixels` [N, C, H, W], steps away from 0. `layers` are in units of their input, and of their
/// output before it is rounded; `tensors` are the input and the outputs of all layers but the classifier, whose unit is 1.
/// `observe` sees the moments of each batch norm, in the order of the layers.
pub(super) fn fake_logits(
    network: &Network,
    layers: &[Option<FakeLayer>],
    tensors: &[FakeTensor],
    pixels: Tensor,
    mut observe: impl FnMut(Moments),
) -> Tensor {
    forward(network, pixels, |index, inputs| {
        let layer = &network.layers[index];
        let output = tensors.get(index + 1);
        let factor = |input: usize| {
            tensors[layer.inputs[input]].unit / output.expect("only the classifier's output is missing").unit
        };
        let sum = match (&layer.op, &layers[index]) {
            (Op::Add, _) => inputs[0] * factor(0) + inputs[1] * factor(1),
            (Op::AveragePool, _) => spatial_mean(inputs[0]) * factor(0),
            (op, Some(FakeLayer { weight, after: FakeAfter::Bias(bias) })) => {
                weighted_sum(op, inputs[0], weight, Some(bias))
            }
            (op, Some(FakeLayer { weight, after: FakeAfter::Normalise { gamma, beta } })) => {
                let (output, moments) = normalise(&weighted_sum(op, inputs[0], weight, None), gamma, beta);
                observe(moments);
                output
            }
            (_, None) => unreachable!("every convolution and classifier has weights"),
        };
        match output {
            Some(tensor) => tensor.round(sum),
            None => sum,
        }
    })
}
