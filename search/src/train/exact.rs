//! Integer-exact evaluation with tensor operations: the logits of the device, bit for bit, on the training device.
//!
//! Why floating point is exact here. A partial sum of a convolution is an integer of magnitude at most the sum of
//! |weight| * max |input - zero point| over a channel; below 2^24 every one of them is a float32, in whatever order they are
//! added. Where the actual weights do not prove that, and on devices whose convolutions may go through transforms
//! (Winograd, FFT), the sum is computed in float64, where the same transforms err by far less than 1/2, and rounded.
//!
//! Requantisation is floor((sum + bias) * mantissa * 2^-shift + 1/2), exact in float64: |sum + bias| < 2^31, mantissa < 2^13
//! and for a shift of at most 52 each term is a multiple of 2^-shift and, in that unit, below 2^52; for a larger shift the
//! product is below 2^-8 and the result is 0 in either arithmetic. The same holds for the residual add, whose products
//! are below 2^40. The average pool's product may have 56 bits, so it is computed in int64.

use std::sync::Arc;

use bomp_export::candidate::Quantisation;
use bomp_export::ir::{Network, Op};
use bomp_export::lower::{Lowered, Parameters, Weighted};
use bomp_runtime::quant::Output;
use tch::{Device, Kind, Tensor};

use super::error::TrainError;
use super::fold::{CHUNK, correct, total};
use super::host::{self, After, Arithmetic, HostNet, Requantise, Weights};
use super::images::{DeviceImages, to_planes, zero_of};
use super::net::{forward, spatial_sum, weight_shapes, weighted_sum};
use super::on_host::{self, bytes, classes, floats};
use super::parallel::map_chunks;

/// Sums of magnitudes below this are exact in float32 in any order of summation.
const FLOAT32_EXACT: i64 = 1 << 24;

/// A lowered network as tensors.
#[derive(Debug)]
pub(super) struct ExactNet {
    network: Arc<Network>,
    input: Quantisation,
    layers: Vec<ExactLayer>,
    device: Device,
}

#[derive(Debug)]
enum ExactLayer {
    Weighted {
        /// Integers, [C_OUT, C_IN, K, K] or [CLASSES, INPUTS]; float32 or float64 as the sums need it.
        weight: Tensor,
        /// mantissa * 2^-shift of each channel, [1, C_OUT, 1, 1] or [1, CLASSES], float64.
        factor: Tensor,
        /// bias * factor + 1/2, of the same shape.
        offset: Tensor,
        output: Output,
    },
    Add {
        factors: [f64; 2],
        output: Output,
    },
    AveragePool {
        factor: i64,
        shift: i64,
        output: Output,
    },
}

impl ExactNet {
    /// # Panics
    /// Never for a lowered network: each layer with weights has a shape.
    pub(super) fn new(lowered: &Lowered, device: Device) -> Self {
        let network = &lowered.network;
        let shapes = weight_shapes(network);
        let layers = lowered.parameters.iter().enumerate().map(|(index, parameters)| {
            let output = lowered.output(index);
            match parameters {
                Parameters::Weighted(weighted) => {
                    let shape = shapes[index].as_ref().expect("the shape of a layer's weights");
                    let zero_point = lowered.tensors[network.layers[index].inputs[0]].zero_point;
                    let positions = match &network.layers[index].op {
                        Op::Classifier { .. } => {
                            let input = network.shapes()[network.layers[index].inputs[0]];
                            input.height * input.width
                        }
                        _ => shape[2..].iter().product::<i64>() as usize,
                    };
                    weighted_layer(weighted, shape, positions, zero_point, output, device)
                }
                Parameters::Add { factors, shift } => {
                    let factors = factors.map(|factor| f64::from(factor) * 2f64.powi(-i32::from(*shift)));
                    ExactLayer::Add { factors, output }
                }
                Parameters::AveragePool { factor, shift } => {
                    ExactLayer::AveragePool { factor: i64::from(*factor), shift: i64::from(*shift), output }
                }
            }
        });
        Self {
            network: Arc::new(network.clone()),
            input: lowered.tensors[0],
            layers: layers.collect(),
            device,
        }
    }

    fn share(&self) -> Self {
        let layers = self.layers.iter().map(|layer| match layer {
            ExactLayer::Weighted { weight, factor, offset, output } => ExactLayer::Weighted {
                weight: weight.shallow_clone(),
                factor: factor.shallow_clone(),
                offset: offset.shallow_clone(),
                output: *output,
            },
            &ExactLayer::Add { factors, output } => ExactLayer::Add { factors, output },
            &ExactLayer::AveragePool { factor, shift, output } => {
                ExactLayer::AveragePool { factor, shift, output }
            }
        });
        let network = Arc::clone(&self.network);
        Self { network, input: self.input, layers: layers.collect(), device: self.device }
    }

