//! Layers with numbers that follow from a seed, in memory that is there once.

use bomp_runtime::blob::{Channel, Fine};
use bomp_runtime::kernels::scratch_words;
use bomp_runtime::layer::{Geometry, Kind, Layer, Op, Shape, Tensor, Weights, Window};
use bomp_runtime::quant::{FINE_BITS, Multiplier, Output, Packed, WIDE_BASE_SHIFT, pack};

/// Largest tensor in elements.
pub const ELEMENTS: usize = 28 * 28 * 48;
const WEIGHT_BYTES: usize = 40 * 1024;
const CHANNELS: usize = 256;
const SCRATCH_WORDS: usize = 8 * 1024;

/// Tensors, weights and scratch.
pub struct Memory {
    /// First input.
    pub input: [i8; ELEMENTS],
    /// Output, or second operand.
    pub output: [i8; ELEMENTS],
    /// What the reference gives.
    pub expected: [i8; ELEMENTS],
    packed: [u8; WEIGHT_BYTES],
    channels: [Channel; CHANNELS],
    fine: [Fine; CHANNELS],
    scratch: [u32; SCRATCH_WORDS],
}

impl Memory {
    /// Zeros.
    pub const NEW: Self = Self {
        input: [0; ELEMENTS],
        output: [0; ELEMENTS],
        expected: [0; ELEMENTS],
        packed: [0; WEIGHT_BYTES],
        channels: [Channel::new(0, Multiplier(0)); CHANNELS],
        fine: [Fine([0; 2]); CHANNELS],
        scratch: [0; SCRATCH_WORDS],
    };
}

/// What a kernel reads and writes; output and expected are as long as the larger of input and output.
pub struct Buffers<'a> {
    /// First input.
    pub input: &'a mut [i8],
    /// Output, or second operand.
    pub output: &'a mut [i8],
    /// What the reference gives.
    pub expected: &'a mut [i8],
    /// As [`scratch_words`] says.
    pub scratch: &'a mut [u32],
}

/// Numbers that depend only on the seed.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next one, 31 bits.
    pub fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    /// One of `low..=high`.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.next() as usize % (high - low + 1)
    }
}

/// How the numbers of a layer are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Draw {
    /// Results that fill the range of an output of a rectifier.
    Typical,
    /// Anything that the format allows, with many extremes and ties.
    Any,
}

/// A layer without its tensors.
#[derive(Clone, Copy)]
pub struct Case {
    /// Kind, kernel, shapes, width.
    pub geometry: Geometry,
    /// Seed of its numbers.
    pub seed: u64,
    /// How they are drawn.
    pub draw: Draw,
}

impl Case {
    /// A layer with SAME padding, a square kernel and `channels` channels of output.
    pub const fn same(
        kind: Kind,
        bits: u8,
        (kernel, stride): (usize, usize),
        input: Shape,
        channels: usize,
    ) -> Self {
        let output =
            Shape { height: input.height.div_ceil(stride), width: input.width.div_ceil(stride), channels };
        let pad_top = ((output.height - 1) * stride + kernel).saturating_sub(input.height) / 2;
        let pad_left = ((output.width - 1) * stride + kernel).saturating_sub(input.width) / 2;
        let window = Window { kernel_height: kernel, kernel_width: kernel, stride, pad_top, pad_left };
        let geometry = Geometry { kind, bits, window, input, output, in_place: false };
        Self { geometry, seed: 1, draw: Draw::Typical }
    }

    /// Weights of one output channel.
    pub const fn fan_in(&self) -> usize {
        let Geometry { kind, window, input, .. } = self.geometry;
        match kind {
            Kind::Convolution => window.kernel_height * window.kernel_width * input.channels,
            Kind::Depthwise => window.kernel_height * window.kernel_width,
            Kind::Classifier => input.height * input.width * input.channels,
            Kind::Add | Kind::AveragePool => 0,
        }
    }

    /// Nominal multiply-accumulates; elements for kinds without weights.
    pub const fn macs(&self) -> usize {
        let Geometry { input, output, .. } = self.geometry;
        match self.geometry.kind {
            Kind::Add | Kind::AveragePool => input.height * input.width * input.channels,
            Kind::Convolution | Kind::Depthwise | Kind::Classifier => {
                output.height * output.width * output.channels * self.fan_in()
            }
        }
    }

