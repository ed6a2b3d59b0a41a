//! Integer-exact logits in the host's own arithmetic, where every sum is exact in float32.

use std::sync::Arc;

use tch::Tensor;

use super::backend::bytes;
use super::elementwise::Exact;
use super::{After, Arithmetic, HostNet, Requantise, Weights};
use crate::train::backend::{EPSILON, Logits};
use crate::train::exact::{ExactNet, ExactOp, FLOAT32_EXACT};

/// The logits of `net`, float64; `None` where this arithmetic does not cover it.
pub(in crate::train) fn exact_logits(net: &Arc<ExactNet>) -> Option<Logits> {
    let largest_image = net.network.shapes().iter().map(|shape| shape.height * shape.width).max()?;
    let wide = net
        .layers
        .iter()
        .any(|layer| matches!(layer.sums, ExactOp::Weighted { largest, .. } if largest >= FLOAT32_EXACT));
    if wide || largest_image as i64 * 255 >= FLOAT32_EXACT || !HostNet::supports(&net.network) {
        return None;
    }
    let exact = net.layers.iter().map(|layer| {
        let [low, high] = layer.bounds;
        match layer.sums {
            ExactOp::Weighted { .. } => None,
            ExactOp::Add { factors } => Some(Exact::Add { factors, low, high }),
            ExactOp::AveragePool { factor, shift } => {
                Some(Exact::Average { factor, shift, low: low as i64, high: high as i64 })
            }
        }
    });
    let arithmetic =
        Arithmetic { zero: net.zero, exact: exact.collect(), ..Arithmetic::of_pixels(net.layers.len()) };
    let (net, mut host) = (Arc::clone(net), HostNet::new(&net.network, EPSILON));
    // The classifier's sums are those of integers, without a bias.
    let zeros = vec![0.0; net.network.classes()];
    Some(Box::new(move |images| {
        let sums = host.forward(&bytes(&images.pixels), &weights(&net, &zeros), &arithmetic);
        Tensor::from_slice(&requantise(&net, &sums)).view([images.len() as i64, -1])
    }))
}

fn weights<'a>(net: &'a ExactNet, zeros: &'a [f32]) -> Vec<Option<Weights<'a>>> {
    let last = net.layers.len() - 1;
    let layers = net.layers.iter().enumerate().map(|(index, layer)| {
        let ExactOp::Weighted { weight, factors, offsets, .. } = &layer.sums else { return None };
        let [low, high] = layer.bounds;
        let after = if index == last {
            After::Bias(zeros)
        } else {
            After::Requantise(Requantise { factors, offsets, low, high })
        };
        Some(Weights { weight, after })
    });
    layers.collect()
}

/// The logits of the classifier's `sums`: they do not fit a float32.
fn requantise(net: &ExactNet, sums: &[f32]) -> Vec<f64> {
    let classifier = net.layers.last().expect("a classifier");
    let ExactOp::Weighted { factors, offsets, .. } = &classifier.sums else {
        unreachable!("a classifier has weights")
    };
    let [low, high] = classifier.bounds;
    let channels = factors.iter().zip(offsets).cycle();
    let logit = |(&sum, (factor, offset)): (&f32, (&f64, &f64))| {
        (f64::from(sum) * factor + offset).floor().clamp(low, high)
    };
    sums.iter().zip(channels).map(logit).collect()
}
