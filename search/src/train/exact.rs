//! Integer-exact evaluation in floating point: the logits of the device, bit for bit, on the training device.
//!
//! Why floating point is exact here. A partial sum of a convolution is an integer of magnitude at most the sum of
//! |weight| * max |input - zero point| over a channel; below 2^24 every one of them is a float32, in whatever order they are
//! added. A backend that cannot rely on that computes the sum in float64.
//!
//! Requantisation is floor((sum + bias) * mantissa * 2^-shift + 1/2), exact in float64: |sum + bias| < 2^31, mantissa < 2^13
//! and for a shift of at most 52 each term is a multiple of 2^-shift and, in that unit, below 2^52; for a larger shift the
//! product is below 2^-8 and the result is 0 in either arithmetic. The same holds for the residual add, whose products
//! are below 2^40. The average pool's product may have 56 bits, so it is computed in int64.

use std::sync::Arc;

use bomp_export::ir::{Network, Op};
use bomp_export::lower::{Lowered, Parameters, Weighted};
use bomp_runtime::quant::Output;

use super::count;
use super::error::TrainError;
use super::images::{DeviceImages, zero_of};
use super::net::weight_shapes;
use super::select;

/// Sums of magnitudes below this are exact in float32 in any order of summation.
pub(super) const FLOAT32_EXACT: i64 = 1 << 24;

/// A lowered network, its integers as floating point.
#[derive(Debug)]
pub(super) struct ExactNet {
    pub(super) network: Network,
    /// The byte of the input that stands for 0.
    pub(super) zero: u8,
    pub(super) layers: Vec<ExactLayer>,
}

/// What a layer computes, and the bounds at which its results are saturated, without the zero point.
#[derive(Debug)]
pub(super) struct ExactLayer {
    pub(super) sums: ExactOp,
    pub(super) bounds: [f64; 2],
}

/// The arithmetic of a layer before saturation; inputs are without their zero point.
#[derive(Debug)]
pub(super) enum ExactOp {
    /// floor(sum * factor + offset).
    Weighted {
        /// [C_OUT, C_IN, K, K] or [CLASSES, INPUTS].
        shape: Vec<i64>,
        /// Integers of that shape.
        weight: Vec<f32>,
        /// mantissa * 2^-shift of each channel.
        factors: Vec<f64>,
        /// bias * factor + 1/2 of each channel.
        offsets: Vec<f64>,
        /// No partial sum is of a larger magnitude.
        largest: i64,
    },
    /// floor(a * factors[0] + b * factors[1] + 1/2).
    Add { factors: [f64; 2] },
    /// (sum * factor + 2^(shift - 1)) >> shift.
    AveragePool { factor: i64, shift: i64 },
}

impl ExactNet {
    /// # Panics
    /// Never for a lowered network: each layer with weights has a shape.
    pub(super) fn new(lowered: &Lowered) -> Self {
        let network = &lowered.network;
        let shapes = weight_shapes(network);
        let layers = lowered.parameters.iter().enumerate().map(|(index, parameters)| {
            let Output { zero_point, min, max } = lowered.output(index);
            let mut bounds = [min, max].map(|bound| f64::from(i16::from(bound) - i16::from(zero_point)));
            let sums = match parameters {
                Parameters::Weighted(weighted) => {
                    let shape = shapes[index].clone().expect("the shape of a layer's weights");
                    let input = network.layers[index].inputs[0];
                    // Kernel positions, or pixels, for each input channel.
                    let positions = if matches!(network.layers[index].op, Op::Classifier { .. }) {
                        bounds = [i32::MIN, i32::MAX].map(f64::from);
                        network.shapes()[input].height * network.shapes()[input].width
                    } else {
                        shape[2..].iter().product::<i64>() as usize
                    };
                    weighted_sums(weighted, shape, positions, lowered.tensors[input].zero_point)
                }
                Parameters::Add { factors, shift } => ExactOp::Add {
                    factors: factors.map(|factor| f64::from(factor) * 2f64.powi(-i32::from(*shift))),
                },
                Parameters::AveragePool { factor, shift } => {
                    ExactOp::AveragePool { factor: i64::from(*factor), shift: i64::from(*shift) }
                }
            };
            ExactLayer { sums, bounds }
        });
        Self { network: network.clone(), zero: zero_of(lowered.tensors[0]), layers: layers.collect() }
    }

    /// Number of `images` of each class that the device classifies correctly.
    pub(super) fn correct(self, images: &DeviceImages, threads: usize) -> Result<Vec<usize>, TrainError> {
        let net = Arc::new(self);
        count::correct(images, threads, || select::exact(&net, images.device()))
    }
}

fn weighted_sums(weighted: &Weighted, shape: Vec<i64>, positions: usize, zero_point: i8) -> ExactOp {
    let fan_in = weighted.weights.len() / shape[0] as usize;
    let channels = fan_in / positions;
    let largest_input = (127 - i64::from(zero_point)).max(128 + i64::from(zero_point));
    let magnitude = |row: &[i8]| row.iter().map(|&w| i64::from(w).abs()).sum::<i64>() * largest_input;
    let rows = weighted.weights.chunks_exact(fan_in);
    // From [C_OUT, position, C_IN] as the device reads them to [C_OUT, C_IN, position].
    let by_channel =
        rows.clone().flat_map(|row| (0..channels).flat_map(move |c| row.iter().skip(c).step_by(channels)));
    let factors: Vec<f64> = weighted
        .multipliers
        .iter()
        .map(|multiplier| {
            let shift = i32::from(weighted.base_shift) + multiplier.shift_delta() as i32;
            f64::from(multiplier.mantissa()) * 2f64.powi(-shift)
        })
        .collect();
    let offsets = weighted.biases.iter().zip(&factors).map(|(&bias, factor)| f64::from(bias) * factor + 0.5);
    ExactOp::Weighted {
        shape,
        weight: by_channel.map(|&weight| f32::from(weight)).collect(),
        offsets: offsets.collect(),
        factors,
        largest: rows.map(magnitude).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;
    use crate::train::float::initialise;
    use crate::train::fold::fold;
    use crate::train::objective::tests::{cases, images, stir};
    use crate::train::quantise::quantise;
    use crate::train::{host, torch};
    use tch::{Device, Tensor};

    /// The same integers by two ways of computing them.
    #[test]
    fn the_host_and_libtorch_agree_to_the_last_bit() {
        for (network, count) in cases() {
            let batch = images(network.input, count);
            let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
            let folded = fold(&net, &stir(&start, 0.3), &batch, 1).unwrap();
            let lowered = bomp_export::lower::lower(&quantise(&folded, &batch).unwrap().candidate()).unwrap();
            let exact = Arc::new(ExactNet::new(&lowered));
            let values = |logits: Tensor| Vec::<f64>::try_from(logits.flatten(0, -1)).unwrap();
            let expected = values(torch::exact_logits(&exact, Device::Cpu)(&batch));
            let found = values(host::exact_logits(&exact).expect("small sums")(&batch));
            assert!(expected.iter().any(|&logit| logit != expected[0]), "{network:?}");
            assert_eq!(found, expected, "{network:?}");
        }
    }
}
