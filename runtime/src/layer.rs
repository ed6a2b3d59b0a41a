//! Layers as the engine runs them: only legal states, decoded from the records with every range checked.
//!
//! What [`decode`] accepts has a valid kernel geometry, shapes that chain, shifts in range, data inside the blob, and
//! accumulators that cannot overflow whatever the weights are (at most [`MAX_FAN_IN`] taps, |bias| <= [`MAX_BIAS`]), nor can
//! their products with the factors (see [`Factor`]).

use crate::blob::{ADD_BYTES, CHANNEL_BYTES, Channel, FINE_BYTES, Fine, Header, POOL_BYTES, Record};
use crate::error::ModelError;
use crate::quant::{
    AddScale, BASE_SHIFT, FINE_BITS, Factor, MAX_BIAS, MAX_FAN_IN, Multiplier, Output, Packed, WEIGHT_BITS,
    WIDE_BASE_SHIFT, WIDE_SHIFT,
};

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
    const fn from_number(number: u8) -> Option<Self> {
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
    /// Width of a weight, in [`WEIGHT_BITS`].
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

    const fn of(record: &Record) -> Self {
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

/// Geometry of layer `index`, or `None` where there is no such layer or its kind or source is not known.
#[must_use]
pub fn geometry(header: &Header, records: &[Record], index: usize) -> Option<Geometry> {
    let record = records.get(index)?;
    let input = tensor(header, records, index.checked_sub(usize::from(record.source))?)?;
    let output = tensor(header, records, index + 1)?;
    let kind = Kind::from_number(record.kind_number())?;
    Some(Geometry {
        kind,
        bits: record.bits(),
        window: Window::of(record),
        input: input.shape,
        output: output.shape,
        in_place: kind != Kind::Classifier && input.offset == output.offset,
    })
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

/// Tensor `index` (0 is the input), or `None` where there is no such tensor.
#[must_use]
pub fn tensor(header: &Header, records: &[Record], index: usize) -> Option<Tensor> {
    let read = |bytes: [u8; 2]| usize::from(u16::from_le_bytes(bytes));
    if index == 0 {
        return Some(Tensor {
            shape: Shape {
                height: read(header.input_height),
                width: read(header.input_width),
                channels: read(header.input_channels),
            },
            zero_point: header.input_zero_point,
            offset: u32::from_le_bytes(header.input_offset) as usize,
        });
    }
    records.get(index - 1).map(|record| Tensor {
        shape: Shape {
            height: read(record.height),
            width: read(record.width),
            channels: read(record.channels),
        },
        zero_point: record.zero_point,
        offset: u32::from_le_bytes(record.offset) as usize,
    })
}

/// Decodes layer `index`, whose data begin at `data[0]`; returns it with what is left of `data`.
///
/// # Errors
/// The first field that is out of range, by name.
pub fn decode<'a>(
    header: &Header,
    records: &'a [Record],
    index: usize,
    data: &'a [u8],
) -> Result<(Layer<'a>, &'a [u8]), ModelError> {
    let layer = index as u16;
    let bad = |field| ModelError::BadLayer { layer, field };
    let record = records.get(index).ok_or(bad("index"))?;
    let kind = Kind::from_number(record.kind_number()).ok_or(bad("kind"))?;
    if record.is_wide() && matches!(kind, Kind::Add | Kind::AveragePool) {
        return Err(bad("kind"));
    }
    let source_tensor = |distance: u8, field| {
        let source = index.checked_sub(usize::from(distance)).ok_or(bad(field))?;
        tensor(header, records, source).map(|t| (source, t)).ok_or(bad(field))
    };
    let (source, input) = source_tensor(record.source, "source")?;
    let output = tensor(header, records, index + 1).ok_or(bad("index"))?;
    let quantisation = Output { zero_point: record.zero_point, min: record.min, max: record.max };
    if record.min > record.max {
        return Err(bad("min"));
    }
    if kind != Kind::Add && record.source_b != 0 {
        return Err(bad("source_b"));
    }
    if output.shape.height == 0 || output.shape.width == 0 || output.shape.channels == 0 {
        return Err(bad("output shape"));
    }
    let windowed = matches!(kind, Kind::Convolution | Kind::Depthwise);
    if !windowed && (record.kernel != 0 || record.padding != 0 || record.stride != 0) {
        return Err(bad("kernel"));
    }
    let fan_in = fan_in(kind, record, &input).ok_or(bad("fan-in"))?;
    let (op, rest) = match kind {
        Kind::Convolution => {
            let window = window(record, input.shape, output.shape).map_err(bad)?;
            let (weights, rest) = weights(layer, record, output.shape.channels, fan_in, data)?;
            (Op::Convolution(window, weights), rest)
        }
        Kind::Depthwise => {
            let window = window(record, input.shape, output.shape).map_err(bad)?;
            if output.shape.channels != input.shape.channels {
                return Err(bad("channels"));
            }
            let (weights, rest) = weights(layer, record, output.shape.channels, fan_in, data)?;
            (Op::Depthwise(window, weights), rest)
        }
        Kind::Classifier => {
            let placeless =
                record.offset == [0; 4] && record.zero_point == 0 && record.min == 0 && record.max == 0;
            if index + 1 != records.len() || !placeless {
                return Err(bad("classifier"));
            }
            if output.shape.height != 1 || output.shape.width != 1 {
                return Err(bad("output shape"));
            }
            let (weights, rest) = weights(layer, record, output.shape.channels, fan_in, data)?;
            (Op::Classifier(weights), rest)
        }
        Kind::Add => {
            let (b, second) = source_tensor(record.source_b, "source_b")?;
            if second.shape != input.shape || output.shape != input.shape {
                return Err(bad("output shape"));
            }
            let ([factor_a, factor_b], rest) = factors::<2, ADD_BYTES>(layer, record, data)?;
            let scale = AddScale {
                zero_point_a: input.zero_point,
                zero_point_b: second.zero_point,
                factor_a,
                factor_b,
                shift: record.shift,
            };
            (Op::Add { b, scale }, rest)
        }
        Kind::AveragePool => {
            let pooled = Shape { height: 1, width: 1, channels: input.shape.channels };
            if output.shape != pooled || input.shape.height * input.shape.width > MAX_FAN_IN {
                return Err(bad("output shape"));
            }
            let ([factor], rest) = factors::<1, POOL_BYTES>(layer, record, data)?;
            (Op::AveragePool { factor, shift: record.shift }, rest)
        }
    };
    if index + 1 == records.len() && kind != Kind::Classifier {
        return Err(bad("kind"));
    }
    Ok((Layer { source, input, output, quantisation, op }, rest))
}

/// Weights of one output channel, 0 for kinds without weights; `None` beyond [`MAX_FAN_IN`].
fn fan_in(kind: Kind, record: &Record, input: &Tensor) -> Option<usize> {
    let taps = usize::from(record.kernel & 15) * usize::from(record.kernel >> 4);
    let fan_in = match kind {
        Kind::Convolution => taps * input.shape.channels,
        Kind::Depthwise => taps,
        Kind::Classifier => input.shape.elements()?,
        Kind::Add | Kind::AveragePool => 0,
    };
    (fan_in <= MAX_FAN_IN).then_some(fan_in)
}

/// Geometry of a windowed kind; the error is the field's name. Every window overlaps the image.
fn window(record: &Record, input: Shape, output: Shape) -> Result<Window, &'static str> {
    let window = Window::of(record);
    if window.kernel_height == 0 || window.kernel_width == 0 {
        return Err("kernel");
    }
    if !(1..=15).contains(&window.stride) {
        return Err("stride");
    }
    if window.pad_top >= window.kernel_height || window.pad_left >= window.kernel_width {
        return Err("padding");
    }
    let last_row = (output.height - 1) * window.stride;
    let last_column = (output.width - 1) * window.stride;
    if last_row >= input.height + window.pad_top || last_column >= input.width + window.pad_left {
        return Err("output shape");
    }
    Ok(window)
}

/// Channel records, more bits of a wide layer's multipliers, and packed weights at the start of `data`.
fn weights<'a>(
    layer: u16,
    record: &Record,
    channel_count: usize,
    fan_in: usize,
    data: &'a [u8],
) -> Result<(Weights<'a>, &'a [u8]), ModelError> {
    let bad = |field| ModelError::BadLayer { layer, field };
    let overrun = ModelError::DataOverrun { layer };
    let bits = record.bits();
    if !WEIGHT_BITS.contains(&bits) {
        return Err(bad("bits"));
    }
    let (shifts, fine_bytes) = if record.is_wide() { (WIDE_BASE_SHIFT, FINE_BYTES) } else { (BASE_SHIFT, 0) };
    if !shifts.contains(&record.shift) {
        return Err(bad("shift"));
    }
    // 65,535 channels of 65,535 weights of 8 bits do not fit a 32-bit usize; a blob is at most 2^28 bytes.
    let packed_bits = channel_count as u64 * fan_in as u64 * u64::from(bits);
    let packed_bytes = usize::try_from(packed_bits.div_ceil(8)).map_err(|_| overrun)?;
    let (channels, rest) = data.split_at_checked(channel_count * CHANNEL_BYTES).ok_or(overrun)?;
    let (fine, rest) = rest.split_at_checked(channel_count * fine_bytes).ok_or(overrun)?;
    let (packed, rest) = rest.split_at_checked(packed_bytes).ok_or(overrun)?;
    let channels: &[Channel] = bytemuck::try_cast_slice(channels).map_err(|_| overrun)?;
    let fine: &[Fine] = bytemuck::try_cast_slice(fine).map_err(|_| overrun)?;
    if channels.iter().any(|channel| !(-MAX_BIAS..=MAX_BIAS).contains(&channel.bias())) {
        return Err(bad("bias"));
    }
    if fine.iter().any(|fine| fine.get() >> FINE_BITS != 0) {
        return Err(bad("fine"));
    }
    let packed = Packed::new(packed, bits);
    Ok((Weights { channels, fine, packed, bits, fan_in, base_shift: record.shift }, rest))
}

/// The `N` non-negative factors of an add or a pool at the start of `data`.
fn factors<'a, const N: usize, const BYTES: usize>(
    layer: u16,
    record: &Record,
    data: &'a [u8],
) -> Result<([i32; N], &'a [u8]), ModelError> {
    let bad = |field| ModelError::BadLayer { layer, field };
    if record.bits() != 0 {
        return Err(bad("bits"));
    }
    if !WIDE_SHIFT.contains(&record.shift) {
        return Err(bad("shift"));
    }
    let (bytes, rest) = data.split_at_checked(BYTES).ok_or(ModelError::DataOverrun { layer })?;
    let (words, _) = bytes.as_chunks::<4>();
    let mut factors = [0; N];
    for (factor, word) in factors.iter_mut().zip(words) {
        *factor = i32::from_le_bytes(*word);
        if *factor < 0 {
            return Err(bad("factor"));
        }
    }
    Ok((factors, rest))
}
