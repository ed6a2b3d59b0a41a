//! Random networks through every instruction set of this machine, against the reference.

use super::{Block, InstructionSet, LANES, Prepared};
use crate::testing::{self, Limits, Numbers};
use crate::{lower, write};
use bomp_runtime::kernels::Reference;
use bomp_runtime::{Model, arena};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_instruction_set_equals_the_reference(seed: u64, count in 1..=LANES) {
        let candidate = testing::candidate(seed, &Limits::SMALL);
        let blob = write::blob(&lower::lower(&candidate).unwrap()).unwrap();
        let model = Model::new(&blob).unwrap();
        let mut numbers = Numbers::new(seed);
        let mut element = || numbers.within(0..=255) as u8 as i8;
        let images: Vec<Vec<i8>> =
            (0..count).map(|_| (0..model.input_len()).map(|_| element()).collect()).collect();
        let mut words = vec![0; arena::words(model.arena_size())];
        let mut expected = vec![0; count * model.classes()];
        for (image, logits) in images.iter().zip(expected.chunks_mut(model.classes())) {
            model.run_with::<Reference>(image, arena::from_words(&mut words), logits, |_, _| {}).unwrap();
        }
        for instructions in InstructionSet::available() {
            let prepared = Prepared::new(&model, instructions);
            let mut block = Block::new(&prepared);
            // Twice, because nothing of one block may be left in the next.
            for _ in 0..2 {
                let mut found = vec![0; expected.len()];
                block.run(count, |index, place| place.copy_from_slice(&images[index]), &mut found);
                prop_assert_eq!(&found, &expected, "{:?}", instructions);
            }
        }
    }
}
