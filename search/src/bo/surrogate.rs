//! What the optimiser believes: Gaussian processes over the unknown objectives, the front, and the chance of failure.
//!
//! How far a trial fell behind the front says little about where to look next, but would stretch the scale on which good
//! trials are told apart. So before they are modelled, values below the front's level at their cost are compressed into
//! a bounded interval beneath that level. The closed form of the acquisition stays exact: a candidate can only improve on
//! levels of the front at its own or a higher cost, and from there on up values are left as they are. The front that is to
//! be improved is the believed one, of the means at the points tried: one trial's luck then does not end the search near it
//! (the plug-in of Vazquez et al., "Global optimization based on noisy evaluations", 2008).

use rand_chacha::ChaCha8Rng;

use super::acquisition::expected_hypervolume_improvement;
use super::candidates::Candidate;
use super::failures::Failures;
use super::gp::Gp;
use super::history::Outcome;
use super::inputs::{Geometry, Inputs};
use super::pareto::{Front, Objectives};
use super::preference::{Preference, Steps, weighted};
use super::problem::{Point, Problem};
use super::strategy::SearchState;

/// Joint samples of the pending trials' outcomes over which the acquisition is averaged.
const SAMPLES: usize = 8;
/// Extent of the interval below a level that values are compressed into, relative to the median distance from it.
const COMPRESSED: f64 = 0.6;

/// The posterior about a problem after some trials.
pub(super) struct Surrogate<'a> {
    encoder: Encoder<'a>,
    value: Gp,
    /// Of the cost with its sign changed; only where the problem does not know it.
    cost: Option<Gp>,
    /// One for each sample of the pending outcomes.
    fronts: Vec<Front>,
    failures: Failures,
}

impl<'a> Surrogate<'a> {
    /// Fits the surrogates to the trials of `state` and takes its pending points into account. `None` if no trial
    /// has finished.
    pub(super) fn fit(state: &SearchState<'a>, rng: &mut ChaCha8Rng) -> Option<Self> {
        let mut surrogate = Self::of_ended(state)?;
        surrogate.add_pending(&with_costs(state.problem, state.pending.to_vec()), rng);
        Some(surrogate)
    }

    /// Fits the surrogates to the trials of `state` alone: all that chance has no part in.
    pub(super) fn of_ended(state: &SearchState<'a>) -> Option<Self> {
        let SearchState { problem, history, reference, .. } = *state;
        let (points, objectives): (Vec<Point>, Vec<Objectives>) =
            history.finished().map(|(point, objectives)| (point.clone(), objectives)).unzip();
        if points.is_empty() {
            return None;
        }
        let costs: Vec<f64> = objectives.iter().map(|o| o.cost).collect();
        let (encoder, inputs) = Encoder::new(problem, &points, &costs);
        let mut front = Front::of(reference, objectives.iter().copied());
        let bases = problem.baselines(&points);
        let values: Vec<f64> = objectives.iter().zip(&bases).map(|(o, base)| o.value - base).collect();
        let (value, cost) = if problem.cost_is_known() {
            let levels: Vec<f64> =
                costs.iter().zip(&bases).map(|(&cost, base)| front.level(cost) - base).collect();
            let value = Gp::fit(&encoder.geometry, inputs, &compress_below(&levels, &values));
            // What chance has raised is no level that others have to reach.
            let believed = value.smoothed();
            let points = believed.iter().zip(&bases).zip(&costs);
            front = Front::of(
                reference,
                points.map(|((&mean, base), &cost)| Objectives {
                    value: value.warp().inverse(mean) + base,
                    cost,
                }),
            );
            (value, None)
        } else {
            // Here a candidate's cost is uncertain too, and only the reference is below every level.
            let raised: Vec<f64> = costs.iter().map(|cost| -cost).collect();
            let floors: Vec<f64> = bases.iter().map(|base| reference.value - base).collect();
            let value = Gp::fit(&encoder.geometry, inputs.clone(), &compress_below(&floors, &values));
            let floors = vec![-reference.cost; raised.len()];
            let cost = Gp::fit(&encoder.geometry, inputs, &compress_below(&floors, &raised));
            (value, Some(cost))
        };
        let failures = ended(state, &encoder);
        Some(Self { encoder, value, cost, fronts: vec![front], failures })
    }

    /// The posterior about the value, fitted to the finished trials in their order.
    pub(super) fn value(&self) -> &Gp {
        &self.value
    }

