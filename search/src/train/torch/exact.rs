//! Integer-exact logits with tensor operations.
//!
//! Where the actual weights do not prove that float32 is exact, and on devices whose convolutions may go through transforms
//! (Winograd, FFT), sums are computed in float64, where the same transforms err by far less than 1/2, and rounded.

use std::sync::Arc;

use bomp_export::ir::Op;
use tch::{Device, Kind, Tensor};

use super::walk::{walk, weighted_sum};
use crate::train::backend::Logits;
use crate::train::exact::{ExactLayer, ExactNet, ExactOp, FLOAT32_EXACT};
use crate::train::images::{DeviceImages, to_planes};

/// The constants of a layer with weights.
struct Weighted {
    /// Integers, [C_OUT, C_IN, K, K] or [CLASSES, INPUTS]; float32 or float64 as the sums need it.
    weight: Tensor,
    /// [1, C_OUT, 1, 1] or [1, CLASSES], float64.
    factor: Tensor,
    /// Of the same shape.
    offset: Tensor,
}

/// The logits of `net` for images on `device`.
pub(in crate::train) fn exact_logits(net: &Arc<ExactNet>, device: Device) -> Logits {
    let weighted = net.layers.iter().map(|layer| match &layer.sums {
        ExactOp::Weighted { shape, weight, factors, offsets, largest } => {
            let float32 = device == Device::Cpu && *largest < FLOAT32_EXACT;
            let kind = if float32 { Kind::Float } else { Kind::Double };
            let broadcast: &[i64] = if shape.len() == 2 { &[1, -1] } else { &[1, -1, 1, 1] };
            let constant = |values: &[f64]| Tensor::from_slice(values).view(broadcast).to_device(device);
            let weight = Tensor::from_slice(weight).to_kind(kind).view(&shape[..]).to_device(device);
            Some(Weighted { weight, factor: constant(factors), offset: constant(offsets) })
        }
        ExactOp::Add { .. } | ExactOp::AveragePool { .. } => None,
    });
    let weighted: Vec<Option<Weighted>> = weighted.collect();
    let net = Arc::clone(net);
    Box::new(move |images| logits(&net, &weighted, images))
}

/// Logits [N, CLASSES] (float64). Between layers, tensors are int8 elements less their zero point, as float32: then padding
/// is 0.
fn logits(net: &ExactNet, weighted: &[Option<Weighted>], images: &DeviceImages) -> Tensor {
    walk(&net.network, to_planes(&images.pixels, net.zero), |index, inputs| {
        let op = &net.network.layers[index].op;
        let ExactLayer { sums, bounds: [low, high] } = &net.layers[index];
        let mut values = match (sums, &weighted[index]) {
            (ExactOp::Add { factors }, _) => {
                let [a, b] = [inputs[0], inputs[1]].map(|tensor| tensor.to_kind(Kind::Double));
                (a * factors[0] + b * factors[1] + 0.5).floor_()
            }
            (ExactOp::AveragePool { factor, shift }, _) => {
                let sum = inputs[0].to_kind(Kind::Double).sum_dim_intlist([2i64, 3].as_slice(), true, None);
                let product = sum.to_kind(Kind::Int64) * *factor + (1i64 << (shift - 1));
                product.bitwise_right_shift_tensor_scalar(*shift).to_kind(Kind::Double)
            }
            (ExactOp::Weighted { .. }, Some(Weighted { weight, factor, offset })) => {
                let input = inputs[0].to_kind(weight.kind());
                let sums = weighted_sum(op, &input, weight, None).to_kind(Kind::Double);
                let sums = if weight.kind() == Kind::Double { sums.round() } else { sums };
                offset.addcmul(&sums, factor).floor_()
            }
            (ExactOp::Weighted { .. }, None) => unreachable!("every layer with weights has constants"),
        };
        let values = values.clamp_(*low, *high);
        if matches!(op, Op::Classifier { .. }) { values } else { values.to_kind(Kind::Float) }
    })
}
