//! Expected hypervolume improvement in closed form, for an uncertain value and a cost that is exact or uncertain.
//!
//! Let the present front be the step function f(t): the best value known at cost t or below, the reference value where
//! there is none. A new point (value Y, cost C) raises the hypervolume by the area between its box and the steps,
//!
//! ```text
//! HVI = integral over t from C to the reference cost of max(Y - f(t), 0) dt
//!     = sum over steps j of |[max(C, c_j), c_{j+1}]| * max(Y - f_j, 0)
//! ```
//!
//! where step j has the level f_j on the costs [c_j, c_{j+1}]. Each summand is a function of C times a function of Y. If
//! both are independent under the model, its expectation is the product of the expectations:
//!
//! ```text
//! EHVI = sum_j (G(c_{j+1}) - G(c_j)) * EI(f_j),   G(b) = E[max(b - C, 0)],   EI(f) = E[max(Y - f, 0)].
//! ```
//!
//! For an exact cost G(b) is max(b - C, 0), so the weight of step j is the part of its interval above C; for a Gaussian
//! one it is the Gaussian's own expected excess. The decomposition into strips is that of Emmerich, Deutz and Klinkenberg
//! ("Hypervolume-based expected improvement", 2011); with one objective exact each strip needs one evaluation of EI.

use super::pareto::Front;

/// The expected increase of the hypervolume of `front` by a point about whose value and cost the beliefs are
/// independent (see the module's text): `excess` gives E[max(value - level, 0)] for a level and `shortfall`
/// E[max(bound - cost, 0)] for a bound. For an exact cost the latter is `|bound| (bound - cost).max(0.0)`.
pub fn expected_hypervolume_improvement(
    front: &Front,
    excess: impl Fn(f64) -> f64,
    shortfall: impl Fn(f64) -> f64,
) -> f64 {
    let mut sum = 0.0;
    let mut below_start = 0.0;
    for (end, level) in front.steps() {
        let below_end = shortfall(end);
        if below_end > below_start {
            sum += (below_end - below_start) * excess(level);
        }
        below_start = below_end;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::pareto::{Objectives, Reference};
    use super::super::warp::Warp;
    use super::*;
    use crate::stream::stream;
    use proptest::prelude::*;
    use rand::RngExt;
    use rand_distr::StandardNormal;

    const REFERENCE: Reference = Reference { value: 0.0, cost: 1.0 };

    /// A posterior about a quantity around 0.5: it is `sign` times what the warp maps to N(mean, sigma^2).
    fn warp(sign: f64, log_headroom: f64) -> Warp {
        Warp::new(&[0.1, 0.4, 0.5, 0.6, 0.7].map(|y| sign * y), log_headroom)
    }

    fn front() -> impl Strategy<Value = Front> {
        let points = prop::collection::vec((0.0..1.0, 0.0..1.0), 0..8);
        points
            .prop_map(|v| Front::of(REFERENCE, v.into_iter().map(|(value, cost)| Objectives { value, cost })))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn agrees_with_the_mean_of_sampled_improvements(
            front in front(), log_headroom in -1.0..4.0, mean in -2.0..2.0, sigma in 0.0..1.0,
            known in prop::option::of(-0.2..1.2), cost_mean in -2.0..2.0, cost_sigma in 0.1..1.0, seed in 0u64..1000,
        ) {
            let (value, cost) = (warp(1.0, log_headroom), warp(-1.0, log_headroom));
            let exact = expected_hypervolume_improvement(
                &front,
                |level| value.expected_excess(mean, sigma, level),
                |bound| match known {
                    Some(cost) => f64::max(bound - cost, 0.0),
                    None => cost.expected_excess(cost_mean, cost_sigma, -bound),
                },
            );
            let mut rng = stream(seed, 0, "test");
            let draws = 4000;
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..draws {
                let mut draw = |warp: &Warp, mean, sigma| warp.inverse(mean + sigma * rng.sample::<f64, _>(StandardNormal));
                let drawn_value = draw(&value, mean, sigma);
                let drawn_cost = known.unwrap_or_else(|| -draw(&cost, cost_mean, cost_sigma));
                let gain = front.improvement(Objectives { value: drawn_value, cost: drawn_cost });
                sum += gain;
                squares += gain * gain;
            }
            let sampled = sum / f64::from(draws);
            let error = ((squares / f64::from(draws) - sampled * sampled).max(0.0) / f64::from(draws)).sqrt();
            prop_assert!((exact - sampled).abs() < 5.0 * error + 2e-4, "{exact} against {sampled} +- {error}");
        }

        #[test]
        fn a_better_belief_or_a_lower_cost_is_never_worth_less(
            front in front(), mean in -2.0..2.0, sigma in 0.0..1.0, cost in -0.2..1.2,
        ) {
            let value = warp(1.0, 0.0);
            let at = |mean, cost: f64| {
                expected_hypervolume_improvement(
                    &front, |level| value.expected_excess(mean, sigma, level), |bound| f64::max(bound - cost, 0.0),
                )
            };
            prop_assert!(at(mean + 0.1, cost) >= at(mean, cost));
            prop_assert!(at(mean, cost - 0.1) >= at(mean, cost));
        }
    }
}
