//! Size and RAM as predicted, and every set of kernels the same bits, on whole networks.

use bomp_export::arena::ArenaPlan;
use bomp_export::evaluate;
use bomp_export::ir::{Bits, Layer, Network, Op, Shape};
use bomp_export::lower::lower;
use bomp_export::testing::{self, Limits, Numbers};
use bomp_export::{layout, write};
use bomp_runtime::kernels::{Portable, Reference};
use bomp_runtime::{Model, ModelError, RunError, arena};
use proptest::prelude::*;

use super::{packed, trace};

/// The blob with another arena size and a checksum to match.
fn with_arena_size(blob: &[u8], size: u32) -> Vec<u8> {
    let mut blob = blob.to_vec();
    blob[12..16].copy_from_slice(&size.to_le_bytes());
    let end = blob.len() - 4;
    let sum = bomp_runtime::blob::checksum(&blob[..end]);
    blob[end..].copy_from_slice(&sum.to_le_bytes());
    blob
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn size_and_arena_are_as_predicted(seed: u64) {
        let network = packed(seed, &Limits::SMALL);
        prop_assert_eq!(network.blob.len(), layout::blob_bytes(&network.candidate.network));

        let plan = ArenaPlan::of(&network.candidate.network);
        let model = Model::new(&network.blob).unwrap();
        prop_assert_eq!(model.arena_size(), plan.size);
        prop_assert!(plan.lower_bound <= plan.size);
        let input = vec![0; model.input_len()];
        let mut logits = vec![0; model.classes()];
        let mut words = vec![0; arena::words(plan.size)];
        let arena = arena::from_words(&mut words);
        model.run(&input, &mut arena[..plan.size], &mut logits).unwrap();
        prop_assert_eq!(
            model.run(&input, &mut arena[..plan.size - 1], &mut logits),
            Err(RunError::ArenaTooSmall { needed: plan.size })
        );
        // Nor would a header that asks for less be believed: some tensor or scratch ends at the arena's last byte.
        let smaller = with_arena_size(&network.blob, plan.size as u32 - 1);
        let refused = matches!(
            Model::new(&smaller),
            Err(ModelError::ArenaOverrun { .. } | ModelError::ScratchOverrun { .. })
        );
        prop_assert!(refused, "{:?}", Model::new(&smaller).err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn portable_kernels_equal_the_reference(seed: u64) {
        let network = packed(seed, &Limits::SMALL);
        let model = Model::new(&network.blob).unwrap();
        prop_assert_eq!(trace::<Portable>(&model, seed), trace::<Reference>(&model, seed));
    }

    #[test]
    fn the_order_of_threads_does_not_matter(seed: u64) {
        let network = packed(seed, &Limits::SMALL);
        let model = Model::new(&network.blob).unwrap();
        let images = testing::images(network.candidate.network.input, 70, 2, &mut Numbers::new(seed));
        let done = std::sync::atomic::AtomicUsize::new(0);
        let progress = |images| {
            done.fetch_add(images, std::sync::atomic::Ordering::Relaxed);
        };
        let alone = evaluate::logits(&model, &images, 1, &|_| {}).unwrap();
        let together = evaluate::logits(&model, &images, 3, &progress).unwrap();
        prop_assert_eq!(alone, together);
        prop_assert_eq!(done.into_inner(), 70);
    }
}

/// The last layer writes no tensor, also when it is the first. (The arena check once took its logits for one.)
#[test]
fn a_classifier_alone() {
    let bits = Bits::MAX;
    let layer = Layer { name: "classifier".into(), op: Op::Classifier { classes: 3, bits }, inputs: vec![0] };
    let network = Network { input: Shape::new(5, 9, 4), layers: vec![layer] };
    let lowered = lower(&testing::with_weights(network, &mut Numbers::new(0))).unwrap();
    let blob = write::blob(&lowered).unwrap();
    let model = Model::new(&blob).unwrap();
    assert_eq!(trace::<Portable>(&model, 0), trace::<Reference>(&model, 0));
}

#[test]
fn networks_as_large_as_the_search_spaces() {
    for seed in 0..6 {
        let network = packed(seed, &Limits::LARGE);
        assert_eq!(network.blob.len(), layout::blob_bytes(&network.candidate.network));
        let model = Model::new(&network.blob).unwrap();
        assert_eq!(trace::<Portable>(&model, seed), trace::<Reference>(&model, seed), "seed {seed}");
    }
}
