//! Properties that hold for every genotype of the built-in spaces, tried on random ones, and of small spaces, tried on
//! all.

mod cardinality;
mod definitions;
mod genotypes;
mod limits;
mod networks;

use std::collections::HashSet;

use rand::RngExt;

use super::Space;
use crate::bo::problem::Point;
use crate::stream::stream;

const BUILT_IN: [&str; 5] = ["paper", "paper-cifar100", "extended", "micro", "small"];

/// Those whose seed is the paper's.
fn of_the_paper() -> impl Iterator<Item = Space> {
    built_in().filter(|space| !["micro", "small"].contains(&space.definition().name.as_str()))
}

fn built_in() -> impl Iterator<Item = Space> {
    BUILT_IN.iter().map(|name| Space::open(name).unwrap())
}

/// Random points, not canonical.
fn random_points(space: &Space, count: usize) -> impl Iterator<Item = Point> {
    let mut rng = stream(1, 0, &space.definition().name);
    let levels: Vec<usize> = space.genes().iter().map(|gene| gene.coordinates.len()).collect();
    (0..count).map(move |_| levels.iter().map(|&n| rng.random_range(0..n) as u16).collect())
}

/// A space small enough to be searched whole, with every kind of gene that can be inactive: blocks 2 and 3 may be absent,
/// width multipliers 0.01 and 0.05 give block 2 as many filters, and the positions of the reductions overlap.
fn tiny(bits: &str) -> Space {
    let text = format!(
        r#"
        name = "tiny"
        classes = 3
        input = {{ height = 9, width = 6, channels = 2 }}
        bits = {{ choices = {bits}, seed = 8 }}
        reductions = [{{ choices = [0, 1, 2], seed = 1 }}, {{ choices = [1, 2], seed = 2 }}]

        [stem]
        filters = 16
        kernel = 3
        stride = {{ choices = [1, 2], seed = 1 }}

        [[blocks]]
        filters = 8
        kernel = {{ choices = [3], seed = 3 }}
        width = {{ choices = [0.1, 0.5], seed = 0.5 }}
        expansion = {{ choices = [1], seed = 1 }}
        repetitions = {{ choices = [1], seed = 1 }}

        [[blocks]]
        filters = 10
        kernel = {{ choices = [3], seed = 3 }}
        width = {{ choices = [0.01, 0.05], seed = 0.05 }}
        expansion = {{ choices = [1, 2], seed = 2 }}
        repetitions = {{ choices = [0, 2], seed = 2 }}

        [[blocks]]
        filters = 4
        kernel = {{ choices = [2], seed = 2 }}
        width = {{ choices = [1.0], seed = 1.0 }}
        expansion = {{ choices = [1], seed = 1 }}
        repetitions = {{ choices = [0, 1], seed = 1 }}

        [conv2]
        filters = {{ choices = [0, 5], seed = 5 }}
        "#
    );
    Space::new(toml::from_str(&text).unwrap()).unwrap()
}

/// Every point of a small space.
fn all_points(space: &Space) -> Vec<Point> {
    space.genes().iter().fold(vec![Box::from([])], |prefixes, gene| {
        let extend = |prefix: &Point| {
            let prefix = prefix.clone();
            (0..gene.coordinates.len() as u16).map(move |level| [&prefix[..], &[level]].concat().into())
        };
        prefixes.iter().flat_map(extend).collect()
    })
}

fn canonical(space: &Space, point: &Point) -> Point {
    let mut point = point.clone();
    space.canonicalise(&mut point);
    point
}

/// Every canonical point of a small space.
fn all_canonical(space: &Space) -> HashSet<Point> {
    all_points(space).iter().map(|point| canonical(space, point)).collect()
}
