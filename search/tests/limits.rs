//! No network over a limit is ever proposed, whatever the strategy: 10,000 proposals, checked with the exact accounting.

use bomp_search::bo::history::{History, Observation, Outcome};
use bomp_search::bo::pareto::{Objectives, Reference};
use bomp_search::bo::problem::{Point, Problem};
use bomp_search::bo::strategy::{Score, SearchState};
use bomp_search::space::{Limits, Space, SpaceProblem, Usage};
use bomp_search::stream::stream;
use bomp_search::study::StrategyKind;

const LIMITS: Limits = Limits { max_size: Some(6_000), max_ram: Some(8_000), max_macs: Some(500_000) };
const REFERENCE: Reference = Reference { value: 0.5, cost: 3.78 };

/// Synthetic: larger is better, with some disorder.
fn accuracy(usage: Usage, number: u64) -> f64 {
    0.9 - 0.1 * (4.0 - (usage.bytes as f64).log10()) - 0.01 * (number as f64 * 12.9898).sin().abs()
}

/// Proposals of `kind` in batches, each told before the next; of a long history only the last 48 trials are kept.
fn check(kind: StrategyKind, proposals: usize, batch: usize) {
    let problem = SpaceProblem::new(Space::open("extended").unwrap(), LIMITS).unwrap();
    let strategy = kind.strategy(None, Score::of_networks(0.8, 8.0));
    let mut told: Vec<Observation> = Vec::new();
    let mut number = 0;
    while number < proposals as u64 {
        let mut history = History::new();
        for observation in &told[told.len().saturating_sub(48)..] {
            history.push(problem.dimensions(), observation.clone()).unwrap();
        }
        let state = SearchState { problem: &problem, reference: REFERENCE, history: &history, pending: &[] };
        let proposal = strategy.propose(&state, batch, &mut stream(1, number, "propose"));
        assert_eq!(proposal.points.len(), batch, "{kind:?}: a space of 10^30 networks is not exhausted");
        for point in proposal.points {
            let usage = Usage::of(&problem.network(&point));
            assert!(
                usage.bytes <= 6_000 && usage.ram <= 8_000 && usage.macs <= 500_000,
                "{kind:?}, proposal {number}: {usage}"
            );
            let objectives =
                Objectives { value: accuracy(usage, number), cost: (usage.bytes as f64).log10() };
            // Now and then one fails.
            let outcome = if number % 17 == 5 { Outcome::Failed } else { Outcome::Finished(objectives) };
            told.push(Observation { point: Point::clone(&point), outcome });
            number += 1;
        }
    }
    assert_eq!(number as usize, proposals);
}

#[test]
fn random() {
    check(StrategyKind::Random, 6_000, 50);
}

#[test]
fn evolution() {
    check(StrategyKind::Evolution, 3_800, 10);
}

#[test]
fn ehvi() {
    check(StrategyKind::Ehvi, 100, 4);
}

#[test]
fn paper() {
    check(StrategyKind::Paper, 100, 4);
}
