//! Fake quantisation of activations: float tensors that hold nothing but what the device's int8 tensors can.
//!
//! Each tensor has a unit, chosen so that the quantisation costs little: 6 units are the largest element after a ReLU6,
//! and one unit is one step of any other tensor. The units of a layer's input and output become a factor of its weights,
//! saturation is ReLU6 itself, and what is left is rounding.
//!
//! Rounding has the gradient of the identity (straight-through estimator; Bengio et al., "Estimating or propagating
//! gradients through stochastic neurons", 2013); saturation has none. The bounds are those that [`bomp_export::lower`] gives the device.

use bomp_export::candidate::Quantisation;
use bomp_export::ir::{Activation, Network, Op};
use bomp_export::lower;

use super::images::zero_of;

/// How a tensor is held and rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FakeTensor {
    /// Real value of 1.
    pub(super) unit: f64,
    pub(super) rounding: Rounding,
}

/// What a tensor can hold, in its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounding {
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

    /// The output of a layer with operation `op`.
    fn of(op: &Op, quantisation: Quantisation) -> Self {
        let activation = activation(op);
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

    /// The input and the outputs of all layers of `network` but the classifier, quantised as `tensors`.
    pub(super) fn all(network: &Network, tensors: &[Quantisation]) -> Vec<Self> {
        let outputs = network.layers.iter().zip(&tensors[1..]);
        let outputs = outputs.map(|(layer, &quantisation)| Self::of(&layer.op, quantisation));
        std::iter::once(Self::input(tensors[0])).chain(outputs).collect()
    }

    /// The output of a layer with operation `op`, in steps next to nothing.
    #[cfg(test)]
    pub(super) fn fine(op: &Op) -> Self {
        if activation(op) == Activation::Relu6 {
            return Self { unit: 1.0, rounding: Rounding::Relu6 { steps: f64::from(1 << 20) } };
        }
        let bound = f64::from(1 << 30);
        Self { unit: 1.0 / f64::from(1 << 16), rounding: Rounding::Integers { min: -bound, max: bound } }
    }
}

/// The activation of any operation.
pub(super) fn activation(op: &Op) -> Activation {
    match op {
        Op::Convolution { activation, .. } | Op::Depthwise { activation, .. } => *activation,
        Op::Add | Op::AveragePool | Op::Classifier { .. } => Activation::Linear,
    }
}
