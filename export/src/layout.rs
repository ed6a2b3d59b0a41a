//! Flash accounting, the one truth: how many bytes the packed blob of a network takes, from shapes and bit widths alone.
//!
//! [`crate::write`] walks the same [`Layout`], so the predicted size is the file's size by construction.

use serde::Serialize;

use bomp_runtime::blob::{
    ADD_BYTES, CHANNEL_BYTES, CHECKSUM_BYTES, HEADER_BYTES, POOL_BYTES, RECORD_BYTES, weighted_data_bytes,
};
use bomp_runtime::quant::packed_len;
use bomp_runtime::{Model, layer};

use crate::ir::{Network, Op};

/// Bytes of one layer by what they hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerBytes {
    /// Name of the layer.
    pub name: String,
    /// Width of the weights in bits, `None` without weights.
    pub bits: Option<u8>,
    /// Number of weights.
    pub weight_count: usize,
    /// Its record in the layer table.
    pub record: usize,
    /// int32 biases.
    pub biases: usize,
    /// Multipliers of the channels, or the factors of an add or pool.
    pub multipliers: usize,
    /// Packed weights.
    pub weights: usize,
}

impl LayerBytes {
    /// All bytes of the layer's part of the data section.
    #[must_use]
    pub const fn data(&self) -> usize {
        self.biases + self.multipliers + self.weights
    }
}

/// The byte plan of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// File header.
    pub header: usize,
    /// Checksum at the end.
    pub checksum: usize,
    /// Each layer in order.
    pub layers: Vec<LayerBytes>,
}

impl Layout {
    /// Plans a validated network.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let shapes = network.shapes();
        let layers = (0..network.layers.len()).map(|index| {
            let layer = &network.layers[index];
            let channels = shapes[index + 1].channels;
            let fan_in = network.fan_in(index, &shapes);
            let (biases, multipliers, weights) = match &layer.op {
                Op::Add => (0, ADD_BYTES, 0),
                Op::AveragePool => (0, POOL_BYTES, 0),
                Op::Convolution { bits, .. } | Op::Depthwise { bits, .. } | Op::Classifier { bits, .. } => {
                    let weights = packed_len(channels * fan_in, bits.get());
                    debug_assert_eq!(
                        weights + channels * CHANNEL_BYTES,
                        weighted_data_bytes(channels, fan_in, bits.get())
                    );
                    (channels * size_of::<i32>(), channels * (CHANNEL_BYTES - size_of::<i32>()), weights)
                }
            };
            LayerBytes {
                name: layer.name.clone(),
                bits: layer.op.bits().map(u8::from),
                weight_count: channels * fan_in,
                record: RECORD_BYTES,
                biases,
                multipliers,
                weights,
            }
        });
        Self { header: HEADER_BYTES, checksum: CHECKSUM_BYTES, layers: layers.collect() }
    }

    /// The byte plan that a packed blob follows. Layers are called `names`, and by their number where there is no name.
    #[must_use]
    pub fn of_model(model: &Model<'_>, names: &[String]) -> Self {
        let layers = model.layers().enumerate().map(|(index, layer)| {
            let (bits, channels, fan_in, factors) = match layer.op {
                layer::Op::Convolution(_, weights)
                | layer::Op::Depthwise(_, weights)
                | layer::Op::Classifier(weights) => {
                    (Some(weights.bits), weights.channels.len(), weights.fan_in, 0)
                }
                layer::Op::Add { .. } => (None, 0, 0, ADD_BYTES),
                layer::Op::AveragePool { .. } => (None, 0, 0, POOL_BYTES),
            };
            let channel_bytes = channels * CHANNEL_BYTES;
            LayerBytes {
                name: names.get(index).cloned().unwrap_or_else(|| format!("layer {index}")),
                bits,
                weight_count: channels * fan_in,
                record: RECORD_BYTES,
                biases: channels * size_of::<i32>(),
                multipliers: channels * (CHANNEL_BYTES - size_of::<i32>()) + factors,
                weights: bits.map_or(0, |bits| weighted_data_bytes(channels, fan_in, bits) - channel_bytes),
            }
        });
        Self { header: HEADER_BYTES, checksum: CHECKSUM_BYTES, layers: layers.collect() }
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        self.header
            + self.checksum
            + self.layers.iter().map(|layer| layer.record + layer.data()).sum::<usize>()
    }

    /// The figure that uNAS and others report: one byte for each weight and bias, no scales, no container.
    #[must_use]
    pub fn one_byte_per_weight(&self) -> usize {
        self.layers.iter().map(|layer| layer.weight_count + layer.biases / size_of::<i32>()).sum()
    }
}

/// Length in bytes of the packed blob of a validated network.
#[must_use]
pub fn blob_bytes(network: &Network) -> usize {
    Layout::of(network).total()
}
