//! What the integer runtime holds in every tensor while it classifies a batch of images, in ONNX's order.

use bomp_runtime::blob::Channel;
use bomp_runtime::kernels::Portable;
use bomp_runtime::layer::Op;
use bomp_runtime::{Model, arena};

use crate::data::Images;
use crate::engines::{Elements, Tensor};
use crate::evaluate::{self, EvaluateError};
use crate::ir::Shape;

/// Images that go through the layers at a time.
pub(super) const BATCH: usize = 10;

/// All tensors of a batch of images in the integer runtime, each [BATCH, C, H, W]. A batch that is not full ends in
/// zeros, which are not compared.
pub(super) struct Traces {
    /// Images of the batch.
    pub(super) images: usize,
    pub(super) tensors: Vec<Vec<i8>>,
    pub(super) shapes: Vec<Shape>,
    /// [N, CLASSES], of the images only.
    pub(super) logits: Vec<i32>,
    /// For each logit the sum of the magnitudes of its terms, in logit steps.
    pub(super) magnitudes: Vec<f64>,
}

impl Traces {
    pub(super) fn of(
        model: &Model<'_>,
        table: &[i8; 256],
        images: &Images,
        indices: &[usize],
    ) -> Result<Self, EvaluateError> {
        let mut shapes = vec![evaluate::input_shape(model)];
        shapes.extend(model.layers().map(|layer| {
            let shape = layer.output.shape;
            Shape::new(shape.height, shape.width, shape.channels)
        }));
        shapes.pop();
        let mut tensors: Vec<Vec<i8>> =
            shapes.iter().map(|shape| vec![0; BATCH * shape.elements()]).collect();
        let mut logits = vec![0; indices.len() * model.classes()];
        let mut input = vec![0; model.input_len()];
        let mut words = vec![0; arena::words(model.arena_size())];
        let arena = arena::from_words(&mut words);
        let mut magnitudes = Vec::with_capacity(logits.len());
        let mut last = Vec::new();
        for (place, (&index, logits)) in
            indices.iter().zip(logits.chunks_exact_mut(model.classes())).enumerate()
        {
            evaluate::quantise(table, images.image(index), &mut input);
            channels_first(&input, shapes[0], place, &mut tensors[0]);
            last.clone_from(&input);
            model.run_with::<Portable>(&input, arena, logits, |layer, output| {
                channels_first(output, shapes[layer + 1], place, &mut tensors[layer + 1]);
                last.clear();
                last.extend_from_slice(output);
            })?;
            magnitudes.extend(logit_magnitudes(model, &last));
        }
        Ok(Self { images: indices.len(), tensors, shapes, logits, magnitudes })
    }

    /// The tensor with its shape.
    pub(super) fn tensor(&self, index: usize) -> Tensor {
        let Shape { height, width, channels } = self.shapes[index];
        Tensor {
            shape: vec![BATCH, channels, height, width],
            elements: Elements::Int8(self.tensors[index].clone()),
        }
    }
}

/// For each logit the sum of the magnitudes of its terms, in logit steps: what float32's resolution is relative to.
fn logit_magnitudes(model: &Model<'_>, input: &[i8]) -> Vec<f64> {
    let Some((layer, Op::Classifier(weights))) = model.layers().last().map(|layer| (layer, layer.op)) else {
        return Vec::new();
    };
    let zero_point = f64::from(layer.input.zero_point);
    let magnitude = |(class, channel): (usize, &Channel)| {
        // The stored bias less the input's zero point, which the format folds into it.
        let (mut bias, mut sum) = (f64::from(channel.bias()), 0.0);
        for (at, &element) in input.iter().enumerate() {
            let weight = f64::from(weights.packed.get(class * weights.fan_in + at));
            bias += weight * zero_point;
            sum += (weight * (f64::from(element) - zero_point)).abs();
        }
        let factor = weights.factor(class);
        (bias.abs() + sum) * f64::from(factor.mantissa) * 0.5f64.powi(factor.shift as i32)
    };
    weights.channels.iter().enumerate().map(magnitude).collect()
}

/// Copies [H, W, C] to place `place` of [N, C, H, W].
fn channels_first(from: &[i8], shape: Shape, place: usize, into: &mut [i8]) {
    let positions = shape.height * shape.width;
    let into = &mut into[place * shape.elements()..][..shape.elements()];
    for (position, channels) in from.chunks_exact(shape.channels).enumerate() {
        for (channel, &element) in channels.iter().enumerate() {
            into[channel * positions + position] = element;
        }
    }
}
