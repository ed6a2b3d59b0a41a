//! The host's arithmetic against libtorch's: the same loss and the same gradient, on networks with every operation and every
//! odd size that there is.

use super::*;
use crate::stream::stream;
use crate::train::fake::FakeTensor;
use crate::train::float::initialise;
use crate::train::host::HostBackend;
use crate::train::images::DeviceImages;
use crate::train::net::Pieces;
use crate::train::parameters::{Builder, Start, floats};
use crate::train::quantise::quantise;
use crate::train::torch::TorchBackend;
use bomp_export::candidate::Quantisation;
use bomp_export::data::Images;
use bomp_export::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};
use rand::RngExt;
use std::sync::Arc;
use tch::Kind;

/// Kernels of even and odd size, both strides, a residual that is read twice, channels that fill no block.
fn network(input: Shape, channels: [usize; 2], kernels: [usize; 2], residual: bool, pool: bool) -> Network {
    let bits = Bits::MIN;
    let mut layers: Vec<Layer> = Vec::new();
    let mut push = |op: Op, inputs: Vec<usize>| {
        layers.push(Layer { name: format!("layer{}", layers.len()), op, inputs });
        layers.len()
    };
    let convolution = |window, filters, activation| Op::Convolution { window, filters, bits, activation };
    let depthwise = |window| Op::Depthwise { window, bits, activation: Activation::Relu6 };
    let window = Window::same(input, 3, 2);
    let (height, width) = window.output(input).expect("an output");
    let stem = push(convolution(window, channels[0], Activation::Relu6), vec![0]);
    let shape = Shape::new(height, width, channels[0]);
    let project = push(convolution(Window::pointwise(), channels[1], Activation::Linear), vec![stem]);
    let shape = Shape { channels: channels[1], ..shape };
    let expand = push(convolution(Window::pointwise(), 7, Activation::Relu6), vec![project]);
    let expanded = Shape { channels: 7, ..shape };
    let spatial = push(depthwise(Window::same(expanded, kernels[0], 1)), vec![expand]);
    let mut last = push(convolution(Window::pointwise(), channels[1], Activation::Linear), vec![spatial]);
    if residual {
        let sum = push(Op::Add, vec![project, last]);
        let more = push(convolution(Window::pointwise(), channels[1], Activation::Relu6), vec![sum]);
        last = push(Op::Add, vec![more, sum]);
    }
    last = push(depthwise(Window::same(shape, kernels[1], 2)), vec![last]);
    if pool {
        last = push(Op::AveragePool, vec![last]);
    }
    push(Op::Classifier { classes: 5, bits }, vec![last]);
    let network = Network { input, layers };
    network.validate_shapes().expect("a network");
    network
}

/// Images of noise with some contrast between them: pixels, or features where their number is odd.
pub(in crate::train) fn images(shape: Shape, count: usize) -> DeviceImages {
    let mut random = stream(3, 0, "images");
    let pixels = (0..count * shape.elements()).map(|_| random.random_range(0..=255u8)).collect();
    let labels = (0..count).map(|index| (index % 5) as u16).collect();
    let features = Quantisation { scale: 0.25, zero_point: -38 };
    let input = if count % 2 == 1 { features } else { Quantisation::IMAGE };
    DeviceImages::upload(&Images { shape, pixels, labels, input }, Device::Cpu).expect("images")
}

/// Labels and a teacher, so that no part of the loss hides.
pub(in crate::train) const LOSS: Loss = Loss { label_smoothing: 0.1, distillation: 0.4, class_weights: None };

/// The same, and one in which classes count differently.
fn losses() -> [Loss; 2] {
    [LOSS, Loss { class_weights: Some(Arc::new([0.2, 3.0, 1.0, 0.0, 7.5])), ..LOSS }]
}

