//! Quantisation-aware fine-tuning: weights that keep their accuracy when they are rounded to 4 to 8 bits.
//!
//! Weights settle on integers little by little, those next to one first; the others go on being trained, in full
//! precision, and make up for what that did (Zhou et al., "Incremental network quantization", 2017, who settle them in a
//! few steps). So the gradient is exact, and no weight swings between two integers until the end, as with the
//! straight-through estimator, which ended 0.1 to 0.3 points lower at 4 bits. Weights are learned in units of their channel's
//! range: channels are of very different sizes, and Adam changes all parameters alike.
//!
//! Batch norms stay: each layer's sums are normalised over the images at hand, as in float training, and what normalises
//! them in the end becomes a factor of the channel's step, which changes no integer. So rounding moves neither the mean
//! nor the variance of a channel, and steps need not be learned: a step is only large or small beside its weights.
//!
//! Activations are rounded to the int8 tensors of the calibration. Their steps are not learned either: a channel's factor
//! and offset, which are, can move it against them.

use std::sync::Arc;

use bomp_export::ir::{Network, Op};
use tch::{Kind, Tensor, no_grad};

use super::error::TrainError;
use super::fake::{self, FakeAfter, FakeLayer, FakeTensor, fake_logits};
use super::fold::Folded;
use super::host::{After, Arithmetic, ByWeights, Weights};
use super::images::{DeviceImages, to_planes};
use super::on_host::{self, bytes, floats};
use super::optimiser::Settled;
use super::parameters::{Builder, Layout, Start};
use super::quantise::{Quantised, QuantisedLayer, SMALLEST_WEIGHT};
use super::statistics::{Statistics, measure, moments};

/// Dimensions of weights, at most, and of what there is for each channel.
const WEIGHTS: usize = 4;
const CHANNELS: usize = 1;

/// A quantised network in the making. Its flat vector holds, each for all layers: weights over their channel's range; the
/// factors of the batch norms; their offsets and the classifier's biases.
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
    /// For each channel, its step before the batch norm.
    steps: Tensor,
    /// For each channel, the unit of its layer's input.
    inputs: Tensor,
    /// For each channel, how many units of its layer's output are 1.
    outputs: Tensor,
}

/// Weights, factors and offsets of all layers, in units of each layer's input and output.
#[derive(Debug)]
pub(super) struct Scaled {
    weights: Tensor,
    gammas: Tensor,
    offsets: Tensor,
}

/// [`Scaled`] on the host.
#[derive(Clone, Debug)]
pub(super) struct ScaledOnHost([Vec<f32>; 3]);

