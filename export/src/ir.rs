//! The network as data: layers, shapes and bit widths, before any weight exists.
//!
//! A [`Network`] that [`Network::validate`] accepts can be packed: its shapes chain and every size fits the format. It
//! never mentions a training framework; search, exporter and reports all speak this type.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use bomp_runtime::blob::MAX_LAYERS;
use bomp_runtime::quant::{MAX_FAN_IN, WEIGHT_BITS};

/// What files and messages call the network's input; no layer may have this name.
pub const INPUT: &str = "input";

/// Height, width and channels of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Rows, 1..=65,535.
    pub height: usize,
    /// Columns, 1..=65,535.
    pub width: usize,
    /// Channels, 1..=65,535.
    pub channels: usize,
}

impl Shape {
    /// From height, width and channels.
    #[must_use]
    pub const fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Number of elements, which is the number of bytes of an int8 tensor.
    #[must_use]
    pub const fn elements(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Why no tensor can have this shape, if none can.
    pub(crate) fn problem(self) -> Option<String> {
        let sizes = [self.height, self.width, self.channels];
        let fits = sizes.iter().all(|size| (1..=65_535).contains(size)) && self.elements() <= 1 << 28;
        (!fits)
            .then(|| format!("the shape {self} is outside 1..=65,535 for each size or above 2^28 elements"))
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

/// Width of a weight in bits: one of [`WEIGHT_BITS`], or 16, which is accounted for and can be scored, but which no device runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Bits(u8);

impl Bits {
    /// The narrowest width.
    pub const MIN: Self = Self(*WEIGHT_BITS.start());
    /// The widest width that can be packed.
    pub const MAX: Self = Self(*WEIGHT_BITS.end());
    /// The width of the searches that the paper compares itself with; [`Network::validate`] refuses it.
    pub const WIDE: Self = Self(16);

    /// The number of bits.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Largest magnitude of a symmetric weight, 2^(b-1) - 1.
    #[must_use]
    pub const fn max_weight(self) -> i32 {
        (1 << (self.0 - 1)) - 1
    }
}

impl TryFrom<u8> for Bits {
    type Error = IrError;

    fn try_from(bits: u8) -> Result<Self, IrError> {
        if WEIGHT_BITS.contains(&bits) || bits == Self::WIDE.0 {
            Ok(Self(bits))
        } else {
            Err(IrError::Bits(bits))
        }
    }
}

impl From<Bits> for u8 {
    fn from(bits: Bits) -> Self {
        bits.0
    }
}

/// Non-linearity after a layer; on the device it is the saturation of the requantisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// None.
    Linear,
    /// min(max(x, 0), 6).
    Relu6,
}

/// Kernel, stride and explicit padding of a convolution, equal in both directions but for the padding's sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Rows and columns of the kernel, 1..=15.
    pub kernel: usize,
    /// Step, 1..=15.
    pub stride: usize,
    /// Padding [top, left, bottom, right].
    pub padding: [usize; 4],
}

impl Window {
    /// TensorFlow's SAME: the output is ceil(input / stride); of an odd total the larger part is at the bottom and right.
    #[must_use]
    pub const fn same(input: Shape, kernel: usize, stride: usize) -> Self {
        const fn total(input: usize, kernel: usize, stride: usize) -> usize {
            ((input.div_ceil(stride) - 1) * stride + kernel).saturating_sub(input)
        }
        let (vertical, horizontal) =
            (total(input.height, kernel, stride), total(input.width, kernel, stride));
        let (top, left) = (vertical / 2, horizontal / 2);
        Self { kernel, stride, padding: [top, left, vertical - top, horizontal - left] }
    }

    /// A 1x1 window of stride 1.
    #[must_use]
    pub const fn pointwise() -> Self {
        Self { kernel: 1, stride: 1, padding: [0; 4] }
    }

