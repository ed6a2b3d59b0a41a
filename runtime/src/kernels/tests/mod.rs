//! Every kernel of every set against [`Reference`], bit for bit, each kernel at each width on generated layers; and every
//! set that leaves something out against the layers that need none of it.
//!
//! `PROPTEST_CASES` is the number of cases of each kernel and width, 1,000 if it is not set; `cargo xtask bench exactness` asks for
//! 100,000. A case that differs is named by kernel, width and seed, from which all of it follows.

mod cases;

use super::{Dsp, Kernels, Needs, Portable, Reference, scratch_words};
use crate::layer::{Geometry, Kind, Shape, Window};
use crate::quant::WEIGHT_BITS;
use cases::{Case, Kernel, Numbers};
use std::vec;
use std::vec::Vec;

/// What a kernel computes for a case; logits as their bytes. In place too, if the layer may be.
fn compute<K: Kernels>(case: &Case) -> [Vec<i8>; 2] {
    let layer = case.layer();
    let geometry = case.geometry;
    let scratch = |geometry: Geometry| vec![0xa5a5_a5a5; scratch_words(&geometry)];
    let length = geometry.output.elements().unwrap();
    let mut output = vec![1; length];
    let mut place = case.input.clone();
    match geometry.kind {
        Kind::Convolution => {
            let input = &case.input;
            K::convolution(&layer, input, &mut output, &mut scratch(geometry));
        }
        Kind::Depthwise => {
            let input = &case.input;
            K::depthwise(&layer, input, &mut output, &mut scratch(geometry));
            if geometry.may_be_in_place() {
                let scratch = &mut scratch(Geometry { in_place: true, ..geometry });
                K::depthwise_in_place(&layer, &mut place, scratch);
                place.truncate(length);
            }
        }
        Kind::Classifier => {
            let mut logits = vec![1; length];
            K::classifier(&layer, &case.input, &mut logits, &mut scratch(geometry));
            output = logits.iter().flat_map(|logit| logit.to_le_bytes().map(|byte| byte as i8)).collect();
        }
        Kind::Add => {
            output.copy_from_slice(&case.input);
            K::add_assign(layer.quantisation, case.add, &mut output, &case.other, &mut []);
            K::add_to_self(layer.quantisation, case.add, &mut place, &mut []);
        }
        Kind::AveragePool => {
            K::average_pool(&layer, &case.input, &mut output, &mut []);
        }
    }
    [output, place]
}

/// Cases of each kernel and width.
fn cases() -> u64 {
    std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000)
}

fn equals_the_reference(kernel: Kernel) {
    for bits in kernel.widths() {
        let mut seen = Needs::NOTHING;
        for seed in 0..cases() {
            let case = Case::new(kernel, bits, seed);
            let expected = compute::<Reference>(&case);
            let name = || std::format!("{kernel:?}, {bits} bits, seed {seed}: {:?}", case.geometry);
            assert_eq!(compute::<Portable>(&case), expected, "portable: {}", name());
            assert_eq!(compute::<Dsp>(&case), expected, "dsp: {}", name());
            seen = seen.union(Needs::of(&case.geometry, &case.layer()));
        }
        std::println!("{kernel:?}, {bits} bits: {} cases equal the reference", cases());
        assert!(cases() < 500 || kernel == Kernel::Pool || seen.contains(Needs::RARE_FACTOR), "{seen}");
    }
}

macro_rules! kernels {
    ($($name:ident: $kernel:ident),*) => {$(
        #[test]
        fn $name() {
            equals_the_reference(Kernel::$kernel);
        }
    )*};
}

kernels!(
    pointwise: Pointwise,
    first_convolution: First,
    general_convolution: General,
    depthwise: Depthwise,
    dense: Dense,
    add: Add,
    pool: Pool
);

#[test]
fn weights_longer_than_a_chunk() {
    // 3 x 3 x 200 = 1,800 weights and 90 pixels: several chunks and several pixel tiles.
    for bits in WEIGHT_BITS {
        let window = Window { kernel_height: 3, kernel_width: 3, stride: 1, pad_top: 1, pad_left: 1 };
        let input = Shape { height: 9, width: 10, channels: 200 };
        let output = Shape { channels: 3, ..input };
        let geometry = Geometry { kind: Kind::Convolution, bits, window, input, output, in_place: false };
        for seed in 0..8 {
            let case = Case::of(geometry, &mut Numbers::new(seed));
            let expected = compute::<Reference>(&case);
            assert_eq!(compute::<Portable>(&case), expected, "{bits} bits, seed {seed}");
            assert_eq!(compute::<Dsp>(&case), expected, "{bits} bits, seed {seed}");
        }
    }
}