impl QaftNet {
    /// `quantised` was made from `folded`.
    pub(super) fn new(quantised: &Quantised, folded: &Folded) -> (Self, Start) {
        no_grad(|| {
            let network = &quantised.network;
            let device = quantised.layers.iter().flatten().next().expect("a classifier").weight.device();
            let tensors = FakeTensor::all(quantised);
            let unit = |tensor: usize| tensors.get(tensor).map_or(1.0, |tensor| tensor.unit);
            let (mut weights, mut channels, mut limits, mut steps) = (vec![], vec![], vec![], vec![]);
            let (mut gammas, mut offsets, mut shapes) = (vec![], vec![], vec![]);
            let (mut inputs, mut outputs) = (vec![], vec![]);
            for (index, (layer, of_sums)) in quantised.layers.iter().zip(&folded.statistics).enumerate() {
                shapes.push(layer.as_ref().map(|layer| layer.weight.size()));
                let Some(layer) = layer else { continue };
                let limit = f64::from(layer.bits.max_weight());
                let step = floats(&layer.step);
                let rows = layer.weight.flatten(1, -1) / (&layer.step * limit).view([-1, 1]);
                let fan_in = rows.size()[1] as usize;
                weights.extend(floats(&rows));
                for channel in steps.len() as i64..(steps.len() + step.len()) as i64 {
                    channels.extend(std::iter::repeat_n(channel, fan_in));
                }
                limits.resize(weights.len(), limit as f32);
                steps.extend(step);
                inputs.resize(steps.len(), unit(network.layers[index].inputs[0]) as f32);
                outputs.resize(steps.len(), unit(index + 1).recip() as f32);
                match of_sums {
                    // What normalises the sums of the float network and undoes it.
                    Some(of_sums) => {
                        gammas.extend(floats(&of_sums.deviation()));
                        offsets.extend(floats(&(&layer.bias + &of_sums.mean)));
                    }
                    None => offsets.extend(floats(&layer.bias)),
                }
            }
            let mut builder = Builder::default();
            let mut push = |values: &[f32], decay| {
                builder.push(&[values.len() as i64], values, decay);
            };
            push(&weights, true);
            push(&gammas, false);
            push(&offsets, false);
            let (layout, start) = builder.build(device);
            let place = |values: &[f32]| Tensor::from_slice(values).to_device(device);
            let net = Self {
                network: Arc::clone(network),
                layout: Arc::new(layout),
                shapes,
                channels: Tensor::from_slice(&channels).to_device(device),
                limits: place(&limits),
                steps: place(&steps),
                inputs: place(&inputs),
                outputs: place(&outputs),
                tensors,
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
            inputs: self.inputs.shallow_clone(),
            outputs: self.outputs.shallow_clone(),
        }
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// The units and the rounding of the tensors.
    pub(super) fn arithmetic(&self) -> Arithmetic {
        fake::arithmetic(&self.network, &self.tensors)
    }

    /// What `parameters` are in the forward pass: one sequence of operations for the whole network.
    pub(super) fn scaled(&self, parameters: &Tensor) -> Scaled {
        let [weights, gammas, offsets] = self.pieces(parameters);
        let units = (&self.steps * &self.inputs).index_select(0, &self.channels);
        let normalised = self.outputs.narrow(0, 0, gammas.size()[0]);
        Scaled {
            weights: weights.clamp(-1.0, 1.0) * &self.limits * units,
            gammas: gammas * normalised,
            offsets: offsets * &self.outputs,
        }
    }

    /// The weights that are integers from `progress` on, (0, 1] of the training. The last tenth leaves batch norms and biases
    /// time to make up for the last weights.
    pub(super) fn settle(&self, parameters: &Tensor, progress: f64) -> Settled {
        no_grad(|| {
            let [weights, gammas, offsets] = self.pieces(parameters);
            let exact = weights.clamp(-1.0, 1.0) * &self.limits;
            let integers = exact.round();
            // Many early: a weight that settles late has the fewest others left to make up for it.
            let part = (progress / 0.9).min(1.0).sqrt();
            let count = (part * weights.size()[0] as f64).round().max(1.0) as i64;
            let distances = (exact - &integers).abs();
            let (farthest, _) = distances.kthvalue(count, 0, false);
            let settled = distances.le_tensor(&farthest);
            let never = |piece: &Tensor| piece.zeros_like().to_kind(Kind::Bool);
            Settled {
                values: Tensor::cat(&[&(integers / &self.limits), &gammas, &offsets], 0),
                settled: Tensor::cat(&[&settled, &never(&gammas), &never(&offsets)], 0),
            }
        })
    }

    /// Logits [N, CLASSES] for `pixels` [N, H, W, C] by tensor operations. `observe` sees the moments of each batch norm.
    pub(super) fn logits(
        &self,
        scaled: &Scaled,
        pixels: &Tensor,
        observe: impl FnMut((Tensor, Tensor)),
    ) -> Tensor {
        let weights = self.by_layer(&scaled.weights, WEIGHTS);
        let offsets = self.by_layer(&scaled.offsets, CHANNELS);
        let mut first = 0;
        let layers = weights.into_iter().zip(offsets).map(|(weight, offset)| {
            let (weight, beta) = (weight?, offset?);
            let channels = weight.size()[0];
            let after = if first + channels <= scaled.gammas.size()[0] {
                let gamma = scaled.gammas.narrow(0, first, channels);
                first += channels;
                FakeAfter::Normalise { gamma, beta }
            } else {
                FakeAfter::Bias(beta)
            };
            Some(FakeLayer { weight, after })
        });
        let layers: Vec<_> = layers.collect();
        fake_logits(&self.network, &layers, &self.tensors, to_planes(pixels, self.tensors[0].zero()), observe)
    }

    /// `scaled` cut into layers for the host's arithmetic.
    pub(super) fn weights<'a>(&self, scaled: &'a ScaledOnHost) -> Vec<Option<Weights<'a>>> {
        let [weights, gammas, offsets] = &scaled.0;
        let (mut weights, mut gammas, mut offsets) = (&weights[..], &gammas[..], &offsets[..]);
        let layers = self.network.layers.iter().zip(&self.shapes).map(|(layer, shape)| {
            let shape = shape.as_ref()?;
            let channels = shape[0] as usize;
            let weight = weights.split_off(..shape.iter().product::<i64>() as usize)?;
            let beta = offsets.split_off(..channels)?;
            let after = match layer.op {
                Op::Classifier { .. } => After::Bias(beta),
                _ => After::Normalise { gamma: gammas.split_off(..channels)?, beta },
            };
            Some(Weights { weight, after })
        });
        layers.collect()
    }

    fn pieces(&self, parameters: &Tensor) -> [Tensor; 3] {
        self.layout.split(parameters).try_into().expect("three pieces")
    }

    /// Cuts values of all layers into those of each. `dimensions`: how many of its weights' a layer's values have.
    fn by_layer(&self, values: &Tensor, dimensions: usize) -> Vec<Option<Tensor>> {
        let shape =
            |shape: &Option<Vec<i64>>| Some(shape.as_ref()?.iter().take(dimensions).copied().collect());
        let shapes: Vec<Option<Vec<i64>>> = self.shapes.iter().map(shape).collect();
        let counts: Vec<i64> = shapes.iter().flatten().map(|shape| shape.iter().product()).collect();
        let mut cut = values.split_with_sizes(counts, 0).into_iter();
        shapes
            .into_iter()
            .map(|shape| {
                let shape = shape?;
                Some(cut.next()?.view(&shape[..]))
            })
            .collect()
    }

    /// Statistics of each batch norm with the flat vector `parameters`.
    fn statistics(
        &self,
        parameters: &Tensor,
        images: &DeviceImages,
        threads: usize,
    ) -> Result<Vec<Statistics>, TrainError> {
        let scaled = no_grad(|| self.scaled(parameters));
        let values = scaled.on_host();
        measure(images, threads, || {
            let net = self.share();
            let mut host = on_host::on_host(&self.network, parameters.device());
            let (arithmetic, values, scaled) = (self.arithmetic(), values.clone(), scaled.share());
            move |images: &DeviceImages| {
                if let Some(host) = &mut host {
                    let _ = host.forward(&bytes(&images.pixels), &net.weights(&values), &arithmetic);
                    return moments(host);
                }
                let mut found = Vec::new();
                let _ = net.logits(&scaled, &images.pixels, |moments| found.push(moments));
                found
            }
        })
    }

    /// The network with the flat vector `parameters`, `start` being what it began with; statistics over `images`, which it
    /// was trained on.
    pub(super) fn finish(
        &self,
        parameters: &Tensor,
        start: &Quantised,
        images: &DeviceImages,
        threads: usize,
    ) -> Result<Quantised, TrainError> {
        let mut statistics = self.statistics(parameters, images, threads)?.into_iter();
        no_grad(|| {
            let [weights, gammas, offsets] = self.pieces(parameters);
            let ranges = self.steps.index_select(0, &self.channels) * &self.limits;
            let weights = self.by_layer(&(weights * ranges), WEIGHTS);
            let steps = self.by_layer(&self.steps, CHANNELS);
            let offsets = self.by_layer(&offsets, CHANNELS);
            let mut first = 0;
            let layers = weights.into_iter().zip(steps).zip(offsets).zip(&start.layers).map(
                |(((weight, step), offset), start)| {
                    let (weight, step, offset, bits) = (weight?, step?, offset?, start.as_ref()?.bits);
                    let Some(of_sums) = statistics.next() else {
                        return Some(QuantisedLayer { weight, bias: offset, step, bits });
                    };
                    let channels = step.size()[0];
                    let factor = gammas.narrow(0, first, channels) / of_sums.deviation();
                    first += channels;
                    let smallest = SMALLEST_WEIGHT / f64::from(bits.max_weight());
                    Some(QuantisedLayer {
                        weight: weight * factor.view([-1, 1, 1, 1]),
                        bias: offset - of_sums.mean * &factor,
                        step: (step * factor.abs()).clamp_min(smallest),
                        bits,
                    })
                },
            );
            Ok(Quantised {
                network: Arc::clone(&self.network),
                layers: layers.collect(),
                tensors: start.tensors.clone(),
            })
        })
    }
}

impl Scaled {
    fn share(&self) -> Self {
        let [weights, gammas, offsets] =
            [&self.weights, &self.gammas, &self.offsets].map(Tensor::shallow_clone);
        Self { weights, gammas, offsets }
    }

    pub(super) fn on_host(&self) -> ScaledOnHost {
        ScaledOnHost([&self.weights, &self.gammas, &self.offsets].map(floats))
    }

    /// A function whose gradient by each value is the one that `layers` give.
    pub(super) fn product(&self, layers: &[Option<ByWeights>]) -> Tensor {
        let gather = |pick: fn(&ByWeights) -> &[f32]| {
            Tensor::from_slice(&layers.iter().flatten().flat_map(pick).copied().collect::<Vec<_>>())
        };
        (&self.weights * gather(|layer| &layer.weight)).sum(None)
            + (&self.gammas * gather(|layer| &layer.gamma)).sum(None)
            + (&self.offsets * gather(|layer| &layer.offset)).sum(None)
    }
}