    /// Rows and columns of the output, or `None` where the padded input is smaller than the kernel.
    #[must_use]
    pub fn output(&self, input: Shape) -> Option<(usize, usize)> {
        let [top, left, bottom, right] = self.padding;
        let steps = |size: usize, padding: usize| {
            (size + padding).checked_sub(self.kernel).map(|room| room / self.stride + 1)
        };
        Some((steps(input.height, top + bottom)?, steps(input.width, left + right)?))
    }
}

/// What a layer computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Convolution over all channels; pointwise when the kernel is 1.
    Convolution {
        /// Geometry.
        window: Window,
        /// Output channels.
        filters: usize,
        /// Width of the weights.
        bits: Bits,
        /// Non-linearity.
        activation: Activation,
    },
    /// Convolution of each channel by itself.
    Depthwise {
        /// Geometry.
        window: Window,
        /// Width of the weights.
        bits: Bits,
        /// Non-linearity.
        activation: Activation,
    },
    /// Sum of the layer's two inputs.
    Add,
    /// Average over height and width.
    AveragePool,
    /// Fully connected classifier; always the last layer.
    Classifier {
        /// Number of classes.
        classes: usize,
        /// Width of the weights.
        bits: Bits,
    },
}

impl Op {
    /// Width of the weights, `None` for operations without weights.
    #[must_use]
    pub const fn bits(&self) -> Option<Bits> {
        match self {
            Self::Convolution { bits, .. } | Self::Depthwise { bits, .. } | Self::Classifier { bits, .. } => {
                Some(*bits)
            }
            Self::Add | Self::AveragePool => None,
        }
    }
}

/// One layer. Tensor 0 is the network's input, tensor i + 1 the output of layer i.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Layer {
    /// Name, unique in the network; also the prefix of its tensors in files.
    pub name: String,
    /// The computation.
    pub op: Op,
    /// Tensors that it reads: two for an add, else one.
    pub inputs: Vec<usize>,
}

/// A network from the image to the logits, layers in execution order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Network {
    /// Shape of the image.
    pub input: Shape,
    /// The layers.
    pub layers: Vec<Layer>,
}

/// Why a network cannot be packed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IrError {
    /// A bit width outside [`WEIGHT_BITS`].
    #[error("a weight width of {0} bits is not supported: use 4 to 8")]
    Bits(u8),
    /// No layers, or no classifier at the end.
    #[error("a network needs layers and ends with its only classifier")]
    Classifier,
    /// More layers than the format can number.
    #[error("the network has {0} layers, above {MAX_LAYERS}")]
    TooManyLayers(usize),
    /// Something is wrong with a layer.
    #[error("layer `{layer}`: {problem}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// What is wrong.
        problem: String,
    },
}

