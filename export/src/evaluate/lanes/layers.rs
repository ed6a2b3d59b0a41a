//! The layers over a block of images: which pairs meet which weights. Everything is inlined into one function for each
//! instruction set, so that the compiler uses its vectors for the requantisation, too.

use bomp_runtime::layer::{Shape, Window};
use bomp_runtime::quant;

use super::isa::{self, Isa, Sums};
use super::prepare::{Dense, Paired, Prepared, Step, Work, logits};
use super::requantise::{Requantiser, interleave};
use super::{InstructionSet, LANES, Pairs};

/// The functions that are compiled for an instruction set.
#[cfg(target_arch = "x86_64")]
mod compiled {
    use super::*;

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(prepared: &Prepared, buffers: &mut [Vec<Pairs>], sums: &mut [Sums]) {
        run::<isa::Avx2, { isa::Avx2::OUTPUTS }>(prepared, buffers, sums);
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn avx512(prepared: &Prepared, buffers: &mut [Vec<Pairs>], sums: &mut [Sums]) {
        run::<isa::Avx512, { isa::Avx512::OUTPUTS }>(prepared, buffers, sums);
    }
}

impl Prepared {
    /// Runs all layers on the images in the input's buffer; `results` gets the logits of each class.
    #[allow(unsafe_code, reason = "calls of functions for instructions that were detected")]
    pub(super) fn run(&self, buffers: &mut [Vec<Pairs>], results: &mut [Sums]) {
        match self.instructions {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Sse2 => run::<isa::Sse2, { isa::Sse2::OUTPUTS }>(self, buffers, results),
            // SAFETY: `InstructionSet::available`, the only source of this value, found the instructions on this processor.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { compiled::avx2(self, buffers, results) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { compiled::avx512(self, buffers, results) },
            _ => run::<isa::Plain, { isa::Plain::OUTPUTS }>(self, buffers, results),
        }
    }
}

#[inline(always)]
fn run<I: Isa, const O: usize>(prepared: &Prepared, buffers: &mut [Vec<Pairs>], results: &mut [Sums]) {
    let mut at = Vec::new();
    for (index, step) in prepared.layers.iter().enumerate() {
        let source = prepared.slots[step.sources[0]];
        if let Work::Classifier(dense, multipliers) = &step.work {
            classify::<I, O>(step, dense, &buffers[source], results);
            for (sums, &multiplier) in results.iter_mut().zip(multipliers) {
                *sums = logits(*sums, multiplier);
            }
            continue;
        }
        let target = prepared.slots[index + 1];
        // Its own buffer, which no tensor that is still read has.
        let mut output = std::mem::take(&mut buffers[target]);
        let pairs = step.input.channels.div_ceil(2);
        let outside = step.input.height * step.input.width * pairs;
        if matches!(step.work, Work::Convolution(..) | Work::Depthwise(..)) {
            buffers[source][outside..outside + pairs].fill([step.zero_point.into(); 2 * LANES]);
        }
        let input = &buffers[source][..];
        match &step.work {
            Work::Convolution(window, dense) => {
                convolve::<I, O>(step, *window, dense, input, &mut output, &mut at)
            }
            Work::Depthwise(window, paired) => {
                depthwise::<I>(step, *window, paired, input, &mut output, &mut at)
            }
            Work::Add(adder) => {
                let second = &buffers[prepared.slots[step.sources[1]]];
                for ((place, a), b) in output.iter_mut().zip(input).zip(second).take(outside) {
                    adder.apply(a, b, place);
                }
            }
            &Work::AveragePool { factor, shift, output: to } => {
                for (pair, place) in output.iter_mut().enumerate().take(pairs) {
                    let mut sums = [0i32; 2 * LANES];
                    for x in input[pair..outside].iter().step_by(pairs) {
                        for (sum, &value) in sums.iter_mut().zip(x) {
                            *sum = sum.wrapping_add(i32::from(value).wrapping_sub(step.zero_point.into()));
                        }
                    }
                    *place = sums.map(|sum| quant::scale(sum, factor, shift, to).into());
                }
            }
            Work::Classifier(..) => {}
        }
        buffers[target] = output;
    }
}

/// First pair of every tap of the output at (`y`, `x`); of one outside the image, the pairs behind the image.
#[inline(always)]
fn taps(shape: Shape, window: Window, (y, x): (usize, usize), mut tap: impl FnMut(usize)) {
    let pairs = shape.channels.div_ceil(2);
    for ky in 0..window.kernel_height {
        let row = (y * window.stride + ky).wrapping_sub(window.pad_top);
        for kx in 0..window.kernel_width {
            let column = (x * window.stride + kx).wrapping_sub(window.pad_left);
            let inside = row < shape.height && column < shape.width;
            let position = if inside { row * shape.width + column } else { shape.height * shape.width };
            tap(position * pairs);
        }
    }
}

#[inline(always)]
fn convolve<I: Isa, const O: usize>(
    step: &Step,
    window: Window,
    dense: &Dense,
    input: &[Pairs],
    output: &mut [Pairs],
    at: &mut Vec<u32>,
) {
    let pairs = step.input.channels.div_ceil(2);
    let pairs_out = step.output.channels.div_ceil(2);
    let (weights, _) = dense.weights.as_chunks::<O>();
    let pointwise = window.kernel_height == 1 && window.kernel_width == 1;
    let steps = window.kernel_height * window.kernel_width * pairs;
    let places = output.chunks_exact_mut(pairs_out).take(step.output.height * step.output.width);
    for (position, places) in places.enumerate() {
        let (y, x) = (position / step.output.width, position % step.output.width);
        at.clear();
        taps(step.input, window, (y, x), |first| at.extend((first as u32..).take(pairs)));
        for (group, weights) in weights.chunks_exact(steps).enumerate() {
            let mut sums: [Sums; O] =
                std::array::from_fn(|o| [dense.biases.get(group * O + o).copied().unwrap_or(0); LANES]);
            if pointwise {
                I::add_all(&mut sums, &input[at[0] as usize..][..pairs], weights);
            } else {
                I::add(&mut sums, input, at, weights);
            }
            let requantisers = dense.requantisers[group * O..].chunks(2);
            let places = &mut places[group * O / 2..];
            for ((sums, requantisers), place) in sums.as_chunks::<2>().0.iter().zip(requantisers).zip(places)
            {
                finish(sums, requantisers, place);
            }
        }
    }
}

#[inline(always)]
fn depthwise<I: Isa>(
    step: &Step,
    window: Window,
    paired: &Paired,
    input: &[Pairs],
    output: &mut [Pairs],
    at: &mut Vec<u32>,
) {
    let pairs = step.output.channels.div_ceil(2);
    let count = window.kernel_height * window.kernel_width;
    let places = output.chunks_exact_mut(pairs).take(step.output.height * step.output.width);
    for (position, places) in places.enumerate() {
        let (y, x) = (position / step.output.width, position % step.output.width);
        at.clear();
        taps(step.input, window, (y, x), |first| at.push(first as u32));
        let weights = paired.weights.chunks_exact(count);
        let channels = paired.biases.chunks(2).zip(paired.requantisers.chunks(2));
        for (pair, ((place, weights), (biases, requantisers))) in
            places.iter_mut().zip(weights).zip(channels).enumerate()
        {
            let mut sums = [0, 1].map(|channel| [biases.get(channel).copied().unwrap_or(0); LANES]);
            I::add(&mut sums, &input[pair..], at, weights);
            finish(&sums, requantisers, place);
        }
    }
}

#[inline(always)]
fn classify<I: Isa, const O: usize>(step: &Step, dense: &Dense, input: &[Pairs], results: &mut [Sums]) {
    let steps = step.input.height * step.input.width * step.input.channels.div_ceil(2);
    let groups = dense.weights.as_chunks::<O>().0.chunks_exact(steps);
    for ((weights, biases), results) in groups.zip(dense.biases.chunks(O)).zip(results.chunks_mut(O)) {
        let mut sums: [Sums; O] = std::array::from_fn(|o| [biases.get(o).copied().unwrap_or(0); LANES]);
        I::add_all(&mut sums, &input[..steps], weights);
        results.copy_from_slice(&sums[..results.len()]);
    }
}

/// Requantises one or two channels.
#[inline(always)]
fn finish(sums: &[Sums; 2], requantisers: &[Requantiser], place: &mut Pairs) {
    match requantisers {
        [first, second] => interleave(&first.apply(&sums[0]), &second.apply(&sums[1]), place),
        [first] => interleave(&first.apply(&sums[0]), &[0; LANES], place),
        _ => {}
    }
}
