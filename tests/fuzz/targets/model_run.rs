//! Load and run: any blob that is accepted runs on any image, with every kernel set, to the same logits, and writes nothing
//! beyond the arena that it asked for.
//!
//! The input is two parts: the last 32 bytes are repeated to make the image, what is before them is the blob.
#![no_main]

use bomp_fuzz::sealed;
use bomp_runtime::kernels::{Dsp, Kernels, Portable, Reference};
use bomp_runtime::layer::Op;
use bomp_runtime::{Model, arena};
use libfuzzer_sys::fuzz_target;

/// RAM that a model may ask for, in bytes.
const ARENA: usize = 1 << 16;
/// Multiplications and element moves of one inference.
const WORK: u64 = 1 << 19;
/// Bytes behind the arena that must stay as they are.
const GUARD: usize = 64;

fuzz_target!(|bytes: &[u8]| {
    let (body, image) = bytes.split_last_chunk::<32>().unwrap_or((bytes, &[0x5a; 32]));
    let blob = sealed(body);
    let Ok(model) = Model::new(&blob) else { return };
    if model.arena_size() > ARENA || work(&model) > WORK {
        return;
    }
    let image: Vec<i8> = image.iter().map(|&byte| byte as i8).cycle().take(model.input_len()).collect();
    let expected = logits::<Reference>(&model, &image, 0x5555_5555);
    assert_eq!(logits::<Portable>(&model, &image, 0), expected);
    assert_eq!(logits::<Dsp>(&model, &image, 0xaaaa_aaaa), expected);
});

/// An upper bound of what one inference does.
fn work(model: &Model<'_>) -> u64 {
    let layer = |op: Op<'_>, input: usize, output: usize| match op {
        Op::Convolution(_, weights) | Op::Depthwise(_, weights) | Op::Classifier(weights) => {
            output as u64 * weights.fan_in as u64
        }
        Op::Add { .. } | Op::AveragePool { .. } => (input + output) as u64,
    };
    let elements = |shape: bomp_runtime::layer::Shape| shape.elements().unwrap_or(usize::MAX);
    model.layers().map(|l| layer(l.op, elements(l.input.shape), elements(l.output.shape))).sum()
}

fn logits<K: Kernels>(model: &Model<'_>, image: &[i8], fill: u32) -> Vec<i32> {
    let mut words = vec![fill; arena::words(model.arena_size() + GUARD)];
    let memory = arena::from_words(&mut words);
    let (arena, guard) = memory.split_at_mut(model.arena_size());
    guard.fill(77);
    let mut logits = vec![0; model.classes()];
    assert_eq!(model.run_with::<K>(image, arena, &mut logits, |_, _| {}), Ok(()));
    assert!(guard.iter().all(|&element| element == 77));
    logits
}
