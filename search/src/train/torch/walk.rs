//! The network of the IR as tensor operations: geometry, order and lifetimes, whatever the arithmetic of a layer.
//!
//! Training and the integer-exact evaluation both walk the layers through [`walk`] and compute sums through [`weighted_sum`],
//! so they agree on shapes and padding by construction. Tensors are [N, C, H, W].

use bomp_export::ir::{Network, Op};
use tch::Tensor;

/// Runs the layers in order and returns the last one's output. `apply(index, inputs)` computes layer `index`; a tensor is
/// dropped once its last reader has run.
pub(super) fn walk(
    network: &Network,
    input: Tensor,
    mut apply: impl FnMut(usize, &[&Tensor]) -> Tensor,
) -> Tensor {
    let mut tensors: Vec<Option<Tensor>> = Vec::with_capacity(network.layers.len() + 1);
    tensors.push(Some(input));
    for (index, layer) in network.layers.iter().enumerate() {
        let inputs: Vec<&Tensor> = layer
            .inputs
            .iter()
            .map(|&tensor| tensors[tensor].as_ref().expect("a tensor lives until its last reader"))
            .collect();
        let output = apply(index, &inputs);
        for &tensor in &layer.inputs {
            if network.last_reader(tensor) == Some(index) {
                tensors[tensor] = None;
            }
        }
        tensors.push(Some(output));
    }
    tensors.pop().flatten().expect("a validated network has layers")
}

/// The convolution, depthwise convolution or fully connected sum of layer `op`, with zeros outside the image; no bias
/// when `bias` is `None`. Weights are [C_OUT, C_IN, K, K] or [CLASSES, INPUTS].
pub(super) fn weighted_sum(op: &Op, input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (window, groups) = match op {
        Op::Convolution { window, .. } => (window, 1),
        Op::Depthwise { window, .. } => (window, input.size()[1]),
        Op::Classifier { .. } => {
            // The stored order of a row is [C, H, W], which is how the input lies in memory.
            return input.flatten(1, -1).linear(weight, bias);
        }
        Op::Add | Op::AveragePool => unreachable!("only layers with weights have a weighted sum"),
    };
    let [top, left, bottom, right] = window.padding.map(|size| size as i64);
    let stride = [window.stride as i64; 2];
    // A padding that differs between two sides is the larger one on both, under a kernel with rows or columns of zeros
    // added on the smaller side: the same sums, without a padded copy of the input.
    let widen = [right - left, left - right, bottom - top, top - bottom].map(|extra| extra.max(0));
    let padding = [top.max(bottom), left.max(right)];
    if widen == [0; 4] {
        input.conv2d(weight, bias, stride, padding, [1, 1], groups)
    } else {
        input.conv2d(&weight.constant_pad_nd(widen), bias, stride, padding, [1, 1], groups)
    }
}

/// Mean over height and width, [N, C, 1, 1].
pub(super) fn spatial_mean(input: &Tensor) -> Tensor {
    input.mean_dim([2i64, 3].as_slice(), true, None)
}
