//! Kernels for microcontrollers: Cortex-M4, M7, M33 and their like, which multiply two pairs of 16-bit halves at once, and
//! the smaller ones, which use the same tables with one multiplication at a time.
//!
//! Bit for bit equal to [`super::Reference`]. Weights of every width are unpacked to halves once, so all widths run alike. A
//! factor is shifted so that the upper word of one multiplication is the result: SMMLAR multiplies, adds the zero point
//! and rounds half up at once. Shifts of 33..=45, and of 28..=58 in wide layers, take five instructions more; others are
//! requantised as specified, slowly.
//! All memory beyond a few hundred bytes of stack is the layer's scratch.
//!
//! Only [`machine`] knows the processor; on any other its loops are plain Rust, which the tests of the host hold against
//! the reference.

mod classifier;
mod convolution;
mod depthwise;
mod machine;
mod pool;
mod unpack;

pub(super) use classifier::words as classifier_words;
pub(super) use convolution::Plan as ConvolutionPlan;
pub(super) use depthwise::Plan as DepthwisePlan;
pub(super) use unpack::quick_factor;

use super::{Kernels, Needs, Reference, broken_invariant};
use crate::layer::{Layer, Op};
use crate::quant::{AddScale, Output};
use depthwise::Place;

/// Whether the loop over rows of outputs of a depthwise convolution can do `pairs` pairs of taps at this stride.
pub(super) const fn is_quick(pairs: usize, stride: usize) -> bool {
    machine::Lane::is_quick(pairs, stride)
}

/// Whether an add is one sum and one rounding of 64 bits; see [`machine::Sum`].
pub(super) fn one_step_add(scale: AddScale, zero_point: i8) -> bool {
    machine::Sum::new(scale, zero_point).is_some()
}

/// For divisors and steps: no shape of a layer is 0, which the compiler can't know; so there is no panic for it.
const fn at_least_1(value: usize) -> usize {
    if value == 0 { 1 } else { value }
}

/// Kernels for microcontrollers; only those that [`Needs`] with these bits asks for are compiled.
#[derive(Clone, Copy, Debug)]
pub struct Dsp<const NEEDS: u32 = { Needs::EVERYTHING.bits() }>;

/// Whether kernels for `needs`, as [`Needs::bits`], have `part`.
const fn has(needs: u32, part: Needs) -> bool {
    Needs::from_bits(needs).contains(part)
}

impl<const NEEDS: u32> Kernels for Dsp<NEEDS> {
    const OFFERS: Needs = Needs::from_bits(NEEDS);

    fn convolution(layer: &Layer<'_>, input: &[i8], output: &mut [i8], scratch: &mut [u32]) {
        convolution::convolution::<NEEDS>(layer, input, output, scratch);
    }

    fn depthwise(layer: &Layer<'_>, input: &[i8], output: &mut [i8], scratch: &mut [u32]) {
        depthwise::depthwise::<NEEDS>(layer, Place::Apart(input, output), scratch);
    }

    fn depthwise_in_place(layer: &Layer<'_>, place: &mut [i8], scratch: &mut [u32]) {
        depthwise::depthwise::<NEEDS>(layer, Place::Same(place), scratch);
    }

    fn classifier(layer: &Layer<'_>, input: &[i8], logits: &mut [i32], scratch: &mut [u32]) {
        let Op::Classifier(weights) = &layer.op else { return broken_invariant() };
        classifier::classifier::<NEEDS>(weights, input, logits, scratch);
    }

    fn average_pool(layer: &Layer<'_>, input: &[i8], output: &mut [i8], _: &mut [u32]) {
        let Op::AveragePool { factor, shift } = layer.op else { return broken_invariant() };
        pool::average_pool(layer, factor, shift, input, output);
    }

    fn add_assign(output: Output, scale: AddScale, place: &mut [i8], other: &[i8], scratch: &mut [u32]) {
        let Some(sum) = machine::Sum::new(scale, output.zero_point) else {
            if has(NEEDS, Needs::RARE_FACTOR) {
                return Reference::add_assign(output, scale, place, other, scratch);
            }
            return broken_invariant();
        };
        machine::add(&sum, place, other);
        machine::limit(output.min, output.max, place);
    }

    fn add_to_self(output: Output, scale: AddScale, place: &mut [i8], scratch: &mut [u32]) {
        Reference::add_to_self(output, scale, place, scratch);
    }
}