    /// Logits [N, CLASSES] (int64) for pixels [N, H, W, C] (u8). Between layers, tensors are int8 elements less their zero
    /// point, as float32: then padding is 0.
    fn logits(&self, pixels: &Tensor) -> Tensor {
        // An element is the byte less 128, and so is the zero point.
        let input = to_planes(pixels, zero_of(self.input));
        forward(&self.network, input, |index, inputs| match &self.layers[index] {
            ExactLayer::Weighted { weight, factor, offset, output } => {
                let op = &self.network.layers[index].op;
                let input = inputs[0].to_kind(weight.kind());
                let sums = weighted_sum(op, &input, weight, None).to_kind(Kind::Double);
                let sums = if weight.kind() == Kind::Double { sums.round() } else { sums };
                let mut values = offset.addcmul(&sums, factor).floor_();
                match op {
                    Op::Classifier { .. } => {
                        values.clamp_(f64::from(i32::MIN), f64::from(i32::MAX)).to_kind(Kind::Int64)
                    }
                    _ => saturate(values, *output),
                }
            }
            ExactLayer::Add { factors, output } => {
                let [a, b] = [inputs[0], inputs[1]].map(|tensor| tensor.to_kind(Kind::Double));
                saturate((a * factors[0] + b * factors[1] + 0.5).floor_(), *output)
            }
            ExactLayer::AveragePool { factor, shift, output } => {
                let sum = spatial_sum(&inputs[0].to_kind(Kind::Double)).to_kind(Kind::Int64);
                let rounded =
                    (sum * *factor + (1i64 << (shift - 1))).bitwise_right_shift_tensor_scalar(*shift);
                saturate(rounded.to_kind(Kind::Double), *output)
            }
        })
    }

    /// Number of `images` of each class that the device classifies correctly.
    pub(super) fn correct(&self, images: &DeviceImages, threads: usize) -> Result<Vec<usize>, TrainError> {
        let counts = map_chunks(images, CHUNK, threads, || {
            let (net, mut host) = (self.share(), OnHost::new(self));
            move |images| match &mut host {
                Some(host) => {
                    on_host::correct(&host.logits(&bytes(&images.pixels)), &classes(&images.labels))
                }
                None => correct(&net.logits(&images.pixels), &images.labels),
            }
        })?;
        Ok(total(&counts))
    }
}

/// An [`ExactNet`] in the host's own arithmetic, where every sum is exact in float32.
#[derive(Debug)]
struct OnHost {
    net: HostNet,
    arithmetic: Arithmetic,
    layers: Vec<Option<HostLayer>>,
}

#[derive(Debug)]
struct HostLayer {
    weight: Vec<f32>,
    factors: Vec<f64>,
    offsets: Vec<f64>,
    /// Bounds without the zero point; the classifier has none.
    bounds: Option<[f64; 2]>,
    /// No bias: the offsets have it.
    zeros: Vec<f32>,
}

impl OnHost {
    /// `None` where libtorch's arithmetic is the right one.
    fn new(net: &ExactNet) -> Option<Self> {
        let wide = |layer: &ExactLayer| matches!(layer, ExactLayer::Weighted { weight, .. } if weight.kind() != Kind::Float);
        let largest = net.network.shapes().iter().map(|shape| shape.height * shape.width).max()?;
        if net.layers.iter().any(wide) || largest as i64 * 255 >= FLOAT32_EXACT {
            return None;
        }
        let mut arithmetic = Arithmetic::of_pixels(net.layers.len(), zero_of(net.input));
        let layers =
            net.layers.iter().zip(&net.network.layers).enumerate().map(|(index, (layer, described))| {
                match layer {
                    ExactLayer::Weighted { weight, factor, offset, output } => {
                        let doubles = |tensor: &Tensor| -> Vec<f64> {
                            Vec::try_from(tensor.flatten(0, -1)).expect("a tensor of doubles")
                        };
                        let classifier = matches!(described.op, Op::Classifier { .. });
                        let (factors, offsets) = (doubles(factor), doubles(offset));
                        let bounds = (!classifier).then(|| bounds(*output));
                        let zeros = vec![0.0; factors.len()];
                        return Some(HostLayer { weight: floats(weight), factors, offsets, bounds, zeros });
                    }
                    ExactLayer::Add { factors, output } => {
                        let [low, high] = bounds(*output);
                        arithmetic.exact[index] = Some(host::Exact::Add { factors: *factors, low, high });
                    }
                    ExactLayer::AveragePool { factor, shift, output } => {
                        let [low, high] = bounds(*output).map(|bound| bound as i64);
                        let (factor, shift) = (*factor, *shift);
                        arithmetic.exact[index] = Some(host::Exact::Average { factor, shift, low, high });
                    }
                }
                None
            });
        let layers = layers.collect();
        Some(Self { net: on_host::on_host(&net.network, net.device)?, arithmetic, layers })
    }

