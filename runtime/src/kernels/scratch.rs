//! How much scratch a layer's kernel gets, a part of the format: blob check, engine and exporter all ask here.
//!
//! Every set of kernels makes do with this. Where it lies follows from the arena plan, see [`crate::plan::lowest_gap`].

use super::dsp::{ConvolutionPlan, DepthwisePlan, classifier_words};
use crate::layer::{Geometry, Kind};

/// Words (4 bytes) of scratch of a layer of this geometry: what the kernels of [`super::Dsp`] need, and, in place, what the
/// reference keeps. `FORMAT.md` has the formulas. Cannot overflow 32 bits for a layer whose fan-in is within its limit.
#[must_use]
pub const fn scratch_words(geometry: &Geometry) -> usize {
    let Geometry { window, input, output, .. } = *geometry;
    match geometry.kind {
        Kind::Convolution => {
            let fan_in = window.kernel_height * window.kernel_width * input.channels;
            ConvolutionPlan::new(window, fan_in, input, output).words()
        }
        Kind::Depthwise => {
            let words = DepthwisePlan::new(window, output).words();
            // What the reference keeps: as many rows of one channel as the kernel has.
            let kept = (window.kernel_height * input.width).div_ceil(4);
            if geometry.in_place && words < kept { kept } else { words }
        }
        Kind::Classifier => classifier_words(input.height * input.width * input.channels),
        Kind::Add | Kind::AveragePool => 0,
    }
}
