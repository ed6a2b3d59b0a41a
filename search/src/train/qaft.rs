//! Quantisation-aware fine-tuning: weights that keep their accuracy when they are rounded to 4 to 8 bits.
//!
//! Weights are rounded in the forward pass with step sizes that are learned along with them: the gradients of LSQ (Esser
//! et al., "Learned step size quantization", 2020, equations 1 to 3), with the straight-through estimator for the weights.
//! LSQ's gradient scale has no effect here, because Adam divides it out; what it is for, steps that change in
//! proportion to their size, comes from learning their logarithms instead. For the same reason weights are learned in
//! units of their channel's range: folded batch norms leave channels of very different sizes, and Adam changes all
//! parameters alike.
//!
//! Activations are rounded to the int8 tensors of the calibration. Their steps are not learned: a layer's weights and
//! steps, which are, can move its output against them.

use std::sync::Arc;

use bomp_export::ir::Network;
use tch::{Tensor, no_grad};

use super::error::TrainError;
use super::fake::{self, FakeTensor, fake_logits};
use super::fold::{CHUNK, correct};
use super::host::{After, Arithmetic, Weights};
use super::images::{DeviceImages, to_planes};
use super::on_host::{self, bytes, classes, floats};
use super::parallel::map_chunks;
use super::parameters::{Builder, Layout, Start, Treatment};
use super::quantise::{Quantised, QuantisedLayer};

/// Learning-rate factor of the logarithms of the steps.
const STEP_RATE: f32 = 1.0;
/// Learning-rate factor of the biases, in units of half of the range of their layer's output.
const BIAS_RATE: f32 = 1.0;

/// A quantised network in the making. Its flat vector holds, each for all layers: weights over their channel's range at
/// the start; logarithms of the steps over those at the start; biases over their unit.
#[derive(Debug)]
pub(super) struct QaftNet {
    network: Arc<Network>,
    tensors: Vec<FakeTensor>,
    layout: Arc<Layout>,
    /// Shape of each layer's weights, `None` without weights.
    shapes: Vec<Option<Vec<i64>>>,
    /// For each weight, the place of its channel among all channels.
    channels: Tensor,
    /// For each weight, the largest magnitude of its integer.
    limits: Tensor,
    /// For each channel, its step at the start, in units of its layer's output for one unit of the input.
    steps: Tensor,
    /// For each channel, the unit of its bias, in units of its layer's output.
    bias_units: Tensor,
    /// For each layer, the units of its input and of its output.
    units: Vec<(f64, f64)>,
}

impl QaftNet {
    pub(super) fn new(quantised: &Quantised) -> (Self, Start) {
        no_grad(|| {
            let network = &quantised.network;
            let device = quantised.layers.iter().flatten().next().expect("a classifier").weight.device();
            let outputs = network.layers.iter().zip(&quantised.tensors[1..]);
            let tensors: Vec<FakeTensor> = std::iter::once(FakeTensor::PIXELS)
                .chain(outputs.map(|(layer, &quantisation)| FakeTensor::of(&layer.op, quantisation)))
                .collect();
            let unit = |tensor: usize| tensors.get(tensor).map_or(1.0, |tensor| tensor.unit);
            let units: Vec<(f64, f64)> = network
                .layers
                .iter()
                .enumerate()
                .map(|(index, layer)| (unit(layer.inputs[0]), unit(index + 1)))
                .collect();
            let (mut weights, mut channels, mut limits, mut steps) = (vec![], vec![], vec![], vec![]);
            let (mut biases, mut bias_units, mut shapes) = (vec![], vec![], vec![]);
            for (index, layer) in quantised.layers.iter().enumerate() {
                shapes.push(layer.as_ref().map(|layer| layer.weight.size()));
                let Some(layer) = layer else { continue };
                let (input, output) = units[index];
                let limit = f64::from(layer.bits.max_weight());
                let step = floats(&(&layer.step * (input / output)));
                let rows = layer.weight.flatten(1, -1) / (&layer.step * limit).view([-1, 1]);
                let fan_in = rows.size()[1] as usize;
                weights.extend(floats(&rows));
                for channel in steps.len() as i64..(steps.len() + step.len()) as i64 {
                    channels.extend(std::iter::repeat_n(channel, fan_in));
                }
                limits.resize(weights.len(), limit as f32);
                // Half of the range of the output; logits, which have none, are of the order of 1.
                let range = quantised.tensors.get(index + 1).map_or(1.0, |tensor| 128.0 * tensor.scale);
                biases.extend(floats(&(&layer.bias / range)));
                bias_units.resize(bias_units.len() + step.len(), (range / output) as f32);
                steps.extend(step);
            }
            let mut builder = Builder::default();
            let treated = |rate| Treatment { rate, decay: false };
            builder.push(&[weights.len() as i64], &weights, Treatment { rate: 1.0, decay: true });
            builder.push(&[steps.len() as i64], &vec![0.0; steps.len()], treated(STEP_RATE));
            builder.push(&[biases.len() as i64], &biases, treated(BIAS_RATE));
            let (layout, start) = builder.build(device);
            let net = Self {
                network: Arc::clone(network),
                tensors,
                layout: Arc::new(layout),
                shapes,
                units,
                channels: Tensor::from_slice(&channels).to_device(device),
                limits: Tensor::from_slice(&limits).to_device(device),
                steps: Tensor::from_slice(&steps).to_device(device),
                bias_units: Tensor::from_slice(&bias_units).to_device(device),
            };
            (net, start)
        })
    }

