//! Quantisation-aware fine-tuning: weights that keep their accuracy when they are rounded to 4 to 8 bits.
//!
//! Weights are frozen at integers little by little, those next to one first; the others go on being trained, in full
//! precision, and make up for what that did (Zhou et al., "Incremental network quantization", 2017, who freeze them in a
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

use tch::{Kind, Tensor, no_grad};

use super::error::TrainError;
use super::fake::FakeTensor;
use super::fold::Folded;
use super::images::DeviceImages;
use super::net::{Net, Pieces};
use super::optimiser::Frozen;
use super::parameters::{Builder, Start, floats};
use super::quantise::{Quantised, QuantisedLayer, SMALLEST_WEIGHT};
use super::statistics::measure;

/// A quantised network in the making. Its flat vector holds, each for all layers: weights over their channel's range; the
/// factors of the batch norms; their offsets and the classifier's biases. The flat vector of `net` is of the same form.
#[derive(Debug)]
pub(super) struct QaftNet {
    pub(super) net: Net,
    /// For each weight, the index of its channel among all channels.
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

impl QaftNet {
    /// `quantised` was made from `folded`.
    pub(super) fn new(quantised: &Quantised, folded: &Folded) -> (Self, Start) {
        no_grad(|| {
            let network = &quantised.network;
            let device = quantised.layers.iter().flatten().next().expect("a classifier").weight.device();
            let tensors = FakeTensor::all(network, &quantised.tensors);
            let unit = |tensor: usize| tensors.get(tensor).map_or(1.0, |tensor| tensor.unit);
            let (mut weights, mut gammas, mut offsets) = (vec![], vec![], vec![]);
            let (mut channels, mut limits, mut steps) = (vec![], vec![], vec![]);
            let (mut inputs, mut outputs) = (vec![], vec![]);
            for (index, (layer, of_sums)) in quantised.layers.iter().zip(&folded.statistics).enumerate() {
                let Some(layer) = layer else { continue };
                let limit = f64::from(layer.bits.max_weight());
                let step = floats(&layer.step);
                let rows = layer.weight.flatten(1, -1) / (&layer.step * limit).view([-1, 1]);
                for channel in steps.len() as i64..(steps.len() + step.len()) as i64 {
                    channels.extend(std::iter::repeat_n(channel, rows.size()[1] as usize));
                }
                limits.resize(channels.len(), limit as f32);
                steps.extend(step);
                inputs.resize(steps.len(), unit(network.layers[index].inputs[0]) as f32);
                outputs.resize(steps.len(), unit(index + 1).recip() as f32);
                weights.push((index, layer.weight.size(), floats(&rows)));
                let offset = match of_sums {
                    // What normalises the sums of the float network and undoes it.
                    Some(of_sums) => {
                        gammas.push((index, floats(&of_sums.deviation())));
                        &layer.bias + &of_sums.mean
                    }
                    None => layer.bias.shallow_clone(),
                };
                offsets.push((index, floats(&offset)));
            }
            let mut builder = Builder::default();
            let mut found = vec![[None; 3]; network.layers.len()];
            for (index, shape, values) in weights {
                found[index][0] = Some(builder.push(&shape, &values, true));
            }
            for (piece, of_layers) in [(1, gammas), (2, offsets)] {
                for (index, values) in of_layers {
                    found[index][piece] = Some(builder.push(&[values.len() as i64], &values, false));
                }
            }
            let pieces = found.into_iter().map(|[weight, gamma, offset]| {
                let (weight, offset) = (weight?, offset?);
                Some(match gamma {
                    Some(gamma) => Pieces::Normalised { weight, gamma, beta: offset },
                    None => Pieces::Biased { weight, bias: offset },
                })
            });
            let pieces = pieces.collect();
            let (layout, start) = builder.build(device);
            let on_device = |values: &[f32]| Tensor::from_slice(values).to_device(device);
            let (network, layout) = (Arc::clone(network), Arc::new(layout));
            let net = Self {
                channels: Tensor::from_slice(&channels).to_device(device),
                limits: on_device(&limits),
                steps: on_device(&steps),
                inputs: on_device(&inputs),
                outputs: on_device(&outputs),
                net: Net { network, layout, pieces, tensors: Some(tensors.into()) },
            };
            (net, start)
        })
    }

