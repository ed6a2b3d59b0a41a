//! The layers whose instructions are counted.

use bomp_runtime::kernels::{Kernels, Native};
use bomp_runtime::layer::{Kind, Op, Shape};
use bomp_runtime::quant::{AddScale, WEIGHT_BITS};
use cortex_m_semihosting::hprintln;

use crate::CALLS;
use crate::cases::{Case, Memory};
use crate::clock::Clock;

const fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape { height, width, channels }
}

/// Name, kind, kernel, stride, input, filters; SAME padding.
type Entry = (&'static str, Kind, usize, usize, Shape, usize);

const WEIGHTED: [Entry; 12] = [
    ("a", Kind::Convolution, 3, 1, shape(28, 28, 1), 16),
    ("b", Kind::Convolution, 3, 1, shape(28, 28, 3), 16),
    ("b2", Kind::Convolution, 3, 2, shape(28, 28, 3), 16),
    ("c", Kind::Convolution, 1, 1, shape(14, 14, 16), 96),
    ("d", Kind::Convolution, 1, 1, shape(14, 14, 96), 24),
    ("e", Kind::Depthwise, 3, 1, shape(14, 14, 96), 96),
    ("f", Kind::Depthwise, 5, 1, shape(14, 14, 96), 96),
    ("g", Kind::Depthwise, 3, 2, shape(28, 28, 48), 48),
    ("h", Kind::Convolution, 1, 1, shape(7, 7, 64), 128),
    ("i", Kind::Classifier, 1, 1, shape(1, 1, 128), 10),
    ("j", Kind::Depthwise, 7, 1, shape(7, 7, 96), 96),
    ("k", Kind::Convolution, 3, 1, shape(8, 8, 64), 64),
];

/// Counts all of them at all widths.
pub fn run(clock: &Clock, memory: &mut Memory) {
    for (name, kind, kernel, stride, input, filters) in WEIGHTED {
        for bits in WEIGHT_BITS {
            let case = Case::same(kind, bits, kernel, stride, input, filters);
            say(name, bits, case.macs(), weighted(clock, memory, &case));
        }
    }
    let add = Case::same(Kind::Add, 0, 1, 1, shape(14, 14, 24), 24);
    let scale = AddScale {
        zero_point_a: 3,
        zero_point_b: -5,
        factor_a: 0x5a82_7999,
        factor_b: 0x4b32_1987,
        shift: 31,
    };
    let ticks = case_ticks(clock, memory, &add, |layer, input, output, scratch| {
        Native::add_assign(layer.quantisation, scale, output, input, scratch);
    });
    say("add", 0, add.macs(), ticks);
    let pool = Case::same(Kind::AveragePool, 0, 1, 1, shape(7, 7, 96), 96);
    let ticks = case_ticks(clock, memory, &pool, |layer, input, output, scratch| {
        Native::average_pool(layer, 0x5000_0000 / 49, 30, input, &mut output[..96], scratch);
    });
    say("pool", 0, pool.macs(), ticks);
}

fn weighted(clock: &Clock, memory: &mut Memory, case: &Case) -> u32 {
    let mut logits = [0; 10];
    case_ticks(clock, memory, case, |layer, input, output, scratch| {
        let length = layer.output.shape.elements().unwrap_or(0);
        match layer.op {
            Op::Convolution(window, weights) => {
                Native::convolution(layer, window, weights, input, &mut output[..length], scratch);
            }
            Op::Depthwise(window, weights) => {
                Native::depthwise(layer, window, weights, input, &mut output[..length], scratch);
            }
            Op::Classifier(weights) => Native::classifier(layer, weights, input, &mut logits, scratch),
            Op::Add { .. } | Op::AveragePool { .. } => {}
        }
    })
}

/// Ticks of [`CALLS`] calls after one that warms up.
fn case_ticks(
    clock: &Clock,
    memory: &mut Memory,
    case: &Case,
    mut call: impl FnMut(&bomp_runtime::layer::Layer<'_>, &[i8], &mut [i8], &mut [u32]),
) -> u32 {
    case.with(memory, |layer, input, output, _, scratch| {
        let mut once = || call(core::hint::black_box(layer), input, output, scratch);
        once();
        clock.measure(|| (0..CALLS).for_each(|_| once()))
    })
}

fn say(name: &str, bits: u8, macs: usize, ticks: u32) {
    hprintln!("bench {} {} {} {}", name, bits, macs, ticks);
}
