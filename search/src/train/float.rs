//! The float network: batch norm after each convolution, then ReLU6.
//!
//! Batch norm always uses the statistics of the images at hand. No running averages are kept:
//! [`super::statistics`] measures those of the finished weights.

use std::sync::Arc;

use bomp_export::ir::{Activation, Network, Op};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use super::host::{After, ByWeights, Weights};
use super::net::{forward, spatial_mean, weight_shapes, weighted_sum};
use super::parameters::{Builder, Layout, Start};
use super::statistics::Moments;

/// Added to a variance before its root is taken; as MobileNetV2 is trained in Keras.
pub(super) const EPSILON: f64 = 1e-3;

/// Where a layer's parameters are among the pieces of the flat vector.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pieces {
    /// A convolution without bias, and the factor and the offset of its batch norm.
    Normalised { weight: usize, gamma: usize, beta: usize },
    /// The classifier.
    Biased { weight: usize, bias: usize },
}

/// A float network without its parameter values.
#[derive(Clone, Debug)]
pub(super) struct FloatNet {
    pub(super) network: Arc<Network>,
    pub(super) layout: Arc<Layout>,
    /// Of each layer, `None` without weights.
    pub(super) pieces: Arc<Vec<Option<Pieces>>>,
}

impl FloatNet {
    /// The network with its parameters at the start: He initialisation (uniform, variance 2 / fan-in; 1 / fan-in for the
    /// classifier, which no ReLU follows), batch norms at 1 and 0.
    pub(super) fn new(network: &Network, device: Device, random: &mut ChaCha8Rng) -> (Self, Start) {
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
        let net =
            Self { network: Arc::new(network.clone()), layout: Arc::new(layout), pieces: Arc::new(pieces) };
        (net, start)
    }

    /// The parameters of each layer in the flat vector `values`.
    pub(super) fn weights<'a>(&self, values: &'a [f32]) -> Vec<Option<Weights<'a>>> {
        let slices = self.layout.slices(values);
        let layers = self.pieces.iter().map(|pieces| {
            Some(match (*pieces)? {
                Pieces::Biased { weight, bias } => {
                    Weights { weight: slices[weight], after: After::Bias(slices[bias]) }
                }
                Pieces::Normalised { weight, gamma, beta } => {
                    let after = After::Normalise { gamma: slices[gamma], beta: slices[beta] };
                    Weights { weight: slices[weight], after }
                }
            })
        });
        layers.collect()
    }

    /// Gradients of each layer as a flat vector.
    pub(super) fn flatten(&self, layers: &[Option<ByWeights>]) -> Vec<f32> {
        // The pieces were pushed in this order, too.
        let pieces = layers.iter().flatten().flat_map(|layer| [&layer.weight, &layer.gamma, &layer.offset]);
        pieces.flatten().copied().collect()
    }

    /// Logits [N, CLASSES] with batch norms over the images of `input`. `observe` sees the moments of
    /// each batch norm, in the order of the layers.
    pub(super) fn logits(
        &self,
        parameters: &Tensor,
        input: Tensor,
        mut observe: impl FnMut(Moments),
    ) -> Tensor {
        let values = self.layout.split(parameters);
        forward(&self.network, input, |index, inputs| {
            let op = &self.network.layers[index].op;
            match (op, self.pieces[index]) {
                (Op::Add, _) => inputs[0] + inputs[1],
                (Op::AveragePool, _) => spatial_mean(inputs[0]),
                (_, Some(Pieces::Biased { weight, bias })) => {
                    weighted_sum(op, inputs[0], &values[weight], Some(&values[bias]))
                }
                (_, Some(Pieces::Normalised { weight, gamma, beta })) => {
                    let sums = weighted_sum(op, inputs[0], &values[weight], None);
                    let (output, moments) = normalise(&sums, &values[gamma], &values[beta]);
                    observe(moments);
                    activate(op, output)
                }
                (_, None) => unreachable!("every convolution and classifier has weights"),
            }
        })
    }
}

/// The batch norm of `sums` [N, C, H, W], and its moments.
pub(super) fn normalise(sums: &Tensor, gamma: &Tensor, beta: &Tensor) -> (Tensor, Moments) {
    let running = None::<&Tensor>;
    let (output, mean, deviation) =
        sums.native_batch_norm(Some(gamma), Some(beta), running, running, true, 0.0, EPSILON);
    (output, (mean, deviation))
}

/// Applies the activation of `op` in place. Neither a convolution nor a batch norm needs its own output for the gradient.
pub(super) fn activate(op: &Op, mut output: Tensor) -> Tensor {
    match op {
        Op::Convolution { activation: Activation::Relu6, .. }
        | Op::Depthwise { activation: Activation::Relu6, .. } => output.relu6_(),
        _ => output,
    }
}
