//! The kernels' interface. [`Reference`] is the specification; every other set of kernels gives the same bits.
//!
//! Tensors are [H, W, C] int8 slices of exactly the layer's shapes; weights are [`crate::layer::Weights`]. Accumulators
//! are int32 and, by the limits that [`crate::Model::load`] checks, never overflow; the additions still wrap
//! explicitly, so that no build of this crate has a panic there.

mod dsp;
mod needs;
mod portable;
mod reference;
mod scratch;
#[cfg(test)]
mod tests;

pub use dsp::Dsp;
pub use needs::Needs;
pub use portable::Portable;
pub use reference::Reference;
pub use scratch::scratch_words;

use crate::layer::Layer;
use crate::quant::{AddScale, Output};

/// Marks a branch that no checked model can reach. Tests and builds with debug assertions, as the fuzzers', panic there;
/// elsewhere it is empty and the kernel leaves its output as it is, because a panic would cost a device flash.
#[inline(always)]
#[track_caller]
#[expect(clippy::assertions_on_constants, reason = "the constant says which builds panic")]
pub(crate) const fn broken_invariant() {
    assert!(!cfg!(any(test, debug_assertions)), "a layer reached a kernel that does not suit it");
}

/// The kernels that are best on the processor that this is compiled for.
pub type Native = NativeFor<{ Needs::EVERYTHING.bits() }>;
/// Of them only those that [`Needs`] with these bits asks for.
#[cfg(target_arch = "arm")]
pub type NativeFor<const NEEDS: u32> = Dsp<NEEDS>;
/// Of them only those that [`Needs`] with these bits asks for.
#[cfg(not(target_arch = "arm"))]
pub type NativeFor<const NEEDS: u32> = Portable<NEEDS>;

/// One implementation of every layer kind.
///
/// `layer.op` is of the function's kind. `scratch` has [`scratch_words`] words of the layer's [`crate::layer::Geometry`], with anything in them; what is left in
/// them does not matter.
pub trait Kernels {
    /// The parts that are there. For a layer that needs more the result is unspecified; [`crate::Model::load`] refuses models
    /// with such layers.
    const OFFERS: Needs = Needs::EVERYTHING;

    /// Convolution over all input channels, [H, W, C_IN] to [H', W', C_OUT], requantised.
    fn convolution(layer: &Layer<'_>, input: &[i8], output: &mut [i8], scratch: &mut [u32]);

    /// Convolution of each channel by itself, [H, W, C] to [H', W', C], requantised.
    fn depthwise(layer: &Layer<'_>, input: &[i8], output: &mut [i8], scratch: &mut [u32]);

    /// As [`Self::depthwise`], the output written over the input: `place` is the input [H, W, C] and afterwards begins with
    /// the output [H', W', C], H' <= H and W' <= W. What follows the output in `place` does not matter.
    fn depthwise_in_place(layer: &Layer<'_>, place: &mut [i8], scratch: &mut [u32]);

    /// Fully connected classifier, `[H, W, C]` to `[classes]` int32 logits.
    fn classifier(layer: &Layer<'_>, input: &[i8], logits: &mut [i32], scratch: &mut [u32]);

    /// Sum over height and width, scaled, `[H, W, C]` to `[C]`.
    fn average_pool(layer: &Layer<'_>, input: &[i8], output: &mut [i8], scratch: &mut [u32]);

    /// `place[i]` = `place[i]` + `other[i]`, `place` being operand a.
    fn add_assign(output: Output, scale: AddScale, place: &mut [i8], other: &[i8], scratch: &mut [u32]);

    /// `place[i]` = `place[i]` + `place[i]`.
    fn add_to_self(output: Output, scale: AddScale, place: &mut [i8], scratch: &mut [u32]);
}
