//! The layers' records and the header before them, as layers: each field checked, nothing allocated.
//!
//! [`Records::decode`] costs a few comparisons, so the engine calls it for each layer of each inference; what costs a look at
//! every channel is [`check_channels`], which only [`crate::Model::load`] calls.

use crate::blob::{ADD_BYTES, CHANNEL_BYTES, Channel, FINE_BYTES, Fine, Header, POOL_BYTES, Record};
use crate::error::ModelError;
use crate::layer::{Geometry, Kind, Layer, Op, Shape, Tensor, Weights, Window};
use crate::quant::{
    AddScale, BASE_SHIFT, FINE_BITS, MAX_BIAS, MAX_FAN_IN, Output, Packed, WEIGHT_BITS, WIDE_BASE_SHIFT,
    WIDE_SHIFT,
};

/// Header and records of a blob, in execution order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    pub(crate) header: &'a Header,
    pub(crate) layers: &'a [Record],
}

impl<'a> Records<'a> {
    /// Number of layers.
    pub(crate) const fn len(self) -> usize {
        self.layers.len()
    }

    /// Tensor `index` (0 is the input, `index` the output of layer `index - 1`), or `None` where there is no such tensor.
    pub(crate) fn tensor(self, index: usize) -> Option<Tensor> {
        let read = |bytes: [u8; 2]| usize::from(u16::from_le_bytes(bytes));
        let Some(layer) = index.checked_sub(1) else {
            let header = self.header;
            return Some(Tensor {
                shape: Shape {
                    height: read(header.input_height),
                    width: read(header.input_width),
                    channels: read(header.input_channels),
                },
                zero_point: header.input_zero_point,
                offset: u32::from_le_bytes(header.input_offset) as usize,
            });
        };
        self.layers.get(layer).map(|record| Tensor {
            shape: Shape {
                height: read(record.height),
                width: read(record.width),
                channels: read(record.channels),
            },
            zero_point: record.zero_point,
            offset: u32::from_le_bytes(record.offset) as usize,
        })
    }

    /// Geometry of layer `index`, or `None` where there is no such layer or its kind or source is not known.
    pub(crate) fn geometry(self, index: usize) -> Option<Geometry> {
        let record = self.layers.get(index)?;
        let input = self.tensor(index.checked_sub(usize::from(record.source))?)?;
        let output = self.tensor(index + 1)?;
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

    /// Decodes layer `index`, whose data begin at `data[0]`; returns it with what is left of `data`.
    ///
    /// The channels' own values are left to [`check_channels`].
    ///
    /// # Errors
    /// The first field that is out of range, by name.
    pub(crate) fn decode(self, index: usize, data: &'a [u8]) -> Result<(Layer<'a>, &'a [u8]), ModelError> {
        let layer = index as u16;
        let bad = |field| ModelError::BadLayer { layer, field };
        let record = self.layers.get(index).ok_or(bad("index"))?;
        let kind = Kind::from_number(record.kind_number()).ok_or(bad("kind"))?;
        if record.is_wide() && matches!(kind, Kind::Add | Kind::AveragePool) {
            return Err(bad("kind"));
        }
        let source_tensor = |distance: u8, field| {
            let source = index.checked_sub(usize::from(distance)).ok_or(bad(field))?;
            self.tensor(source).map(|t| (source, t)).ok_or(bad(field))
        };
        let (source, input) = source_tensor(record.source, "source")?;
        let output = self.tensor(index + 1).ok_or(bad("index"))?;
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
                if index + 1 != self.len() || !placeless {
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
        if index + 1 == self.len() && kind != Kind::Classifier {
            return Err(bad("kind"));
        }
        Ok((Layer { source, input, output, quantisation, op }, rest))
    }
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
    let packed = Packed::new(packed, bits);
    Ok((Weights { channels, fine, packed, bits, fan_in, base_shift: record.shift }, rest))
}

/// Checks the biases and fine parts of the multipliers of layer `index`; with them no accumulator can overflow.
///
/// # Errors
/// The field that is out of range, by name.
#[inline(never)]
pub(crate) fn check_channels(index: usize, layer: &Layer<'_>) -> Result<(), ModelError> {
    let (Op::Convolution(_, weights) | Op::Depthwise(_, weights) | Op::Classifier(weights)) = &layer.op
    else {
        return Ok(());
    };
    let bad = |field| ModelError::BadLayer { layer: index as u16, field };
    if weights.channels.iter().any(|channel| !(-MAX_BIAS..=MAX_BIAS).contains(&channel.bias())) {
        return Err(bad("bias"));
    }
    if weights.fine.iter().any(|fine| fine.get() >> FINE_BITS != 0) {
        return Err(bad("fine"));
    }
    Ok(())
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
