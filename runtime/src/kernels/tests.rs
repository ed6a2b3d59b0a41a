//! Every kernel set against [`Reference`], on generated layers of every kind, width, kernel size, stride and padding.

use super::{Dsp, Kernels, Portable, Reference, scratch_words};
use crate::blob::{Channel, Fine};
use crate::layer::{Geometry, Kind, Layer, Op, Shape, Tensor, Weights, Window};
use crate::quant::{AddScale, FINE_BITS, Multiplier, Output, Packed, WIDE_BASE_SHIFT, pack};
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

#[derive(Clone, Debug)]
struct Case {
    input: Shape,
    output: Shape,
    window: Window,
    depthwise: bool,
    bits: u8,
    seed: u64,
    zero_point: i8,
    base_shift: u8,
    wide: bool,
}

/// Numbers that depend only on the seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

prop_compose! {
    fn case()(
        (height, width, channels_in, channels_out) in (1usize..9, 1usize..9, 1usize..40, 1usize..20),
        (kernel_height, kernel_width, stride) in (1usize..8, 1usize..8, 1usize..4),
        (pads, depthwise, bits, seed) in (any::<(u8, u8)>(), any::<bool>(), 4u8..=8, any::<u64>()),
        (zero_point, base_shift, cut) in (any::<i8>(), 1u8..40, (0usize..3, 0usize..3)),
        (pointwise, wide) in (0u8..4, any::<bool>()),
    ) -> Case {
        // One in four is pointwise over the whole image, which most kernels have a path for.
        let (kernel_height, kernel_width, stride, cut) = match pointwise {
            0 if !depthwise => (1, 1, 1, (0, 0)),
            _ => (kernel_height, kernel_width, stride, cut),
        };
        let window = Window {
            kernel_height, kernel_width, stride,
            pad_top: usize::from(pads.0) % kernel_height,
            pad_left: usize::from(pads.1) % kernel_width,
        };
        let channels = if depthwise { channels_in } else { channels_out };
        Case {
            input: Shape { height, width, channels: channels_in },
            output: Shape {
                height: (height + window.pad_top).div_ceil(stride).saturating_sub(cut.0).max(1),
                width: (width + window.pad_left).div_ceil(stride).saturating_sub(cut.1).max(1),
                channels,
            },
            window, depthwise, bits, seed, zero_point, wide,
            base_shift: if wide { base_shift.min(*WIDE_BASE_SHIFT.end()) } else { base_shift },
        }
    }
}

