//! Global average pooling: four neighbouring channels at a time, summed in halves that cannot overflow.

use super::at_least_1;
use super::machine::add_bytes;
use crate::layer::Layer;
use crate::quant::{self, Output};

/// Pixels whose sum of unsigned bytes fits 16 bits.
const RUN: usize = 256;

#[inline(never)]
pub(super) fn average_pool(layer: &Layer<'_>, factor: i32, shift: u8, input: &[i8], output: &mut [i8]) {
    let channels = at_least_1(layer.input.shape.channels);
    let pixels = input.len() / channels;
    let zero_point = i32::from(layer.input.zero_point) * pixels as i32;
    let finish = |sum: i32| scale(sum - zero_point, factor, shift, layer.quantisation);
    let (fours, rest) = output.as_chunks_mut::<4>();
    let first_of_rest = 4 * fours.len();
    for (index, four) in fours.iter_mut().enumerate() {
        let mut sums = [0i32; 4];
        for run in input.chunks(at_least_1(RUN * channels)) {
            for (sum, part) in sums.iter_mut().zip(add_bytes(run, 4 * index, channels)) {
                // The bytes are values plus 128.
                *sum += part as i32 - 128 * (run.len() / channels) as i32;
            }
        }
        for (place, sum) in four.iter_mut().zip(sums) {
            *place = finish(sum);
        }
    }
    for (index, place) in rest.iter_mut().enumerate() {
        let values = input.iter().skip(first_of_rest + index).step_by(channels);
        *place = finish(values.fold(0, |sum, &value| sum + i32::from(value)));
    }
}

/// [`quant::scale`], once for all that call it: once for each channel, its code is worth more than a call.
#[inline(never)]
fn scale(sum: i32, factor: i32, shift: u8, output: Output) -> i8 {
    quant::scale(sum, factor, shift, output)
}