/// All of `images` with a teacher's logits of some contrast.
pub(in crate::train) fn picked(images: &DeviceImages) -> Picked {
    let size = [images.len() as i64, 5];
    let waves = Tensor::arange(size[0] * size[1], (Kind::Float, images.device())) * 78.233;
    let images = images.share();
    let zero = images.zero();
    let teacher_logits = Some(waves.sin().view(size) * 3.0);
    Picked { pixels: images.pixels, labels: images.labels, teacher_logits, zero }
}

/// A start with batch norms away from 1 and 0, so that no part of a gradient hides.
pub(in crate::train) fn stir(start: &Start, by: f64) -> Tensor {
    let count = start.values.size()[0];
    let waves = (Tensor::arange(count, (Kind::Float, Device::Cpu)) * 12.9898).sin();
    &start.values + waves * by
}

pub(in crate::train) fn assert_close(
    found: &(Tensor, Tensor),
    expected: &(Tensor, Tensor),
    part: f64,
    what: &str,
) {
    let [a, b] = [found, expected].map(|(loss, _)| loss.double_value(&[]));
    assert!((a - b).abs() < 0.05 * part * b.abs().max(1.0), "{what}: loss {a} instead of {b}");
    let distance = (&found.1 - &expected.1).norm().double_value(&[]);
    let size = expected.1.norm().double_value(&[]);
    assert!(size > 0.0 && distance < part * size, "{what}: gradient {distance} away of {size}");
}

/// Networks, and how many images to see.
pub(in crate::train) fn cases() -> Vec<(Network, usize)> {
    let mut cases = Vec::new();
    let sizes = [([8, 8, 1], 16), ([9, 7, 3], 37), ([12, 12, 2], 80), ([5, 6, 1], 3), ([13, 10, 1], 40)];
    for (index, ([height, width, colours], images)) in sizes.into_iter().enumerate() {
        let input = Shape::new(height, width, colours);
        for residual in [false, true] {
            let kernels = [[3, 3], [4, 2], [7, 5], [1, 6], [2, 1]][index];
            let channels = [[8, 4], [5, 3], [16, 9], [1, 2], [6, 4]][index];
            cases.push((network(input, channels, kernels, residual, index % 2 == 0), images));
        }
    }
    cases
}

#[test]
fn the_float_gradient_is_that_of_libtorch() {
    for (network, count) in cases() {
        let batch = images(network.input, count);
        let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
        let parameters = stir(&start, 0.3);
        for loss in losses() {
            let what = format!("{network:?} of {count} images, {loss:?}");
            let mut ours = FloatObjective::new(net.clone(), loss, Device::Cpu);
            let found = ours.gradient(&parameters, &picked(&batch)).unwrap();
            ours.backend = Box::new(TorchBackend::new(&net));
            let expected = ours.gradient(&parameters, &picked(&batch)).unwrap();
            assert_close(&found, &expected, 1e-3, &what);
        }
    }
}

