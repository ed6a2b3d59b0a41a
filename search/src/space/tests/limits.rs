//! Limits: the smallest networks, refusals, repair and what the optimiser sees.

use std::collections::HashSet;
use std::sync::LazyLock;

use bomp_export::layout::blob_bytes;
use rand::RngExt;

use super::super::{Limits, LimitsError, Space, SpaceProblem, Usage};
use super::{all_canonical, built_in, canonical, of_the_paper, tiny};
use crate::bo::problem::{Point, Problem};
use crate::stream::stream;

const TIGHT: Limits = Limits { max_size: Some(10_000), max_ram: Some(16_000), max_macs: Some(2_000_000) };

/// Of every network of the tiny space.
static TINY_USAGES: LazyLock<Vec<Usage>> = LazyLock::new(|| {
    let space = tiny("[4, 8]");
    all_canonical(&space).iter().map(|point| Usage::of(&space.network(&space.genotype(point)))).collect()
});

fn usages(problem: &SpaceProblem, points: &[Point]) -> Vec<Usage> {
    points.iter().map(|point| Usage::of(&problem.network(point))).collect()
}

fn within(usage: &Usage, limits: &Limits) -> bool {
    limits.max_size.is_none_or(|limit| usage.bytes <= limit)
        && limits.max_ram.is_none_or(|limit| usage.ram <= limit)
        && limits.max_macs.is_none_or(|limit| usage.macs <= limit)
}

#[test]
fn the_smallest_is_the_minimum_over_all_networks() {
    let space = tiny("[4, 8]");
    let all = &*TINY_USAGES;
    let smallest = Usage {
        bytes: all.iter().map(|u| u.bytes).min().unwrap(),
        ram: all.iter().map(|u| u.ram).min().unwrap(),
        macs: all.iter().map(|u| u.macs).min().unwrap(),
    };
    assert_eq!(space.smallest(), smallest);
}

/// The figures depend on the packed format; a change of them is a change of what users can ask for.
#[test]
fn the_smallest_of_the_built_in_spaces() {
    let smallest: Vec<_> =
        built_in().map(|space| space.smallest()).map(|u| (u.bytes, u.ram, u.macs)).collect();
    assert_eq!(
        smallest,
        [
            (1_954, 8_472, 59_072),
            (14_024, 14_004, 976_384),
            (331, 1_296, 2_886),
            (475, 1_852, 10_064),
            (936, 2_816, 31_544)
        ]
    );
}

#[test]
fn an_impossible_limit_is_refused_with_the_smallest_value() {
    let space = Space::open("extended").unwrap();
    let smallest = space.smallest();
    let refused = |limits| match SpaceProblem::new(space.clone(), limits).unwrap_err() {
        LimitsError::Impossible { what, limit, smallest, .. } => (what, limit, smallest),
        other => panic!("{other}"),
    };
    let none = Limits::default();
    let bytes = smallest.bytes as u64;
    let at = |less: usize| Limits { max_size: Some(smallest.bytes - less), ..none };
    assert!(SpaceProblem::new(space.clone(), at(0)).is_ok());
    assert_eq!(refused(at(1)), ("bytes", bytes - 1, bytes));
    let at = |less: usize| Limits { max_ram: Some(smallest.ram - less), ..none };
    assert!(SpaceProblem::new(space.clone(), at(0)).is_ok());
    assert_eq!(refused(at(1)).0, "bytes of RAM");
    let at = |less: u64| Limits { max_macs: Some(smallest.macs - less), ..none };
    assert!(SpaceProblem::new(space.clone(), at(0)).is_ok());
    assert_eq!(refused(at(1)).0, "MACs");
    assert_eq!(refused(Limits { max_size: Some(0), ..none }).1, 0);
}

#[test]
fn limits_that_no_network_meets_together_are_refused() {
    let space = tiny("[4, 8]");
    let smallest = space.smallest();
    let all = &*TINY_USAGES;
    for (ram, macs) in [(0, 0), (10, 200), (40, 1_000), (100, 3_000)] {
        for bytes in [0, 10, 60] {
            let limits = Limits {
                max_size: Some(smallest.bytes + bytes),
                max_ram: Some(smallest.ram + ram),
                max_macs: Some(smallest.macs + macs),
            };
            let possible = all.iter().any(|usage| within(usage, &limits));
            assert_eq!(SpaceProblem::new(space.clone(), limits).is_ok(), possible, "{limits:?}");
        }
    }
}

