//! A genotype by its values: everything that tells one network and its bit widths from another.
//!
//! Only genes that act have a place: an absent block has no kernel, an expansion of 1 has no expand convolution and so
//! no bit width for it. In JSON it reads
//!
//! ```json
//! {"stem": {"stride": 1, "bits": 8},
//!  "blocks": [{"repetitions": 1, "depthwise": {"kernel": 3, "bits": 8}, "project": {"width": 0.1, "bits": 8}},
//!             {"repetitions": 2, "expand": {"expansion": 6, "bits": 4}, "depthwise": {"kernel": 5, "bits": 6},
//!              "project": {"width": 0.1, "bits": 8}},
//!             null],
//!  "conv2": {"filters": 128, "bits": 4}, "classifier": {"bits": 8}, "reductions_after": [1]}
//! ```

use bomp_export::ir::Bits;
use serde::{Deserialize, Serialize};

/// One network of a space, with the weight width of every slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genotype {
    /// The first convolution; its filters follow from block 1's width multiplier.
    pub stem: StemGenes,
    /// The inverted bottlenecks in order, `None` (`null`) where absent.
    pub blocks: Vec<Option<BlockGenes>>,
    /// The pointwise convolution before the pool, `None` (`null`) where absent.
    pub conv2: Option<Conv2Genes>,
    /// The classifier.
    pub classifier: ClassifierGenes,
    /// The numbers of the blocks after which the resolution is halved (by the next block that is present).
    pub reductions_after: Vec<usize>,
}

/// Genes of the first convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemGenes {
    /// Stride.
    pub stride: usize,
    /// Weight width.
    pub bits: Bits,
}

/// Genes of a block that is present; all its repetitions share them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockGenes {
    /// Number of bottlenecks, at least 1.
    pub repetitions: usize,
    /// The expand convolution; absent at expansion 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expand: Option<ExpandGenes>,
    /// The depthwise convolution.
    pub depthwise: DepthwiseGenes,
    /// The project convolution.
    pub project: ProjectGenes,
}

/// Genes of an expand convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpandGenes {
    /// Multiple of the input channels, above 1.
    pub expansion: usize,
    /// Weight width.
    pub bits: Bits,
}

/// Genes of a depthwise convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseGenes {
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Weight width.
    pub bits: Bits,
}

/// Genes of a project convolution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectGenes {
    /// Width multiplier of the block's output channels.
    pub width: f64,
    /// Weight width.
    pub bits: Bits,
}

/// Genes of the pointwise convolution before the pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2Genes {
    /// Filters.
    pub filters: usize,
    /// Weight width.
    pub bits: Bits,
}

/// Genes of the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierGenes {
    /// Weight width.
    pub bits: Bits,
}

impl Genotype {
    /// The same network with every weight width that cannot be packed, which no device runs, brought down to the widest that
    /// can.
    #[must_use]
    pub fn packable(&self) -> Self {
        let mut narrowed = self.clone();
        let blocks = narrowed.blocks.iter_mut().flatten().flat_map(|block| {
            let expand = block.expand.as_mut().map(|genes| &mut genes.bits);
            expand.into_iter().chain([&mut block.depthwise.bits, &mut block.project.bits])
        });
        let conv2 = narrowed.conv2.as_mut().map(|genes| &mut genes.bits);
        let all = blocks.chain(conv2).chain([&mut narrowed.stem.bits, &mut narrowed.classifier.bits]);
        all.for_each(|bits| *bits = (*bits).min(Bits::MAX));
        narrowed
    }
}
