//! The size predicted from a genotype is the size of its packed file, for random genotypes and policies of three spaces; the
//! predicted arena is accepted and one byte less refused. 1,000 of each space, or as many as BOMP_GENOTYPES says.

use bomp_export::{lower, write};
use bomp_runtime::{Model, RunError, arena};
use bomp_search::space::{Space, Usage};
use bomp_search::stream::stream;
use rand::RngExt;

#[test]
fn predicted_bytes_are_written_bytes() {
    let each = std::env::var("BOMP_GENOTYPES").map_or(1_000, |count| count.parse().unwrap());
    for name in ["paper", "paper-cifar100", "extended"] {
        let space = Space::open(name).unwrap();
        let mut random = stream(1, 0, "size promise");
        for number in 0..each {
            let mut point: Vec<u16> = space
                .genes()
                .iter()
                .map(|gene| random.random_range(0..gene.coordinates.len()) as u16)
                .collect();
            space.canonicalise(&mut point);
            let network = space.network(&space.genotype(&point));
            let predicted = Usage::of(&network);
            let candidate = bomp_tests::candidate_of(&network, number);
            let blob = write::blob(&lower::lower(&candidate).unwrap()).unwrap();
            assert_eq!(blob.len(), predicted.bytes, "{name}, genotype {number}");
            let model = Model::new(&blob).unwrap();
            assert_eq!(model.arena_size(), predicted.ram, "{name}, genotype {number}");
            let mut words = vec![0; arena::words(predicted.ram)];
            let short = &mut arena::from_words(&mut words)[..predicted.ram - 1];
            let mut logits = vec![0; model.classes()];
            let refused = model.run(&vec![0; model.input_len()], short, &mut logits);
            assert_eq!(refused, Err(RunError::ArenaTooSmall { needed: predicted.ram }));
        }
    }
}
