//! What a network asks of the kernels, so that a build for one network can leave the others out.
//!
//! Guarantee: a layer whose [`Needs::of`] a set of kernels offers is computed bit for bit as by the whole set; a model with any
//! other layer is refused by [`crate::Model::load`]. The sets say what they offer in [`super::Kernels::OFFERS`].

use core::fmt;

use super::dsp::{ConvolutionPlan, DepthwisePlan, is_quick, one_step_add, quick_factor};
use crate::layer::{Geometry, Layer, Op, Weights};
use crate::quant::WEIGHT_BITS;

/// Parts of the kernels, one bit each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Needs(u32);

/// First bits of runs of them: widths of convolutions' and of the classifier's weights, the narrowest first; depthwise loops.
const WIDTHS: u32 = 8;
const CLASSIFIER_WIDTHS: u32 = 13;
const DEPTHWISE_LOOPS: u32 = 18;
const _: () = assert!(CLASSIFIER_WIDTHS - WIDTHS == (*WEIGHT_BITS.end() - *WEIGHT_BITS.start() + 1) as u32);

impl Needs {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// Everything that there is.
    pub const EVERYTHING: Self = Self((1 << 27) - 1);
    /// Convolution over all input channels.
    pub const CONVOLUTION: Self = Self(1);
    /// Convolution of which some pixels' taps are gathered: all but the pointwise one over whole fours of channels.
    pub const GATHER: Self = Self(1 << 1);
    /// Depthwise convolution.
    pub const DEPTHWISE: Self = Self(1 << 2);
    /// Residual add.
    pub const ADD: Self = Self(1 << 3);
    /// Add of a tensor to itself.
    pub const ADD_TO_SELF: Self = Self(1 << 4);
    /// Global average pooling.
    pub const AVERAGE_POOL: Self = Self(1 << 5);
    /// A factor so small, so large or so fine that one multiplication cannot requantise exactly, or a convolution to fewer than 4
    /// channels, which is requantised the same way.
    pub const RARE_FACTOR: Self = Self(1 << 6);
    /// A classifier whose rows of weights do not all begin at a byte, or are no whole eights.
    pub const ODD_CLASSIFIER: Self = Self(1 << 7);
    /// A depthwise convolution with a kernel wider than 7, at a stride of 2 than 8, or with a stride above 2.
    pub const RARE_DEPTHWISE: Self = Self(1 << 26);
    /// Weights of a width outside [`WEIGHT_BITS`], which no kernels have; not in [`Self::EVERYTHING`].
    const UNSUPPORTED_WIDTH: Self = Self(1 << 31);

    /// In the order of the bits.
    const NAMES: [&'static str; 27] = [
        "convolution",
        "convolution that is not pointwise over a multiple of 4 channels",
        "depthwise convolution",
        "residual add",
        "add of a tensor to itself",
        "average pooling",
        "factors outside 2^-20..2^-1, wide ones outside 2^-7..2^-1, or convolution to fewer than 4 channels",
        "classifier with a fan-in that is no multiple of 8",
        "4-bit convolution",
        "5-bit convolution",
        "6-bit convolution",
        "7-bit convolution",
        "8-bit convolution",
        "4-bit classifier",
        "5-bit classifier",
        "6-bit classifier",
        "7-bit classifier",
        "8-bit classifier",
        "depthwise kernel 1 wide, stride 1",
        "depthwise kernel 2 or 3 wide, stride 1",
        "depthwise kernel 4 or 5 wide, stride 1",
        "depthwise kernel 6 or 7 wide, stride 1",
        "depthwise kernel 1 or 2 wide, stride 2",
        "depthwise kernel 3 or 4 wide, stride 2",
        "depthwise kernel 5 or 6 wide, stride 2",
        "depthwise kernel 7 or 8 wide, stride 2",
        "depthwise kernel wider than 7, at stride 2 than 8, or stride above 2",
    ];

