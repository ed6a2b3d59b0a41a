//! Calibration: the int8 step and zero point of every tensor, from the activations of training images.
//!
//! A range begins as what the float network puts out and is narrowed as far as that lowers the mean squared error of
//! rounding and clipping together (Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3.1). A
//! ReLU6's range is [0, r] with r <= 6 and zero point -128; a linear output's contains 0, which is exact.

use bomp_export::candidate::Quantisation;
use bomp_export::ir::Activation;
use tch::{Kind, Tensor};

use super::error::TrainError;
use super::fake::activation;
use super::fold::Folded;
use super::images::DeviceImages;
use super::monitor::Phase;
use super::parallel::CHUNK;
use super::torch;

/// Images that are looked at, at most.
const IMAGES: usize = 2 * CHUNK;
/// Values of a tensor among which the best range is searched, at most; its extremes are taken of all values.
const SAMPLES: i64 = 1 << 16;
/// Parts of the full range that are tried: from this one in equal steps to 1.
const SMALLEST_PART: f64 = 0.4;
const PARTS: usize = 25;
/// A range is not smaller: a tensor that is zero on all images still needs a step.
const SMALLEST_RANGE: f64 = 1e-3;

/// Quantisation of the input and of each layer's output but the classifier's.
pub(super) fn calibrate(folded: &Folded, images: &DeviceImages) -> Result<Vec<Quantisation>, TrainError> {
    let network = &folded.network;
    let images = images.spread(IMAGES);
    let mut tensors = vec![Some(images.in_training())];
    let (net, values) = folded.net();
    // Libtorch's arithmetic on every device: the host's own keeps outputs as it needs them, not as whole tensors.
    torch::outputs(&net, &values, &images, |index, output| {
        tensors.push(match activation(&network.layers[index].op) {
            Activation::Relu6 => relu6(output),
            Activation::Linear => linear(output),
        });
    });
    let broken = tensors.iter().position(Option::is_none);
    if let Some(layer) = broken.and_then(|tensor| tensor.checked_sub(1)) {
        let what = format!("the output of layer `{}` is not finite", network.layers[layer].name);
        return Err(TrainError::Diverged { phase: Phase::Float, images: 0, what });
    }
    // The classifier's output is not quantised.
    tensors.pop();
    Ok(tensors.into_iter().flatten().collect())
}

/// Range [0, r] after a ReLU6; `None` when a value is not finite.
fn relu6(output: &Tensor) -> Option<Quantisation> {
    let high = finite(output.max().double_value(&[]))?.max(SMALLEST_RANGE);
    let range = |part: f64| Quantisation { scale: high * part / 255.0, zero_point: -128 };
    Some(best(&sample(output), range))
}

/// Range [low, high] around 0; `None` when a value is not finite.
fn linear(output: &Tensor) -> Option<Quantisation> {
    let low = finite(output.min().double_value(&[]))?.min(0.0);
    let high = finite(output.max().double_value(&[]))?.max(low + SMALLEST_RANGE).max(0.0);
    let range = |part: f64| {
        let scale = (high - low) * part / 255.0;
        let zero_point = (-128.0 - low * part / scale).round().clamp(-128.0, 127.0) as i8;
        Quantisation { scale, zero_point }
    };
    Some(best(&sample(output), range))
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn sample(output: &Tensor) -> Tensor {
    let flat = output.flatten(0, -1);
    let values = flat.size()[0];
    // An odd step does not fall into step with rows of an even length.
    flat.slice(0, 0, values, (values / SAMPLES) | 1)
}

/// The range with the smallest mean squared error on `values`.
fn best(values: &Tensor, range: impl Fn(f64) -> Quantisation) -> Quantisation {
    let error = |quantisation: Quantisation| {
        let Quantisation { scale, zero_point } = quantisation;
        let rounded = values.fake_quantize_per_tensor_affine(scale, i64::from(zero_point), -128, 127);
        (rounded - values).square().mean(Kind::Double).double_value(&[])
    };
    let parts = (0..PARTS).map(|i| 1.0 - (1.0 - SMALLEST_PART) * i as f64 / (PARTS - 1) as f64);
    let ranges = parts.map(|part| (error(range(part)), range(part)));
    ranges.min_by(|a, b| a.0.total_cmp(&b.0)).expect("several parts are tried").1
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn a_range_covers_even_values_and_clips_a_lone_outlier() {
        let even = Tensor::linspace(0.0, 3.0, 10_001, (Kind::Float, Device::Cpu));
        let Quantisation { scale, zero_point } = relu6(&even).unwrap();
        assert_eq!(zero_point, -128);
        assert!((scale * 255.0 - 3.0).abs() < 0.1, "{scale}");
        // A million values up to 1 and one of 6: clipping it costs less than coarser steps for all.
        let many = Tensor::linspace(0.0, 1.0, 1_000_000, (Kind::Float, Device::Cpu));
        let outlier = Tensor::cat(&[&Tensor::from(6.0f32).view([1]), &many], 0);
        assert!(relu6(&outlier).unwrap().scale < 6.0 / 255.0 * 0.95);
    }

    #[test]
    fn zero_is_an_element_of_every_linear_range() {
        for (low, high) in [(-1.0, 3.0), (-5.0, 0.5), (0.5, 2.0), (-2.0, -1.0), (0.0, 0.0)] {
            let values = Tensor::linspace(low, high, 1_001, (Kind::Float, Device::Cpu));
            let Quantisation { scale, zero_point } = linear(&values).unwrap();
            let (first, last) =
                ((-128.0 - f64::from(zero_point)) * scale, (127.0 - f64::from(zero_point)) * scale);
            assert!(first <= 1e-9 && last >= -1e-9, "{low} {high}: {first} {last}");
            // At most some of the tails is clipped.
            assert!(first <= low.min(0.0) * 0.4 + scale && last >= high.max(0.0) * 0.4 - scale);
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(linear(&Tensor::from_slice(&[1.0, bad, 2.0])).is_none());
        }
        assert!(relu6(&Tensor::from_slice(&[1.0, f32::NAN])).is_none());
    }
}
