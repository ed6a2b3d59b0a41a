//! RAM accounting, the one truth: where each activation and each layer's scratch lie in the arena, and how large it is.
//!
//! The plan is sound by the rules that the runtime checks (`bomp_runtime::plan`): a residual add or a depthwise convolution
//! writes over an operand that dies there, everything else gets a place of its own while it lives, and scratch lies in the
//! lowest gap. [`ArenaPlan::lower_bound`] is what no plan can be below; `place` reaches it on nearly every network.

pub mod chart;
mod place;
mod problem;

use serde::Serialize;

use bomp_runtime::layer;
use bomp_runtime::plan::lowest_gap;

use crate::ir::Network;
use problem::{Operand, Problem};

/// Placement of all activations and scratch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArenaPlan {
    /// Bytes that the arena needs.
    pub size: usize,
    /// First byte of each tensor, the input first; the classifier's logits are not in the arena and get 0.
    pub offsets: Vec<usize>,
    /// Bytes of each tensor; 0 for the logits.
    pub bytes: Vec<usize>,
    /// First and last layer of each tensor's life: the one that writes it (0 for the input) and the last that reads it.
    pub lives: Vec<[usize; 2]>,
    /// Scratch of each layer.
    pub scratch: Vec<Scratch>,
    /// Bytes that live during each layer, scratch included; its output does not count where it is in place.
    pub layer_bytes: Vec<usize>,
    /// Largest sum of what lives at one time: no plan of these layers can be smaller.
    pub lower_bound: usize,
}

/// Where a layer's scratch lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Scratch {
    /// First byte in the arena, 0 without scratch.
    pub offset: usize,
    /// Bytes, 0 without scratch.
    pub bytes: usize,
}

impl ArenaPlan {
    /// Plans a validated network.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let mut plan = Self::with(network, Operand::First);
        if plan.size > plan.lower_bound {
            let other = Self::with(network, Operand::Second);
            if other.size < plan.size {
                plan = other;
            }
        }
        plan
    }

    fn with(network: &Network, preferred: Operand) -> Self {
        let problem = Problem::of(network, preferred);
        let placed = place::place(&problem);
        let offsets: Vec<usize> =
            problem.item_of.iter().map(|item| item.map_or(0, |item| placed[item])).collect();
        let ends = problem.tensor_bytes.iter().zip(&offsets).map(|(bytes, offset)| bytes + offset);
        let mut size = ends.max().unwrap_or(0);
        let mut scratch = vec![Scratch::default(); network.layers.len()];
        for (layer, scratch) in scratch.iter_mut().enumerate().filter(|&(layer, _)| problem.words[layer] > 0)
        {
            let live = problem.live_tensors(layer).map(|t| offsets[t]..offsets[t] + problem.tensor_bytes[t]);
            // The planner left a gap for it, so the lowest one ends no higher; sizes of tensors are far below 2^32.
            if let Some(place) = lowest_gap(live, problem.words[layer]) {
                *scratch = Scratch { offset: place.start, bytes: place.len() };
                size = size.max(place.end);
            }
        }
        let Problem { tensor_bytes: bytes, lives, layer_bytes, .. } = problem;
        let lower_bound = layer_bytes.iter().copied().max().unwrap_or(0);
        Self { size, offsets, bytes, lives, scratch, layer_bytes, lower_bound }
    }

    /// Whether a layer's output begins where an input begins.
    #[must_use]
    pub fn is_in_place(&self, layer: usize) -> bool {
        let output = layer + 1;
        self.bytes[output] > 0
            && self
                .lives
                .iter()
                .zip(&self.offsets)
                .take(output)
                .any(|(&[_, last], &offset)| last == layer && offset == self.offsets[output])
    }
}

/// Geometry of layer `index` as the runtime knows it, its output in place or not. `shapes` are [`Network::shapes`].
#[must_use]
pub fn geometry(
    network: &Network,
    shapes: &[crate::ir::Shape],
    index: usize,
    in_place: bool,
) -> layer::Geometry {
    use crate::ir::Op;
    use layer::Kind;
    let shape = |tensor: usize| {
        let crate::ir::Shape { height, width, channels } = shapes[tensor];
        layer::Shape { height, width, channels }
    };
    let op = &network.layers[index].op;
    let (kind, window) = match op {
        Op::Convolution { window, .. } => (Kind::Convolution, Some(window)),
        Op::Depthwise { window, .. } => (Kind::Depthwise, Some(window)),
        Op::Add => (Kind::Add, None),
        Op::AveragePool => (Kind::AveragePool, None),
        Op::Classifier { .. } => (Kind::Classifier, None),
    };
    layer::Geometry {
        kind,
        bits: op.bits().map_or(0, u8::from),
        window: window.map_or(layer::Window::NONE, |window| layer::Window {
            kernel_height: window.kernel,
            kernel_width: window.kernel,
            stride: window.stride,
            pad_top: window.padding[0],
            pad_left: window.padding[1],
        }),
        input: shape(network.layers[index].inputs[0]),
        output: shape(index + 1),
        in_place,
    }
}
