//! Layers of one kernel and one width whose shapes and numbers follow from a seed, edges of saturation and rounding among them.

use crate::blob::{Channel, Fine};
use crate::layer::{Geometry, Kind, Layer, Op, Shape, Tensor, Weights, Window};
use crate::quant::{
    AddScale, FINE_BITS, MAX_BIAS, Multiplier, Output, Packed, WEIGHT_BITS, WIDE_BASE_SHIFT, pack,
};
use std::vec::Vec;

/// What is held against the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// 1x1, stride 1.
    Pointwise,
    /// Few input channels, as on images.
    First,
    /// Any kernel over many channels.
    General,
    Depthwise,
    Dense,
    Add,
    Pool,
}

impl Kernel {
    pub(super) const ALL: [Self; 7] =
        [Self::Pointwise, Self::First, Self::General, Self::Depthwise, Self::Dense, Self::Add, Self::Pool];

    /// Its widths; 0 for kernels without weights.
    pub(super) fn widths(self) -> core::ops::RangeInclusive<u8> {
        if matches!(self, Self::Add | Self::Pool) { 0..=0 } else { WEIGHT_BITS }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Pointwise | Self::First | Self::General => Kind::Convolution,
            Self::Depthwise => Kind::Depthwise,
            Self::Dense => Kind::Classifier,
            Self::Add => Kind::Add,
            Self::Pool => Kind::AveragePool,
        }
    }
}

/// Numbers that depend only on the seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring numbers.
        let mut numbers = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d);
        numbers.next();
        numbers
    }

    /// 31 bits.
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.next() as usize % (high - low + 1)
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.next().is_multiple_of(count)
    }

    /// Either sign, any magnitude up to 2^31 with the same likelihood for each power of two.
    fn any_magnitude(&mut self) -> i32 {
        let sign = (self.next() << 31) as i32;
        ((self.next() << 1) as i32 ^ sign) >> self.within(0, 31)
    }
}

/// A layer with everything that it borrows.
pub(super) struct Case {
    pub(super) geometry: Geometry,
    pub(super) channels: Vec<Channel>,
    fine: Vec<Fine>,
    packed: Vec<u8>,
    fan_in: usize,
    base_shift: u8,
    zero_point: i8,
    quantisation: Output,
    /// The input, or an add's first operand.
    pub(super) input: Vec<i8>,
    /// An add's second operand.
    pub(super) other: Vec<i8>,
    pub(super) add: AddScale,
    /// Factor and shift of a pool.
    pub(super) pool: (i32, u8),
}

impl Case {
    pub(super) fn new(kernel: Kernel, bits: u8, seed: u64) -> Self {
        let mut numbers = Numbers::new(seed);
        let geometry = geometry(kernel, bits, &mut numbers);
        Self::of(geometry, &mut numbers)
    }

    /// The numbers of a layer of this geometry.
    pub(super) fn of(geometry: Geometry, numbers: &mut Numbers) -> Self {
        let Geometry { kind, bits, window, input, output, .. } = geometry;
        let taps = window.kernel_height * window.kernel_width;
        let fan_in = match kind {
            Kind::Convolution => taps * input.channels,
            Kind::Depthwise => taps,
            Kind::Classifier => input.elements().unwrap(),
            Kind::Add | Kind::AveragePool => 0,
        };
        // The extremes of a weight and of an activation meet in the largest sums.
        let extreme = numbers.one_in(8).then(|| if numbers.one_in(2) { i8::MIN } else { i8::MAX });
        let weight = |numbers: &mut Numbers| extreme.unwrap_or(numbers.next() as i8) >> (8 - bits.max(1));
        let mut packed = Vec::new();
        let values: Vec<i8> = (0..fan_in * output.channels).map(|_| weight(numbers)).collect();
        pack(values, bits.max(1), |byte| packed.push(byte));
        let typical = numbers.one_in(2);
        // Sums of n products spread about sqrt(n) 2^(b + 8) / 12; a typical factor brings them to 8 bits.
        let spread = bits as usize + 10 + fan_in.max(1).ilog2() as usize / 2;
        let base_shift = if typical { spread } else { numbers.within(1, 47) } as u8;
        let channel = |numbers: &mut Numbers| {
            let code = numbers.next() as u16;
            match numbers.within(0, 3) {
                _ if typical => Channel::new(numbers.next() as i32 % 4096 - 2048, Multiplier(code & 0x1fff)),
                // Ties: a mantissa of one bit, so that sums lie exactly between two steps.
                0 => Channel::new(numbers.any_magnitude() / 2, Multiplier(code & 0xf000)),
                1 => Channel::new(if numbers.one_in(2) { MAX_BIAS } else { -MAX_BIAS }, Multiplier(code)),
                _ => Channel::new(numbers.any_magnitude() / 2, Multiplier(code)),
            }
        };
        let weighted = !matches!(kind, Kind::Add | Kind::AveragePool);
        let count = if weighted { output.channels } else { 0 };
        let channels = (0..count).map(|_| channel(numbers)).collect();
        // One in three is a wide layer.
        let wide = weighted && numbers.one_in(3);
        let mut fine = || Fine(((numbers.next() % (1 << FINE_BITS)) as u16).to_le_bytes());
        let fine: Vec<Fine> = (0..if wide { count } else { 0 }).map(|_| fine()).collect();
        let base_shift = if wide { base_shift.min(*WIDE_BASE_SHIFT.end()) } else { base_shift };
        let extreme = numbers.one_in(8).then(|| if numbers.one_in(2) { i8::MIN } else { i8::MAX });
        let elements = input.elements().unwrap();
        let values = |numbers: &mut Numbers| -> Vec<i8> {
            (0..elements).map(|_| extreme.unwrap_or(numbers.next() as i8)).collect()
        };
        let (input_values, other) = (values(numbers), values(numbers));
        let (a, b, zero_point) = (numbers.next() as i8, numbers.next() as i8, numbers.next() as i8);
        let (min, max) = if numbers.one_in(2) { (i8::MIN, i8::MAX) } else { (a.min(b), a.max(b)) };
        let factor = |numbers: &mut Numbers, typical: bool| {
            let shift = if typical { numbers.within(0, 2) } else { numbers.within(0, 30) };
            // A power of two makes ties.
            let factor = if numbers.one_in(4) { 1 << 30 } else { numbers.next() };
            (factor >> shift) as i32
        };
        let add = AddScale {
            zero_point_a: numbers.next() as i8,
            zero_point_b: numbers.next() as i8,
            factor_a: factor(numbers, typical),
            factor_b: factor(numbers, typical),
            shift: if typical { 31 } else { numbers.within(1, 61) } as u8,
        };
        let pixels = (input.height * input.width).ilog2() as usize;
        let pool_shift = if typical { 31 + pixels } else { numbers.within(1, 61) } as u8;
        Self {
            geometry,
            channels,
            fine,
            packed,
            fan_in,
            base_shift,
            zero_point: numbers.next() as i8,
            quantisation: Output { zero_point, min, max },
            input: input_values,
            other,
            add,
            pool: (factor(numbers, typical), pool_shift),
        }
    }

