//! Post-training quantisation: symmetric b-bit weights with one step for each output channel.
//!
//! A channel's step minimises the squared error of its weights; at 4 bits that clips a channel's largest weights, because
//! a finer step for all others is worth more.

use std::sync::Arc;

use bomp_export::candidate::{Candidate, LayerWeights, Provenance, Quantisation};
use bomp_export::ir::{Bits, Network};
use tch::{Kind, Tensor, no_grad};

use super::calibrate::calibrate;
use super::count::correct_of;
use super::error::TrainError;
use super::fake::FakeTensor;
use super::fold::Folded;
use super::images::DeviceImages;
use super::net::Net;
use super::parameters::floats;

/// Parts of a channel's largest weight that are tried as the end of its range: from this one in equal steps to 1.
const SMALLEST_PART: f64 = 0.3;
const PARTS: usize = 71;
/// A channel whose weights are all smaller than this is dead; its step then is that of such weights.
pub(super) const SMALLEST_WEIGHT: f64 = 1e-6;

/// A quantised network in real numbers.
#[derive(Debug)]
pub(super) struct Quantised {
    pub(super) network: Arc<Network>,
    /// Of each layer, `None` without weights.
    pub(super) layers: Vec<Option<QuantisedLayer>>,
    /// Of the input and of each layer's output but the classifier's.
    pub(super) tensors: Vec<Quantisation>,
}

/// A layer with weights before its weights are rounded.
#[derive(Debug)]
pub(super) struct QuantisedLayer {
    /// [C_OUT, C_IN, K, K] or [CLASSES, INPUTS].
    pub(super) weight: Tensor,
    /// [C_OUT].
    pub(super) bias: Tensor,
    /// Step of each output channel, [C_OUT], positive.
    pub(super) step: Tensor,
    pub(super) bits: Bits,
}

/// Quantises `folded` to the bit widths of its network; activations are calibrated on some of `images`.
pub(super) fn quantise(folded: &Folded, images: &DeviceImages) -> Result<Quantised, TrainError> {
    let tensors = calibrate(folded, images)?;
    let layers = folded.network.layers.iter().zip(&folded.parameters).map(|(layer, parameters)| {
        let ((weight, bias), bits) = (parameters.as_ref()?, layer.op.bits()?);
        let (weight, bias) = (weight.copy(), bias.copy());
        Some(QuantisedLayer { step: best_steps(&weight, bits), weight, bias, bits })
    });
    Ok(Quantised { network: Arc::clone(&folded.network), layers: layers.collect(), tensors })
}

/// The step [C_OUT] of each row of `weight` that minimises the squared error.
fn best_steps(weight: &Tensor, bits: Bits) -> Tensor {
    no_grad(|| {
        let rows = weight.flatten(1, -1).to_kind(Kind::Double);
        let limit = f64::from(bits.max_weight());
        let full = rows.abs().amax([1i64].as_slice(), true).clamp_min(SMALLEST_WEIGHT) / limit;
        let mut best_step = full.shallow_clone();
        let mut best_error = full.full_like(f64::INFINITY);
        for i in 0..PARTS {
            let step = &full * (1.0 - (1.0 - SMALLEST_PART) * i as f64 / (PARTS - 1) as f64);
            let difference = round_to(&rows, &step, limit) - &rows;
            let error = difference.square().sum_dim_intlist([1i64].as_slice(), true, None);
            let better = error.less_tensor(&best_error);
            best_step = step.where_self(&better, &best_step);
            best_error = error.where_self(&better, &best_error);
        }
        best_step.view([-1]).to_kind(Kind::Float)
    })
}

/// `rows` [C_OUT, N] rounded to multiples of `step` [C_OUT, 1] within `limit` steps.
fn round_to(rows: &Tensor, step: &Tensor, limit: f64) -> Tensor {
    (rows / step).round().clamp(-limit, limit) * step
}

impl QuantisedLayer {
    /// The weights as the device has them: multiples of the steps.
    pub(super) fn rounded(&self) -> Tensor {
        let rows = self.weight.flatten(1, -1);
        let rounded = round_to(&rows, &self.step.view([-1, 1]), f64::from(self.bits.max_weight()));
        rounded.view_as(&self.weight)
    }
}

impl Quantised {
    /// Number of `images` of each class that the network classifies correctly, in floats: for weights that have no integer
    /// form.
    pub(super) fn correct(&self, images: &DeviceImages, threads: usize) -> Result<Vec<usize>, TrainError> {
        let tensors = FakeTensor::all(&self.network, &self.tensors);
        let unit = |tensor: usize| tensors.get(tensor).map_or(1.0, |tensor| tensor.unit);
        let parameters = self.layers.iter().enumerate().map(|(index, layer)| {
            let layer = layer.as_ref()?;
            let (input, output) = (unit(self.network.layers[index].inputs[0]), unit(index + 1));
            Some((layer.rounded() * (input / output), &layer.bias / output))
        });
        let parameters: Vec<_> = no_grad(|| parameters.collect());
        let (net, values) = Net::biased(&self.network, Some(tensors), &parameters);
        correct_of(&net, &values, images, threads)
    }

    /// The candidate to lower and pack, with the weights already rounded: lowering moves the steps by up to 2^-13, and a
    /// rounded weight stays the integer that it is.
    pub(super) fn candidate(&self) -> Candidate {
        let weights = self.layers.iter().map(|layer| {
            let layer = layer.as_ref()?;
            let (weight, bias, scale) = (floats(&layer.rounded()), floats(&layer.bias), floats(&layer.step));
            Some(LayerWeights { weight, bias, scale })
        });
        Candidate {
            network: (*self.network).clone(),
            tensors: self.tensors.clone(),
            weights: weights.collect(),
            provenance: Provenance::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn steps_beat_the_full_range_and_their_neighbours() {
        let waves = Tensor::arange(320, (Kind::Double, Device::Cpu));
        let shape = (&waves * 12.9898).sin() * (&waves * 78.233).cos().square();
        let sizes = Tensor::logspace(-3.0, 1.0, 8, 10.0, (Kind::Double, Device::Cpu));
        let weight = shape.view([8, 40]) * sizes.view([8, 1]);
        for bits in 4..=8 {
            let bits = Bits::try_from(bits).unwrap();
            let limit = f64::from(bits.max_weight());
            let error = |step: &Tensor| {
                let rounded = round_to(&weight, &step.view([-1, 1]).to_kind(Kind::Double), limit);
                (rounded - &weight).square().sum_dim_intlist([1i64].as_slice(), false, Kind::Double)
            };
            let steps = best_steps(&weight, bits);
            let full = weight.abs().amax([1i64].as_slice(), false) / limit;
            for other in [&full, &(&full * 0.9), &(&full * 0.8), &(&full * 0.7)] {
                let worse = (error(other) * 1.02 + 1e-12 - error(&steps)).min().double_value(&[]);
                assert!(worse >= 0.0, "{bits:?}: {worse}");
            }
        }
    }

    #[test]
    fn a_dead_channel_gets_a_positive_step() {
        let weight = Tensor::zeros([2, 1, 3, 3], (Kind::Float, Device::Cpu));
        let layer = QuantisedLayer {
            step: best_steps(&weight, Bits::MIN),
            weight,
            bias: Tensor::zeros([2], (Kind::Float, Device::Cpu)),
            bits: Bits::MIN,
        };
        assert!(layer.step.min().double_value(&[]) > 0.0);
        assert_eq!(layer.rounded().abs().max().double_value(&[]), 0.0);
    }
}
