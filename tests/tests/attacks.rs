//! Crafted blobs, exhaustive damage and mutants: a short run. `cargo xtask trust` tries a million mutants.

use std::collections::BTreeSet;

use bomp_runtime::{Model, arena};
use bomp_tests::attacks::{Damage, Golden, Mutants, Outcome, Refusal, attacks, damage};

/// Mutants of this test.
const MUTANTS: u64 = 20_000;

#[test]
fn each_crafted_blob_gives_its_error() {
    let attacks = attacks();
    assert!(attacks.len() >= 30);
    let names: BTreeSet<&str> = attacks.iter().map(|attack| attack.name).collect();
    let blobs: BTreeSet<&[u8]> = attacks.iter().map(|attack| &attack.blob[..]).collect();
    assert_eq!((names.len(), blobs.len()), (attacks.len(), attacks.len()), "an attack is there twice");
    let mut wrong = Vec::new();
    for attack in &attacks {
        let found = match Model::new(&attack.blob) {
            Err(error) => Some(Refusal::Load(error)),
            Ok(model) => {
                let mut words = vec![0; 1 << 14];
                let mut logits = vec![0; model.classes()];
                let run = model.run(&vec![0; model.input_len()], arena::from_words(&mut words), &mut logits);
                run.err().map(Refusal::Run)
            }
        };
        if found != Some(attack.refusal) {
            wrong.push(format!("{}: {found:?} instead of {:?}", attack.name, attack.refusal));
        }
    }
    assert!(wrong.is_empty(), "{} attacks:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_flip_and_every_truncation_is_refused() {
    for golden in Golden::all() {
        let bytes = golden.blob.len();
        let done = damage(&golden, 0..bytes);
        let expected = Damage {
            flips: 8 * bytes as u64,
            truncations: bytes as u64,
            sealed_truncations: bytes as u64 - 5,
            accepted: 0,
        };
        assert_eq!(done, expected, "{}", golden.name);
    }
}

#[test]
fn mutants_are_refused_or_run_within_their_bounds() {
    // BOMP_MUTANT=SEED:INDEX tries the one that a failure names.
    if let Ok(one) = std::env::var("BOMP_MUTANT") {
        let (seed, index) = one.split_once(':').expect("SEED:INDEX");
        let (seed, index) = (seed.parse().expect("a number"), index.parse().expect("a number"));
        println!("{:?}", Mutants::new(seed).try_one(index));
        return;
    }
    let mutants = Mutants::new(6);
    let (mut refused, mut too_large, mut ran) = (0, 0, 0);
    for index in 0..MUTANTS {
        match mutants.try_one(index) {
            Outcome::Refused => refused += 1,
            Outcome::TooLarge => too_large += 1,
            Outcome::Ran { .. } => ran += 1,
        }
    }
    // Mutants that were all alike would prove little.
    assert!(refused > MUTANTS / 4 && too_large > 10 && ran > MUTANTS / 20, "{refused} {too_large} {ran}");
}
