//! From float weights and trained quantisation to the integers that the device computes with.
//!
//! The factor from a channel's accumulator to its output has 13 significant bits in the blob. It is rounded first and
//! the weight step that follows from it is the one the weights are quantised with, so the integers are exact for the
//! steps used, and the QDQ model with these steps describes the same network. What this module returns cannot overflow.
//!
//! Mantissas are odd. Then no accumulator of a convolution lies exactly between two output elements: acc * M * 2^-s =
//! n + 1/2 needs a multiple of 2^(s-1) for acc, so a result of at least M / 2 >= 2,048, which saturates. Engines that
//! break ties in another way than the device (ONNX: to even) have none to break.

use std::ops::RangeInclusive;

use thiserror::Error;

use bomp_runtime::quant::{
    BASE_SHIFT, FINE_BITS, FRACTION_BITS, MAX_BIAS, MAX_SHIFT_DELTA, Multiplier, Output, WIDE_SHIFT,
};

use crate::candidate::{Candidate, LayerWeights, Quantisation};
use crate::ir::{Activation, INPUT, Network, Op};

/// Integer parameters of a layer with weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Weighted {
    /// [C_OUT, K, K, C_IN] for convolutions (C_IN is 1 for depthwise), [CLASSES, H, W, C] for the classifier.
    pub weights: Vec<i8>,
    /// Bias in units of input step * weight step, `[C_OUT]`.
    pub biases: Vec<i32>,
    /// `biases` less input zero point times the sum of the weights: what the format stores, |.| <= 2^30.
    pub folded_biases: Vec<i32>,
    /// Factor of each channel, `[C_OUT]`.
    pub multipliers: Vec<Multiplier>,
    /// More bits of the factors, `[C_OUT]` of a wide layer, else none. Networks that are lowered here need none.
    pub fine: Vec<u16>,
    /// Base shift of the multipliers.
    pub base_shift: u8,
    /// The weight step that the integers stand for, `[C_OUT]`.
    pub weight_scales: Vec<f64>,
}

/// Integer parameters of a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameters {
    /// A convolution, depthwise convolution or classifier.
    Weighted(Weighted),
    /// Factors of an add and their shift.
    Add {
        /// Factor of each operand.
        factors: [i32; 2],
        /// Common shift.
        shift: u8,
    },
    /// Factor of an average pool and its shift.
    AveragePool {
        /// Factor of the sum.
        factor: i32,
        /// Shift.
        shift: u8,
    },
}

/// A network of integers, ready to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Lowered {
    /// Layers and shapes.
    pub network: Network,
    /// Quantisation of the input and of each layer's output but the classifier's.
    pub tensors: Vec<Quantisation>,
    /// Real step of one logit unit.
    pub logit_scale: f64,
    /// Parameters of each layer.
    pub parameters: Vec<Parameters>,
    /// Zero point and saturation bounds of each layer's output; zeros for the classifier.
    pub outputs: Vec<Output>,
}

/// Why a candidate cannot be lowered.
#[derive(Debug, Error, PartialEq)]
#[error("layer `{layer}`: {problem}")]
pub struct LowerError {
    /// Name of the layer.
    pub layer: String,
    /// What is wrong.
    pub problem: String,
}

impl Lowered {
    /// Zero point and saturation bounds of the output of layer `index`; zeros for the classifier.
    #[must_use]
    pub fn output(&self, index: usize) -> Output {
        self.outputs[index]
    }
}

/// Zero point and saturation bounds of a tensor: ReLU6 saturates at the elements of 0 and 6.
#[must_use]
pub fn output(quantisation: Quantisation, activation: Activation) -> Output {
    let Quantisation { scale, zero_point } = quantisation;
    match activation {
        Activation::Linear => Output { zero_point, min: i8::MIN, max: i8::MAX },
        Activation::Relu6 => {
            let max = (f64::from(zero_point) + (6.0 / scale).round()).min(127.0) as i8;
            Output { zero_point, min: zero_point, max }
        }
    }
}