    /// Logits [N, CLASSES] for pixels [N, H, W, C], integers.
    fn logits(&mut self, pixels: &[u8]) -> Vec<f64> {
        let weights: Vec<_> =
            self.layers.iter().map(|layer| layer.as_ref().map(HostLayer::weights)).collect();
        let sums = self.net.forward(pixels, &weights, &self.arithmetic);
        let last = self.layers.last().and_then(Option::as_ref).expect("a classifier");
        let channels = last.factors.iter().zip(&last.offsets).cycle();
        let logit = |(&sum, (factor, offset)): (&f32, (&f64, &f64))| {
            (f64::from(sum) * factor + offset).floor().clamp(f64::from(i32::MIN), f64::from(i32::MAX))
        };
        sums.iter().zip(channels).map(logit).collect()
    }
}

impl HostLayer {
    fn weights(&self) -> Weights<'_> {
        let after = match self.bounds {
            Some([low, high]) => {
                After::Requantise(Requantise { factors: &self.factors, offsets: &self.offsets, low, high })
            }
            None => After::Bias(&self.zeros),
        };
        Weights { weight: &self.weight, after }
    }
}

/// `values`, without the zero point, saturated as the device saturates them with it.
fn saturate(mut values: Tensor, output: Output) -> Tensor {
    let [low, high] = bounds(output);
    values.clamp_(low, high).to_kind(Kind::Float)
}

/// Bounds of a tensor's elements, without the zero point.
fn bounds(output: Output) -> [f64; 2] {
    [output.min, output.max].map(|bound| f64::from(i16::from(bound) - i16::from(output.zero_point)))
}

/// `positions`: kernel positions or pixels for each input channel.
fn weighted_layer(
    weighted: &Weighted,
    shape: &[i64],
    positions: usize,
    zero_point: i8,
    output: Output,
    device: Device,
) -> ExactLayer {
    let channels = shape[0] as usize;
    let fan_in = weighted.weights.len() / channels;
    let largest_input = (127 - i64::from(zero_point)).max(128 + i64::from(zero_point));
    let magnitude = |row: &[i8]| row.iter().map(|&w| i64::from(w).abs()).sum::<i64>() * largest_input;
    let bound = weighted.weights.chunks_exact(fan_in).map(magnitude).max().unwrap_or(0);
    let kind = if device == Device::Cpu && bound < FLOAT32_EXACT { Kind::Float } else { Kind::Double };
    // From [C_OUT, position, C_IN] as the device reads them to [C_OUT, C_IN, position].
    let weight = Tensor::from_slice(&weighted.weights)
        .view([channels as i64, positions as i64, (fan_in / positions) as i64])
        .transpose(1, 2)
        .to_kind(kind)
        .contiguous()
        .view(shape);
    let factors: Vec<f64> = weighted
        .multipliers
        .iter()
        .map(|multiplier| {
            let shift = i32::from(weighted.base_shift) + multiplier.shift_delta() as i32;
            f64::from(multiplier.mantissa()) * 2f64.powi(-shift)
        })
        .collect();
    let offsets: Vec<f64> =
        weighted.biases.iter().zip(&factors).map(|(&bias, factor)| f64::from(bias) * factor + 0.5).collect();
    let broadcast: &[i64] = if shape.len() == 2 { &[1, -1] } else { &[1, -1, 1, 1] };
    let place = |values: &[f64]| Tensor::from_slice(values).view(broadcast).to_device(device);
    ExactLayer::Weighted {
        weight: weight.to_device(device),
        factor: place(&factors),
        offset: place(&offsets),
        output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;
    use crate::train::float::FloatNet;
    use crate::train::fold::fold;
    use crate::train::objective::tests::{cases, images, stir};
    use crate::train::quantise::quantise;

    /// The same integers by two ways of computing them.
    #[test]
    fn the_host_and_libtorch_agree_to_the_last_bit() {
        for (network, count) in cases() {
            let batch = images(network.input, count);
            let (net, start) = FloatNet::new(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
            let folded = fold(&net, &stir(&start, 0.3), &batch, 1).unwrap();
            let lowered = bomp_export::lower::lower(&quantise(&folded, &batch).unwrap().candidate()).unwrap();
            let exact = ExactNet::new(&lowered, Device::Cpu);
            let expected = Vec::<i64>::try_from(exact.logits(&batch.pixels).flatten(0, -1)).unwrap();
            let found = OnHost::new(&exact).expect("small sums").logits(&bytes(&batch.pixels));
            assert!(expected.iter().any(|&logit| logit != expected[0]), "{network:?}");
            let found: Vec<i64> = found.iter().map(|&logit| logit as i64).collect();
            assert_eq!(found, expected, "{network:?}");
        }
    }
}