    /// The value expected (the median of the posterior) at each of `points`, as it is modelled; `None` where infeasible.
    pub(super) fn expected_values(&self, points: &[Point]) -> Vec<Option<f64>> {
        let costs = self.encoder.problem.costs(points);
        let feasible = points
            .iter()
            .zip(&costs)
            .filter_map(|(point, cost)| cost.map(|cost| Candidate { point: point.clone(), cost }));
        let candidates: Vec<Candidate> = feasible.collect();
        let means = self.value.predict(&self.encoder.candidates(&candidates)).means;
        let bases = self.encoder.baselines(&candidates);
        let mut expected = means
            .column(0)
            .into_iter()
            .zip(bases)
            .map(|(&mean, base)| self.value.warp().inverse(mean) + base);
        costs.iter().map(|cost| cost.and_then(|_| expected.next())).collect()
    }

    /// Takes further pending points into account: samples their outcomes jointly, and averages over the samples.
    pub(super) fn add_pending(&mut self, pending: &[Candidate], rng: &mut ChaCha8Rng) {
        if pending.is_empty() {
            return;
        }
        if self.fronts.len() == 1 {
            self.fronts = vec![self.fronts[0].clone(); SAMPLES];
            self.value.replicate(SAMPLES);
            self.cost.iter_mut().for_each(|gp| gp.replicate(SAMPLES));
        }
        let inputs = self.encoder.candidates(pending);
        let values = self.value.fantasise(&inputs, rng);
        let costs = self.cost.as_mut().map(|gp| gp.fantasise(&inputs, rng));
        let bases = self.encoder.baselines(pending);
        for (s, front) in self.fronts.iter_mut().enumerate() {
            for (p, candidate) in pending.iter().enumerate() {
                let cost = costs.as_ref().map_or(candidate.cost, |costs| -costs[(p, s)]);
                front.insert(Objectives { value: values[(p, s)] + bases[p], cost });
            }
        }
    }

    /// The expected improvement of the hypervolume, weighted as `preference` says, of each candidate, times its chance not to
    /// fail.
    pub(super) fn score(&self, candidates: &[Candidate], preference: Preference) -> Vec<f64> {
        let steps: Vec<Steps> = self.fronts.iter().map(|front| steps(front, preference)).collect();
        let inputs = self.encoder.candidates(candidates);
        let value = self.value.predict(&inputs);
        let cost = self.cost.as_ref().map(|gp| (gp, gp.predict(&inputs)));
        let chances = self.failures.chances_of_success(&self.value, &inputs);
        let bases = self.encoder.baselines(candidates);
        let score = |(i, candidate): (usize, &Candidate)| {
            let improvement = |(s, front): (usize, &Front)| {
                let (mean, sigma) = (value.means[(i, s)], value.sigmas[i]);
                let above = |level| self.value.warp().expected_excess(mean, sigma, level - bases[i]);
                let excess = |level| weighted(&steps[s], level, above);
                let shortfall = |bound: f64| match &cost {
                    None => (bound - candidate.cost).max(0.0),
                    Some((gp, cost)) => gp.warp().expected_excess(cost.means[(i, s)], cost.sigmas[i], -bound),
                };
                expected_hypervolume_improvement(front, excess, shortfall)
            };
            let sum: f64 = self.fronts.iter().enumerate().map(improvement).sum();
            sum / self.fronts.len() as f64 * chances[i]
        };
        candidates.iter().enumerate().map(score).collect()
    }
}

/// A Gaussian process on the values of the finished trials as they are: what can be told of them at all.
pub(super) fn uncompressed(state: &SearchState<'_>) -> Gp {
    let finished = || state.history.finished();
    let points: Vec<Point> = finished().map(|(point, _)| point.clone()).collect();
    let (costs, values): (Vec<f64>, Vec<f64>) = finished().map(|(_, o)| (o.cost, o.value)).unzip();
    let bases = state.problem.baselines(&points);
    let values: Vec<f64> = values.iter().zip(&bases).map(|(value, base)| value - base).collect();
    let (encoder, inputs) = Encoder::new(state.problem, &points, &costs);
    Gp::fit(&encoder.geometry, inputs, &values)
}

/// The steps of the weight between the corner of `front` and its best value.
fn steps(front: &Front, preference: Preference) -> Steps {
    let reference = front.reference().value;
    preference.steps(reference, front.points().last().map_or(reference, |best| best.value))
}

/// Turns points into the inputs of the Gaussian processes.
struct Encoder<'a> {
    problem: &'a dyn Problem,
    geometry: Geometry,
    /// For each feature its least value and its extent among the finished trials.
    ranges: Vec<(f64, f64)>,
}