/// Lowers a candidate.
///
/// # Errors
/// The layer with a non-finite or absurd weight, bias or step, or one whose accumulators could overflow.
pub fn lower(candidate: &Candidate) -> Result<Lowered, LowerError> {
    let network = &candidate.network;
    let shapes = network.shapes();
    network.validate().map_err(|error| LowerError { layer: "network".into(), problem: error.to_string() })?;
    if candidate.tensors.len() != network.layers.len() || candidate.weights.len() != network.layers.len() {
        return Err(LowerError { layer: "network".into(), problem: "not one entry for each layer".into() });
    }
    for (tensor, quantisation) in candidate.tensors.iter().enumerate() {
        if !(quantisation.scale.is_finite() && (1e-30..1e30).contains(&quantisation.scale)) {
            let layer = tensor.checked_sub(1).map_or(INPUT.into(), |l| network.layers[l].name.clone());
            let problem = format!("the step of its output is {}, which is absurd", quantisation.scale);
            return Err(LowerError { layer, problem });
        }
    }
    let mut logit_scale = 1.0;
    let mut parameters = Vec::with_capacity(network.layers.len());
    for (index, layer) in network.layers.iter().enumerate() {
        let fail = |problem: String| LowerError { layer: layer.name.clone(), problem };
        let input = candidate.tensors[layer.inputs[0]];
        let lowered = match &layer.op {
            Op::Add => {
                let out = candidate.tensors[index + 1].scale;
                let ratios = [input.scale / out, candidate.tensors[layer.inputs[1]].scale / out];
                let (factors, shift) = wide_factors(ratios).map_err(fail)?;
                Parameters::Add { factors, shift }
            }
            Op::AveragePool => {
                let shape = shapes[layer.inputs[0]];
                let count = (shape.height * shape.width) as f64;
                let ratio = input.scale / candidate.tensors[index + 1].scale / count;
                let ([factor], shift) = wide_factors([ratio]).map_err(fail)?;
                Parameters::AveragePool { factor, shift }
            }
            Op::Convolution { bits, .. } | Op::Depthwise { bits, .. } | Op::Classifier { bits, .. } => {
                let float =
                    candidate.weights[index].as_ref().ok_or_else(|| fail("it has no weights".into()))?;
                let channels = shapes[index + 1].channels;
                check_floats(float, channels, network.fan_in(index, &shapes)).map_err(fail)?;
                let scales = reachable_scales(float, input.scale);
                let out = match layer.op {
                    Op::Classifier { .. } => {
                        logit_scale = logit_step(float, &scales, input.scale);
                        logit_scale
                    }
                    Op::Convolution { .. } | Op::Depthwise { .. } | Op::Add | Op::AveragePool => {
                        candidate.tensors[index + 1].scale
                    }
                };
                let pixels = match layer.op {
                    Op::Classifier { .. } => shapes[layer.inputs[0]].height * shapes[layer.inputs[0]].width,
                    Op::Convolution { window, .. } | Op::Depthwise { window, .. } => {
                        window.kernel * window.kernel
                    }
                    Op::Add | Op::AveragePool => 1,
                };
                let ratio = out / input.scale;
                let quantiser = Quantiser { limit: bits.max_weight(), input, ratio, positions: pixels };
                Parameters::Weighted(quantiser.quantise(float, &scales).map_err(fail)?)
            }
        };
        parameters.push(lowered);
    }
    let outputs = network.layers.iter().enumerate().map(|(index, layer)| match layer.op {
        Op::Classifier { .. } => Output { zero_point: 0, min: 0, max: 0 },
        Op::Convolution { activation, .. } | Op::Depthwise { activation, .. } => {
            output(candidate.tensors[index + 1], activation)
        }
        Op::Add | Op::AveragePool => output(candidate.tensors[index + 1], Activation::Linear),
    });
    let outputs = outputs.collect();
    Ok(Lowered {
        network: network.clone(),
        tensors: candidate.tensors.clone(),
        logit_scale,
        parameters,
        outputs,
    })
}

