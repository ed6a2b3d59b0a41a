//! The default kernels: plain Rust in shapes that compilers turn into good code, on a Cortex-M and on the host.
//!
//! Bit for bit equal to [`super::Reference`] (the tests hold every kind, width, stride and kernel size against it).
//! Of the scratch only a depthwise convolution in place has use; all others keep theirs on the stack, about 3 kB.

mod convolution;
mod depthwise;
mod requantiser;

use super::{Kernels, Needs, Reference, broken_invariant};
use crate::layer::{Layer, Op};
use crate::quant::{self, AddScale, Output};
use requantiser::Adder;

/// Kernels for any processor; those without which a network with the [`Needs`] of these bits does.
#[derive(Clone, Copy, Debug)]
pub struct Portable<const NEEDS: u32 = { Needs::EVERYTHING.bits() }>;

/// Weights unpacked at a time where each is used once, or on its way to another form.
const STRIP: usize = 64;

/// What [`spread`] adds to values.
const OFFSET: i32 = 128;

/// Four values, each plus [`OFFSET`], as the halves of two words: 0 and 2, 1 and 3. So none is negative, two masks unpack
/// all four, and a Cortex-M with DSP multiplies the halves as they are.
#[inline(always)]
const fn spread(values: [u8; 4]) -> [u32; 2] {
    let word = u32::from_le_bytes(values) ^ 0x8080_8080;
    [word & 0x00ff_00ff, word >> 8 & 0x00ff_00ff]
}

/// Adds the product of the lower 16-bit halves to the first of `sums`, that of the upper halves to the second.
#[inline(always)]
const fn multiply_halves(a: u32, b: u32, [lower, upper]: [i32; 2]) -> [i32; 2] {
    [
        lower.wrapping_add(a as i16 as i32 * b as i16 as i32),
        upper.wrapping_add((a as i32 >> 16) * (b as i32 >> 16)),
    ]
}

impl<const NEEDS: u32> Kernels for Portable<NEEDS> {
    const OFFERS: Needs = Needs::from_bits(NEEDS);

    fn convolution(layer: &Layer<'_>, input: &[i8], output: &mut [i8], _: &mut [u32]) {
        convolution::convolution(layer, input, output);
    }

    fn depthwise(layer: &Layer<'_>, input: &[i8], output: &mut [i8], _: &mut [u32]) {
        depthwise::depthwise(layer, input, output);
    }

    fn depthwise_in_place(layer: &Layer<'_>, place: &mut [i8], scratch: &mut [u32]) {
        super::Dsp::<NEEDS>::depthwise_in_place(layer, place, scratch);
    }

    fn classifier(layer: &Layer<'_>, input: &[i8], logits: &mut [i32], _: &mut [u32]) {
        let Op::Classifier(weights) = layer.op else { return broken_invariant() };
        let mut strip = [0i8; STRIP];
        for ((class, parameters), logit) in weights.channels.iter().enumerate().zip(logits) {
            let mut sum = parameters.bias();
            for (first, values) in (class * weights.fan_in..).step_by(STRIP).zip(input.chunks(STRIP)) {
                let Some(strip) = strip.get_mut(..values.len()) else { return broken_invariant() };
                weights.packed.unpack(first, strip);
                let products = strip.iter().zip(values).map(|(&w, &v)| i32::from(w) * i32::from(v));
                sum = products.fold(sum, i32::wrapping_add);
            }
            *logit = quant::logit(sum, weights.factor(class));
        }
    }

    fn average_pool(layer: &Layer<'_>, input: &[i8], output: &mut [i8], scratch: &mut [u32]) {
        Reference::average_pool(layer, input, output, scratch);
    }

    fn add_assign(output: Output, scale: AddScale, place: &mut [i8], other: &[i8], scratch: &mut [u32]) {
        let Some(adder) = Adder::new(scale, output) else {
            return Reference::add_assign(output, scale, place, other, scratch);
        };
        for (a, &b) in place.iter_mut().zip(other) {
            *a = adder.apply(*a, b);
        }
    }

    fn add_to_self(output: Output, scale: AddScale, place: &mut [i8], scratch: &mut [u32]) {
        Reference::add_to_self(output, scale, place, scratch);
    }
}
