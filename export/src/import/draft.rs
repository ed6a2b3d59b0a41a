//! A network as it is found in the file: the runtime's kinds of layers, integer weights, real steps.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use bomp_runtime::blob::MAX_LAYERS;

use crate::candidate::Quantisation;
use crate::ir::{Shape, Window};

use super::budget::Budget;

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
    pub(super) fn constant(
        channels: usize,
        fan_in: usize,
        real: f64,
        budget: &Budget,
    ) -> Result<Self, String> {
        budget.take(&[channels, fan_in])?;
        Ok(Self {
            integers: vec![LARGEST_NARROW; channels * fan_in],
            scales: vec![real / f64::from(LARGEST_NARROW); channels],
            biases: vec![0.0; channels],
        })
    }

    /// The identity from `channels` to `channels`, [C_OUT, 1, C_IN].
    pub(super) fn identity(channels: usize, budget: &Budget) -> Result<Self, String> {
        let mut this = Self::constant(channels, channels, 1.0, budget)?;
        for (at, integer) in this.integers.iter_mut().enumerate() {
            if at / channels != at % channels {
                *integer = 0;
            }
        }
        Ok(this)
    }
}

/// Largest weight of the narrowest width.
const LARGEST_NARROW: i32 = 7;

/// What a layer computes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Convolution {
        window: Window,
        weights: Rc<Weights>,
    },
    Depthwise {
        window: Window,
        weights: Rc<Weights>,
    },
    Add,
    AveragePool,
    /// Fully connected, [OUT, H, W, C].
    Dense {
        weights: Rc<Weights>,
    },
}

impl Kind {
    /// Integers of its weights.
    fn integers(&self) -> usize {
        match self {
            Self::Convolution { weights, .. } | Self::Depthwise { weights, .. } | Self::Dense { weights } => {
                weights.integers.len()
            }
            Self::Add | Self::AveragePool => 0,
        }
    }
}

/// A layer whose output is not quantised yet. Several nodes may read it, so it is cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) name: Rc<str>,
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
#[derive(Default)]
pub(super) struct Draft {
    /// Shapes of the tensors, the input first.
    pub(super) shapes: Vec<Shape>,
    /// Their quantisation.
    pub(super) tensors: Vec<Quantisation>,
    pub(super) layers: Vec<Layer>,
    /// Step of the logits; `None` where the file does not quantise them.
    pub(super) logit_scale: Option<f64>,
    names: Names,
}

/// Names that differ.
#[derive(Default)]
struct Names {
    taken: HashSet<String>,
    /// The number that is tried next behind a name that is taken.
    next: HashMap<String, usize>,
}

impl Draft {
    /// Adds a layer and returns the tensor that it makes.
    pub(super) fn push(
        &mut self,
        layer: Layer,
        shape: Shape,
        quantisation: Quantisation,
        budget: &Budget,
    ) -> Result<usize, String> {
        if self.layers.len() >= MAX_LAYERS {
            return Err(format!("the network has more than {MAX_LAYERS} layers: use a smaller one"));
        }
        if let Some(problem) = shape.problem() {
            return Err(problem);
        }
        // Each layer gets its own copy when it is lowered.
        budget.take(&[layer.kind.integers().saturating_add(layer.name.len())])?;
        let name = self.names.unique(&layer.name);
        self.layers.push(Layer { name, ..layer });
        self.shapes.push(shape);
        self.tensors.push(quantisation);
        Ok(self.layers.len())
    }

    /// Adds the layer that turns tensor `from` into another quantisation: a depthwise 1x1 convolution with weights of 1.
    pub(super) fn requantise(
        &mut self,
        from: usize,
        name: String,
        to: Quantisation,
        budget: &Budget,
    ) -> Result<usize, String> {
        let shape = self.shapes[from];
        let weights = Rc::new(Weights::constant(shape.channels, 1, 1.0, budget)?);
        let kind = Kind::Depthwise { window: Window::pointwise(), weights };
        self.push(Layer { name, kind, inputs: vec![from], bounds: [i8::MIN, i8::MAX] }, shape, to, budget)
    }
}

impl Names {
    /// `name`, or with a number behind it where another layer has it.
    fn unique(&mut self, name: &str) -> String {
        let base = if name.is_empty() { "layer" } else { name };
        let mut found = base.to_owned();
        while found == crate::ir::INPUT || self.taken.contains(&found) {
            let next = self.next.entry(base.to_owned()).or_insert(2);
            found = format!("{base}_{next}");
            *next += 1;
        }
        self.taken.insert(found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_whatever_they_were() {
        let mut names = Names::default();
        let unique = ["a", "a_2", "a", "a", "", "", "input", "a_3"].map(|name| names.unique(name));
        assert_eq!(unique, ["a", "a_2", "a_3", "a_4", "layer", "layer_2", "input_2", "a_3_2"]);
    }
}