fn check_floats(float: &LayerWeights, channels: usize, fan_in: usize) -> Result<(), String> {
    let fields = [
        ("weight", &float.weight, channels * fan_in),
        ("bias", &float.bias, channels),
        ("scale", &float.scale, channels),
    ];
    for (field, values, length) in fields {
        if values.len() != length {
            return Err(format!("{field} has {} values instead of {length}", values.len()));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!("{field}[{at}] is {}", values[at]));
        }
    }
    match float.scale.iter().position(|&scale| !(1e-30..1e30).contains(&scale)) {
        Some(at) => Err(format!("scale[{at}] is {}, which is absurd", float.scale[at])),
        None => Ok(()),
    }
}

/// Weight steps, widened where a channel's weights are so small that its bias would not fit: |bias| <= 2^29 units.
fn reachable_scales(float: &LayerWeights, input_scale: f64) -> Vec<f64> {
    let smallest = |bias: f32| f64::from(bias.abs()) / (input_scale * f64::from(MAX_BIAS / 2));
    float.scale.iter().zip(&float.bias).map(|(&scale, &bias)| f64::from(scale).max(smallest(bias))).collect()
}

/// Step of the logits: a sixteenth of the coarsest channel's accumulator step, but coarse enough that no logit saturates.
pub(crate) fn logit_step(float: &LayerWeights, scales: &[f64], input_scale: f64) -> f64 {
    let coarsest = scales.iter().fold(0.0f64, |a, &b| a.max(b));
    let fan_in = float.weight.len() / scales.len();
    // |logit| <= |bias| + sum of |weight| * 255 steps of the input, in real units; a quarter of int32 leaves room for
    // the rounding of weights and steps.
    let largest = (0..scales.len()).map(|channel| {
        let row = &float.weight[channel * fan_in..][..fan_in];
        let sum: f64 = row.iter().map(|&w| f64::from(w.abs()) + scales[channel]).sum();
        f64::from(float.bias[channel].abs()) + sum * 255.0 * input_scale
    });
    let largest = largest.fold(0.0f64, f64::max);
    (coarsest * input_scale / 16.0).max(largest / f64::from(1 << 29))
}

/// Factors as 31-bit integers with a common shift: ratio ~ factor * 2^-shift.
pub(crate) fn wide_factors<const N: usize>(ratios: [f64; N]) -> Result<([i32; N], u8), String> {
    let largest = ratios.iter().fold(0.0f64, |a, &b| a.max(b));
    let shift = 30 - largest.log2().floor() as i32;
    let shift = u8::try_from(shift).ok().filter(|shift| WIDE_SHIFT.contains(shift));
    let Some(shift) = shift else {
        return Err(format!("the steps of its inputs and its output differ absurdly (factor {largest:e})"));
    };
    let factor = |ratio: f64| (ratio * 2f64.powi(i32::from(shift))).round().min(f64::from(i32::MAX)) as i32;
    Ok((ratios.map(factor), shift))
}

struct Quantiser {
    /// Largest magnitude of a weight.
    limit: i32,
    input: Quantisation,
    /// Output step over input step.
    ratio: f64,
    /// Kernel positions (or pixels) for each input channel.
    positions: usize,
}

impl Quantiser {
    fn quantise(&self, float: &LayerWeights, scales: &[f64]) -> Result<Weighted, String> {
        let factors: Vec<f64> = scales.iter().map(|scale| scale / self.ratio).collect();
        let base_shift = base_shift(&factors, BASE_SHIFT)?;
        let fan_in = float.weight.len() / scales.len();
        let mut result = Weighted {
            weights: Vec::with_capacity(float.weight.len()),
            biases: Vec::with_capacity(scales.len()),
            folded_biases: Vec::with_capacity(scales.len()),
            multipliers: Vec::with_capacity(scales.len()),
            fine: Vec::new(),
            base_shift,
            weight_scales: Vec::with_capacity(scales.len()),
        };
        for (channel, &scale) in scales.iter().enumerate() {
            let (multiplier, factor) = nearest_odd_multiplier(scale / self.ratio, base_shift);
            let scale = factor * self.ratio;
            let row = &float.weight[channel * fan_in..][..fan_in];
            let limit = f64::from(self.limit);
            let quantised = |weight: f32| (f64::from(weight) / scale).round().clamp(-limit, limit) as i8;
            let channels = fan_in / self.positions;
            // [C_IN, position] as trained becomes [position, C_IN] as the device reads its input.
            let row: Vec<i8> = (0..fan_in)
                .map(|at| quantised(row[at % channels * self.positions + at / channels]))
                .collect();
            let sum: i64 = row.iter().map(|&w| i64::from(w)).sum();
            let bias = (f64::from(float.bias[channel]) / (self.input.scale * scale)).round() as i64;
            let folded = bias - i64::from(self.input.zero_point) * sum;
            if folded.abs() > i64::from(MAX_BIAS) {
                return Err(format!(
                    "channel {channel}: the bias of {folded} steps could overflow the accumulator"
                ));
            }
            result.weights.extend(row);
            result.biases.push(bias as i32);
            result.folded_biases.push(folded as i32);
            result.multipliers.push(multiplier);
            result.weight_scales.push(scale);
        }
        Ok(result)
    }
}

