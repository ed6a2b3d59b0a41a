//! The exact two-objective front: a value to raise against a cost to lower.
//!
//! [`Front`] holds only mutually non-dominated points inside the reference box, sorted by cost, so values rise with
//! cost; its hypervolume is exact. Points that do not improve on the reference in both objectives never enter.

/// The corner of the objective space from which the hypervolume is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reference {
    /// Values up to this one are worth nothing.
    pub value: f64,
    /// Costs from this one up are worth nothing.
    pub cost: f64,
}

/// A point of the objective space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objectives {
    /// To be raised, e.g. accuracy.
    pub value: f64,
    /// To be lowered, e.g. the logarithm of a size.
    pub cost: f64,
}

/// The non-dominated subset of the points inserted so far.
#[derive(Clone, Debug)]
pub struct Front {
    reference: Reference,
    points: Vec<Objectives>,
}

impl Front {
    /// An empty front.
    #[must_use]
    pub fn new(reference: Reference) -> Self {
        Self { reference, points: Vec::new() }
    }

    /// The front of `points`.
    pub fn of(reference: Reference, points: impl IntoIterator<Item = Objectives>) -> Self {
        let mut front = Self::new(reference);
        points.into_iter().for_each(|p| {
            front.insert(p);
        });
        front
    }

    /// Inserts `p` and drops what it dominates. Returns whether the front changed: false for points that are dominated
    /// by or equal to a member, outside the reference box, or not finite.
    pub fn insert(&mut self, p: Objectives) -> bool {
        let inside = p.value > self.reference.value && p.cost < self.reference.cost && p.cost.is_finite();
        if !inside || self.level(p.cost) >= p.value {
            return false;
        }
        let from = self.points.partition_point(|q| q.cost < p.cost);
        let dominated = self.points[from..].iter().take_while(|q| q.value <= p.value).count();
        self.points.splice(from..from + dominated, [p]);
        true
    }

    /// The members, by rising cost and so by rising value.
    #[must_use]
    pub fn points(&self) -> &[Objectives] {
        &self.points
    }

    /// The corner that hypervolumes are measured from.
    #[must_use]
    pub fn reference(&self) -> Reference {
        self.reference
    }

    /// The best value to be had at a cost of at most `cost`; the reference value if there is none.
    #[must_use]
    pub fn level(&self, cost: f64) -> f64 {
        match self.points.partition_point(|q| q.cost <= cost) {
            0 => self.reference.value,
            n => self.points[n - 1].value,
        }
    }

    /// The steps of the front as `(upper end of the cost interval, level)`, by rising cost: from minus infinity to the
    /// first member the level is the reference value, and the last interval ends at the reference cost.
    pub fn steps(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let ends = self.points.iter().map(|p| p.cost).chain([self.reference.cost]);
        let levels = [self.reference.value].into_iter().chain(self.points.iter().map(|p| p.value));
        ends.zip(levels)
    }

    /// The area dominated by the front within the reference box.
    #[must_use]
    pub fn hypervolume(&self) -> f64 {
        let ends = self.points.iter().skip(1).map(|p| p.cost).chain([self.reference.cost]);
        let areas =
            self.points.iter().zip(ends).map(|(p, end)| (end - p.cost) * (p.value - self.reference.value));
        // The sum of nothing is -0.
        areas.sum::<f64>() + 0.0
    }

    /// The area that only member `i` dominates.
    ///
    /// # Panics
    /// If there is no member `i`.
    #[must_use]
    pub fn contribution(&self, i: usize) -> f64 {
        let below = if i == 0 { self.reference.value } else { self.points[i - 1].value };
        let end = self.points.get(i + 1).map_or(self.reference.cost, |p| p.cost);
        (end - self.points[i].cost) * (self.points[i].value - below)
    }

    /// By how much `p` would raise the hypervolume.
    #[must_use]
    pub fn improvement(&self, p: Objectives) -> f64 {
        let mut start = f64::NEG_INFINITY;
        let mut sum = 0.0;
        for (end, level) in self.steps() {
            let width = (end - start.max(p.cost)).max(0.0);
            sum += width * (p.value - level).max(0.0);
            start = end;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REFERENCE: Reference = Reference { value: 0.0, cost: 1.0 };

    fn points() -> impl Strategy<Value = Vec<Objectives>> {
        // A coarse grid, reaching outside the box, so that ties and dominated points are common.
        let coordinate = || (-2..13i32).prop_map(|i| f64::from(i) / 10.0);
        prop::collection::vec((coordinate(), coordinate()), 0..12)
            .prop_map(|v| v.into_iter().map(|(value, cost)| Objectives { value, cost }).collect())
    }

    /// Area of the union of the boxes by inclusion and exclusion over all subsets.
    fn by_inclusion_exclusion(points: &[Objectives]) -> f64 {
        (1u32..1 << points.len())
            .map(|subset| {
                let members =
                    || points.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1).map(|(_, p)| p);
                let height =
                    members().map(|p| p.value - REFERENCE.value).fold(f64::INFINITY, f64::min).max(0.0);
                let width = members().map(|p| REFERENCE.cost - p.cost).fold(f64::INFINITY, f64::min).max(0.0);
                if subset.count_ones() % 2 == 1 { height * width } else { -height * width }
            })
            .sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn hypervolume_is_the_area_of_the_union(points in points()) {
            let front = Front::of(REFERENCE, points.iter().copied());
            prop_assert!((front.hypervolume() - by_inclusion_exclusion(&points)).abs() < 1e-9);
        }

        #[test]
        fn members_are_the_non_dominated_points_whatever_the_order(points in points()) {
            let dominated = |p: &Objectives| {
                points.iter().any(|q| q != p && q.value >= p.value && q.cost <= p.cost)
            };
            let mut expected: Vec<Objectives> = points.iter().copied()
                .filter(|p| p.value > REFERENCE.value && p.cost < REFERENCE.cost && !dominated(p)).collect();
            expected.sort_by(|a, b| a.cost.total_cmp(&b.cost));
            expected.dedup();
            let front = Front::of(REFERENCE, points.iter().copied());
            prop_assert_eq!(front.points(), &expected[..]);
            let reversed = Front::of(REFERENCE, points.iter().rev().copied());
            prop_assert_eq!(front.points(), reversed.points());
        }

        #[test]
        fn contribution_and_improvement_are_differences_of_hypervolumes(points in points(), value in -0.2..1.2, cost in -0.2..1.2) {
            let mut front = Front::of(REFERENCE, points.iter().copied());
            let whole = front.hypervolume();
            for i in 0..front.points().len() {
                let others = front.points().iter().enumerate().filter(|(j, _)| *j != i).map(|(_, p)| *p);
                let rest = Front::of(REFERENCE, others).hypervolume();
                prop_assert!((whole - rest - front.contribution(i)).abs() < 1e-9);
            }
            let p = Objectives { value, cost };
            let gain = front.improvement(p);
            let changed = front.insert(p);
            prop_assert!((front.hypervolume() - whole - gain).abs() < 1e-9);
            prop_assert_eq!(changed, gain > 0.0);
        }
    }

    #[test]
    fn nothing_is_worth_zero_and_not_minus_zero() {
        assert!(Front::new(REFERENCE).hypervolume().is_sign_positive());
    }

    #[test]
    fn not_a_number_never_enters() {
        let mut front = Front::new(REFERENCE);
        for (value, cost) in [(f64::NAN, 0.5), (0.5, f64::NAN), (0.5, f64::NEG_INFINITY)] {
            assert!(!front.insert(Objectives { value, cost }));
        }
    }
}