    /// Weights of `bits` bits of a convolution; outside [`WEIGHT_BITS`] what no kernels offer.
    #[must_use]
    pub const fn width(bits: u8) -> Self {
        Self::nth_width(WIDTHS, bits)
    }

    /// Weights of `bits` bits of the classifier; outside [`WEIGHT_BITS`] what no kernels offer.
    #[must_use]
    pub const fn classifier_width(bits: u8) -> Self {
        Self::nth_width(CLASSIFIER_WIDTHS, bits)
    }

    const fn nth_width(first: u32, bits: u8) -> Self {
        let (narrowest, widest) = (*WEIGHT_BITS.start(), *WEIGHT_BITS.end());
        if bits < narrowest || bits > widest {
            return Self::UNSUPPORTED_WIDTH;
        }
        Self(1 << (first + (bits - narrowest) as u32))
    }

    /// Depthwise rows of `pairs` pairs of taps at a stride of 1 or 2.
    #[must_use]
    pub const fn depthwise_loop(pairs: usize, stride: usize) -> Self {
        if !is_quick(pairs, stride) {
            return Self::RARE_DEPTHWISE;
        }
        Self(1 << (DEPTHWISE_LOOPS as usize + 4 * (stride - 1) + pairs - 1))
    }

    /// What one layer needs.
    #[must_use]
    pub fn of(geometry: &Geometry, layer: &Layer<'_>) -> Self {
        let rare = |is_rare: bool| if is_rare { Self::RARE_FACTOR } else { Self::NOTHING };
        match layer.op {
            Op::Convolution(window, weights) => {
                let plan = ConvolutionPlan::new(window, weights.fan_in, geometry.input, geometry.output);
                let gather = if plan.gathers() { Self::GATHER } else { Self::NOTHING };
                let rare = rare(weights.channels.len() < 4 || has_rare_factor(weights));
                Self::CONVOLUTION.union(gather).union(Self::width(weights.bits)).union(rare)
            }
            Op::Depthwise(window, weights) => {
                let pairs = DepthwisePlan::new(window, geometry.output).pairs();
                Self::DEPTHWISE
                    .union(Self::depthwise_loop(pairs, window.stride))
                    .union(rare(has_rare_factor(weights)))
            }
            Op::Classifier(weights) => {
                let odd = !weights.fan_in.is_multiple_of(8);
                let rows = if odd { Self::ODD_CLASSIFIER } else { Self::classifier_width(weights.bits) };
                rows.union(rare(has_rare_factor(weights)))
            }
            Op::AveragePool { .. } => Self::AVERAGE_POOL,
            Op::Add { b, scale } => {
                let to_self = if b == layer.source { Self::ADD_TO_SELF } else { Self::NOTHING };
                Self::ADD.union(to_self).union(rare(!one_step_add(scale, layer.quantisation.zero_point)))
            }
        }
    }

    /// As a number, for a constant that another crate's build script writes; see [`Self::from_bits`].
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From [`Self::bits`]; bits without a meaning are left out.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & Self::EVERYTHING.0)
    }

    /// The parts of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The parts of this that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all parts of `other` are in this.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The names of the parts.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 != 0)
            .map(|(_, name)| name)
    }
}

/// Whether one multiplication cannot requantise some channel exactly.
fn has_rare_factor(weights: Weights<'_>) -> bool {
    (0..weights.channels.len()).any(|channel| quick_factor(weights.factor(channel)).is_none())
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Needs({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_width_is_a_need_of_its_own() {
        let mut seen = HashSet::new();
        for bits in 0..=u8::MAX {
            for need in [Needs::width(bits), Needs::classifier_width(bits)] {
                assert_eq!(Needs::EVERYTHING.contains(need), WEIGHT_BITS.contains(&bits), "{bits} bits");
                assert!(!WEIGHT_BITS.contains(&bits) || seen.insert(need.bits()), "{bits} bits");
            }
        }
    }
}
