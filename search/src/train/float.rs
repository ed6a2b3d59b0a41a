//! The float network at its start: batch norm after each convolution, then ReLU6.
//!
//! Batch norm always uses the statistics of the images at hand. No running averages are kept:
//! [`super::statistics`] measures those of the finished weights.

use std::sync::Arc;

use bomp_export::ir::{Network, Op};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::Device;

use super::net::{Net, Pieces, weight_shapes};
use super::parameters::{Builder, Start};

/// `network` with its parameters at the start: He initialisation (uniform, variance 2 / fan-in; 1 / fan-in for the
/// classifier, which no ReLU follows), batch norms at 1 and 0.
pub(super) fn initialise(network: &Network, device: Device, random: &mut ChaCha8Rng) -> (Net, Start) {
    let mut builder = Builder::default();
    let mut pieces = Vec::with_capacity(network.layers.len());
    for (layer, shape) in network.layers.iter().zip(weight_shapes(network)) {
        let Some(shape) = shape else {
            pieces.push(None);
            continue;
        };
        let channels = shape[0] as usize;
        let fan_in = shape[1..].iter().product::<i64>() as f32;
        let count = shape.iter().product::<i64>();
        let classifier = matches!(layer.op, Op::Classifier { .. });
        let gain: f32 = if classifier { 1.0 } else { 2.0 };
        // A uniform variable of variance v lies within sqrt(3 v).
        let bound = (3.0 * gain / fan_in).sqrt();
        let values: Vec<f32> = (0..count).map(|_| random.random_range(-bound..=bound)).collect();
        let weight = builder.push(&shape, &values, true);
        pieces.push(Some(if classifier {
            let bias = builder.push(&shape[..1], &vec![0.0; channels], false);
            Pieces::Biased { weight, bias }
        } else {
            let gamma = builder.push(&shape[..1], &vec![1.0; channels], false);
            let beta = builder.push(&shape[..1], &vec![0.0; channels], false);
            Pieces::Normalised { weight, gamma, beta }
        }));
    }
    let (layout, start) = builder.build(device);
    let (network, layout) = (Arc::new(network.clone()), Arc::new(layout));
    (Net { network, layout, pieces: pieces.into(), tensors: None }, start)
}
