//! Compute accounting, the one truth: multiply-accumulates of each layer.

use bomp_runtime::Model;
use bomp_runtime::layer;

use crate::ir::{Network, Op};

/// Nominal MACs of each layer for one image, padding taps included; an add or a pool counts none.
#[must_use]
pub fn layer_macs(network: &Network) -> Vec<u64> {
    let shapes = network.shapes();
    (0..network.layers.len())
        .map(|index| match network.layers[index].op {
            Op::Add | Op::AveragePool => 0,
            Op::Convolution { .. } | Op::Depthwise { .. } | Op::Classifier { .. } => {
                shapes[index + 1].elements() as u64 * network.fan_in(index, &shapes) as u64
            }
        })
        .collect()
}

/// The same of a packed network: the sum over its layers.
#[must_use]
pub fn model_macs(model: &Model<'_>) -> u64 {
    let of_layer = |layer: &layer::Layer<'_>| match layer.op {
        layer::Op::Convolution(_, weights)
        | layer::Op::Depthwise(_, weights)
        | layer::Op::Classifier(weights) => {
            layer.output.shape.elements().unwrap_or(0) as u64 * weights.fan_in as u64
        }
        layer::Op::Add { .. } | layer::Op::AveragePool { .. } => 0,
    };
    model.layers().map(|layer| of_layer(&layer)).sum()
}

/// Nominal MACs of a validated network for one image.
#[must_use]
pub fn macs(network: &Network) -> u64 {
    layer_macs(network).iter().sum()
}
