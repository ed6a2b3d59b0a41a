//! Layers in double precision, written from their definitions and independent of the integer arithmetic.

use crate::candidate::LayerWeights;
use crate::ir::{Activation, Network, Op, Window};

/// Weights of a layer as real numbers, in the order in which they are trained.
pub struct Real {
    /// [C_OUT, C_IN, K, K]; [CLASSES, C * H * W] for the classifier.
    pub weight: Vec<f64>,
    /// `[C_OUT]`.
    pub bias: Vec<f64>,
}

impl Real {
    /// The unquantised weights.
    #[must_use]
    pub fn of(weights: &LayerWeights) -> Self {
        Self {
            weight: weights.weight.iter().map(|&weight| f64::from(weight)).collect(),
            bias: weights.bias.iter().map(|&bias| f64::from(bias)).collect(),
        }
    }
}

/// The output [H, W, C] of layer `index` for its inputs, each [H, W, C]. `weights` for layers that have any.
///
/// # Panics
/// When lengths do not match the network.
#[must_use]
pub fn layer_output(network: &Network, index: usize, weights: Option<&Real>, inputs: &[&[f64]]) -> Vec<f64> {
    let shapes = network.shapes();
    let layer = &network.layers[index];
    let (from, to) = (shapes[layer.inputs[0]], shapes[index + 1]);
    let input = inputs[0];
    assert_eq!(input.len(), from.elements());
    let at = |y: usize, x: usize, c: usize| input[(y * from.width + x) * from.channels + c];
    let real = || weights.expect("a layer with weights");
    let windowed = |window: &Window, activation: &Activation, depthwise: bool| {
        let Real { weight, bias } = real();
        let depth = if depthwise { 1 } else { from.channels };
        let mut output = Vec::with_capacity(to.elements());
        for (y, x) in (0..to.height).flat_map(|y| (0..to.width).map(move |x| (y, x))) {
            for (channel, &bias) in bias.iter().enumerate() {
                let mut sum = bias;
                for c in 0..depth {
                    for (ky, kx) in
                        (0..window.kernel).flat_map(|ky| (0..window.kernel).map(move |kx| (ky, kx)))
                    {
                        let row = (y * window.stride + ky).checked_sub(window.padding[0]);
                        let column = (x * window.stride + kx).checked_sub(window.padding[1]);
                        let (Some(row), Some(column)) = (row, column) else { continue };
                        if row < from.height && column < from.width {
                            let tap = ((channel * depth + c) * window.kernel + ky) * window.kernel + kx;
                            sum += weight[tap] * at(row, column, if depthwise { channel } else { c });
                        }
                    }
                }
                output.push(match activation {
                    Activation::Linear => sum,
                    Activation::Relu6 => sum.clamp(0.0, 6.0),
                });
            }
        }
        output
    };
    match &layer.op {
        Op::Convolution { window, activation, .. } => windowed(window, activation, false),
        Op::Depthwise { window, activation, .. } => windowed(window, activation, true),
        Op::Add => input.iter().zip(inputs[1]).map(|(a, b)| a + b).collect(),
        Op::AveragePool => {
            let positions = from.height * from.width;
            let sum = |c| (0..positions).map(|position| input[position * from.channels + c]).sum::<f64>();
            (0..from.channels).map(|c| sum(c) / positions as f64).collect()
        }
        Op::Classifier { classes, .. } => {
            let Real { weight, bias } = real();
            let logit = |class: usize| {
                let row = &weight[class * from.elements()..];
                let mut sum = bias[class];
                for c in 0..from.channels {
                    for position in 0..from.height * from.width {
                        sum += row[c * from.height * from.width + position]
                            * input[position * from.channels + c];
                    }
                }
                sum
            };
            (0..*classes).map(logit).collect()
        }
    }
}
