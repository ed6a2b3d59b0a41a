//! The network's arithmetic on the host's processor, forward and backward, in vectors of sixteen images.
//!
//! libtorch's batch norm, depthwise convolution and elementwise operations leave most of a processor idle on networks as
//! small as these. Here a layer is one pass over memory: batch norm and ReLU6 are applied where their result is read,
//! statistics are summed where sums are made. The results are those of [`super::torch`] up to rounding, which the tests check;
//! a GPU uses the latter.
//!
//! Everything is summed in a fixed order, so results are the same each time on processors with the same vectors.
//! Vectors of 16, 8 or 4 floats are chosen when the program runs.

mod backend;
mod depthwise;
mod elementwise;
mod exact;
mod lanes;
mod loss;
mod product;
mod tensor;
mod tiles;

use bomp_export::ir::{Activation, Network, Op, Shape, Window};
use fearless_simd::{Level, dispatch};

use super::fake::activation;
pub(super) use backend::HostBackend;
use elementwise::Exact;
pub(super) use exact::exact_logits;
use lanes::{Batch, LANES, Lanes, View};
use tensor::{Above, Finish, Gradient, Requantise, Rounding, Sums, Tensor};
use tiles::{Geometry, Rows};

/// Values of a layer's parameters.
#[derive(Clone, Copy, Debug)]
struct Weights<'a> {
    /// [C_OUT, C_IN, K, K] or [CLASSES, INPUTS].
    weight: &'a [f32],
    after: After<'a>,
}