    /// Draws the numbers and passes the layer and its buffers to `task`.
    pub fn with<R>(&self, memory: &mut Memory, task: impl FnOnce(&Layer<'_>, Buffers<'_>) -> R) -> R {
        let Geometry { kind, bits, window, input, output, .. } = self.geometry;
        let mut numbers = Numbers(self.seed);
        let any = self.draw == Draw::Any;
        let fan_in = self.fan_in();
        let extreme = any && numbers.next() % 8 == 0;
        let mut at = 0;
        let values = (0..fan_in * output.channels).map(|_| {
            let value = numbers.next();
            if extreme { i8::MIN >> (8 - bits) } else { value as i8 >> (8 - bits.max(1)) }
        });
        pack(values, bits.max(1), |byte| {
            memory.packed[at] = byte;
            at += 1;
        });
        let extreme_inputs = any && numbers.next() % 8 == 0;
        for place in &mut memory.input[..input.elements().unwrap_or(0)] {
            *place = if extreme_inputs { i8::MIN } else { numbers.next() as i8 };
        }
        for place in &mut memory.output[..input.elements().unwrap_or(0)] {
            *place = numbers.next() as i8;
        }
        // Sums of n products of two numbers of b and 8 bits spread about sqrt(n) 2^(b + 8) / 12: spread over the output.
        let spread = bits as u32 + 4 + fan_in.max(1).ilog2() / 2;
        let base_shift = if any { numbers.within(1, 40) as u32 } else { 12 + spread - 6 } as u8;
        for channel in &mut memory.channels[..output.channels] {
            let code = numbers.next() as u16;
            *channel = match (self.draw, numbers.next() % 4) {
                (Draw::Typical, _) => Channel::new(numbers.next() as i32 % 256, Multiplier(code & 0x0fff)),
                // Ties: an even mantissa, and sums that differ by little.
                (_, 0) => Channel::new(
                    (numbers.next() << 1) as i32 >> numbers.within(1, 31),
                    Multiplier(code & 0x3000),
                ),
                (_, 1) => Channel::new(numbers.next() as i32 % 512 - 256, Multiplier(code & 0x0fff)),
                _ => Channel::new((numbers.next() << 1) as i32 >> numbers.within(1, 31), Multiplier(code)),
            };
        }
        let wide = any && numbers.next() % 3 == 0;
        for fine in &mut memory.fine[..output.channels] {
            *fine = Fine(((numbers.next() % (1 << FINE_BITS)) as u16).to_le_bytes());
        }
        let quantisation = if any {
            let (a, b) = (numbers.next() as i8, numbers.next() as i8);
            let whole = numbers.next() % 2 == 0;
            let (min, max) = if whole { (i8::MIN, i8::MAX) } else { (a.min(b), a.max(b)) };
            Output { zero_point: numbers.next() as i8, min, max }
        } else {
            Output { zero_point: -128, min: -128, max: 127 }
        };
        let input_zero_point = if any { numbers.next() as i8 } else { -128 };
        let weights = Weights {
            channels: &memory.channels[..output.channels],
            fine: if wide { &memory.fine[..output.channels] } else { &[] },
            packed: Packed::new(&memory.packed[..at], bits),
            bits,
            fan_in,
            base_shift: if wide { base_shift.min(*WIDE_BASE_SHIFT.end()) } else { base_shift },
        };
        let op = match kind {
            Kind::Convolution => Op::Convolution(window, weights),
            Kind::Depthwise => Op::Depthwise(window, weights),
            // Adds and pools are called with numbers of their own.
            Kind::Classifier | Kind::Add | Kind::AveragePool => Op::Classifier(weights),
        };
        let layer = Layer {
            source: 0,
            input: Tensor { shape: input, zero_point: input_zero_point, offset: 0 },
            output: Tensor { shape: output, zero_point: quantisation.zero_point, offset: 0 },
            quantisation,
            op,
        };
        let (inputs, outputs) = (input.elements().unwrap_or(0), output.elements().unwrap_or(0));
        let buffers = Buffers {
            input: &mut memory.input[..inputs],
            output: &mut memory.output[..inputs.max(outputs)],
            expected: &mut memory.expected[..inputs.max(outputs)],
            scratch: &mut memory.scratch[..scratch_words(&self.geometry)],
        };
        task(&layer, buffers)
    }
}