fn check<K: Kernels>(case: &Case) -> Result<(), TestCaseError> {
    let mut numbers = Numbers(case.seed);
    let taps = case.window.kernel_height * case.window.kernel_width;
    let fan_in = if case.depthwise { taps } else { taps * case.input.channels };
    let mut packed = Vec::new();
    let values = (0..fan_in * case.output.channels).map(|_| numbers.next() as i8 >> (8 - case.bits));
    pack(values.collect::<Vec<_>>(), case.bits, |byte| packed.push(byte));
    let channels: Vec<Channel> = (0..case.output.channels)
        .map(|_| Channel::new(numbers.next() as i32 >> 16, Multiplier(numbers.next() as u16)))
        .collect();
    let fine: Vec<Fine> = (0..if case.wide { channels.len() } else { 0 })
        .map(|_| Fine(((numbers.next() % (1 << FINE_BITS)) as u16).to_le_bytes()))
        .collect();
    let input: Vec<i8> = (0..case.input.elements().unwrap()).map(|_| numbers.next() as i8).collect();
    let weights = Weights {
        channels: &channels,
        fine: &fine,
        packed: Packed::new(&packed, case.bits),
        bits: case.bits,
        fan_in,
        base_shift: case.base_shift,
    };
    let layer = Layer {
        source: 0,
        input: Tensor { shape: case.input, zero_point: case.zero_point, offset: 0 },
        output: Tensor { shape: case.output, zero_point: 3, offset: 0 },
        quantisation: Output { zero_point: 3, min: -120, max: 125 },
        op: if case.depthwise {
            Op::Depthwise(case.window, weights)
        } else {
            Op::Convolution(case.window, weights)
        },
    };
    let length = case.output.elements().unwrap();
    let (mut expected, mut found) = (vec![0i8; length], vec![1i8; length]);
    let geometry = Geometry {
        kind: if case.depthwise { Kind::Depthwise } else { Kind::Convolution },
        bits: case.bits,
        window: case.window,
        input: case.input,
        output: case.output,
        in_place: false,
    };
    let scratch = |geometry: Geometry| vec![0xa5a5_a5a5; scratch_words(&geometry)];
    let of = |kind| Geometry { kind, window: Window::NONE, ..geometry };
    if case.depthwise {
        Reference::depthwise(&layer, case.window, weights, &input, &mut expected, &mut scratch(geometry));
        K::depthwise(&layer, case.window, weights, &input, &mut found, &mut scratch(geometry));
    } else {
        Reference::convolution(&layer, case.window, weights, &input, &mut expected, &mut scratch(geometry));
        K::convolution(&layer, case.window, weights, &input, &mut found, &mut scratch(geometry));
    }
    prop_assert_eq!(&found, &expected);
    if geometry.may_be_in_place() {
        let geometry = Geometry { in_place: true, ..geometry };
        for in_place in [Reference::depthwise_in_place, K::depthwise_in_place] {
            let mut place = input.clone();
            in_place(&layer, case.window, weights, &mut place, &mut scratch(geometry));
            prop_assert_eq!(&place[..length], &expected);
        }
    }

    if !case.depthwise && fan_in == case.input.elements().unwrap() {
        let (mut expected, mut found) = (vec![0i32; channels.len()], vec![1i32; channels.len()]);
        Reference::classifier(&layer, weights, &input, &mut expected, &mut []);
        K::classifier(&layer, weights, &input, &mut found, &mut scratch(of(Kind::Classifier)));
        prop_assert_eq!(&found, &expected);
    }
    let (mut expected, mut found) = (vec![0i8; case.input.channels], vec![1i8; case.input.channels]);
    Reference::average_pool(&layer, 1 << 20, 21, &input, &mut expected, &mut []);
    K::average_pool(&layer, 1 << 20, 21, &input, &mut found, &mut scratch(of(Kind::AveragePool)));
    prop_assert_eq!(&found, &expected);

    let mut factor = || (numbers.next() >> (numbers.next() % 31)) as i32;
    let scale = AddScale {
        zero_point_a: case.zero_point,
        zero_point_b: case.seed as i8,
        factor_a: factor(),
        factor_b: factor(),
        shift: case.base_shift,
    };
    let other: Vec<i8> = input.iter().map(|value| value.wrapping_mul(7)).collect();
    let (mut expected, mut found) = (input.clone(), input.clone());
    Reference::add_assign(layer.quantisation, scale, &mut expected, &other, &mut []);
    K::add_assign(layer.quantisation, scale, &mut found, &other, &mut []);
    prop_assert_eq!(&found, &expected);
    Ok(())
}

/// Cases of each set of kernels: 3,000, or what `PROPTEST_CASES` says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(3_000)
}

/// The same properties for every set of kernels.
macro_rules! held_against_reference {
    ($($name:ident: $kernels:ty),*) => {$(
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(cases()))]
                #[test]
                fn equals_the_reference(case in case()) {
                    check::<$kernels>(&case)?;
                }
            }

            #[test]
            fn weights_longer_than_a_chunk() {
                // 3 x 3 x 200 = 1,800 weights and 90 pixels: several chunks and several pixel tiles.
                for (bits, wide) in (4..=8).flat_map(|bits| [(bits, false), (bits, true)]) {
                    let window = Window { kernel_height: 3, kernel_width: 3, stride: 1, pad_top: 1, pad_left: 1 };
                    let case = Case {
                        input: Shape { height: 9, width: 10, channels: 200 },
                        output: Shape { height: 9, width: 10, channels: 3 },
                        window, depthwise: false, bits, seed: 7, zero_point: -128, base_shift: 14, wide,
                    };
                    check::<$kernels>(&case).unwrap();
                }
            }
        }
    )*};
}

held_against_reference!(portable: Portable, dsp: Dsp);
