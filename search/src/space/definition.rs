//! A search space as data: which values each gene may take, and which value the seed network has.
//!
//! This is the form of the TOML file; nothing here has been checked. [`super::Space`] holds a definition only where
//! every network of it is known to be packable.

use bomp_export::ir::{Bits, Shape};
use serde::{Deserialize, Serialize};

/// The values that a gene may take, strictly ascending, and the seed network's among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice<T> {
    /// The values.
    pub choices: Vec<T>,
    /// The value of the seed network; also the value that an inactive gene is set to.
    pub seed: T,
}

/// A space of MobileNetV2-like networks with a bit width for each layer kind of each block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Name for messages and reports.
    pub name: String,
    /// Number of classes, 2..=65,535.
    pub classes: usize,
    /// Shape of the images.
    pub input: Shape,
    /// Weight widths, for every slot the same choices.
    pub bits: Choice<Bits>,
    /// Each reduction halves the resolution in the first depthwise convolution of the next block that is present after
    /// block number 0..blocks (0: before block 1). Two that fall on the same block make its stride 4, and one after
    /// which no block is present has no effect. At most three.
    pub reductions: Vec<Choice<usize>>,
    /// The first convolution.
    pub stem: StemDefinition,
    /// The inverted bottlenecks in order, 1..=16. Block 1 is always present.
    pub blocks: Vec<BlockDefinition>,
    /// The pointwise convolution before the average pool.
    pub conv2: Conv2Definition,
}

/// The first convolution, with ReLU6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemDefinition {
    /// Filters at width multiplier 1; the multiplier of block 1 applies.
    pub filters: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Stride, 1..=15.
    pub stride: Choice<usize>,
}

/// An inverted bottleneck (Sandler et al., "MobileNetV2", 2018), repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockDefinition {
    /// Output channels at width multiplier 1.
    pub filters: usize,
    /// Rows and columns of the depthwise kernel, 1..=15.
    pub kernel: Choice<usize>,
    /// Width multipliers a, above 0: the block has max(1, round(a x filters)) output channels.
    pub width: Choice<f64>,
    /// Multiples of the input channels between expansion and projection, at least 1; 1 has no expand convolution.
    pub expansion: Choice<usize>,
    /// How many bottlenecks, 0..=50; with 0 the block is absent and its input passes through.
    pub repetitions: Choice<usize>,
}

impl BlockDefinition {
    /// Output channels at width multiplier `width`.
    #[must_use]
    pub fn channels(&self, width: f64) -> usize {
        scaled(self.filters, width)
    }

    /// Whether the block may be absent.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.repetitions.choices.contains(&0)
    }
}

/// The pointwise convolution before the average pool, with ReLU6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2Definition {
    /// Filters, not scaled by a width multiplier; with 0 the layer is absent.
    pub filters: Choice<usize>,
}

impl StemDefinition {
    /// Output channels where block 1 has width multiplier `width`.
    #[must_use]
    pub fn channels(&self, width: f64) -> usize {
        scaled(self.filters, width)
    }
}

/// A value that a gene may take, for messages.
pub(super) trait Value: Copy + PartialOrd {
    fn text(self) -> String;
}

impl Value for usize {
    fn text(self) -> String {
        self.to_string()
    }
}

impl Value for f64 {
    fn text(self) -> String {
        self.to_string()
    }
}

impl Value for Bits {
    fn text(self) -> String {
        self.get().to_string()
    }
}

/// Values as a list.
pub(super) fn list<T: Value>(values: &[T]) -> String {
    let texts: Vec<String> = values.iter().map(|value| value.text()).collect();
    texts.join(", ")
}

/// max(1, round(multiplier x filters)): without MobileNet's rounding to multiples of eight, which would make the
/// multipliers 0.01 and 0.05 the same.
fn scaled(filters: usize, multiplier: f64) -> usize {
    ((filters as f64 * multiplier).round() as usize).max(1)
}