impl<'a> Encoder<'a> {
    /// The encoder for a problem of which `points` of the given `costs` have been tried, and these encoded.
    fn new(problem: &'a dyn Problem, points: &[Point], costs: &[f64]) -> (Self, Inputs) {
        let features = raw_features(problem, points, costs);
        let range = |f: usize| {
            let values = || features.iter().map(|row| row[f]);
            let least = values().fold(f64::INFINITY, f64::min);
            let extent = values().fold(f64::NEG_INFINITY, f64::max) - least;
            (least, if extent > 0.0 { extent } else { 1.0 })
        };
        let ranges: Vec<_> = (0..features.first().map_or(0, Vec::len)).map(range).collect();
        let geometry = Geometry::new(problem.dimensions(), ranges.len(), problem.shared());
        let encoder = Self { problem, geometry, ranges };
        let inputs = encoder.encode(points, features);
        (encoder, inputs)
    }

    fn candidates(&self, candidates: &[Candidate]) -> Inputs {
        let (points, costs): (Vec<Point>, Vec<f64>) =
            candidates.iter().map(|c| (c.point.clone(), c.cost)).unzip();
        let features = raw_features(self.problem, &points, &costs);
        self.encode(&points, features)
    }

    /// Of each of `candidates`.
    fn baselines(&self, candidates: &[Candidate]) -> Vec<f64> {
        let points: Vec<Point> = candidates.iter().map(|c| c.point.clone()).collect();
        self.problem.baselines(&points)
    }

    fn encode(&self, points: &[Point], mut features: Vec<Vec<f64>>) -> Inputs {
        for row in &mut features {
            row.iter_mut().zip(&self.ranges).for_each(|(x, (least, extent))| *x = (*x - least) / extent);
        }
        Inputs::new(&self.geometry, points.iter().zip(features.iter().map(Vec::as_slice)))
    }
}

/// The features of each point, and its cost if that is known beforehand.
fn raw_features(problem: &dyn Problem, points: &[Point], costs: &[f64]) -> Vec<Vec<f64>> {
    let mut rows = problem.features(points);
    debug_assert_eq!(rows.len(), points.len());
    if problem.cost_is_known() {
        rows.iter_mut().zip(costs).for_each(|(row, &cost)| row.push(cost));
    }
    rows
}

/// Those of `points` that are feasible, with their costs.
fn with_costs(problem: &dyn Problem, points: Vec<Point>) -> Vec<Candidate> {
    let costs = problem.costs(&points);
    points
        .into_iter()
        .zip(costs)
        .filter_map(|(point, cost)| cost.map(|cost| Candidate { point, cost }))
        .collect()
}

/// How the trials ended.
fn ended(state: &SearchState<'_>, encoder: &Encoder<'_>) -> Failures {
    let observations = state.history.observations();
    let (failed, succeeded): (Vec<_>, Vec<_>) =
        observations.iter().partition(|o| o.outcome == Outcome::Failed);
    let points = |of: Vec<&super::history::Observation>| of.into_iter().map(|o| o.point.clone()).collect();
    let failed = with_costs(state.problem, points(failed));
    if failed.is_empty() {
        return Failures::new(encoder.candidates(&[]), Vec::new());
    }
    let succeeded = with_costs(state.problem, points(succeeded));
    let outcomes = std::iter::repeat_n(false, failed.len()).chain(std::iter::repeat_n(true, succeeded.len()));
    let outcomes = outcomes.collect();
    let all: Vec<Candidate> = failed.into_iter().chain(succeeded).collect();
    Failures::new(encoder.candidates(&all), outcomes)
}

/// Leaves values above their level alone and compresses those below it, monotonically, into an interval beneath it.
fn compress_below(levels: &[f64], values: &[f64]) -> Vec<f64> {
    let distance = |(y, level): (&f64, &f64)| (y - level).abs();
    let mut distances: Vec<f64> = values.iter().zip(levels).map(distance).filter(|&d| d > 0.0).collect();
    distances.sort_by(f64::total_cmp);
    let Some(&median) = distances.get(distances.len() / 2) else { return values.to_vec() };
    let extent = COMPRESSED * median;
    let compress = |(&y, &level): (&f64, &f64)| {
        let below = level - y;
        if below <= 0.0 { y } else { level - extent * (below / (below + extent)) }
    };
    values.iter().zip(levels).map(compress).collect()
}

#[cfg(test)]
mod tests {
    use super::compress_below;

    #[test]
    fn compression_keeps_the_order_and_what_is_above_and_bounds_what_is_below() {
        let values = [-1e6, 0.0, 0.4, 0.49, 0.5, 0.7];
        let compressed = compress_below(&[0.5; 6], &values);
        assert!(compressed.windows(2).all(|w| w[0] < w[1]));
        assert_eq!(compressed[4..], values[4..]);
        assert!(compressed[0] > 0.0);
    }

    #[test]
    fn values_all_at_their_levels_stay() {
        assert_eq!(compress_below(&[1.0, 2.0], &[1.0, 2.0]), [1.0, 2.0]);
        assert!(compress_below(&[], &[]).is_empty());
    }
}
