//! The only place that emits blob bytes. The result has exactly the length that [`crate::layout`] plans.

use bytemuck::bytes_of;
use thiserror::Error;

use bomp_runtime::blob::{Channel, Header, MAGIC, MAX_BLOB, Record, VERSION, checksum};
use bomp_runtime::layer::Kind;
use bomp_runtime::quant::pack;
use bomp_runtime::{Model, ModelError};

use crate::arena::ArenaPlan;
use crate::ir::Op;
use crate::layout::Layout;
use crate::lower::{Lowered, Parameters};

/// Why a blob was not written.
#[derive(Debug, Error)]
pub enum PackError {
    /// Longer than the format allows.
    #[error("the network has too many layers, or its blob or arena is too large for the format")]
    TooLarge,
    /// The runtime refuses what was packed: a defect of this program, reported instead of shipped.
    #[error(
        "the packed blob is refused by the runtime: {0} (this is a defect of the packer, please report it)"
    )]
    Refused(ModelError),
}

/// Packs a lowered network. The runtime has accepted what is returned.
///
/// # Errors
/// See [`PackError`].
pub fn blob(lowered: &Lowered) -> Result<Vec<u8>, PackError> {
    let network = &lowered.network;
    let layout = Layout::of_lowered(lowered);
    if layout.total() > MAX_BLOB {
        return Err(PackError::TooLarge);
    }
    let arena = ArenaPlan::of(network);
    let shapes = network.shapes();
    let u16_of = |value: usize| u16::try_from(value).map(u16::to_le_bytes).map_err(|_| PackError::TooLarge);
    let u32_of = |value: usize| u32::try_from(value).map(u32::to_le_bytes).map_err(|_| PackError::TooLarge);

    let mut bytes = Vec::with_capacity(layout.total());
    bytes.extend_from_slice(bytes_of(&Header {
        magic: MAGIC,
        version: VERSION.to_le_bytes(),
        layer_count: u16_of(network.layers.len())?,
        total_len: u32_of(layout.total())?,
        arena_size: u32_of(arena.size)?,
        input_offset: u32_of(arena.offsets[0])?,
        input_height: u16_of(network.input.height)?,
        input_width: u16_of(network.input.width)?,
        input_channels: u16_of(network.input.channels)?,
        input_zero_point: lowered.tensors[0].zero_point,
        reserved: 0,
        input_scale: (lowered.tensors[0].scale as f32).to_le_bytes(),
        output_scale: (lowered.logit_scale as f32).to_le_bytes(),
    }));
    for (index, layer) in network.layers.iter().enumerate() {
        let (kind, window) = match &layer.op {
            Op::Convolution { window, .. } => (Kind::Convolution, Some(window)),
            Op::Depthwise { window, .. } => (Kind::Depthwise, Some(window)),
            Op::Add => (Kind::Add, None),
            Op::AveragePool => (Kind::AveragePool, None),
            Op::Classifier { .. } => (Kind::Classifier, None),
        };
        let output = lowered.output(index);
        let shape = shapes[index + 1];
        let distance = |input: usize| u8::try_from(index - input).map_err(|_| PackError::TooLarge);
        let (shift, wide) = match &lowered.parameters[index] {
            Parameters::Weighted(weighted) if weighted.fine.is_empty() => (weighted.base_shift, 0),
            Parameters::Weighted(weighted) => (weighted.base_shift, Record::WIDE),
            Parameters::Add { shift, .. } | Parameters::AveragePool { shift, .. } => (*shift, 0),
        };
        bytes.extend_from_slice(bytes_of(&Record {
            kind_bits: kind as u8 | wide | layer.op.bits().map_or(0, u8::from) << 4,
            kernel: window.map_or(0, |w| (w.kernel | w.kernel << 4) as u8),
            padding: window.map_or(0, |w| (w.padding[0] | w.padding[1] << 4) as u8),
            stride: window.map_or(0, |w| w.stride as u8),
            zero_point: output.zero_point,
            min: output.min,
            max: output.max,
            shift,
            source: distance(layer.inputs[0])?,
            source_b: layer.inputs.get(1).map_or(Ok(0), |&input| distance(input))?,
            height: u16_of(shape.height)?,
            width: u16_of(shape.width)?,
            channels: u16_of(shape.channels)?,
            offset: u32_of(arena.offsets[index + 1])?,
        }));
    }
    for (layer, parameters) in network.layers.iter().zip(&lowered.parameters) {
        match parameters {
            Parameters::Weighted(weighted) => {
                for (&bias, &multiplier) in weighted.folded_biases.iter().zip(&weighted.multipliers) {
                    bytes.extend_from_slice(bytes_of(&Channel::new(bias, multiplier)));
                }
                bytes.extend(weighted.fine.iter().flat_map(|fine| fine.to_le_bytes()));
                let bits = layer.op.bits().map_or(8, u8::from);
                pack(weighted.weights.iter().copied(), bits, |byte| bytes.push(byte));
            }
            Parameters::Add { factors, .. } => {
                bytes.extend(factors.iter().flat_map(|factor| factor.to_le_bytes()));
            }
            Parameters::AveragePool { factor, .. } => bytes.extend_from_slice(&factor.to_le_bytes()),
        }
    }
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    assert_eq!(bytes.len(), layout.total(), "the writer left the layout's plan");
    Model::new(&bytes).map_err(PackError::Refused)?;
    Ok(bytes)
}