/// With steps so small that it does not matter where a value between two of them goes.
#[test]
fn the_gradient_through_rounding_is_that_of_libtorch() {
    let (mut pieces, mut compared) = (0, 0);
    for (network, count) in cases() {
        let batch = images(network.input, count.max(16 + count % 2));
        let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
        let folded = crate::train::fold::fold(&net, &stir(&start, 0.3), &batch, 1).unwrap();
        let layers = network.layers.iter().take(network.layers.len() - 1);
        let tensors: Vec<FakeTensor> = std::iter::once(FakeTensor::input(batch.in_training()))
            .chain(layers.map(|layer| FakeTensor::fine(&layer.op)))
            .collect();
        let unit = |tensor: usize| tensors.get(tensor).map_or(1.0, |tensor| tensor.unit);
        let mut builder = Builder::default();
        let mut push = |tensor: &Tensor| builder.push(&tensor.size(), &floats(tensor), false);
        let of_layers: Vec<Option<Pieces>> = (0..network.layers.len())
            .map(|index| {
                let (weight, bias) = folded.parameters[index].as_ref()?;
                let (input, output) = (unit(network.layers[index].inputs[0]), unit(index + 1));
                let weight = push(&(weight * input));
                Some(match &folded.statistics[index] {
                    Some(of_sums) => Pieces::Normalised {
                        weight,
                        gamma: push(&(of_sums.deviation() / output)),
                        beta: push(&((bias + &of_sums.mean) / output)),
                    },
                    None => Pieces::Biased { weight, bias: push(&(bias / output)) },
                })
            })
            .collect();
        let (layout, start) = builder.build(Device::Cpu);
        let (layout, tensors) = (Arc::new(layout), Some(tensors.into()));
        let net = Net { network: net.network, layout, pieces: of_layers.into(), tensors };
        let images = picked(&batch);
        let mut host = HostBackend::new(&net).expect("a network that it covers");
        let found = host.gradient(&start.values, &images, &LOSS).unwrap();
        let expected = TorchBackend::new(&net).gradient(&start.values, &images, &LOSS).unwrap();
        let [found_pieces, expected_pieces] = [&found.1, &expected.1].map(|flat| net.layout.split(flat));
        pieces += found_pieces.len();
        for (piece, (a, b)) in found_pieces.into_iter().zip(expected_pieces).enumerate() {
            // What the next batch norm takes out has a gradient of nothing but rounding errors.
            if a.norm().double_value(&[]) >= 1e-7 || b.norm().double_value(&[]) >= 1e-7 {
                let what = format!("piece {piece} of {network:?}, {count} images");
                let [found, expected] = [(&found.0, a), (&expected.0, b)];
                assert_close(&(found.0.copy(), found.1), &(expected.0.copy(), expected.1), 2e-2, &what);
                compared += 1;
            }
        }
    }
    assert!(4 * compared > 3 * pieces, "{compared} of {pieces} gradients say something");
}

/// Where a sum lies between two steps, the last bit decides, and a gradient is cut or not: on a few images that is much.
#[test]
fn the_quantised_gradient_is_nearly_that_of_libtorch() {
    for (network, count) in cases() {
        let batch = images(network.input, count.max(64));
        let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
        let folded = crate::train::fold::fold(&net, &stir(&start, 0.3), &batch, 1).unwrap();
        let (net, start) = QaftNet::new(&quantise(&folded, &batch).unwrap(), &folded);
        let parameters = stir(&start, 0.01);
        // Very different weights would leave the gradient to a few images, whose roundings then decide.
        let mild = Loss { class_weights: Some(Arc::new([0.8, 1.3, 1.0, 0.9, 1.2])), ..LOSS };
        for loss in [LOSS, mild] {
            let what = format!("{network:?} of {count} images, {loss:?}");
            let mut ours = QaftObjective::new(net.share(), loss, Device::Cpu);
            let found = ours.gradient(&parameters, &picked(&batch)).unwrap();
            ours.backend = Box::new(TorchBackend::new(&net.net));
            let expected = ours.gradient(&parameters, &picked(&batch)).unwrap();
            assert_close(&found, &expected, 0.35, &what);
        }
    }
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let network = network(Shape::new(8, 8, 1), [8, 4], [3, 3], true, true);
    let batch = images(network.input, 16);
    let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
    let mut objective = FloatObjective::new(net, LOSS, Device::Cpu);
    let parameters = start.values.copy();
    let _ = parameters.get(3).fill_(f64::NAN);
    let (loss, _) = objective.gradient(&parameters, &picked(&batch)).unwrap();
    assert!(loss.double_value(&[]).is_nan());
}

#[test]
fn a_second_batch_of_another_size_does_not_see_the_first() {
    let network = network(Shape::new(8, 8, 1), [8, 4], [3, 3], true, true);
    let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
    let (small, large) = (images(network.input, 20), images(network.input, 64));
    let mut objective = FloatObjective::new(net, LOSS, Device::Cpu);
    let first = objective.gradient(&start.values, &picked(&small)).unwrap();
    let _ = objective.gradient(&start.values, &picked(&large)).unwrap();
    let again = objective.gradient(&start.values, &picked(&small)).unwrap();
    assert_eq!(first.1, again.1);
}
