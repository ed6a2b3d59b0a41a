//! Random valid candidates for property tests: any geometry, any widths, calibrated quantisation (feature `testing`).
//!
//! Everything follows from the seed. A candidate from here can always be lowered and packed, and its activations use
//! their int8 range, so that a wrong rounding, bound or offset shows in the logits.

mod float;
mod geometry;
mod measured;
pub mod schema;

use bomp_runtime::quant::{FINE_BITS, WIDE_BASE_SHIFT};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::candidate::{Candidate, LayerWeights, Provenance, Quantisation};
use crate::data::Images;
use crate::ir::{Activation, Network, Op, Shape};
use crate::lower::{Lowered, Parameters};

pub use float::{Real, layer_output};
pub use geometry::Limits;
pub use measured::three_quarters_mmac;

/// Random numbers as the generators need them.
pub struct Numbers(ChaCha8Rng);

impl Numbers {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// An integer of `range`, which is not empty.
    pub fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        let count = (range.end() - range.start()) as u64 + 1;
        range.start() + (self.0.next_u64() % count) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.within(1..=n) == 1
    }

    /// A real number in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A real number of mean 0 and standard deviation 1 (the sum of twelve uniform ones).
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// A random valid network.
#[must_use]
pub fn network(numbers: &mut Numbers, limits: &Limits) -> Network {
    geometry::network(numbers, limits)
}

/// A random network with random weights and activation ranges calibrated on two random images.
#[must_use]
pub fn candidate(seed: u64, limits: &Limits) -> Candidate {
    let mut numbers = Numbers::new(seed);
    let network = network(&mut numbers, limits);
    with_weights(network, &mut numbers)
}

/// `network` with random weights and calibrated activation ranges.
#[must_use]
pub fn with_weights(network: Network, numbers: &mut Numbers) -> Candidate {
    let shapes = network.shapes();
    let weights: Vec<_> =
        (0..network.layers.len()).map(|index| layer_weights(&network, index, &shapes, numbers)).collect();
    let calibration = images(network.input, 2, network.classes(), numbers);
    let mut ranges = vec![(0.0f64, 0.0f64); network.layers.len()];
    for image in 0..calibration.len() {
        let tensors = float_tensors(&network, &weights, calibration.image(image));
        for (range, tensor) in ranges.iter_mut().zip(&tensors).skip(1) {
            range.0 = tensor.iter().copied().fold(range.0, f64::min);
            range.1 = tensor.iter().copied().fold(range.1, f64::max);
        }
    }
    let mut tensors = Vec::with_capacity(network.layers.len());
    tensors.push(if numbers.one_in(4) {
        Quantisation { scale: 1.0 / 127.0, zero_point: 0 }
    } else {
        Quantisation::IMAGE
    });
    for (layer, range) in network.layers.iter().zip(&ranges[1..]) {
        tensors.push(quantisation(&layer.op, *range, numbers));
    }
    let provenance = Provenance { tool_version: env!("CARGO_PKG_VERSION").into(), ..Provenance::default() };
    Candidate { network, tensors, weights, provenance }
}

/// Makes layers with weights wide, with random further bits of their factors: all of them, or each with an even chance.
/// The network is then another by less than 2^-12 of each factor.
pub fn widen(lowered: &mut Lowered, all: bool, numbers: &mut Numbers) {
    for parameters in &mut lowered.parameters {
        if let Parameters::Weighted(weighted) = parameters
            && WIDE_BASE_SHIFT.contains(&weighted.base_shift)
            && (all || numbers.one_in(2))
        {
            let last = (1 << FINE_BITS) - 1;
            weighted.fine = weighted.biases.iter().map(|_| numbers.within(0..=last) as u16).collect();
        }
    }
}

/// Every tensor of the unquantised network for an image of 8-bit pixels, the input first and the logits last.
fn float_tensors(network: &Network, weights: &[Option<LayerWeights>], image: &[u8]) -> Vec<Vec<f64>> {
    let mut tensors: Vec<Vec<f64>> = vec![image.iter().map(|&pixel| f64::from(pixel) / 255.0).collect()];
    for (index, layer) in network.layers.iter().enumerate() {
        let real = weights[index].as_ref().map(Real::of);
        let inputs: Vec<&[f64]> = layer.inputs.iter().map(|&tensor| &tensors[tensor][..]).collect();
        tensors.push(layer_output(network, index, real.as_ref(), &inputs));
    }
    tensors
}

/// Logits of a candidate's unquantised network for an image of 8-bit pixels [H, W, C].
#[must_use]
pub fn float_logits(candidate: &Candidate, image: &[u8]) -> Vec<f64> {
    float_tensors(&candidate.network, &candidate.weights, image).pop().unwrap_or_default()
}

/// Random images with random labels below `classes`.
#[must_use]
pub fn images(shape: Shape, count: usize, classes: usize, numbers: &mut Numbers) -> Images {
    let pixels = (0..count * shape.elements()).map(|_| numbers.within(0..=255) as u8).collect();
    let labels = (0..count).map(|_| numbers.within(0..=classes - 1) as u16).collect();
    Images { pixels, labels, shape, input: Quantisation::IMAGE }
}

fn layer_weights(
    network: &Network,
    index: usize,
    shapes: &[Shape],
    numbers: &mut Numbers,
) -> Option<LayerWeights> {
    let limit = f64::from(network.layers[index].op.bits()?.max_weight());
    let (channels, fan_in) = (shapes[index + 1].channels, network.fan_in(index, shapes));
    let mut result = LayerWeights { weight: Vec::new(), bias: Vec::new(), scale: Vec::new() };
    for _ in 0..channels {
        let spread = (2.0 / fan_in as f64).sqrt() * 10f64.powf(numbers.unit() - 0.5);
        // A dead channel, as training sometimes leaves one, has nothing but its bias.
        let dead = numbers.one_in(40);
        let row: Vec<f64> = (0..fan_in).map(|_| if dead { 0.0 } else { numbers.normal() * spread }).collect();
        let largest = row.iter().fold(1e-8f64, |largest, weight| largest.max(weight.abs()));
        // Trained steps clip some of the largest weights.
        result.scale.push((largest / limit * (0.7 + 0.3 * numbers.unit())) as f32);
        result.weight.extend(row.into_iter().map(|weight| weight as f32));
        result.bias.push((0.3 * numbers.normal()) as f32);
    }
    Some(result)
}

/// The quantisation that covers a range; after ReLU6 its zero point is mostly, not always, the lowest element.
fn quantisation(op: &Op, (low, high): (f64, f64), numbers: &mut Numbers) -> Quantisation {
    let relu6 = matches!(
        op,
        Op::Convolution { activation: Activation::Relu6, .. }
            | Op::Depthwise { activation: Activation::Relu6, .. }
    );
    let spare = if relu6 && numbers.one_in(3) { numbers.within(1..=100) } else { 0 };
    let steps = 255.0 - spare as f64;
    let scale = ((high - low) / steps).max(1e-3);
    let zero_point = (-128.0 + spare as f64 - low / scale).round() as i8;
    Quantisation { scale, zero_point }
}
