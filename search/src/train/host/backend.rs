//! The host's own arithmetic as a backend: between libtorch's tensors and slices of numbers.

use bomp_export::ir::Network;
use tch::{Kind, Tensor};

use super::loss::{Teacher, cross_entropy};
use super::{After, Arithmetic, HostNet, Rounding, WeightGradient, Weights};
use crate::train::backend::{Backend, EPSILON, Gradient, Moments};
use crate::train::fake::{self, FakeTensor};
use crate::train::images::DeviceImages;
use crate::train::loss::Loss;
use crate::train::net::{Net, Pieces};
use crate::train::order::Picked;
use crate::train::parameters::floats;

/// A network with memory for one batch.
#[derive(Debug)]
pub(in crate::train) struct HostBackend {
    net: Net,
    host: HostNet,
    arithmetic: Arithmetic,
}

impl HostBackend {
    /// `None` where this arithmetic does not cover `net`.
    pub(in crate::train) fn new(net: &Net) -> Option<Self> {
        // Only the classifier's output is not rounded, and it alone may have a bias then.
        let before_classifier = &net.pieces[..net.pieces.len().saturating_sub(1)];
        let biased = before_classifier.iter().any(|pieces| matches!(pieces, Some(Pieces::Biased { .. })));
        if (net.tensors.is_some() && biased) || !HostNet::supports(&net.network) {
            return None;
        }
        let arithmetic = match &net.tensors {
            Some(tensors) => rounded(&net.network, tensors),
            None => Arithmetic::real(&net.network),
        };
        Some(Self { host: HostNet::new(&net.network, EPSILON), net: net.clone(), arithmetic })
    }
}

impl Backend for HostBackend {
    fn logits(&mut self, values: &Tensor, images: &DeviceImages) -> Tensor {
        let values = floats(values);
        self.arithmetic.zero = images.zero();
        let logits =
            self.host.forward(&bytes(&images.pixels), &weights(&self.net, &values), &self.arithmetic);
        Tensor::from_slice(&logits).view([images.len() as i64, -1])
    }

    fn moments(&mut self, values: &Tensor, images: &DeviceImages) -> Vec<Moments> {
        let _ = self.logits(values, images);
        let tensors = self.host.moments().map(|moments| {
            let (means, deviations): (Vec<f64>, Vec<f64>) = moments.iter().copied().unzip();
            (Tensor::from_slice(&means), Tensor::from_slice(&deviations))
        });
        tensors.collect()
    }

    fn gradient(&mut self, values: &Tensor, images: &Picked, loss: &Loss) -> Gradient {
        let Self { net, host, arithmetic } = self;
        arithmetic.zero = images.zero;
        let values = floats(values);
        let weights = weights(net, &values);
        let logits = host.forward(&bytes(&images.pixels), &weights, arithmetic);
        let (loss, by_logits) = mean(loss, &logits, images);
        let found = host.backward(&by_logits, &weights, arithmetic);
        Ok((Tensor::from(loss as f32), Tensor::from_slice(&flatten(net, &found, values.len()))))
    }
}

/// The mean of `loss` over `images`, whose `logits` are [N, CLASSES], and its gradient w.r.t. them.
fn mean(loss: &Loss, logits: &[f32], images: &Picked) -> (f64, Vec<f32>) {
    let teacher_logits = images.teacher_logits.as_ref().map(floats);
    let teacher = teacher_logits.as_ref().map(|logits| Teacher { logits, part: loss.distillation });
    let labels = Vec::<i64>::try_from(&images.labels).expect("labels are integers");
    cross_entropy(logits, &labels, loss.label_smoothing, loss.class_weights.as_deref(), teacher)
}

/// The parameters of each layer in the flat vector `values`.
fn weights<'a>(net: &Net, values: &'a [f32]) -> Vec<Option<Weights<'a>>> {
    let slices = net.layout.slices(values);
    let layers = net.pieces.iter().map(|pieces| {
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

/// Gradients of each layer as a flat vector of `length`.
fn flatten(net: &Net, layers: &[Option<WeightGradient>], length: usize) -> Vec<f32> {
    let mut pieces: Vec<&[f32]> = vec![&[]; net.layout.len()];
    for (layer, of) in layers.iter().flatten().zip(net.pieces.iter().flatten()) {
        match *of {
            Pieces::Biased { weight, bias } => {
                (pieces[weight], pieces[bias]) = (&layer.weight, &layer.offset)
            }
            Pieces::Normalised { weight, gamma, beta } => {
                (pieces[weight], pieces[gamma], pieces[beta]) = (&layer.weight, &layer.gamma, &layer.offset);
            }
        }
    }
    let mut flat = Vec::with_capacity(length);
    pieces.into_iter().for_each(|piece| flat.extend_from_slice(piece));
    flat
}

/// The units and the rounding of `tensors`.
fn rounded(network: &Network, tensors: &[FakeTensor]) -> Arithmetic {
    let roundings = (0..network.layers.len()).map(|index| Some(rounding(tensors.get(index + 1)?.rounding)));
    let factors = network.layers.iter().enumerate().map(|(index, layer)| {
        let output = tensors.get(index + 1).map_or(1.0, |tensor| tensor.unit);
        let mut factors = [1.0; 2];
        for (factor, &input) in factors.iter_mut().zip(&layer.inputs) {
            *factor = (tensors[input].unit / output) as f32;
        }
        factors
    });
    let plain = Arithmetic::of_pixels(network.layers.len());
    Arithmetic { roundings: roundings.collect(), factors: factors.collect(), ..plain }
}

fn rounding(rounding: fake::Rounding) -> Rounding {
    let in_steps = |low, high, steps: f64, step: f64| {
        let (steps, step) = (steps as f32, step as f32);
        Rounding { low, high, steps, step }
    };
    match rounding {
        fake::Rounding::Relu6 { steps } => in_steps(0.0, 6.0, steps / 6.0, 6.0 / steps),
        fake::Rounding::Integers { min, max } => in_steps(min as f32, max as f32, 1.0, 1.0),
    }
}

/// The bytes of `pixels`, in their order.
pub(super) fn bytes(pixels: &Tensor) -> Vec<u8> {
    debug_assert_eq!(pixels.kind(), Kind::Uint8);
    Vec::try_from(pixels.flatten(0, -1)).expect("pixels are bytes")
}
