//! The layers whose instructions are counted.

use bomp_device::clock::Clock;
use bomp_runtime::kernels::{Kernels, Native};
use bomp_runtime::layer::{Kind, Layer, Op, Shape};
use bomp_runtime::quant::{AddScale, WEIGHT_BITS};
use cortex_m_semihosting::hprintln;

use crate::CALLS;
use crate::cases::{Buffers, Case, Memory};

const fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape { height, width, channels }
}

/// The layers with weights at one width, by name; SAME padding.
const fn weighted(bits: u8) -> [(&'static str, Case); 12] {
    use Kind::{Classifier, Convolution, Depthwise};
    [
        ("a", Case::same(Convolution, bits, (3, 1), shape(28, 28, 1), 16)),
        ("b", Case::same(Convolution, bits, (3, 1), shape(28, 28, 3), 16)),
        ("b2", Case::same(Convolution, bits, (3, 2), shape(28, 28, 3), 16)),
        ("c", Case::same(Convolution, bits, (1, 1), shape(14, 14, 16), 96)),
        ("d", Case::same(Convolution, bits, (1, 1), shape(14, 14, 96), 24)),
        ("e", Case::same(Depthwise, bits, (3, 1), shape(14, 14, 96), 96)),
        ("f", Case::same(Depthwise, bits, (5, 1), shape(14, 14, 96), 96)),
        ("g", Case::same(Depthwise, bits, (3, 2), shape(28, 28, 48), 48)),
        ("h", Case::same(Convolution, bits, (1, 1), shape(7, 7, 64), 128)),
        ("i", Case::same(Classifier, bits, (1, 1), shape(1, 1, 128), 10)),
        ("j", Case::same(Depthwise, bits, (7, 1), shape(7, 7, 96), 96)),
        ("k", Case::same(Convolution, bits, (3, 1), shape(8, 8, 64), 64)),
    ]
}

/// Counts all of them at all widths.
pub fn run(clock: &Clock, memory: &mut Memory) {
    for bits in WEIGHT_BITS {
        for (name, case) in weighted(bits) {
            say(name, bits, case.macs(), with_weights(clock, memory, &case));
        }
    }
    let add = Case::same(Kind::Add, 0, (1, 1), shape(14, 14, 24), 24);
    let scale = AddScale {
        zero_point_a: 3,
        zero_point_b: -5,
        factor_a: 0x5a82_7999,
        factor_b: 0x4b32_1987,
        shift: 31,
    };
    let ticks = case_ticks(clock, memory, &add, |layer, buffers| {
        Native::add_assign(layer.quantisation, scale, buffers.output, buffers.input, buffers.scratch);
    });
    say("add", 0, add.macs(), ticks);
    let pool = Case::same(Kind::AveragePool, 0, (1, 1), shape(7, 7, 96), 96);
    let ticks = case_ticks(clock, memory, &pool, |layer, buffers| {
        let layer = Layer { op: Op::AveragePool { factor: 0x5000_0000 / 49, shift: 30 }, ..*layer };
        Native::average_pool(&layer, buffers.input, &mut buffers.output[..96], buffers.scratch);
    });
    say("pool", 0, pool.macs(), ticks);
}

fn with_weights(clock: &Clock, memory: &mut Memory, case: &Case) -> u64 {
    let mut logits = [0; 10];
    case_ticks(clock, memory, case, |layer, Buffers { input, output, scratch, .. }| {
        let length = layer.output.shape.elements().unwrap_or(0);
        match layer.op {
            Op::Convolution(..) => Native::convolution(layer, input, &mut output[..length], scratch),
            Op::Depthwise(..) => Native::depthwise(layer, input, &mut output[..length], scratch),
            Op::Classifier(_) => Native::classifier(layer, input, &mut logits, scratch),
            Op::Add { .. } | Op::AveragePool { .. } => {}
        }
    })
}

/// Ticks of [`CALLS`] calls after one that warms up.
fn case_ticks(
    clock: &Clock,
    memory: &mut Memory,
    case: &Case,
    mut call: impl FnMut(&Layer<'_>, &mut Buffers<'_>),
) -> u64 {
    case.with(memory, |layer, mut buffers| {
        let mut once = || call(core::hint::black_box(layer), &mut buffers);
        once();
        clock.measure(|| (0..CALLS).for_each(|_| once())).0
    })
}

fn say(name: &str, bits: u8, macs: usize, ticks: u64) {
    hprintln!("bench {} {} {} {}", name, bits, macs, ticks);
}
