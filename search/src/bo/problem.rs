//! What the optimiser needs to know of a problem: its dimensions, which points are the same, which are allowed, and
//! what is known of a point before it is tried.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A point of the space: for each dimension the index of the level chosen.
pub type Point = Box<[u16]>;

/// How the levels of a dimension relate to each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Ordered levels at the given coordinates, strictly monotone. They lie apart by their coordinates and by their
    /// positions in equal parts; only ratios of distances matter. Give the logarithm of a quantity that acts by its ratio.
    Ordinal(Vec<f64>),
    /// This many levels without an order: any two different ones are equally far apart.
    Nominal(u16),
}

/// One choice to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// For messages and reports.
    pub name: String,
    /// The levels.
    pub kind: Kind,
}

impl Dimension {
    /// An ordinal dimension with a level at each of `coordinates`.
    pub fn ordinal(name: impl Into<String>, coordinates: impl IntoIterator<Item = f64>) -> Self {
        Self { name: name.into(), kind: Kind::Ordinal(coordinates.into_iter().collect()) }
    }

    /// A nominal dimension with `levels` levels.
    pub fn nominal(name: impl Into<String>, levels: u16) -> Self {
        Self { name: name.into(), kind: Kind::Nominal(levels) }
    }

    /// The number of levels.
    #[must_use]
    pub fn levels(&self) -> usize {
        match &self.kind {
            Kind::Ordinal(coordinates) => coordinates.len(),
            Kind::Nominal(levels) => usize::from(*levels),
        }
    }

    /// The distance between two levels, at most 1.
    pub(super) fn distance(&self, a: usize, b: usize) -> f64 {
        match &self.kind {
            Kind::Nominal(_) => f64::from(u8::from(a != b)),
            Kind::Ordinal(coordinates) => {
                let last = coordinates.len() - 1;
                let range = (coordinates[last] - coordinates[0]).abs();
                if range == 0.0 {
                    return 0.0;
                }
                // Half by coordinates, half by position: levels that crowd at one end, as decades do on a linear scale, stay
                // apart, and no choice of a scale can spoil a dimension.
                let steps = a.abs_diff(b) as f64 / last as f64;
                0.5 * ((coordinates[a] - coordinates[b]).abs() / range + steps)
            }
        }
    }
}

/// A space of points, with the rules that hold in it.
pub trait Problem {
    /// The dimensions, at least one, each with at least one level.
    fn dimensions(&self) -> &[Dimension];

    /// Sets choices that have no effect to a fixed level, so that points which mean the same are equal. Idempotent.
    fn canonicalise(&self, _point: &mut [u16]) {}

    /// For each of the (canonical) points its exact cost, the objective to be lowered, or `None` if the point is
    /// infeasible: such a point is never proposed. Called with whole batches, because an answer may have to come from
    /// another process.
    fn costs(&self, points: &[Point]) -> Vec<Option<f64>>;

    /// Whether [`Problem::costs`] gives the cost. If only a trial can tell, any number there means feasible.
    fn cost_is_known(&self) -> bool {
        true
    }

    /// For each of the (canonical, perhaps infeasible) points the same number of finite quantities that may help to
    /// predict its outcome. A known cost is used without being listed here.
    fn features(&self, points: &[Point]) -> Vec<Vec<f64>> {
        vec![Vec::new(); points.len()]
    }

    /// For each of the (canonical) points what its value would be but for what is still to be learned, where that is known,
    /// e.g. the accuracy of its trained network before quantisation: the surrogate then models the difference alone.
    fn baselines(&self, points: &[Point]) -> Vec<f64> {
        vec![0.0; points.len()]
    }

    /// The dimensions that identify a realisation shared by several observations: those that agree on all of them also
    /// share what chance did to that realisation, e.g. one trained network quantised in several ways. Empty if every
    /// observation stands for itself.
    fn shared(&self) -> &[usize] {
        &[]
    }

    /// A random canonical point, feasible if the problem can arrange it: by default each choice is uniform and
    /// infeasible points are left to [`Problem::costs`]. A problem whose feasible region is small should repair here.
    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        let mut point: Point = self.dimensions().iter().map(|d| random_level(d, rng)).collect();
        self.canonicalise(&mut point);
        point
    }

    /// A random canonical variation of `point`: by default each dimension that has a choice is changed with a
    /// probability that makes it one or two changes on average, and at least one is. Ordinal levels prefer small steps.
    fn mutate(&self, point: &Point, rng: &mut ChaCha8Rng) -> Point {
        let dimensions = self.dimensions();
        let free: Vec<usize> = (0..dimensions.len()).filter(|&i| dimensions[i].levels() > 1).collect();
        let mut child = point.clone();
        if free.is_empty() {
            return child;
        }
        let expected = if rng.random_bool(0.5) { 1.0 } else { 2.0 };
        let rate = (expected / free.len() as f64).min(1.0);
        let forced = free[rng.random_range(0..free.len())];
        for &i in &free {
            if i == forced || rng.random_bool(rate) {
                child[i] = other_level(&dimensions[i], point[i], rng);
            }
        }
        self.canonicalise(&mut child);
        child
    }

    /// The canonical points one choice away from `point`: every other level of a nominal dimension, up to two steps
    /// either way on an ordinal one.
    fn neighbours(&self, point: &Point) -> Vec<Point> {
        let mut found = Vec::new();
        for (i, dimension) in self.dimensions().iter().enumerate() {
            let (here, levels) = (usize::from(point[i]), dimension.levels());
            let range = match dimension.kind {
                Kind::Ordinal(_) => here.saturating_sub(2)..(here + 3).min(levels),
                Kind::Nominal(_) => 0..levels,
            };
            for level in range.filter(|&level| level != here) {
                let mut neighbour = point.clone();
                neighbour[i] = level as u16;
                self.canonicalise(&mut neighbour);
                found.push(neighbour);
            }
        }
        found
    }
}

/// A uniform level of `dimension`.
fn random_level(dimension: &Dimension, rng: &mut ChaCha8Rng) -> u16 {
    rng.random_range(0..dimension.levels()) as u16
}

/// A level of `dimension` other than `level`; on an ordinal dimension half of the time an adjacent one.
fn other_level(dimension: &Dimension, level: u16, rng: &mut ChaCha8Rng) -> u16 {
    let last = dimension.levels() as u16 - 1;
    if matches!(dimension.kind, Kind::Ordinal(_)) && rng.random_bool(0.5) {
        let up = level == 0 || (level < last && rng.random_bool(0.5));
        return if up { level + 1 } else { level - 1 };
    }
    let drawn = rng.random_range(0..last);
    drawn + u16::from(drawn >= level)
}

/// Every canonical point in lexicographic order, or `None` if the space has more than `limit` points before
/// canonicalisation.
pub(super) fn enumerate(problem: &dyn Problem, limit: usize) -> Option<Vec<Point>> {
    let dimensions = problem.dimensions();
    let raw = dimensions.iter().try_fold(1usize, |n, d| n.checked_mul(d.levels()).filter(|&n| n <= limit))?;
    let mut points = Vec::with_capacity(raw);
    let mut point: Point = vec![0; dimensions.len()].into();
    for _ in 0..raw {
        let mut canonical = point.clone();
        problem.canonicalise(&mut canonical);
        points.push(canonical);
        for (choice, dimension) in point.iter_mut().zip(dimensions).rev() {
            *choice += 1;
            if usize::from(*choice) < dimension.levels() {
                break;
            }
            *choice = 0;
        }
    }
    points.sort_unstable();
    points.dedup();
    Some(points)
}
