//! Genotypes: canonical form, values and indices, text.

use super::super::genotype::Genotype;
use super::{Space, all_points, built_in, canonical, of_the_paper, random_points, tiny};

#[test]
fn the_canonical_form_is_idempotent_and_keeps_the_network() {
    for space in built_in() {
        for point in random_points(&space, 2_000) {
            check_canonical(&space, &point);
        }
    }
    let space = tiny("[8]");
    all_points(&space).iter().for_each(|point| check_canonical(&space, point));
}

fn check_canonical(space: &Space, point: &crate::bo::problem::Point) {
    let canonical_point = canonical(space, point);
    assert_eq!(canonical(space, &canonical_point), canonical_point);
    let (raw, genotype) = (space.genotype(point), space.genotype(&canonical_point));
    assert_eq!(space.network(&raw), space.network(&genotype));
    assert_eq!(space.point(&raw).unwrap(), canonical_point);
}

#[test]
fn a_genotype_survives_json() {
    for space in built_in() {
        for point in random_points(&space, 500) {
            let genotype = space.genotype(&canonical(&space, &point));
            let text = serde_json::to_string(&genotype).unwrap();
            let read: Genotype = serde_json::from_str(&text).unwrap();
            assert_eq!(read, genotype);
            assert_eq!(space.genotype(&space.point(&read).unwrap()), genotype);
        }
    }
}

#[test]
fn json_shows_values_and_only_genes_that_act() {
    let space = tiny("[4, 8]");
    let text = r#"{"stem":{"stride":2,"bits":4},"blocks":[{"repetitions":1,"depthwise":{"kernel":3,"bits":8},"project":{"width":0.1,"bits":4}},null,{"repetitions":1,"depthwise":{"kernel":2,"bits":8},"project":{"width":1.0,"bits":8}}],"conv2":null,"classifier":{"bits":8},"reductions_after":[2,2]}"#;
    let genotype: Genotype = serde_json::from_str(text).unwrap();
    assert_eq!(space.genotype(&space.point(&genotype).unwrap()), genotype);
    assert_eq!(serde_json::to_string(&genotype).unwrap(), text);
}

#[test]
fn the_seed_is_the_papers() {
    for space in of_the_paper() {
        let seed = space.seed();
        let width = if space.definition().name == "paper-cifar100" { 0.75 } else { 0.1 };
        let blocks: Vec<_> = seed.blocks.iter().flatten().collect();
        assert_eq!(blocks.iter().map(|b| b.repetitions).collect::<Vec<_>>(), [1, 2, 3, 4, 3, 3, 1]);
        assert!(blocks.iter().all(|b| b.depthwise.kernel == 3 && b.project.width == width));
        let expansions: Vec<_> = blocks.iter().map(|b| b.expand.map_or(1, |e| e.expansion)).collect();
        assert_eq!(expansions, [1, 6, 6, 6, 6, 6, 6]);
        assert_eq!((seed.conv2.unwrap().filters, seed.stem.stride), (1280, 1));
        assert_eq!(seed.reductions_after, [4, 6]);
        assert!(space.network(&seed).layers.iter().filter_map(|l| l.op.bits()).all(|bits| bits.get() == 8));
    }
}

#[test]
fn a_genotype_of_another_space_is_refused_by_gene() {
    let space = Space::open("paper").unwrap();
    let refusal = |change: &dyn Fn(&mut Genotype)| {
        let mut genotype = space.seed();
        change(&mut genotype);
        space.point(&genotype).unwrap_err().to_string()
    };
    let block = |g: &mut Genotype| g.blocks[1].unwrap();
    let kernel = refusal(&|g| {
        let mut genes = block(g);
        genes.depthwise.kernel = 9;
        g.blocks[1] = Some(genes);
    });
    assert_eq!(kernel, "block2.kernel is 9, but the search space `paper` has only 2, 3, 4, 5, 6, 7");
    assert!(refusal(&|g| g.stem.stride = 2).starts_with("stem.stride is 2"));
    assert!(refusal(&|g| g.conv2 = None).starts_with("conv2.filters is 0"));
    assert!(refusal(&|g| g.blocks[6] = None).starts_with("block7.repetitions is 0"));
    assert!(refusal(&|g| g.reductions_after = vec![4]).starts_with("the length of `reductions_after` is 1"));
    assert!(refusal(&|g| g.reductions_after[0] = 3).starts_with("reductions_after is 3"));
    assert!(refusal(&|g| g.blocks.truncate(6)).starts_with("the length of `blocks` is 6"));
    let unit = refusal(&|g| {
        let mut genes = block(g);
        genes.expand.as_mut().unwrap().expansion = 1;
        g.blocks[1] = Some(genes);
    });
    assert!(unit.contains("leave it out"), "{unit}");
}