    /// Another handle to the same memory, for another thread.
    pub(super) fn share(&self) -> Self {
        Self {
            net: self.net.clone(),
            channels: self.channels.shallow_clone(),
            limits: self.limits.shallow_clone(),
            steps: self.steps.shallow_clone(),
            inputs: self.inputs.shallow_clone(),
            outputs: self.outputs.shallow_clone(),
        }
    }

    /// The flat vector of the network for `parameters`, in units of each layer's input and output: one sequence of operations
    /// for all layers.
    pub(super) fn values(&self, parameters: &Tensor) -> Tensor {
        let [weights, gammas, offsets] = self.split(parameters);
        let units = (&self.steps * &self.inputs).index_select(0, &self.channels);
        let normalised = self.outputs.narrow(0, 0, gammas.size()[0]);
        let weights = weights.clamp(-1.0, 1.0) * &self.limits * units;
        Tensor::cat(&[weights, gammas * normalised, offsets * &self.outputs], 0)
    }

    /// The weights that are integers from `progress` on, (0, 1] of the training. The last tenth leaves batch norms and biases
    /// time to make up for the last weights.
    pub(super) fn freeze(&self, parameters: &Tensor, progress: f64) -> Frozen {
        no_grad(|| {
            let [weights, gammas, offsets] = self.split(parameters);
            let exact = weights.clamp(-1.0, 1.0) * &self.limits;
            let integers = exact.round();
            // Many early: a weight that is frozen late has the fewest others left to make up for it.
            let part = (progress / 0.9).min(1.0).sqrt();
            let count = (part * weights.size()[0] as f64).round().max(1.0) as i64;
            let distances = (exact - &integers).abs();
            let (farthest, _) = distances.kthvalue(count, 0, false);
            let frozen = distances.le_tensor(&farthest);
            let never = |piece: &Tensor| piece.zeros_like().to_kind(Kind::Bool);
            Frozen {
                values: Tensor::cat(&[&(integers / &self.limits), &gammas, &offsets], 0),
                frozen: Tensor::cat(&[&frozen, &never(&gammas), &never(&offsets)], 0),
            }
        })
    }

    /// Weights, factors and offsets of all layers.
    fn split(&self, parameters: &Tensor) -> [Tensor; 3] {
        let [all, weights, offsets] = [parameters, &self.limits, &self.steps].map(|tensor| tensor.size()[0]);
        let pieces = parameters.split_with_sizes([weights, all - weights - offsets, offsets], 0);
        pieces.try_into().expect("three pieces")
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
        let values = no_grad(|| self.values(parameters));
        let mut statistics = measure(&self.net, &values, images, threads)?.into_iter();
        no_grad(|| {
            let [weights, gammas, offsets] = self.split(parameters);
            let ranges = self.steps.index_select(0, &self.channels) * &self.limits;
            let values = self.net.layout.split(&Tensor::cat(&[weights * ranges, gammas, offsets], 0));
            let layers = self.net.pieces.iter().zip(&start.layers).map(|(pieces, start)| {
                let QuantisedLayer { step, bits, .. } = start.as_ref()?;
                Some(match *pieces.as_ref()? {
                    Pieces::Biased { weight, bias } => QuantisedLayer {
                        weight: values[weight].copy(),
                        bias: values[bias].copy(),
                        step: step.copy(),
                        bits: *bits,
                    },
                    Pieces::Normalised { weight, gamma, beta } => {
                        let of_sums = statistics.next().expect("statistics of each batch norm");
                        let factor = &values[gamma] / of_sums.deviation();
                        let smallest = SMALLEST_WEIGHT / f64::from(bits.max_weight());
                        QuantisedLayer {
                            weight: &values[weight] * factor.view([-1, 1, 1, 1]),
                            bias: &values[beta] - of_sums.mean * &factor,
                            step: (step * factor.abs()).clamp_min(smallest),
                            bits: *bits,
                        }
                    }
                })
            });
            Ok(Quantised {
                network: Arc::clone(&self.net.network),
                layers: layers.collect(),
                tensors: start.tensors.clone(),
            })
        })
    }
}
