//! What other workers are trying counts: a proposal beside pending trials expects less of their neighbourhood.

use bomp_search::bo::history::{History, Observation, Outcome};
use bomp_search::bo::pareto::{Objectives, Reference};
use bomp_search::bo::problem::{Dimension, Point, Problem};
use bomp_search::bo::strategy::{Ehvi, SearchState, Strategy, Suggestion};
use bomp_search::stream::stream;

const DIMENSIONS: usize = 4;
const LEVELS: u16 = 12;

/// A smooth hill over four ordinal choices; the cost is the sum of the levels. Points can be forbidden.
struct Hill {
    dimensions: Vec<Dimension>,
    forbidden: Vec<Point>,
}

impl Hill {
    fn new(forbidden: Vec<Point>) -> Self {
        let levels = || (0..LEVELS).map(f64::from);
        let dimensions = (0..DIMENSIONS).map(|i| Dimension::ordinal(format!("x{i}"), levels())).collect();
        Self { dimensions, forbidden }
    }

    fn objectives(point: &Point) -> Objectives {
        let distance: f64 = point.iter().map(|&level| (f64::from(level) - 8.0).powi(2)).sum();
        Objectives { value: (-distance / 80.0).exp(), cost: cost(point) }
    }
}

fn cost(point: &Point) -> f64 {
    point.iter().map(|&level| f64::from(level)).sum::<f64>() / 48.0
}

impl Problem for Hill {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        points.iter().map(|point| (!self.forbidden.contains(point)).then(|| cost(point))).collect()
    }
}

fn history(problem: &Hill, seed: u64) -> History {
    let mut history = History::new();
    let mut random = stream(seed, 0, "history");
    for _ in 0..12 {
        let point = problem.sample(&mut random);
        let outcome = Outcome::Finished(Hill::objectives(&point));
        history.push(problem.dimensions(), Observation { point, outcome }).unwrap();
    }
    history
}

fn ask(problem: &Hill, history: &History, pending: &[Point], seed: u64) -> Suggestion {
    let reference = Reference { value: 0.0, cost: 1.0 };
    let state = SearchState { problem, reference, history, pending };
    Ehvi::default().propose(&state, 1, &mut stream(seed, 1, "propose"))
}

/// The same point merely left out leaves its neighbours as promising as it was; pending, it takes their promise with it.
#[test]
fn pending_trials_are_imagined_as_done() {
    let mut less = 0;
    for seed in 0..5 {
        let free = Hill::new(Vec::new());
        let history = history(&free, seed);
        let first = ask(&free, &history, &[], seed);
        let expected = first.expected_improvement.unwrap();
        let left_out =
            ask(&Hill::new(first.points.clone()), &history, &[], seed).expected_improvement.unwrap();
        let pending = ask(&free, &history, &first.points, seed);
        assert_ne!(pending.points, first.points);
        assert!(left_out > 0.8 * expected, "{left_out} beside {expected}: the hill is not smooth");
        less += u32::from(pending.expected_improvement.unwrap() < 0.7 * left_out);
    }
    assert_eq!(less, 5, "a pending trial is only excluded, not imagined");
}

/// Sixteen workers that ask one after the other get sixteen different points that are not all next to each other.
#[test]
fn workers_that_ask_at_once_look_in_different_places() {
    let problem = Hill::new(Vec::new());
    let history = history(&problem, 1);
    let mut pending: Vec<Point> = Vec::new();
    for _ in 0..16 {
        pending.extend(ask(&problem, &history, &pending, 1).points);
    }
    let mut different = pending.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 16);
    let distance = |a: &Point, b: &Point| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).sum::<u16>();
    let pairs = || (0..16).flat_map(|i| (0..i).map(move |j| (i, j)));
    let mean = pairs().map(|(i, j)| f64::from(distance(&pending[i], &pending[j]))).sum::<f64>() / 120.0;
    assert!(mean > 4.0, "on average {mean} steps apart");
}
