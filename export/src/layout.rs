//! Flash accounting, the one truth: how many bytes the packed blob of a network takes, from shapes and bit widths alone.
//!
//! [`crate::write`] walks the same [`Layout`], so the predicted size is the file's size by construction.

use serde::Serialize;

use bomp_runtime::blob::{
    ADD_BYTES, CHANNEL_BYTES, CHECKSUM_BYTES, FINE_BYTES, HEADER_BYTES, POOL_BYTES, RECORD_BYTES,
    weighted_data_bytes,
};
use bomp_runtime::{Model, layer};

use crate::ir::{Network, Op};
use crate::lower::{Lowered, Parameters};

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
    /// Multipliers of the channels, in a wide layer with their further bits, or the factors of an add or pool.
    pub multipliers: usize,
    /// Packed weights.
    pub weights: usize,
}

impl LayerBytes {
    /// A layer with weights.
    fn of_weights(name: String, channels: usize, fan_in: usize, bits: u8, wide: bool) -> Self {
        let biases = channels * size_of::<i32>();
        let fine = if wide { FINE_BYTES } else { 0 };
        let multipliers = channels * (CHANNEL_BYTES + fine) - biases;
        let weights = weighted_data_bytes(channels, fan_in, bits, wide) - biases - multipliers;
        Self {
            name,
            bits: Some(bits),
            weight_count: channels * fan_in,
            record: RECORD_BYTES,
            biases,
            multipliers,
            weights,
        }
    }

    /// An add or pool with so many bytes of factors.
    const fn of_factors(name: String, bytes: usize) -> Self {
        Self {
            name,
            bits: None,
            weight_count: 0,
            record: RECORD_BYTES,
            biases: 0,
            multipliers: bytes,
            weights: 0,
        }
    }

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
    /// Plans a validated network whose layers are not wide, as all are that this project quantises.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        Self::plan(network, |_| false)
    }

    /// Plans a network of integers, whose layers are wide where they have been imported.
    #[must_use]
    pub fn of_lowered(lowered: &Lowered) -> Self {
        Self::plan(&lowered.network, |index| match &lowered.parameters[index] {
            Parameters::Weighted(weighted) => !weighted.fine.is_empty(),
            Parameters::Add { .. } | Parameters::AveragePool { .. } => false,
        })
    }

    fn plan(network: &Network, wide: impl Fn(usize) -> bool) -> Self {
        let shapes = network.shapes();
        let layers = network.layers.iter().enumerate().map(|(index, layer)| {
            let name = layer.name.clone();
            match &layer.op {
                Op::Add => LayerBytes::of_factors(name, ADD_BYTES),
                Op::AveragePool => LayerBytes::of_factors(name, POOL_BYTES),
                Op::Convolution { bits, .. } | Op::Depthwise { bits, .. } | Op::Classifier { bits, .. } => {
                    let (channels, fan_in) = (shapes[index + 1].channels, network.fan_in(index, &shapes));
                    LayerBytes::of_weights(name, channels, fan_in, bits.get(), wide(index))
                }
            }
        });
        Self { header: HEADER_BYTES, checksum: CHECKSUM_BYTES, layers: layers.collect() }
    }

    /// The byte plan that a packed blob follows. Layers are called `names`, and by their number where there is no name.
    #[must_use]
    pub fn of_model(model: &Model<'_>, names: &[String]) -> Self {
        let layers = model.layers().enumerate().map(|(index, layer)| {
            let name = names.get(index).cloned().unwrap_or_else(|| format!("layer {index}"));
            match layer.op {
                layer::Op::Convolution(_, weights)
                | layer::Op::Depthwise(_, weights)
                | layer::Op::Classifier(weights) => {
                    let wide = !weights.fine.is_empty();
                    LayerBytes::of_weights(name, weights.channels.len(), weights.fan_in, weights.bits, wide)
                }
                layer::Op::Add { .. } => LayerBytes::of_factors(name, ADD_BYTES),
                layer::Op::AveragePool { .. } => LayerBytes::of_factors(name, POOL_BYTES),
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