    pub(super) fn share(&self) -> Self {
        Self {
            network: Arc::clone(&self.network),
            tensors: self.tensors.clone(),
            layout: Arc::clone(&self.layout),
            shapes: self.shapes.clone(),
            channels: self.channels.shallow_clone(),
            limits: self.limits.shallow_clone(),
            steps: self.steps.shallow_clone(),
            bias_units: self.bias_units.shallow_clone(),
            units: self.units.clone(),
        }
    }

    /// Number of `images` that the network at `start` classifies correctly, in floats: for weights that have no integer form.
    pub(super) fn correct(
        &self,
        start: &Start,
        images: &DeviceImages,
        threads: usize,
    ) -> Result<usize, TrainError> {
        let counts = map_chunks(images, CHUNK, threads, || {
            let (net, parameters) = (self.share(), start.values.shallow_clone());
            let (weights, biases) = no_grad(|| net.rounded_flat(&parameters));
            let (weights, biases) = (floats(&weights), floats(&biases));
            let mut host = on_host::on_host(&net.network, parameters.device());
            let arithmetic = net.arithmetic();
            move |images| {
                if let Some(host) = &mut host {
                    let cut = net.weights(&weights, &biases);
                    let logits = host.forward(&bytes(&images.pixels), &cut, &arithmetic);
                    return on_host::correct(&logits, &classes(&images.labels));
                }
                let rounded = net.rounded(&parameters);
                let logits = fake_logits(&net.network, &rounded, &net.tensors, to_planes(&images.pixels));
                correct(&logits, &images.labels)
            }
        })?;
        Ok(counts.iter().sum())
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    pub(super) fn tensors(&self) -> &[FakeTensor] {
        &self.tensors
    }

    /// The units and the rounding of the tensors.
    pub(super) fn arithmetic(&self) -> Arithmetic {
        fake::arithmetic(&self.network, &self.tensors)
    }

    /// Rounded weight and bias of each layer, in units of its output for one unit of its input.
    pub(super) fn rounded(&self, parameters: &Tensor) -> Vec<Option<(Tensor, Tensor)>> {
        let (weights, biases) = self.rounded_flat(parameters);
        self.by_layer(&weights, &biases)
    }

    /// All rounded weights and all biases, layer by layer: one sequence of operations rounds those of the whole network.
    pub(super) fn rounded_flat(&self, parameters: &Tensor) -> (Tensor, Tensor) {
        let [weights, logarithms, biases] = self.pieces(parameters);
        let growth = logarithms.exp().index_select(0, &self.channels);
        let integers = (weights * &self.limits / &growth).minimum(&self.limits).maximum(&-&self.limits);
        let integers = &integers + (integers.round() - &integers).detach();
        (integers * growth * self.steps.index_select(0, &self.channels), biases * &self.bias_units)
    }

    /// [`Self::rounded_flat`] cut into layers.
    pub(super) fn weights<'a>(
        &self,
        mut weights: &'a [f32],
        mut biases: &'a [f32],
    ) -> Vec<Option<Weights<'a>>> {
        let layers = self.shapes.iter().map(|shape| {
            let shape = shape.as_ref()?;
            let (weight, others) = weights.split_at(shape.iter().product::<i64>() as usize);
            let (bias, other_biases) = biases.split_at(shape[0] as usize);
            (weights, biases) = (others, other_biases);
            Some(Weights { weight, after: After::Bias(bias) })
        });
        layers.collect()
    }

    fn pieces(&self, parameters: &Tensor) -> [Tensor; 3] {
        self.layout.split(parameters).try_into().expect("three pieces")
    }

    /// Cuts the weights and the per-channel values of all layers into those of each.
    fn by_layer(&self, weights: &Tensor, per_channel: &Tensor) -> Vec<Option<(Tensor, Tensor)>> {
        let shapes = || self.shapes.iter().flatten();
        let sizes: Vec<i64> = shapes().map(|shape| shape.iter().product()).collect();
        let counts: Vec<i64> = shapes().map(|shape| shape[0]).collect();
        let mut weights = weights.split_with_sizes(sizes, 0).into_iter();
        let mut per_channel = per_channel.split_with_sizes(counts, 0).into_iter();
        let layers = self.shapes.iter().map(|shape| {
            let shape = shape.as_ref()?;
            Some((weights.next()?.view(&shape[..]), per_channel.next()?))
        });
        layers.collect()
    }

    /// The network with the flat vector `parameters`, `start` being what it began with.
    pub(super) fn finish(&self, parameters: &Tensor, start: &Quantised) -> Quantised {
        no_grad(|| {
            let [weights, logarithms, biases] = self.pieces(parameters);
            let ranges = self.steps.index_select(0, &self.channels) * &self.limits;
            let layers = self.by_layer(&(weights * ranges), &(biases * &self.bias_units));
            let steps = self.by_layer(&self.limits, &(&self.steps * logarithms.exp()));
            let layers = layers.into_iter().zip(steps).zip(&self.units).zip(&start.layers).map(
                |(((values, steps), &(input, output)), start)| {
                    let ((weight, bias), (_, step)) = (values?, steps?);
                    let (weight, bias, step) =
                        (weight * (output / input), bias * output, step * (output / input));
                    Some(QuantisedLayer { weight, bias, step, bits: start.as_ref()?.bits })
                },
            );
            Quantised {
                network: Arc::clone(&self.network),
                layers: layers.collect(),
                tensors: start.tensors.clone(),
            }
        })
    }
}