/// Every proposal is within the limits, and tight limits do not make them alike.
#[test]
fn samples_are_within_the_limits_and_diverse() {
    let space = Space::open("extended").unwrap();
    let least = space.smallest().bytes;
    let very_tight = Limits { max_size: Some(1_000), max_ram: Some(2_000), max_macs: Some(100_000) };
    for (limits, diverse) in [(Limits::default(), 990), (TIGHT, 990), (very_tight, 850)] {
        let problem = SpaceProblem::new(space.clone(), limits).unwrap();
        let mut rng = stream(1, 0, "samples");
        let points: Vec<Point> = (0..1_000).map(|_| problem.sample(&mut rng)).collect();
        assert!(points.iter().all(|point| *point == canonical(&space, point)));
        let usages = usages(&problem, &points);
        assert!(usages.iter().all(|usage| within(usage, &limits)));
        let distinct = points.iter().collect::<HashSet<_>>().len();
        assert!(distinct >= diverse, "{distinct} of 1,000 are distinct under {limits:?}");
        if let Some(limit) = limits.max_size {
            let near = usages.iter().filter(|usage| usage.bytes * 10 > limit * 7).count();
            let far = usages.iter().filter(|usage| usage.bytes < (limit + least) / 2).count();
            assert!(near > 200 && far > 200, "{near} near the limit, {far} far from it");
        }
    }
}

/// In every dimension of a tight problem more than one level is still proposed.
#[test]
fn tight_limits_leave_every_gene_a_choice() {
    let space = Space::open("extended").unwrap();
    let problem = SpaceProblem::new(space, TIGHT).unwrap();
    let mut rng = stream(2, 0, "samples");
    let points: Vec<Point> = (0..2_000).map(|_| problem.sample(&mut rng)).collect();
    for (i, gene) in problem.space().genes().iter().enumerate() {
        let levels: HashSet<u16> = points.iter().map(|point| point[i]).collect();
        assert!(levels.len() >= 2 && levels.len() + 3 >= gene.coordinates.len(), "{}: {levels:?}", gene.name);
    }
}

#[test]
fn the_seed_is_reduced_only_where_it_must_be() {
    for space in of_the_paper() {
        let problem = SpaceProblem::new(space.clone(), Limits::default()).unwrap();
        assert_eq!(space.genotype(&problem.seed()), space.seed());
        let smallest = space.smallest();
        for part in [1.0, 1.2, 2.0, 5.0, 20.0] {
            let limits =
                Limits { max_size: Some((smallest.bytes as f64 * part) as usize), ..Limits::default() };
            let problem = SpaceProblem::new(space.clone(), limits).unwrap();
            let usage = Usage::of(&problem.network(&problem.seed()));
            assert!(within(&usage, &limits), "{usage} under {limits:?}");
            assert!(part < 2.0 || usage.bytes as f64 > 0.7 * limits.max_size.unwrap() as f64, "{usage}");
        }
    }
    let problem = SpaceProblem::new(Space::open("extended").unwrap(), TIGHT).unwrap();
    let usage = Usage::of(&problem.network(&problem.seed()));
    assert!(within(&usage, &TIGHT) && usage.bytes > 9_000, "{usage}");
    // The widths of the paper's seed survive at 10 kB.
    let seed = problem.space().genotype(&problem.seed());
    assert!(seed.blocks.iter().flatten().all(|block| block.project.width == 0.1));
}

#[test]
fn the_optimiser_sees_exact_sizes_and_no_network_over_a_limit() {
    let problem = SpaceProblem::new(Space::open("extended").unwrap(), TIGHT).unwrap();
    let mut rng = stream(3, 0, "mutants");
    let mut points: Vec<Point> = (0..300).map(|_| problem.sample(&mut rng)).collect();
    points.extend(points.clone().iter().map(|point| problem.mutate(point, &mut rng)));
    let uniform = |d: &crate::bo::problem::Dimension| rng.random_range(0..d.levels()) as u16;
    let mut random: Point = problem.dimensions().iter().map(uniform).collect();
    problem.canonicalise(&mut random);
    points.push(random);
    let (costs, features) = (problem.costs(&points), problem.features(&points));
    let (mut refused, mut admitted) = (0, 0);
    for (point, (cost, features)) in points.iter().zip(costs.into_iter().zip(features)) {
        let network = problem.network(point);
        let usage = Usage::of(&network);
        assert_eq!(features[0], (usage.macs as f64).log10());
        match cost {
            Some(cost) => {
                admitted += 1;
                assert_eq!(cost, (blob_bytes(&network) as f64).log10());
                assert!(within(&usage, &TIGHT));
            }
            None => {
                refused += 1;
                assert!(!within(&usage, &TIGHT));
            }
        }
    }
    assert!(admitted > 300 && refused > 10, "{admitted} admitted, {refused} refused");
}