impl Network {
    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        match self.layers.last().map(|layer| &layer.op) {
            Some(Op::Classifier { classes, .. }) => *classes,
            _ => 0,
        }
    }

    /// Shapes of all tensors, the input first. Meaningful for a validated network.
    #[must_use]
    pub fn shapes(&self) -> Vec<Shape> {
        let mut shapes = Vec::with_capacity(self.layers.len() + 1);
        shapes.push(self.input);
        for layer in &self.layers {
            let input = layer.inputs.first().and_then(|&i| shapes.get(i)).copied().unwrap_or(self.input);
            let windowed = |window: &Window, channels| {
                let (height, width) = window.output(input).unwrap_or((0, 0));
                Shape { height, width, channels }
            };
            shapes.push(match &layer.op {
                Op::Convolution { window, filters, .. } => windowed(window, *filters),
                Op::Depthwise { window, .. } => windowed(window, input.channels),
                Op::Add => input,
                Op::AveragePool => Shape::new(1, 1, input.channels),
                Op::Classifier { classes, .. } => Shape::new(1, 1, *classes),
            });
        }
        shapes
    }

    /// Weights of one output channel of layer `index`; 0 without weights. `shapes` are [`Self::shapes`].
    #[must_use]
    pub fn fan_in(&self, index: usize, shapes: &[Shape]) -> usize {
        let layer = &self.layers[index];
        let input = shapes[layer.inputs[0]];
        match &layer.op {
            Op::Convolution { window, .. } => window.kernel * window.kernel * input.channels,
            Op::Depthwise { window, .. } => window.kernel * window.kernel,
            Op::Classifier { .. } => input.elements(),
            Op::Add | Op::AveragePool => 0,
        }
    }

    /// The layer that reads tensor `tensor` last, `None` where none does.
    #[must_use]
    pub fn last_reader(&self, tensor: usize) -> Option<usize> {
        self.layers.iter().rposition(|layer| layer.inputs.contains(&tensor))
    }

    /// Checks everything that packing relies on.
    ///
    /// # Errors
    /// The first layer that is wrong, by name.
    pub fn validate(&self) -> Result<(), IrError> {
        if let Some(layer) = self.layers.iter().find(|layer| layer.op.bits() == Some(Bits::WIDE)) {
            let problem = "16-bit weights can be scored, but no device runs them: use 4 to 8 bits".into();
            return Err(IrError::Layer { layer: layer.name.clone(), problem });
        }
        self.validate_shapes()
    }

    /// Checks everything but that the device has kernels for the widths of all weights.
    ///
    /// # Errors
    /// As [`Self::validate`].
    pub fn validate_shapes(&self) -> Result<(), IrError> {
        let classifiers =
            self.layers.iter().filter(|layer| matches!(layer.op, Op::Classifier { .. })).count();
        if classifiers != 1 || self.classes() == 0 {
            return Err(IrError::Classifier);
        }
        if self.layers.len() > MAX_LAYERS {
            return Err(IrError::TooManyLayers(self.layers.len()));
        }
        if let Some(problem) = self.input.problem() {
            return Err(IrError::Layer { layer: INPUT.into(), problem });
        }
        let mut names = std::collections::HashSet::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let fail = |problem: String| Err(IrError::Layer { layer: layer.name.clone(), problem });
            if layer.name.is_empty() || layer.name == INPUT || !names.insert(layer.name.as_str()) {
                return fail(format!("its name is empty, not unique, or `{INPUT}`, the network's input"));
            }
            let arity = if layer.op == Op::Add { 2 } else { 1 };
            if layer.inputs.len() != arity {
                return fail(format!("it has {} inputs instead of {arity}", layer.inputs.len()));
            }
            if let Some(&input) = layer.inputs.iter().find(|&&i| i > index || index - i > 255) {
                return fail(format!("input tensor {input} is not among the 256 tensors before it"));
            }
            // Before any shape is computed: these numbers may come from a file and overflow or divide by zero there.
            if let Op::Convolution { window, .. } | Op::Depthwise { window, .. } = &layer.op {
                if !(1..=15).contains(&window.kernel) || !(1..=15).contains(&window.stride) {
                    return fail("kernel and stride must be 1 to 15".into());
                }
                if window.padding.iter().any(|&padding| padding >= window.kernel) {
                    return fail("padding must be smaller than the kernel".into());
                }
            }
        }
        let shapes = self.shapes();
        for (index, layer) in self.layers.iter().enumerate() {
            let fail = |problem: String| Err(IrError::Layer { layer: layer.name.clone(), problem });
            if let Some(problem) = shapes[index + 1].problem() {
                return fail(problem);
            }
            if layer.op == Op::Add && shapes[layer.inputs[0]] != shapes[layer.inputs[1]] {
                return fail(format!(
                    "its inputs differ in shape: {} and {}",
                    shapes[layer.inputs[0]], shapes[layer.inputs[1]]
                ));
            }
            let pooled = shapes[layer.inputs[0]];
            if layer.op == Op::AveragePool && pooled.height * pooled.width > MAX_FAN_IN {
                return fail(format!(
                    "it averages {}x{} elements, above {MAX_FAN_IN}",
                    pooled.height, pooled.width
                ));
            }
            if self.fan_in(index, &shapes) > MAX_FAN_IN {
                return fail(format!(
                    "more than {MAX_FAN_IN} weights for one output channel could overflow int32"
                ));
            }
            if index + 1 < self.layers.len() && self.last_reader(index + 1).is_none() {
                return fail("no layer reads its output".into());
            }
        }
        Ok(())
    }
}