/// The base shift, one of `allowed`, of a layer whose channels have these factors.
pub(crate) fn base_shift(factors: &[f64], allowed: RangeInclusive<u8>) -> Result<u8, String> {
    let largest = factors.iter().map(|factor| factor.log2().floor() as i32).max().unwrap_or(0);
    let base_shift = FRACTION_BITS as i32 - largest;
    if base_shift < i32::from(*allowed.start()) {
        return Err("the step of its output is absurdly small beside those of its weights".into());
    }
    Ok(base_shift.min(i32::from(*allowed.end())) as u8)
}

/// The multiplier of odd mantissa nearest to `factor`, and its value. Factors too small for the layer's base shift become
/// the smallest one: such a channel's weights are nothing beside the others'.
fn nearest_odd_multiplier(factor: f64, base_shift: u8) -> (Multiplier, f64) {
    let (delta, mantissa) = mantissa(factor, base_shift);
    // The odd number nearest to a value in 2k..2k + 2 is 2k + 1.
    let odd = ((mantissa / 2.0).floor() * 2.0 + 1.0).clamp(ONE + 1.0, 2.0 * ONE - 1.0);
    (code(delta, odd), odd * 2f64.powi(-i32::from(base_shift) - delta))
}

/// The multiplier nearest to `factor`, and its value: within 2^-13 of it, but for factors too small for the layer's base
/// shift.
pub(crate) fn nearest(factor: f64, base_shift: u8) -> (Multiplier, f64) {
    let (delta, mantissa) = mantissa(factor, base_shift);
    let whole = mantissa.round().clamp(ONE, 2.0 * ONE - 1.0);
    (code(delta, whole), whole * 2f64.powi(-i32::from(base_shift) - delta))
}

/// The factor of a wide layer nearest to `factor`: multiplier, more bits, and their value, within 2^-26 of it but for factors too
/// small for the layer's base shift. For networks whose weights are integers already; a tie of theirs is no more likely than
/// any other remainder.
pub(crate) fn nearest_wide(factor: f64, base_shift: u8) -> (Multiplier, u16, f64) {
    let (delta, mantissa) = mantissa(factor, base_shift);
    const MORE: f64 = (1 << FINE_BITS) as f64;
    let whole = (mantissa * MORE).round().clamp(ONE * MORE, 2.0 * ONE * MORE - 1.0);
    let (upper, fine) = ((whole / MORE).floor(), whole % MORE);
    let value = whole / MORE * 2f64.powi(-i32::from(base_shift) - delta);
    (code(delta, upper), fine as u16, value)
}

/// The smallest mantissa.
const ONE: f64 = (1 << FRACTION_BITS) as f64;

/// The delta and the exact mantissa of a factor, the latter within [`ONE`] and twice that unless the factor is out of reach.
fn mantissa(factor: f64, base_shift: u8) -> (i32, f64) {
    let base = i32::from(base_shift);
    let delta = (FRACTION_BITS as i32 - factor.log2().floor() as i32 - base).clamp(0, MAX_SHIFT_DELTA as i32);
    (delta, factor * 2f64.powi(base + delta))
}

/// The multiplier of a delta and a whole mantissa.
fn code(delta: i32, mantissa: f64) -> Multiplier {
    Multiplier((delta as u16) << FRACTION_BITS | (mantissa - ONE) as u16)
}
