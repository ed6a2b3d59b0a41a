//! A model as the lanes take it: weights unpacked into pairs, requantisers, and a buffer for every tensor.

use bomp_runtime::Model;
use bomp_runtime::layer::{Layer, Op, Shape, Weights, Window};
use bomp_runtime::quant::{self, Factor, Output};

use super::isa::Isa;
use super::requantise::{Adder, Requantiser};
use super::{InstructionSet, isa};

/// A model, ready to run on blocks of images.
pub(crate) struct Prepared {
    pub(super) instructions: InstructionSet,
    pub(super) input: Shape,
    pub(super) classes: usize,
    /// Lengths of the buffers, in pairs.
    pub(super) buffers: Vec<usize>,
    /// The buffer of each tensor, the input first.
    pub(super) slots: Vec<usize>,
    pub(super) layers: Vec<Step>,
}

/// One layer.
pub(super) struct Step {
    /// Indices of the tensors that it reads; only an add has a second.
    pub(super) sources: [usize; 2],
    pub(super) input: Shape,
    pub(super) zero_point: i8,
    pub(super) output: Shape,
    pub(super) work: Work,
}

/// What a layer computes.
pub(super) enum Work {
    /// A convolution over all channels.
    Convolution(Window, Dense),
    /// A convolution of each channel by itself.
    Depthwise(Window, Paired),
    Add(Adder),
    AveragePool {
        factor: i32,
        shift: u8,
        output: Output,
    },
    Classifier(Dense, Vec<Factor>),
}

/// Weights that join all channels: [group of outputs][tap][pair of channels][output of the group].
pub(super) struct Dense {
    pub(super) weights: Vec<[i16; 2]>,
    /// Start of the sums, one for each output.
    pub(super) biases: Vec<i32>,
    /// One for each output, none for the classifier.
    pub(super) requantisers: Vec<Requantiser>,
}

/// Weights of channels by themselves: [pair of channels][tap][channel of the pair].
pub(super) struct Paired {
    pub(super) weights: Vec<[[i16; 2]; 2]>,
    pub(super) biases: Vec<i32>,
    pub(super) requantisers: Vec<Requantiser>,
}

impl Prepared {
    pub(super) fn new(model: &Model<'_>, instructions: InstructionSet) -> Self {
        let outputs = match instructions {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Sse2 => isa::Sse2::OUTPUTS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => isa::Avx2::OUTPUTS,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => isa::Avx512::OUTPUTS,
            _ => isa::Plain::OUTPUTS,
        };
        let layers: Vec<Step> = model.layers().map(|layer| step(&layer, outputs)).collect();
        let (slots, buffers) = buffers(&layers);
        Self { instructions, input: model.input_shape(), classes: model.classes(), buffers, slots, layers }
    }
}

fn step(layer: &Layer<'_>, outputs: usize) -> Step {
    let (input, output) = (layer.input.shape, layer.output.shape);
    let mut sources = [layer.source; 2];
    let work = match layer.op {
        Op::Convolution(window, weights) => {
            let taps = window.kernel_height * window.kernel_width;
            Work::Convolution(window, dense(weights, taps, input.channels, outputs, Some(layer.quantisation)))
        }
        Op::Depthwise(window, weights) => Work::Depthwise(window, paired(weights, layer.quantisation)),
        Op::Add { b, scale } => {
            sources[1] = b;
            Work::Add(Adder::new(scale, layer.quantisation))
        }
        Op::AveragePool { factor, shift } => Work::AveragePool { factor, shift, output: layer.quantisation },
        Op::Classifier(weights) => {
            let factors = (0..weights.channels.len()).map(|class| weights.factor(class)).collect();
            let positions = input.height * input.width;
            Work::Classifier(dense(weights, positions, input.channels, outputs, None), factors)
        }
    };
    Step { sources, input, zero_point: layer.input.zero_point, output, work }
}

/// Weight `tap` of an output channel, the taps in the order of [`Weights`].
fn weight(weights: Weights<'_>, channel: usize, tap: usize) -> i16 {
    weights.packed.get(channel * weights.fan_in + tap).into()
}

fn dense(
    weights: Weights<'_>,
    taps: usize,
    channels: usize,
    outputs: usize,
    quantisation: Option<Output>,
) -> Dense {
    let count = weights.channels.len();
    let mut pairs = Vec::new();
    for first in (0..count).step_by(outputs) {
        for tap in 0..taps {
            for channel in (0..channels).step_by(2) {
                for output in first..first + outputs {
                    let at = |channel: usize| {
                        let exists = output < count && channel < channels;
                        if exists { weight(weights, output, tap * channels + channel) } else { 0 }
                    };
                    pairs.push([at(channel), at(channel + 1)]);
                }
            }
        }
    }
    let requantisers = quantisation.map(|output| requantisers(weights, output)).unwrap_or_default();
    Dense { weights: pairs, biases: biases(weights), requantisers }
}

fn paired(weights: Weights<'_>, quantisation: Output) -> Paired {
    let count = weights.channels.len();
    let mut pairs = Vec::new();
    for channel in (0..count).step_by(2) {
        for tap in 0..weights.fan_in {
            let second = if channel + 1 < count { weight(weights, channel + 1, tap) } else { 0 };
            pairs.push([[weight(weights, channel, tap), 0], [0, second]]);
        }
    }
    Paired { weights: pairs, biases: biases(weights), requantisers: requantisers(weights, quantisation) }
}

fn biases(weights: Weights<'_>) -> Vec<i32> {
    weights.channels.iter().map(|channel| channel.bias()).collect()
}

fn requantisers(weights: Weights<'_>, output: Output) -> Vec<Requantiser> {
    (0..weights.channels.len()).map(|channel| Requantiser::new(weights.factor(channel), output)).collect()
}

/// Logits of the sums of one class.
#[inline(always)]
pub(super) fn logits<const N: usize>(sums: [i32; N], factor: Factor) -> [i32; N] {
    sums.map(|sum| quant::logit(sum, factor))
}

/// Pairs of a tensor: those of its positions, and one position more for what lies outside the image.
pub(super) fn length(shape: Shape) -> usize {
    (shape.height * shape.width + 1) * shape.channels.div_ceil(2)
}

/// A buffer for each tensor but the logits, shared by tensors that do not live at the same time; and the buffers' lengths.
fn buffers(layers: &[Step]) -> (Vec<usize>, Vec<usize>) {
    let mut lengths: Vec<usize> = Vec::new();
    let mut free_from: Vec<usize> = Vec::new();
    let mut slots = Vec::new();
    for tensor in 0..layers.len() {
        let shape = if tensor == 0 { layers[0].input } else { layers[tensor - 1].output };
        let read = layers.iter().rposition(|layer| layer.sources.contains(&tensor));
        // It is written by the layer before, which still reads what lives until then.
        let slot = free_from.iter().position(|&free| free < tensor).unwrap_or_else(|| {
            lengths.push(0);
            free_from.push(0);
            lengths.len() - 1
        });
        lengths[slot] = lengths[slot].max(length(shape));
        // Free for the output of the first layer after the last that reads it, which is tensor `read + 2`.
        free_from[slot] = read.map_or(tensor, |layer| layer + 1);
        slots.push(slot);
    }
    (slots, lengths)
}
