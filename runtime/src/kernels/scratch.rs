//! How much scratch a layer's kernel gets, a part of the format: blob check, engine and exporter all ask here.
//!
//! Every set of kernels makes do with this. Where it lies follows from the arena plan, see [`crate::plan::lowest_gap`].

use crate::layer::{Geometry, Kind};

/// Words (4 bytes) of scratch of a layer of this geometry. A depthwise convolution in place has at least min(kernel height,
/// height) * width bytes, which is what the reference needs. Cannot overflow 32 bits: sizes are at most 65,535, kernels 15.
///
/// | layer | words |
/// | --- | --- |
/// | depthwise convolution in place | height * width of the input: one image of four channels |
/// | all others | 0 |
#[must_use]
pub const fn scratch_words(geometry: &Geometry) -> usize {
    match geometry.kind {
        Kind::Depthwise if geometry.in_place => geometry.input.height * geometry.input.width,
        _ => 0,
    }
}