    pub(super) fn weights(&self) -> Weights<'_> {
        Weights {
            channels: &self.channels,
            fine: &self.fine,
            packed: Packed::new(&self.packed, self.geometry.bits),
            bits: self.geometry.bits,
            fan_in: self.fan_in,
            base_shift: self.base_shift,
        }
    }

    pub(super) fn layer(&self) -> Layer<'_> {
        let Geometry { kind, window, input, output, .. } = self.geometry;
        let tensor = |shape, zero_point| Tensor { shape, zero_point, offset: 0 };
        let op = match kind {
            Kind::Convolution => Op::Convolution(window, self.weights()),
            Kind::Depthwise => Op::Depthwise(window, self.weights()),
            Kind::Classifier => Op::Classifier(self.weights()),
            Kind::Add => Op::Add { b: 0, scale: self.add },
            Kind::AveragePool => Op::AveragePool { factor: self.pool.0, shift: self.pool.1 },
        };
        Layer {
            source: 1,
            input: tensor(input, self.zero_point),
            output: tensor(output, self.quantisation.zero_point),
            quantisation: self.quantisation,
            op,
        }
    }
}

fn geometry(kernel: Kernel, bits: u8, numbers: &mut Numbers) -> Geometry {
    let kind = kernel.kind();
    let (height, width) = (numbers.within(1, 7), numbers.within(1, 9));
    let few = numbers.one_in(2);
    let channels = match kernel {
        Kernel::First => numbers.within(1, 4),
        Kernel::Depthwise => numbers.within(1, 6),
        _ if few => numbers.within(1, 9),
        _ => numbers.within(1, 40),
    };
    let input = Shape { height, width, channels };
    let (kernel_height, kernel_width, stride) = match kernel {
        Kernel::First | Kernel::General => (numbers.within(1, 4), numbers.within(1, 4), numbers.within(1, 3)),
        // Beyond the loops' widths and strides too.
        Kernel::Depthwise if numbers.one_in(8) => {
            (numbers.within(1, 9), numbers.within(1, 12), numbers.within(1, 4))
        }
        Kernel::Depthwise => (numbers.within(1, 7), numbers.within(1, 7), numbers.within(1, 2)),
        _ => (1, 1, 1),
    };
    let window = Window {
        kernel_height,
        kernel_width,
        stride,
        pad_top: numbers.within(0, kernel_height - 1),
        pad_left: numbers.within(0, kernel_width - 1),
    };
    let mut outputs = |length: usize, pad: usize| {
        (length + pad).div_ceil(stride).saturating_sub(numbers.within(0, 2)).max(1)
    };
    let windowed = (outputs(height, window.pad_top), outputs(width, window.pad_left));
    let output = match kernel {
        Kernel::Pointwise => Shape { channels: numbers.within(1, 18), ..input },
        Kernel::First | Kernel::General => {
            Shape { height: windowed.0, width: windowed.1, channels: numbers.within(1, 10) }
        }
        Kernel::Depthwise => Shape { height: windowed.0, width: windowed.1, channels },
        Kernel::Dense => Shape { height: 1, width: 1, channels: numbers.within(1, 12) },
        Kernel::Add => input,
        Kernel::Pool => Shape { height: 1, width: 1, channels },
    };
    let window = if matches!(kind, Kind::Convolution | Kind::Depthwise) { window } else { Window::NONE };
    Geometry { kind, bits, window, input, output, in_place: false }
}
