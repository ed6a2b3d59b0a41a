//! The counts, against the paper's figures, against closed forms and against small spaces counted one by one.

use std::collections::HashSet;

use num_bigint::BigUint;

use super::{Space, all_canonical, all_points, built_in, tiny};

fn big(digits: &str) -> BigUint {
    digits.parse().unwrap()
}

/// METHOD: 30 x 1080^5 x 180 x 5 architectures (the paper truncates to 3.96e19), 5^23 = 1.19e16 policies, 4.73e35
/// together (the printed 4.73e39 is a typo), 30 x 901^5 x 180 x 5 = 1.60e19 without inactive genes.
#[test]
fn table_i_is_counted_exactly() {
    for name in ["paper", "paper-cifar100"] {
        let space = Space::open(name).unwrap();
        let count = space.cardinality();
        assert_eq!(space.slots(), 23);
        assert_eq!(count.architectures, BigUint::from(1080u32).pow(5) * 30u32 * 180u32 * 5u32);
        assert_eq!(count.architectures, big("39671858073600000000"));
        assert_eq!(count.policies, BigUint::from(5u32).pow(23));
        assert_eq!(count.policies, big("11920928955078125"));
        assert_eq!(count.combinations, big("472925401611328125000000000000000000"));
        assert_eq!(count.active_architectures, BigUint::from(901u32).pow(5) * 30u32 * 180u32 * 5u32);
        assert_eq!(count.active_architectures, big("16032000548821527000"));
    }
}

/// Block 2 has 24 filters at width 1, so 0.01 and 0.05 both give it one; for CIFAR-100 no two multipliers agree.
#[test]
fn width_multipliers_that_agree_are_counted_once() {
    let paper = Space::open("paper").unwrap().cardinality();
    assert_eq!(paper.distinct_architectures, BigUint::from(901u32).pow(4) * 721u32 * 30u32 * 180u32 * 5u32);
    let cifar100 = Space::open("paper-cifar100").unwrap().cardinality();
    assert_eq!(cifar100.distinct_architectures, cifar100.active_architectures);
}

/// With m of the blocks 2 to 7 present, each of them can be struck, so the two reductions have m (m + 1) / 2 effects.
#[test]
fn extended_is_counted_exactly() {
    let space = Space::open("extended").unwrap();
    let count = space.cardinality();
    assert_eq!(space.slots(), 23);
    assert_eq!(count.architectures, BigUint::from(1080u32).pow(5) * 30u32 * 180u32 * 9u32 * 2u32 * 36u32);
    assert_eq!(count.policies, BigUint::from(5u32).pow(23));
    let present = [(0u32, 1u32), (1, 5), (2, 10), (3, 10), (4, 5), (5, 1)];
    let of = |(k, sets): (u32, u32)| BigUint::from(900u32).pow(k) * sets * ((k + 1) * (k + 2) / 2);
    let blocks: BigUint = present.into_iter().map(of).sum();
    assert_eq!(count.active_architectures, blocks * 30u32 * 180u32 * 9u32 * 2u32);
    assert_eq!(count.active_architectures, big("1210098247605232297200"));
}

#[test]
fn the_count_is_the_number_of_canonical_points_and_of_networks() {
    for (bits, slots) in [("[8]", 1), ("[4, 8]", 2)] {
        let space = tiny(bits);
        let count = space.cardinality();
        let canonical = all_canonical(&space);
        assert_eq!(count.combinations, all_points(&space).len().into());
        assert_eq!(count.distinct_networks, canonical.len().into());
        let networks: HashSet<_> = canonical.iter().map(|p| space.network(&space.genotype(p))).collect();
        assert_eq!(networks.len(), canonical.len());
        assert_eq!(count.policies, BigUint::from(slots as u32).pow(space.slots()));
        if slots == 1 {
            assert_eq!(count.distinct_architectures, count.distinct_networks);
        }
    }
}

#[test]
fn genes_without_a_choice_are_no_dimensions() {
    let dimensions: Vec<usize> = built_in().map(|space| space.genes().len()).collect();
    assert_eq!(dimensions, [26 + 23, 26 + 23, 26 + 23 + 3, 14 + 14 + 3, 18 + 17 + 3]);
}
