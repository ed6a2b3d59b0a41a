//! Layers as the engine runs them: only legal states.
//!
//! The layers of a [`crate::Model`] have a valid kernel geometry, shapes that chain, shifts in range, data inside the blob,
//! and accumulators that cannot overflow whatever the weights are (at most [`crate::quant::MAX_FAN_IN`] taps, |bias| <=
//! [`crate::quant::MAX_BIAS`]), nor can their products with the factors (see [`Factor`]).

use crate::blob::{Channel, Fine, Record};
use crate::quant::{AddScale, Factor, Multiplier, Output, Packed};

/// Kinds of layers, with their numbers in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Convolution over all input channels; a 1x1 kernel makes it pointwise.
    Convolution = 0,
    /// Convolution of each channel by itself.
    Depthwise = 1,
    /// Sum of two tensors of equal shape.
    Add = 2,
    /// Average over height and width.
    AveragePool = 3,
    /// Fully connected classifier with int32 logits; always the last layer and only there.
    Classifier = 4,
}

impl Kind {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Convolution),
            1 => Some(Self::Depthwise),
            2 => Some(Self::Add),
            3 => Some(Self::AveragePool),
            4 => Some(Self::Classifier),
            _ => None,
        }
    }
}

/// Height, width and channels of a tensor; elements lie in that order, channels innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Shape {
    /// Number of elements, or `None` beyond 2^28.
    #[must_use]
    pub const fn elements(self) -> Option<usize> {
        let count = self.height as u64 * self.width as u64 * self.channels as u64;
        if count <= 1 << 28 { Some(count as usize) } else { None }
    }
}

/// A tensor of int8 activations in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its shape.
    pub shape: Shape,
    /// Value that stands for the real number 0.
    pub zero_point: i8,
    /// First byte in the arena.
    pub offset: usize,
}

/// Weights and parameters of a layer with weights.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    /// Bias and multiplier, one for each output channel.
    pub channels: &'a [Channel],
    /// More bits of the multipliers, one for each output channel of a wide layer, else none.
    pub fine: &'a [Fine],
    /// Weights [C_OUT, K_H, K_W, C_IN], C_IN being 1 for depthwise, [C_OUT, H, W, C_IN] for the classifier.
    pub packed: Packed<'a>,
    /// Width of a weight, in [`crate::quant::WEIGHT_BITS`].
    pub bits: u8,
    /// Weights of one output channel.
    pub fan_in: usize,
    /// Base shift of the multipliers.
    pub base_shift: u8,
}

impl Weights<'_> {
    /// Factor from an accumulator of output channel `channel` to the output.
    #[must_use]
    #[inline]
    pub fn factor(&self, channel: usize) -> Factor {
        let multiplier = self.channels.get(channel).map_or(Multiplier(0), Channel::multiplier);
        match self.fine.get(channel) {
            Some(fine) => Factor::wide(multiplier, fine.get(), self.base_shift),
            None => Factor::narrow(multiplier, self.base_shift),
        }
    }
}

/// Geometry of a convolution or depthwise convolution. Taps outside the image read the input's zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Kernel rows, 1..=15.
    pub kernel_height: usize,
    /// Kernel columns, 1..=15.
    pub kernel_width: usize,
    /// Step in both directions, 1..=15.
    pub stride: usize,
    /// Rows of padding above, less than `kernel_height`.
    pub pad_top: usize,
    /// Columns of padding to the left, less than `kernel_width`.
    pub pad_left: usize,
}

impl Window {
    /// Of kinds without a kernel.
    pub const NONE: Self = Self { kernel_height: 0, kernel_width: 0, stride: 0, pad_top: 0, pad_left: 0 };

    pub(crate) const fn of(record: &Record) -> Self {
        Self {
            kernel_height: (record.kernel & 15) as usize,
            kernel_width: (record.kernel >> 4) as usize,
            stride: record.stride as usize,
            pad_top: (record.padding & 15) as usize,
            pad_left: (record.padding >> 4) as usize,
        }
    }
}

/// What is known of a layer before any weight exists: what its scratch and its place in the arena depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Its kind.
    pub kind: Kind,
    /// Width of its weights, 0 without weights.
    pub bits: u8,
    /// Kernel, stride and padding; [`Window::NONE`] of kinds without a kernel.
    pub window: Window,
    /// Shape of the (first) input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Whether the output begins where the (first) input begins.
    pub in_place: bool,
}

impl Geometry {
    /// Whether the output may begin where an input begins that no later layer reads.
    ///
    /// An add reads each element before it writes it. A depthwise convolution keeps in scratch what it still has to read:
    /// its output must not be higher or wider than its input, so that it never overtakes the rows that it reads.
    #[must_use]
    pub const fn may_be_in_place(&self) -> bool {
        match self.kind {
            Kind::Add => true,
            Kind::Depthwise => {
                self.output.height <= self.input.height && self.output.width <= self.input.width
            }
            Kind::Convolution | Kind::AveragePool | Kind::Classifier => false,
        }
    }
}

/// What a layer computes.
#[derive(Clone, Copy, Debug)]
pub enum Op<'a> {
    /// See [`Kind::Convolution`].
    Convolution(Window, Weights<'a>),
    /// See [`Kind::Depthwise`].
    Depthwise(Window, Weights<'a>),
    /// See [`Kind::Add`]; the second operand is tensor `b`.
    Add {
        /// Index of the second operand.
        b: usize,
        /// Factors of both operands.
        scale: AddScale,
    },
    /// See [`Kind::AveragePool`].
    AveragePool {
        /// Factor of the sum.
        factor: i32,
        /// Shift of the product.
        shift: u8,
    },
    /// See [`Kind::Classifier`].
    Classifier(Weights<'a>),
}

/// One layer, ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Index of the (first) input tensor.
    pub source: usize,
    /// The (first) input tensor.
    pub input: Tensor,
    /// The output tensor; of the classifier only the shape means anything.
    pub output: Tensor,
    /// Zero point and saturation bounds of the output.
    pub quantisation: Output,
    /// The computation.
    pub op: Op<'a>,
}
