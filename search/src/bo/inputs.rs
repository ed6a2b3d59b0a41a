//! Points as the kernel reads them: each choice as a cell of one table over all levels of all dimensions.

use super::problem::{Dimension, Point};

/// What the kernel knows of a space.
#[derive(Clone, Debug)]
pub struct Geometry {
    dimensions: Vec<Levels>,
    features: usize,
    shared: Vec<usize>,
}

/// The levels of one dimension.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    /// The cell of its first level.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Squared distances between them [count, count].
    pub(super) squared: Vec<f64>,
}

impl Levels {
    /// How far two different levels lie apart on average; 1 if there is only one.
    pub(super) fn mean_distance(&self) -> f64 {
        let pairs = self.count * (self.count - 1);
        if pairs == 0 { 1.0 } else { self.squared.iter().map(|d| d.sqrt()).sum::<f64>() / pairs as f64 }
    }
}

impl Geometry {
    /// The geometry of `dimensions` with `features` real-valued features beside them; `shared` as in
    /// [`Problem::shared`](super::problem::Problem::shared).
    #[must_use]
    pub fn new(dimensions: &[Dimension], features: usize, shared: &[usize]) -> Self {
        let mut first = 0;
        let levels = |d: &Dimension| {
            let count = d.levels();
            first += count;
            let squared = (0..count * count).map(|i| d.distance(i / count, i % count).powi(2)).collect();
            Levels { first: first - count, count, squared }
        };
        Self { dimensions: dimensions.iter().map(levels).collect(), features, shared: shared.to_vec() }
    }

    /// The number of length scales: dimensions and features.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.dimensions.len() + self.features
    }

    /// The number of features.
    pub(super) fn features(&self) -> usize {
        self.features
    }

    pub(super) fn dimensions(&self) -> &[Levels] {
        &self.dimensions
    }

    /// The dimensions that identify a shared realisation.
    pub(super) fn shared(&self) -> &[usize] {
        &self.shared
    }

    /// The number of levels of all dimensions together.
    pub(super) fn cells(&self) -> usize {
        self.dimensions.last().map_or(0, |last| last.first + last.count)
    }
}

/// A batch of points.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The cell of each choice [len, dimensions].
    cells: Vec<u32>,
    /// [len, features].
    features: Vec<f64>,
    widths: (usize, usize),
    len: usize,
}

impl Inputs {
    /// The batch of `rows`, each a point and its features.
    #[must_use]
    pub fn new<'a>(geometry: &Geometry, rows: impl IntoIterator<Item = (&'a Point, &'a [f64])>) -> Self {
        let mut inputs = Self { widths: (geometry.dimensions.len(), geometry.features), ..Self::default() };
        for (point, features) in rows {
            debug_assert_eq!((point.len(), features.len()), inputs.widths);
            let cell = |(levels, &level): (&Levels, &u16)| levels.first as u32 + u32::from(level);
            inputs.cells.extend(geometry.dimensions.iter().zip(point.iter()).map(cell));
            inputs.features.extend(features);
            inputs.len += 1;
        }
        inputs
    }

    /// The number of points.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no points.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The cells of point `i`, one for each dimension.
    pub(super) fn cells(&self, i: usize) -> &[u32] {
        &self.cells[i * self.widths.0..][..self.widths.0]
    }

    /// The features of point `i`.
    pub(super) fn features(&self, i: usize) -> &[f64] {
        &self.features[i * self.widths.1..][..self.widths.1]
    }

    /// The points with the given indices.
    #[must_use]
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut selected = Self { widths: self.widths, len: indices.len(), ..Self::default() };
        for &i in indices {
            selected.cells.extend(self.cells(i));
            selected.features.extend(self.features(i));
        }
        selected
    }

    /// Appends the points of `other`.
    pub fn extend(&mut self, other: &Self) {
        debug_assert_eq!(self.widths, other.widths);
        self.cells.extend(&other.cells);
        self.features.extend(&other.features);
        self.len += other.len;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stream::stream;
    use rand::RngExt;

    /// Two ordinal and two nominal dimensions, one feature; the last two dimensions identify a realisation.
    pub(crate) fn mixed_geometry() -> Geometry {
        let dimensions = [
            Dimension::ordinal("a", [0.0, 1.0, 2.0, 4.0]),
            Dimension::nominal("b", 3),
            Dimension::ordinal("c", [1.0, 2.0]),
            Dimension::nominal("d", 4),
        ];
        Geometry::new(&dimensions, 1, &[2, 3])
    }

    pub(crate) fn mixed_inputs(geometry: &Geometry, n: usize, seed: u64) -> Inputs {
        let mut rng = stream(seed, 0, "test inputs");
        let rows: Vec<(Point, [f64; 1])> = (0..n)
            .map(|_| {
                let point = geometry.dimensions.iter().map(|d| rng.random_range(0..d.count) as u16).collect();
                (point, [rng.random_range(0.0..1.0)])
            })
            .collect();
        Inputs::new(geometry, rows.iter().map(|(point, features)| (point, &features[..])))
    }

    /// The level of point `i` in dimension `d`.
    pub(crate) fn level(geometry: &Geometry, inputs: &Inputs, d: usize, i: usize) -> usize {
        inputs.cells(i)[d] as usize - geometry.dimensions[d].first
    }

    #[test]
    fn selecting_and_extending_keep_cells_and_features_together() {
        let geometry = mixed_geometry();
        let all = mixed_inputs(&geometry, 5, 1);
        let mut joined = all.select(&[3, 1]);
        joined.extend(&all.select(&[4]));
        for (i, from) in [3, 1, 4].into_iter().enumerate() {
            assert_eq!((joined.cells(i), joined.features(i)), (all.cells(from), all.features(from)));
        }
        assert_eq!(joined.len(), 3);
    }
}
