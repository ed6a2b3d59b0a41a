//! Properties of random valid networks, from the candidate to the logits of every engine.

mod golden;
mod lowering;
#[cfg(feature = "engines")]
mod onnx;
mod packing;
mod unchanged;

use bomp_export::candidate::Candidate;
use bomp_export::evaluate;
use bomp_export::lower::{Lowered, lower};
use bomp_export::testing::{self, Limits, Numbers};
use bomp_export::write;
use bomp_runtime::kernels::Kernels;
use bomp_runtime::{Model, arena};

/// A random candidate and what it is packed to.
struct Packed {
    candidate: Candidate,
    lowered: Lowered,
    blob: Vec<u8>,
}

fn packed(seed: u64, limits: &Limits) -> Packed {
    let candidate = testing::candidate(seed, limits);
    let lowered = lower(&candidate).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let blob = write::blob(&lowered).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    Packed { candidate, lowered, blob }
}

/// Int8 tensors of one run, the input first, and the logits.
fn trace<K: Kernels>(model: &Model<'_>, seed: u64) -> (Vec<Vec<i8>>, Vec<i32>) {
    let image = testing::images(evaluate::input_shape(model), 1, 2, &mut Numbers::new(seed ^ 1));
    let mut input = vec![0; model.input_len()];
    evaluate::quantise(&evaluate::input_table(model, image.input).unwrap(), image.image(0), &mut input);
    let mut tensors = vec![input.clone()];
    // What is in the arena beforehand must not matter.
    let mut words = vec![seed as u32; arena::words(model.arena_size())];
    let mut logits = vec![0; model.classes()];
    model
        .run_with::<K>(&input, arena::from_words(&mut words), &mut logits, |layer, output| {
            assert_eq!(layer + 1, tensors.len());
            tensors.push(output.to_vec());
        })
        .unwrap();
    (tensors, logits)
}