/// Cases that once differed: a single tap whose neighbours are not there, a pointwise kernel on a part of the image.
#[test]
fn past_bugs() {
    let shape = |height, width, channels| Shape { height, width, channels };
    let window = |kernel_height, kernel_width, pad_top, pad_left| Window {
        kernel_height,
        kernel_width,
        stride: 1,
        pad_top,
        pad_left,
    };
    let bugs = [
        (shape(4, 4, 1), shape(5, 7, 1), window(2, 4, 1, 3)),
        (shape(4, 2, 3), shape(4, 1, 2), window(1, 1, 0, 0)),
    ];
    for (input, output, window) in bugs {
        for (bits, seed) in WEIGHT_BITS.flat_map(|bits| (0..200).map(move |seed| (bits, seed))) {
            let geometry = Geometry { kind: Kind::Convolution, bits, window, input, output, in_place: false };
            let case = Case::of(geometry, &mut Numbers::new(seed));
            let expected = compute::<Reference>(&case);
            assert_eq!(compute::<Portable>(&case), expected, "{geometry:?}, seed {seed}");
            assert_eq!(compute::<Dsp>(&case), expected, "{geometry:?}, seed {seed}");
        }
    }
}

/// A slip in the accounting of scratch must not pass as an output that is left as it was.
#[test]
#[should_panic(expected = "does not suit")]
fn too_little_scratch_fails_a_test() {
    let case = Case::new(Kernel::General, 4, 0);
    let mut output = vec![0; case.geometry.output.elements().unwrap()];
    Dsp::<{ Needs::EVERYTHING.bits() }>::convolution(&case.layer(), &case.input, &mut output, &mut []);
}

/// Three in eight of the results must not be one value, or the comparisons would prove little.
#[test]
fn results_differ_from_each_other() {
    for kernel in Kernel::ALL {
        let varied = (0..400).filter(|&seed| {
            let case = Case::new(kernel, *kernel.widths().start(), seed);
            let [output, _] = compute::<Reference>(&case);
            output.len() < 2 || output.iter().any(|&value| value != output[0])
        });
        let varied = varied.count();
        assert!(varied >= 150, "{kernel:?}: {varied} of 400");
    }
}

/// Layers that do not need what a set leaves out: the set computes them as the reference does.
fn same_without<const NEEDS: u32>() {
    let offers = Dsp::<NEEDS>::OFFERS;
    assert_eq!(offers, Needs::from_bits(NEEDS));
    let missing = Needs::EVERYTHING.without(offers);
    let (mut computed, mut refused) = (0, 0);
    for kernel in Kernel::ALL {
        for bits in kernel.widths() {
            for seed in 0..125 {
                let case = Case::new(kernel, bits, seed);
                if !offers.contains(Needs::of(&case.geometry, &case.layer())) {
                    refused += 1;
                    continue;
                }
                computed += 1;
                let [expected, place] = compute::<Reference>(&case);
                let [found, found_place] = compute::<Dsp<NEEDS>>(&case);
                assert_eq!(found, expected, "{kernel:?}, {bits} bits, seed {seed}, without {missing}");
                // An add to itself is a need of its own, which no generated case has.
                if kernel != Kernel::Add {
                    assert_eq!(found_place, place, "{kernel:?}, {bits} bits, seed {seed}, without {missing}");
                }
            }
        }
    }
    assert!(
        computed > 0 && (refused > 0 || missing == Needs::ADD_TO_SELF),
        "{missing}: {computed}, {refused}"
    );
}

macro_rules! leave_out {
    ($($part:expr),* $(,)?) => {
        let mut all = Needs::NOTHING;
        $(
            same_without::<{ Needs::EVERYTHING.without($part).bits() }>();
            all = all.union($part);
        )*
        assert_eq!(all, Needs::EVERYTHING, "a part that is not tested");
    };
}

#[test]
fn what_a_layer_does_not_need_may_be_left_out() {
    leave_out!(
        Needs::CONVOLUTION,
        Needs::GATHER,
        Needs::DEPTHWISE,
        Needs::ADD,
        Needs::ADD_TO_SELF,
        Needs::AVERAGE_POOL,
        Needs::RARE_FACTOR,
        Needs::ODD_CLASSIFIER,
        Needs::RARE_DEPTHWISE,
        Needs::width(4),
        Needs::width(5),
        Needs::width(6),
        Needs::width(7),
        Needs::width(8),
        Needs::classifier_width(4),
        Needs::classifier_width(5),
        Needs::classifier_width(6),
        Needs::classifier_width(7),
        Needs::classifier_width(8),
        Needs::depthwise_loop(1, 1),
        Needs::depthwise_loop(2, 1),
        Needs::depthwise_loop(3, 1),
        Needs::depthwise_loop(4, 1),
        Needs::depthwise_loop(1, 2),
        Needs::depthwise_loop(2, 2),
        Needs::depthwise_loop(3, 2),
        Needs::depthwise_loop(4, 2),
    );
    assert_eq!(Needs::EVERYTHING.names().count(), 27);
}
