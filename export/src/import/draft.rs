//! A network as it is found in the file: the runtime's kinds of layers, integer weights, real steps.

use crate::candidate::Quantisation;
use crate::ir::{Shape, Window};

/// Weights of a layer as integers and the steps that they stand for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    /// [C_OUT, position, C_IN] as the device reads them (C_IN is 1 for depthwise).
    pub(super) integers: Vec<i32>,
    /// Step of each output channel.
    pub(super) scales: Vec<f64>,
    /// Real bias of each output channel.
    pub(super) biases: Vec<f64>,
}

impl Weights {
    /// `fan_in` equal weights for each of `channels`, each standing for `real`, as 4 bits hold them.
    pub(super) fn constant(channels: usize, fan_in: usize, real: f64) -> Self {
        Self {
            integers: vec![LARGEST_NARROW; channels * fan_in],
            scales: vec![real / f64::from(LARGEST_NARROW); channels],
            biases: vec![0.0; channels],
        }
    }

    /// The identity from `channels` to `channels`, [C_OUT, 1, C_IN].
    pub(super) fn identity(channels: usize) -> Self {
        let mut this = Self::constant(channels, channels, 1.0);
        for (at, integer) in this.integers.iter_mut().enumerate() {
            if at / channels != at % channels {
                *integer = 0;
            }
        }
        this
    }
}

/// Largest weight of the narrowest width.
const LARGEST_NARROW: i32 = 7;

/// What a layer computes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Convolution {
        window: Window,
        weights: Weights,
    },
    Depthwise {
        window: Window,
        weights: Weights,
    },
    Add,
    AveragePool,
    /// Fully connected, [OUT, H, W, C].
    Dense {
        weights: Weights,
    },
}

/// A layer whose output is not quantised yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) name: String,
    /// Number of the node that it was made from.
    pub(super) node: usize,
    pub(super) kind: Kind,
    /// Tensors that it reads.
    pub(super) inputs: Vec<usize>,
    pub(super) shape: Shape,
    pub(super) flat: bool,
    /// Real bounds that later nodes set.
    pub(super) low: f64,
    pub(super) high: f64,
}

/// A layer with a quantised output.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) inputs: Vec<usize>,
    /// Saturation bounds, elements of the output.
    pub(super) bounds: [i8; 2],
}

/// A whole network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    /// Shapes of the tensors, the input first.
    pub(super) shapes: Vec<Shape>,
    /// Their quantisation.
    pub(super) tensors: Vec<Quantisation>,
    pub(super) layers: Vec<Layer>,
    /// Step of the logits; `None` where the file does not quantise them.
    pub(super) logit_scale: Option<f64>,
}

impl Draft {
    /// Adds a layer and returns the tensor that it makes.
    pub(super) fn push(&mut self, layer: Layer, shape: Shape, quantisation: Quantisation) -> usize {
        self.layers.push(Layer { name: self.unique(&layer.name), ..layer });
        self.shapes.push(shape);
        self.tensors.push(quantisation);
        self.layers.len()
    }

    /// Adds the layer that turns tensor `from` into another quantisation: a depthwise 1x1 convolution with weights of 1.
    pub(super) fn requantise(
        &mut self,
        from: usize,
        name: String,
        to: Quantisation,
        bounds: [i8; 2],
    ) -> usize {
        let shape = self.shapes[from];
        let kind = Kind::Depthwise {
            window: Window::pointwise(),
            weights: Weights::constant(shape.channels, 1, 1.0),
        };
        self.push(Layer { name, kind, inputs: vec![from], bounds }, shape, to)
    }

    /// `name`, or with a number behind it where another layer has it.
    fn unique(&self, name: &str) -> String {
        let taken =
            |name: &str| name == crate::ir::INPUT || self.layers.iter().any(|layer| layer.name == name);
        let base = if name.is_empty() { "layer" } else { name };
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        std::iter::once(base.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
    }
}
