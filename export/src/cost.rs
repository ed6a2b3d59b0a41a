//! Compute accounting, the one truth: multiply-accumulates of each layer.

use crate::ir::{Network, Op};

/// Nominal MACs of each layer for one image, padding taps included; an add or a pool counts none.
#[must_use]
pub fn layer_macs(network: &Network) -> Vec<u64> {
    let shapes = network.shapes();
    (0..network.layers.len())
        .map(|index| match network.layers[index].op {
            Op::Add | Op::AveragePool => 0,
            _ => shapes[index + 1].elements() as u64 * network.fan_in(index, &shapes) as u64,
        })
        .collect()
}

/// Nominal MACs of a validated network for one image.
#[must_use]
pub fn macs(network: &Network) -> u64 {
    layer_macs(network).iter().sum()
}
