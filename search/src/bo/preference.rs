//! Which part of the hypervolume the search looks for.
//!
//! Measured from a corner that any network reaches, such as the accuracy of a constant answer, the hypervolume also grows by
//! tiny networks that are hardly better than that corner, over the whole logarithm of the size. Nobody has a use for them,
//! and they would take a large part of the trials. So the acquisition weighs the hypervolume (Zitzler, Brockhoff and Thiele,
//! "The hypervolume indicator revisited", 2007): a step function of the value, which rises between the reference and the
//! best value known. It moves with the best value, so that it needs no knowledge of the problem. The hypervolume that is
//! reported has no weights.

/// Weights of the hypervolume along the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// All of it counts alike.
    #[default]
    Uniform,
    /// High values count more than those close to the reference.
    High,
}

/// At each of these parts of the way from the reference (0) to the best value known (1) the weight rises by the second number.
/// They add up to 1, the weight of the best values.
const STEPS: [(f64, f64); 2] = [(0.0, 0.1), (0.7, 0.9)];

/// Values and by how much the weight rises at each of them, by rising value.
pub type Steps = Vec<(f64, f64)>;

impl Preference {
    /// The weight between `reference` and the best value known.
    #[must_use]
    pub fn steps(self, reference: f64, best: f64) -> Steps {
        let way = (best - reference).max(0.0);
        match self {
            Self::Uniform => vec![(reference, 1.0)],
            Self::High => STEPS.iter().map(|&(part, weight)| (reference + part * way, weight)).collect(),
        }
    }
}

/// What a value gains above `level` under the weight of `steps`, given what it gains above any level without weights: the
/// weighted area is the sum of the areas above each step.
pub fn weighted(steps: &[(f64, f64)], level: f64, above: impl Fn(f64) -> f64) -> f64 {
    steps.iter().map(|&(from, weight)| weight * above(level.max(from))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_weighted_gain_is_the_integral_of_the_weight(
            reference in 0.0..0.5_f64, way in 0.0..0.5_f64, level in 0.0..1.0_f64, value in 0.0..1.2_f64,
        ) {
            for preference in [Preference::Uniform, Preference::High] {
                let steps = preference.steps(reference, reference + way);
                let level = f64::max(level, reference);
                let gained = weighted(&steps, level, |level| (value - level).max(0.0));
                let weight = |at: f64| steps.iter().filter(|(from, _)| *from <= at).map(|(_, w)| w).sum::<f64>();
                let (parts, width) = (20_000, (value - level).max(0.0) / 20_000.0);
                let integral: f64 =
                    (0..parts).map(|i| width * weight(level + (f64::from(i) + 0.5) * width)).sum();
                prop_assert!((gained - integral).abs() < 1e-4, "{gained} {integral}");
            }
        }
    }

    #[test]
    fn the_best_values_have_the_whole_weight_and_those_at_the_reference_little() {
        let steps = Preference::High.steps(0.1, 0.5);
        assert!((steps.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(steps[0].0 == 0.1 && steps[0].1 < 0.5);
        assert!(steps.windows(2).all(|w| w[0].0 < w[1].0 && w[1].0 < 0.5), "{steps:?}");
    }

    #[test]
    fn without_a_value_above_the_reference_all_steps_are_at_it() {
        assert!(Preference::High.steps(0.25, 0.2).iter().all(|&(from, _)| from == 0.25));
    }
}
