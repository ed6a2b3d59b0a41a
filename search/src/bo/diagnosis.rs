//! What the surrogate believes, for people to look at: how well it predicts, and which dimensions it thinks matter.
//!
//! Nothing here takes part in a proposal, and chance has no part in it: equal situations give equal diagnoses. Values
//! are in the objective's units, but as the surrogate models them: below the front's level they are compressed.

use serde::Serialize;

use super::gp::LeftOut;
use super::problem::{Point, Problem};
use super::strategy::SearchState;
use super::surrogate::{self, Surrogate};

/// Trials whose choices are varied, at most; spread evenly over the history.
const VARIED: usize = 64;
/// Half the width, in standard deviations, of an interval that holds 95 % of a normal posterior.
const REACH: f64 = 1.959_963_984_540_054;

/// The posterior about a problem after some trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// For each finished trial, in the order of the history, what all the others predict for it.
    pub predictions: Vec<HeldOutPrediction>,
    /// For each dimension the root mean square change of the expected value when only this choice of a tried point is
    /// changed, over the tried points and all other levels that stay feasible. A choice without effect counts as 0.
    pub effects: Vec<f64>,
    /// The part of the variance of the values that is explained when each is predicted from all others, on the scale on which they
    /// are modelled but with none compressed: 1 is all of it, 0 or less no more than their mean explains.
    pub explained: f64,
}

/// A trial's value and what the surrogate predicts for it from the other trials (leave-one-out).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeldOutPrediction {
    /// What was seen.
    pub seen: f64,
    /// Median of the posterior.
    pub predicted: f64,
    /// Lower end of the interval that holds 95 % of the posterior, noise included.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl HeldOutPrediction {
    /// Whether what was seen lies in the interval.
    #[must_use]
    pub fn holds(&self) -> bool {
        (self.low..=self.high).contains(&self.seen)
    }
}

/// Fits the surrogate to the ended trials of `state` and asks it. `None` if no trial has finished.
#[must_use]
pub fn diagnose(state: &SearchState<'_>) -> Option<Diagnosis> {
    let surrogate = Surrogate::of_ended(state)?;
    let warp = surrogate.value().warp();
    let prediction = |left: LeftOut| HeldOutPrediction {
        seen: warp.inverse(left.seen),
        predicted: warp.inverse(left.mean),
        low: warp.inverse(left.mean - REACH * left.sigma),
        high: warp.inverse(left.mean + REACH * left.sigma),
    };
    let predictions = surrogate.value().leave_one_out().into_iter().map(prediction).collect();
    let tried: Vec<Point> = state.history.finished().map(|(point, _)| point.clone()).collect();
    let varied = tried.len().min(VARIED);
    let bases: Vec<Point> = (1..=varied).map(|i| tried[i * tried.len() / varied - 1].clone()).collect();
    let expected = surrogate.expected_values(&bases);
    // A tried point is feasible unless the limits have changed since.
    let from: Vec<(Point, f64)> =
        bases.into_iter().zip(expected).filter_map(|(point, value)| Some((point, value?))).collect();
    let dimensions = 0..state.problem.dimensions().len();
    let effects = dimensions.map(|d| effect(state.problem, &surrogate, &from, d)).collect();
    let explained = explained(&surrogate::uncompressed(state).leave_one_out());
    Some(Diagnosis { predictions, effects, explained })
}

/// See [`Diagnosis::explained`]; the mean to compare with is that of the others as well.
fn explained(left: &[LeftOut]) -> f64 {
    let n = left.len() as f64;
    let mean = left.iter().map(|of| of.seen).sum::<f64>() / n;
    let squares = |of: &dyn Fn(&LeftOut) -> f64| left.iter().map(|l| of(l).powi(2)).sum::<f64>();
    let guess = squares(&|of| (of.seen - mean) * n / (n - 1.0));
    if guess > 0.0 { 1.0 - squares(&|of| of.seen - of.mean) / guess } else { 0.0 }
}

/// The root mean square change of the value expected at the points `from` by other levels of `dimension`.
fn effect(problem: &dyn Problem, surrogate: &Surrogate<'_>, from: &[(Point, f64)], dimension: usize) -> f64 {
    let levels = problem.dimensions()[dimension].levels() as u16;
    let (mut inert, mut others, mut before) = (0, Vec::new(), Vec::new());
    for (point, value) in from {
        for level in (0..levels).filter(|&level| level != point[dimension]) {
            let mut other = point.clone();
            other[dimension] = level;
            problem.canonicalise(&mut other);
            if other == *point {
                inert += 1;
            } else {
                before.push(value);
                others.push(other);
            }
        }
    }
    let expected = surrogate.expected_values(&others).into_iter().zip(before);
    let squares: Vec<f64> = expected.filter_map(|(now, was)| Some((now? - was).powi(2))).collect();
    (squares.iter().sum::<f64>() / (squares.len() + inert).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bo::history::{History, Observation, Outcome};
    use crate::bo::pareto::{Objectives, Reference};
    use crate::bo::problem::Dimension;
    use crate::stream::stream;

    struct Toy(Vec<Dimension>);

    impl Problem for Toy {
        fn dimensions(&self) -> &[Dimension] {
            &self.0
        }

        fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
            // The third dimension costs, and its last level too much.
            points.iter().map(|p| (p[2] < 3).then(|| f64::from(p[2]))).collect()
        }
    }

    fn diagnosis(trials: u64) -> Option<Diagnosis> {
        let toy = Toy((0..4).map(|i| Dimension::ordinal(format!("d{i}"), [0.0, 1.0, 2.0, 3.0])).collect());
        let mut history = History::new();
        for n in 0..trials {
            let point = toy.sample(&mut stream(5, n, "diagnosis"));
            let value = 0.5 + 0.1 * f64::from(point[0]) + 0.02 * f64::from(point[2]);
            let outcome = if point[2] == 3 {
                Outcome::Failed
            } else {
                Outcome::Finished(Objectives { value, cost: f64::from(point[2]) })
            };
            history.push(toy.dimensions(), Observation { point, outcome }).unwrap();
        }
        let reference = Reference { value: 0.0, cost: 3.0 };
        diagnose(&SearchState { problem: &toy, reference, history: &history, pending: &[] })
    }

    #[test]
    fn the_dimension_that_decides_is_told_from_those_that_do_nothing() {
        let diagnosis = diagnosis(60).unwrap();
        let [decides, nothing, _, neither] = diagnosis.effects[..] else { panic!("four dimensions") };
        assert!(decides > 4.0 * nothing.max(neither), "{:?}", diagnosis.effects);
    }

    #[test]
    fn predictions_of_a_smooth_value_are_close_and_honest() {
        let predictions = diagnosis(60).unwrap().predictions;
        assert!(predictions.len() > 30);
        assert!(predictions.iter().all(|p| p.low <= p.predicted && p.predicted <= p.high));
        let close = predictions.iter().filter(|p| (p.predicted - p.seen).abs() < 0.05).count();
        assert!(close * 10 > predictions.len() * 9, "{close}");
        let held = predictions.iter().filter(|p| p.holds()).count();
        assert!(held * 10 > predictions.len() * 8, "{held}");
    }

    #[test]
    fn without_a_finished_trial_there_is_nothing_to_say() {
        let all = diagnosis(60).unwrap().explained;
        assert!(all > 0.8 && all < 1.0, "{all}");
        assert_eq!(diagnosis(0), None);
        assert!(diagnosis(3).is_none_or(|d| d.effects.iter().all(|e| e.is_finite())));
    }
}
