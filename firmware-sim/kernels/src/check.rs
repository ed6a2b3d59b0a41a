//! Every kernel against the reference on generated layers.

use bomp_runtime::kernels::{Kernels, Native, Reference};
use bomp_runtime::layer::{Geometry, Kind, Layer, Op, Shape, Window};
use bomp_runtime::quant::{AddScale, WEIGHT_BITS};
use cortex_m_semihosting::hprintln;

use crate::cases::{Buffers, Case, Draw, Memory, Numbers};

/// Cases of each kernel and width.
const CASES: u32 = 2_000;

const KERNELS: [(&str, Kind); 7] = [
    ("pointwise", Kind::Convolution),
    ("first", Kind::Convolution),
    ("convolution", Kind::Convolution),
    ("depthwise", Kind::Depthwise),
    ("classifier", Kind::Classifier),
    ("add", Kind::Add),
    ("pool", Kind::AveragePool),
];

/// Checks them all.
pub fn run(memory: &mut Memory) {
    for (name, kind) in KERNELS {
        let widths = if matches!(kind, Kind::Add | Kind::AveragePool) { 0..=0 } else { WEIGHT_BITS };
        for bits in widths {
            let mut numbers = Numbers(kind as u64 + name.len() as u64 + 1_000 * u64::from(bits));
            let mut different = 0;
            for _ in 0..CASES {
                let case = generate(&mut numbers, name, kind, bits);
                different += u32::from(!agrees(memory, &case));
            }
            hprintln!("check {}-w{} {} {}", name, bits, CASES, different);
        }
    }
}

fn generate(numbers: &mut Numbers, name: &str, kind: Kind, bits: u8) -> Case {
    let pointwise = name == "pointwise";
    let draw = if numbers.next() % 3 == 0 { Draw::Typical } else { Draw::Any };
    let input = Shape {
        height: numbers.within(1, 7),
        width: numbers.within(1, 9),
        // What the first convolution of a network sees, or each channel by itself.
        channels: numbers.within(1, if name == "first" || kind == Kind::Depthwise { 4 } else { 24 }),
    };
    let (kernel_height, kernel_width, stride) = match kind {
        Kind::Depthwise => (numbers.within(1, 7), numbers.within(1, 7), numbers.within(1, 2)),
        Kind::Convolution if !pointwise => (numbers.within(1, 3), numbers.within(1, 3), numbers.within(1, 2)),
        _ => (1, 1, 1),
    };
    let window = Window {
        kernel_height,
        kernel_width,
        stride,
        pad_top: numbers.within(0, kernel_height - 1),
        pad_left: numbers.within(0, kernel_width - 1),
    };
    let output = match kind {
        Kind::Convolution | Kind::Depthwise => Shape {
            height: (input.height + window.pad_top)
                .div_ceil(stride)
                .saturating_sub(numbers.within(0, 1))
                .max(1),
            width: (input.width + window.pad_left)
                .div_ceil(stride)
                .saturating_sub(numbers.within(0, 1))
                .max(1),
            channels: if kind == Kind::Depthwise { input.channels } else { numbers.within(1, 12) },
        },
        Kind::Classifier => Shape { height: 1, width: 1, channels: numbers.within(1, 12) },
        Kind::Add => input,
        Kind::AveragePool => Shape { height: 1, width: 1, channels: input.channels },
    };
    let output =
        if pointwise { Shape { height: input.height, width: input.width, ..output } } else { output };
    let geometry = Geometry { kind, bits, window, input, output, in_place: false };
    let geometry = Geometry { in_place: geometry.may_be_in_place() && numbers.next() % 2 == 0, ..geometry };
    Case { geometry, seed: numbers.next().into(), draw }
}

fn agrees(memory: &mut Memory, case: &Case) -> bool {
    let mut numbers = Numbers(case.seed + 1);
    let in_place = case.geometry.in_place;
    let kind = case.geometry.kind;
    case.with(memory, |layer, Buffers { input, output, expected, scratch }| {
        let length = layer.output.shape.elements().unwrap_or(0);
        match kind {
            Kind::Convolution => {
                Reference::convolution(layer, input, &mut expected[..length], scratch);
                Native::convolution(layer, input, &mut output[..length], scratch);
            }
            Kind::Depthwise => {
                Reference::depthwise(layer, input, &mut expected[..length], scratch);
                if in_place {
                    Native::depthwise_in_place(layer, input, scratch);
                    output[..length].copy_from_slice(&input[..length]);
                } else {
                    Native::depthwise(layer, input, &mut output[..length], scratch);
                }
            }
            Kind::Classifier => {
                let (mut expected, mut found) = ([0; 12], [1; 12]);
                Reference::classifier(layer, input, &mut expected[..length], scratch);
                Native::classifier(layer, input, &mut found[..length], scratch);
                return expected[..length] == found[..length];
            }
            Kind::Add => {
                let factor = |numbers: &mut Numbers| (numbers.next() >> numbers.within(0, 30)) as i32;
                let scale = AddScale {
                    zero_point_a: numbers.next() as i8,
                    zero_point_b: numbers.next() as i8,
                    factor_a: factor(&mut numbers),
                    factor_b: factor(&mut numbers),
                    shift: numbers.within(1, 40) as u8,
                };
                expected[..length].copy_from_slice(&output[..length]);
                Reference::add_assign(layer.quantisation, scale, &mut expected[..length], input, scratch);
                Native::add_assign(layer.quantisation, scale, &mut output[..length], input, scratch);
            }
            Kind::AveragePool => {
                let (factor, shift) =
                    ((numbers.next() >> numbers.within(0, 20)) as i32, numbers.within(8, 40) as u8);
                let layer = Layer { op: Op::AveragePool { factor, shift }, ..*layer };
                Reference::average_pool(&layer, input, &mut expected[..length], scratch);
                Native::average_pool(&layer, input, &mut output[..length], scratch);
            }
        }
        expected[..length] == output[..length]
    })
}