/// What follows a layer's sums.
#[derive(Clone, Copy, Debug)]
enum After<'a> {
    /// A batch norm over the images at hand, with the factor and the offset of each channel; then the activation or the
    /// rounding.
    Normalise { gamma: &'a [f32], beta: &'a [f32] },
    /// The bias of each channel; then the activation.
    Bias(&'a [f32]),
    /// Requantisation, where all tensors hold integers.
    Requantise(Requantise<'a>),
}

/// The gradient of the loss w.r.t. a layer's parameters.
#[derive(Clone, Debug)]
struct WeightGradient {
    /// As [`Weights::weight`].
    weight: Vec<f32>,
    /// Of the batch norm's factors; empty without one.
    gamma: Vec<f32>,
    /// Of the batch norm's offsets or the biases.
    offset: Vec<f32>,
}

/// In what units tensors are held.
#[derive(Clone, Debug)]
struct Arithmetic {
    /// Factor of the bytes, less [`Self::zero`].
    input: f32,
    /// The byte that stands for 0; 0 for pixels.
    zero: u8,
    /// How the output of each layer is rounded that has a batch norm or no weights.
    roundings: Vec<Option<Rounding>>,
    /// For each layer without weights, the factors of its inputs.
    factors: Vec<[f32; 2]>,
    /// For each layer without weights, its arithmetic where all tensors hold integers.
    exact: Vec<Option<Exact>>,
}

impl Arithmetic {
    /// Real numbers: 255 steps of the input are 1 (pixels are 0..=1), nothing is rounded.
    fn real(network: &Network) -> Self {
        Self { input: 1.0 / 255.0, ..Self::of_pixels(network.layers.len()) }
    }

    /// The input is counted in steps (pixels are 0..=255), nothing is rounded.
    fn of_pixels(layers: usize) -> Self {
        let (roundings, factors, exact) = (vec![None; layers], vec![[1.0; 2]; layers], vec![None; layers]);
        Self { input: 1.0, zero: 0, roundings, factors, exact }
    }
}

/// Mean and 1 / sqrt(variance + epsilon) of each channel.
#[derive(Debug, Default)]
struct Statistics {
    moments: Vec<(f64, f64)>,
}

/// A network with memory for one batch.
#[derive(Debug)]
struct HostNet {
    level: Level,
    network: Network,
    shapes: Vec<Shape>,
    epsilon: f64,
    batch: Batch,
    /// The input and the output of each layer.
    tensors: Vec<Tensor>,
    gradients: Vec<Gradient>,
    /// Of each layer with a batch norm.
    statistics: Vec<Statistics>,
    tiles: tiles::Scratch,
    planes: depthwise::Scratch,
    sums: Sums,
    /// Memory of gradients that are no longer needed.
    free: Vec<Vec<Lanes>>,
}

impl HostNet {
    /// Whether this arithmetic covers `network`: the gradient w.r.t. the input of a convolution with a kernel above 1x1 is missing,
    /// which networks need only behind their first layer.
    fn supports(network: &Network) -> bool {
        network.layers.iter().all(|layer| match &layer.op {
            Op::Convolution { window, .. } => is_pointwise(window) || layer.inputs == [0],
            _ => true,
        })
    }

    /// `epsilon` is added to a variance before its root is taken.
    fn new(network: &Network, epsilon: f64) -> Self {
        Self::with_level(network, epsilon, Level::new())
    }

    fn with_level(network: &Network, epsilon: f64, level: Level) -> Self {
        let shapes = network.shapes();
        let tensors = shapes.iter().map(|shape| Tensor {
            channels: shape.channels,
            height: shape.height,
            width: shape.width,
            ..Tensor::default()
        });
        Self {
            level,
            network: network.clone(),
            epsilon,
            batch: Batch::new(0),
            tensors: tensors.collect(),
            gradients: shapes.iter().map(|_| Gradient::default()).collect(),
            statistics: shapes.iter().map(|_| Statistics::default()).collect(),
            tiles: tiles::Scratch::default(),
            planes: depthwise::Scratch::default(),
            sums: Sums::default(),
            free: Vec::new(),
            shapes,
        }
    }

    /// Logits [N, CLASSES] for `pixels` [N, H, W, C]; `weights` of each layer, `None` without. What the backward pass
    /// needs is kept.
    fn forward(
        &mut self,
        pixels: &[u8],
        weights: &[Option<Weights<'_>>],
        arithmetic: &Arithmetic,
    ) -> Vec<f32> {
        self.load_input(pixels, arithmetic.input, f32::from(arithmetic.zero));
        for (index, &weights) in weights.iter().enumerate() {
            self.layer(index, weights, arithmetic);
        }
        let logits = self.tensors.last().expect("the input at least");
        let mut rows = vec![0.0; self.batch.images * logits.channels];
        for (image, row) in rows.chunks_exact_mut(logits.channels).enumerate() {
            for (class, to) in row.iter_mut().enumerate() {
                *to = logits.data[class * self.batch.groups + image / LANES].0[image % LANES];
            }
        }
        rows
    }

    /// Turns images [N, H, W, C] into the input tensor.
    fn load_input(&mut self, pixels: &[u8], factor: f32, zero: f32) {
        let shape = self.shapes[0];
        self.batch = Batch::new(pixels.len() / shape.elements());
        let groups = self.batch.groups;
        let input = &mut self.tensors[0];
        input.view = View { scale: vec![factor; shape.channels], ..View::plain(shape.channels) };
        input.data.resize(shape.elements() * groups, Lanes::ZERO);
        for (element, lanes) in input.data.chunks_exact_mut(groups).enumerate() {
            let (channel, pixel) =
                (element / (shape.height * shape.width), element % (shape.height * shape.width));
            let values = pixels.iter().skip(pixel * shape.channels + channel).step_by(shape.elements());
            for (to, &value) in lanes.iter_mut().flat_map(|lanes| &mut lanes.0).zip(values) {
                *to = f32::from(value) - zero;
            }
        }
    }

    /// Mean and 1 / sqrt(variance + epsilon) of each channel of each batch norm, in the last forward pass.
    fn moments(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        self.statistics.iter().map(|statistics| &statistics.moments[..]).filter(|moments| !moments.is_empty())
    }

    fn geometry(&self, index: usize) -> Geometry {
        let layer = &self.network.layers[index];
        let (input, output) = (self.shapes[layer.inputs[0]], self.shapes[index + 1]);
        let run = output.height * output.width * self.batch.groups;
        let (rows, inputs) = match &layer.op {
            Op::Convolution { window, .. } if is_pointwise(window) => (Rows::Channels, input.channels),
            Op::Convolution { window, .. } => {
                (Rows::Taps(*window, output.width), input.channels * window.kernel * window.kernel)
            }
            _ => (Rows::Elements, input.elements()),
        };
        Geometry { rows, inputs, outputs: output.channels, run }
    }

    fn layer(&mut self, index: usize, weights: Option<Weights<'_>>, arithmetic: &Arithmetic) {
        let shape = self.shapes[index + 1];
        let geometry = self.geometry(index);
        let epsilon = self.epsilon;
        let Self { level, network, batch, tensors, tiles, planes, sums, statistics, .. } = self;
        let (level, layer) = (*level, &network.layers[index]);
        let (before, rest) = tensors.split_at_mut(index + 1);
        let (input, output) = (&before[layer.inputs[0]], &mut rest[0]);
        let data = &mut output.data;
        data.resize(shape.elements() * batch.groups, Lanes::ZERO);
        let rounding = arithmetic.roundings[index];
        let finish = weights.map(|weights| match weights.after {
            After::Normalise { .. } => Finish::Measure,
            After::Requantise(requantise) => Finish::Requantise(requantise),
            After::Bias(bias) => Finish::Bias(bias),
        });
        sums.clear(shape.channels);
        let (factors, exact) = (arithmetic.factors[index], arithmetic.exact[index]);
        output.view = View::plain(shape.channels);
        match (&layer.op, weights.zip(finish)) {
            (Op::Add, _) => {
                let inputs = [input, &before[layer.inputs[1]]];
                if let Some(exact) = exact {
                    elementwise::add_exactly(inputs, exact, data);
                    return;
                }
                dispatch!(level, simd => elementwise::add(simd, inputs, factors, rounding, batch, data));
            }
            (Op::AveragePool, _) => {
                if let Some(exact) = exact {
                    elementwise::average_exactly(input, exact, batch, data);
                    return;
                }
                dispatch!(level, simd => elementwise::average(simd, input, factors[0], rounding, batch, data));
            }
            (Op::Depthwise { window, .. }, Some((weights, finish))) => {
                let size = (shape.height, shape.width);
                let layer = depthwise::DepthwiseLayer { window, size, weights: weights.weight };
                dispatch!(level, simd => depthwise::forward(
                    simd, layer, input, finish, batch, planes, (data, sums)
                ));
            }
            (Op::Convolution { .. } | Op::Classifier { .. }, Some((weights, finish))) => {
                let layer = tiles::TiledLayer { geometry, weights: weights.weight };
                dispatch!(level, simd => tiles::forward(
                    simd, layer, input, finish, batch, tiles, (data, sums)
                ));
            }
            (_, None) => unreachable!("every convolution and classifier has weights"),
        }
        let bounds = match rounding {
            Some(Rounding { low, high, .. }) => Some((low, high)),
            // Requantisation has saturated.
            None if matches!(finish, Some(Finish::Requantise(_))) => None,
            None => (activation(&layer.op) == Activation::Relu6).then_some((0.0, 6.0)),
        };
        if let Some((low, high)) = bounds {
            output.view = View { low, high, ..std::mem::take(&mut output.view) };
        }
        if let Some(Weights { after: After::Normalise { gamma, beta }, .. }) = weights {
            output.view.steps = rounding.map(|Rounding { steps, step, .. }| [steps, step]);
            let count = (shape.height * shape.width * batch.images) as f64;
            let moments = (0..shape.channels).map(|channel| {
                let [sum, squares] = sums.of(channel);
                let mean = sum / count;
                // The largest of both: max would take a number for what is none.
                let variance = squares / count - mean * mean;
                (mean, 1.0 / (if variance < 0.0 { 0.0 } else { variance } + epsilon).sqrt())
            });
            statistics[index].moments = moments.collect();
            for (channel, &(mean, deviation)) in statistics[index].moments.iter().enumerate() {
                let scale = f64::from(gamma[channel]) * deviation;
                output.view.scale[channel] = scale as f32;
                output.view.shift[channel] = (f64::from(beta[channel]) - mean * scale) as f32;
            }
        }
    }

    /// The gradient w.r.t. the weights, given that w.r.t. the logits [N, CLASSES] of the last forward pass.
    fn backward(
        &mut self,
        by_logits: &[f32],
        weights: &[Option<Weights<'_>>],
        arithmetic: &Arithmetic,
    ) -> Vec<Option<WeightGradient>> {
        let last = self.network.layers.len();
        let classes = self.shapes[last].channels;
        self.want(last);
        let groups = self.batch.groups;
        let gradient = &mut self.gradients[last];
        gradient.filled = true;
        for (class, (run, pair)) in
            gradient.data.chunks_exact_mut(groups).zip(&mut gradient.sums.pairs).enumerate().take(classes)
        {
            for (group, lanes) in run.iter_mut().enumerate() {
                for (lane, value) in lanes.0.iter_mut().enumerate() {
                    *value = by_logits.get((group * LANES + lane) * classes + class).copied().unwrap_or(0.0);
                    pair[0].0[lane] += *value;
                }
            }
        }
        let mut found = vec![None; last];
        for index in (0..last).rev() {
            found[index] = self.layer_backward(index, weights[index], arithmetic);
        }
        found
    }

    /// Memory for the gradient w.r.t. a tensor.
    fn want(&mut self, tensor: usize) {
        let gradient = &mut self.gradients[tensor];
        if !gradient.filled {
            gradient.data = self.free.pop().unwrap_or_default();
            let length = self.shapes[tensor].elements() * self.batch.groups;
            if gradient.data.len() < length {
                gradient.data.resize(length, Lanes::ZERO);
            }
            gradient.sums.clear(self.shapes[tensor].channels);
        }
    }

    fn layer_backward(
        &mut self,
        index: usize,
        weights: Option<Weights<'_>>,
        arithmetic: &Arithmetic,
    ) -> Option<WeightGradient> {
        let geometry = self.geometry(index);
        let inputs = self.network.layers[index].inputs.clone();
        for &input in inputs.iter().filter(|&&input| input > 0) {
            self.want(input);
        }
        let shape = self.shapes[index + 1];
        let Self { level, network, batch, tensors, tiles, planes, gradients, statistics, free, .. } = self;
        let (level, layer) = (*level, &network.layers[index]);
        let (before, rest) = gradients.split_at_mut(index + 1);
        let gradient = &mut rest[0];
        let stored = &tensors[index + 1];
        let input = &tensors[inputs[0]];
        let factors = arithmetic.factors[index];
        let result = match (&layer.op, weights) {
            (Op::Add, _) => {
                for (&input, factor) in inputs.iter().zip(factors).filter(|&(&input, _)| input > 0) {
                    let (by_input, input) = (&mut before[input], &tensors[input]);
                    dispatch!(level, simd => elementwise::hand_back(
                        simd, input, &gradient.data, factor, false, batch, by_input
                    ));
                    by_input.filled = true;
                }
                None
            }
            (Op::AveragePool, _) if inputs[0] == 0 => None,
            (Op::AveragePool, _) => {
                let by_input = &mut before[inputs[0]];
                let factor = factors[0] / (input.height * input.width) as f32;
                dispatch!(level, simd => elementwise::hand_back(
                    simd, input, &gradient.data, factor, true, batch, by_input
                ));
                by_input.filled = true;
                None
            }
            (op, Some(weights)) => {
                let mut by_weights = WeightGradient {
                    weight: vec![0.0; weights.weight.len()],
                    gamma: Vec::new(),
                    offset: (0..shape.channels).map(|channel| gradient.sums.of(channel)[0] as f32).collect(),
                };
                let derivative = match weights.after {
                    After::Bias(_) | After::Requantise(_) => None,
                    After::Normalise { gamma, .. } => {
                        let count = (shape.height * shape.width * batch.images) as f64;
                        let (derivative, by_gamma) =
                            normalised(&statistics[index], gamma, &gradient.sums, count);
                        by_weights.gamma = by_gamma;
                        Some(derivative)
                    }
                };
                let mut by_input = (inputs[0] > 0).then(|| &mut before[inputs[0]]);
                let found = &mut by_weights.weight;
                let derivative = derivative.as_deref();
                let above = Above { stored: &stored.data, gradient: &gradient.data, derivative };
                if let Op::Depthwise { window, .. } = op {
                    let size = (shape.height, shape.width);
                    let layer = depthwise::DepthwiseLayer { window, size, weights: weights.weight };
                    dispatch!(level, simd => depthwise::by_weights(
                        simd, layer, input, above, batch, planes, found
                    ));
                    if let Some(by_input) = by_input.as_deref_mut() {
                        dispatch!(level, simd => depthwise::by_input(
                            simd, layer, input, above, batch, planes, by_input
                        ));
                    }
                } else {
                    let layer = tiles::TiledLayer { geometry, weights: weights.weight };
                    dispatch!(level, simd => tiles::backward(
                        simd, layer, input, above, batch, tiles, (found, by_input.as_deref_mut())
                    ));
                }
                if let Some(by_input) = by_input {
                    by_input.filled = true;
                }
                Some(by_weights)
            }
            (_, None) => unreachable!("every convolution and classifier has weights"),
        };
        gradient.filled = false;
        free.push(std::mem::take(&mut gradient.data));
        result
    }
}

/// How the gradient w.r.t. a batch norm's output becomes that w.r.t. its input, and the gradient w.r.t. its factors; from the sums of
/// the gradient and of its products with the input, over `count` elements of a channel.
fn normalised(statistics: &Statistics, gamma: &[f32], sums: &Sums, count: f64) -> (Vec<[f32; 3]>, Vec<f32>) {
    let channels = statistics.moments.iter().zip(gamma).enumerate();
    channels
        .map(|(channel, (&(mean, deviation), &gamma))| {
            let [sum, products] = sums.of(channel);
            let by_gamma = deviation * (products - mean * sum);
            let scale = f64::from(gamma) * deviation;
            let slope = -scale * deviation * by_gamma / count;
            let constant = -scale * sum / count - slope * mean;
            ([scale as f32, slope as f32, constant as f32], by_gamma as f32)
        })
        .unzip()
}

fn is_pointwise(window: &Window) -> bool {
    window.kernel == 1 && window.stride == 1 && window.padding == [0; 4]
}
