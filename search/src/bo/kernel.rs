//! The covariance function over mixed ordinal, nominal and real-valued inputs, and its gradient.
//!
//! ```text
//! k(x, x') = main   * mean_i m(d_i / l_i)                 first-order additive: the effect of each dimension by itself
//!          + joint  * m(sqrt(sum_i (d_i / (s l_i))^2))    all inputs together: their interactions
//!          + known  * m(sqrt(sum_f (d_f / l_f)^2))        the features alone
//!          + shared * [x and x' agree on the shared dimensions]
//! ```
//!
//! m is the Matern 5/2 correlation; d_i is the distance between two levels of dimension i (0 or 1, the Hamming distance,
//! on nominal dimensions; scaled to at most 1 on ordinal ones) or between two standardised features; l_i is its length
//! scale, one for each input (automatic relevance determination); s stretches all of them in the interaction term,
//! since distances grow with the number of inputs. The additive term is what lets a few dozen trials say something in
//! 45 dimensions (Duvenaud, Nickisch and Rasmussen, "Additive Gaussian processes", 2011). The features have a term of their
//! own because they say more than any choice does by itself: of how many weights, layers and operations a network is made is
//! most of what a few dozen trainings can tell of its accuracy, and in the other two terms it would be lost among dozens of
//! dimensions.
//!
//! Levels are few, so all terms of a dimension are tabulated for each pair of its levels.

use nalgebra::DMatrix;

use super::inputs::{Geometry, Inputs};

/// The least noise variance of values with unit variance.
const LEAST_NOISE: f64 = 1e-5;

/// The kernel's parameters; everything positive is kept as its natural logarithm, which is what the fit moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Length scale of each input, in units of its distance.
    pub log_lengths: Vec<f64>,
    /// How much longer the length scales are in the interaction term.
    pub log_stretch: f64,
    /// Variance of the additive term.
    pub log_main: f64,
    /// Variance of the interaction term.
    pub log_joint: f64,
    /// Variance of the features' term; without effect where there are none.
    pub log_known: f64,
    /// Variance shared by observations of one realisation.
    pub log_shared: f64,
    /// Variance of the observation noise.
    pub log_noise: f64,
}

impl Parameters {
    /// The inverse of reading all fields in their order.
    ///
    /// # Panics
    /// If there are fewer than six elements.
    #[must_use]
    pub fn from_slice(v: &[f64]) -> Self {
        let (lengths, rest) = v.split_at(v.len() - 6);
        Self {
            log_lengths: lengths.to_vec(),
            log_stretch: rest[0],
            log_main: rest[1],
            log_joint: rest[2],
            log_known: rest[3],
            log_shared: rest[4],
            log_noise: rest[5],
        }
    }
}

/// What one dimension contributes to a covariance.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// To the squared distance of the interaction term.
    squared: f64,
    /// To the sum of additive correlations.
    correlation: f64,
    /// Derivative of that correlation by the logarithm of the length scale.
    slope: f64,
}

/// The kernel at given parameters, tabulated.
#[derive(Clone, Debug)]
pub struct Kernel {
    geometry: Geometry,
    parameters: Parameters,
    /// For each cell the entries of its dimension against each level, at `starts`.
    table: Vec<Entry>,
    starts: Vec<usize>,
    /// Inverse squared length scale of each feature, and the factor on it in the interaction term.
    feature_scales: Vec<f64>,
    stretch: f64,
    main: f64,
    joint: f64,
    known: f64,
    shared: f64,
}

impl Kernel {
    /// The kernel of `geometry` at `parameters`.
    #[must_use]
    pub fn new(geometry: &Geometry, parameters: Parameters) -> Self {
        debug_assert_eq!(parameters.log_lengths.len(), geometry.inputs());
        let stretch = (-2.0 * parameters.log_stretch).exp();
        let mut scales = parameters.log_lengths.iter().map(|log_length| (-2.0 * log_length).exp());
        let (mut table, mut starts) = (Vec::new(), Vec::with_capacity(geometry.cells()));
        for levels in geometry.dimensions() {
            let scale = scales.next().unwrap_or(1.0);
            starts.extend((0..levels.count).map(|level| table.len() + level * levels.count));
            table.extend(levels.squared.iter().map(|squared| {
                let squared = squared * scale;
                let slope = matern_slope(squared) * squared;
                Entry { squared: squared * stretch, correlation: matern(squared), slope }
            }));
        }
        Self {
            table,
            starts,
            feature_scales: scales.collect(),
            stretch,
            main: parameters.log_main.exp() / geometry.dimensions().len() as f64,
            joint: parameters.log_joint.exp(),
            known: if geometry.features() == 0 { 0.0 } else { parameters.log_known.exp() },
            shared: if geometry.shared().is_empty() { 0.0 } else { parameters.log_shared.exp() },
            geometry: geometry.clone(),
            parameters,
        }
    }

    /// The parameters.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The variance of the noise-free value at a point, the same everywhere.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.parameters.log_main.exp() + self.joint + self.known + self.shared
    }

    /// The variance of the noise; never so small that repeated points make a covariance matrix singular.
    #[must_use]
    pub fn noise(&self) -> f64 {
        self.parameters.log_noise.exp() + LEAST_NOISE
    }

    /// The covariances between `a` and `b` [a.len(), b.len()].
    #[must_use]
    pub fn cross(&self, a: &Inputs, b: &Inputs) -> DMatrix<f64> {
        let mut k = DMatrix::zeros(a.len(), b.len());
        let mut against = Against::new(self);
        for (j, mut column) in k.column_iter_mut().enumerate() {
            against.set(b, j);
            column.iter_mut().enumerate().for_each(|(i, out)| *out = against.covariance(a, i));
        }
        k
    }

    /// How alike points are, from 0 to 1 [a.len(), b.len()]: the correlation by the interaction term alone, which falls
    /// to 0 with distance.
    #[must_use]
    pub fn correlation(&self, a: &Inputs, b: &Inputs) -> DMatrix<f64> {
        Self { main: 0.0, joint: 1.0, known: 0.0, shared: 0.0, ..self.clone() }.cross(a, b)
    }

    /// The covariances among noisy observations of `a` [a.len(), a.len()]; above the diagonal it is 0.
    #[must_use]
    pub fn noisy_lower_gram(&self, a: &Inputs) -> DMatrix<f64> {
        let mut k = DMatrix::zeros(a.len(), a.len());
        let mut against = Against::new(self);
        for (j, mut column) in k.column_iter_mut().enumerate() {
            against.set(a, j);
            column[j] = self.variance() + self.noise();
            column.iter_mut().enumerate().skip(j + 1).for_each(|(i, out)| *out = against.covariance(a, i));
        }
        k
    }

    /// Half the sum over all i, j of the symmetric `weights[i, j]` times the derivative of the covariance of the noisy
    /// observations i and j by each parameter, in the order of the fields of [`Parameters`]. Only the diagonal of
    /// `weights` and what is below are read.
    #[must_use]
    pub fn gradient(&self, a: &Inputs, weights: &DMatrix<f64>) -> Vec<f64> {
        let dimensions = self.geometry.dimensions().len();
        let mut lengths = vec![0.0; self.geometry.inputs()];
        let [mut stretch, mut main, mut joint, mut known, mut shared] = [0.0; 5];
        let mut against = Against::new(self);
        for j in 0..a.len() {
            against.set(a, j);
            for i in j + 1..a.len() {
                let weight = weights[(i, j)];
                let Sums { squared, correlations, features } = against.sums(a, i);
                // Weights of the derivatives of this pair's squared distances and of its additive correlations.
                let by_squared = weight * self.joint * matern_slope(squared);
                let by_features = weight * self.known * matern_slope(features);
                let by_correlations = weight * self.main;
                stretch += by_squared * squared;
                main += by_correlations * correlations;
                joint += weight * self.joint * matern(squared);
                known += weight * self.known * matern(features);
                shared += weight * against.shared(a, i);
                let (by_dimension, by_feature) = lengths.split_at_mut(dimensions);
                for (g, &cell) in by_dimension.iter_mut().zip(a.cells(i)) {
                    let entry = against.entries[cell as usize];
                    *g += by_squared * entry.squared + by_correlations * entry.slope;
                }
                for (g, squared) in by_feature.iter_mut().zip(against.feature_distances(a, i)) {
                    *g += (by_squared * self.stretch + by_features) * squared;
                }
            }
        }
        let half_trace = 0.5 * weights.trace();
        main += half_trace * self.parameters.log_main.exp();
        joint += half_trace * self.joint;
        known += half_trace * self.known;
        shared += half_trace * self.shared;
        lengths.extend([stretch, main, joint, known, shared, half_trace * self.parameters.log_noise.exp()]);
        lengths
    }
}

/// The kernel with its second argument held fast.
struct Against<'a> {
    kernel: &'a Kernel,
    /// For each cell what it contributes.
    entries: Vec<Entry>,
    cells: Vec<u32>,
    features: Vec<f64>,
}

/// Of one pair of points.
struct Sums {
    /// The squared distance of the interaction term.
    squared: f64,
    /// The additive correlations.
    correlations: f64,
    /// The squared distance between the features alone.
    features: f64,
}

impl<'a> Against<'a> {
    fn new(kernel: &'a Kernel) -> Self {
        let entries = vec![Entry::default(); kernel.starts.len()];
        Self { kernel, entries, cells: Vec::new(), features: Vec::new() }
    }

    /// Holds point `j` of `b`.
    fn set(&mut self, b: &Inputs, j: usize) {
        self.cells.clear();
        self.cells.extend(b.cells(j));
        self.features.clear();
        self.features.extend(b.features(j));
        for (levels, &cell) in self.kernel.geometry.dimensions().iter().zip(&self.cells) {
            let row = &self.kernel.table[self.kernel.starts[cell as usize]..][..levels.count];
            self.entries[levels.first..][..levels.count].copy_from_slice(row);
        }
    }

    fn covariance(&self, a: &Inputs, i: usize) -> f64 {
        let (kernel, Sums { squared, correlations, features }) = (self.kernel, self.sums(a, i));
        kernel.main * correlations
            + kernel.joint * matern(squared)
            + kernel.known * matern(features)
            + self.shared(a, i)
    }

    fn sums(&self, a: &Inputs, i: usize) -> Sums {
        // Four independent sums: one would wait for each addition before it began the next.
        let mut sums = [(0.0, 0.0); 4];
        let mut cells = a.cells(i).chunks_exact(4);
        for four in &mut cells {
            for (sum, &cell) in sums.iter_mut().zip(four) {
                let entry = &self.entries[cell as usize];
                *sum = (sum.0 + entry.squared, sum.1 + entry.correlation);
            }
        }
        for (sum, &cell) in sums.iter_mut().zip(cells.remainder()) {
            let entry = &self.entries[cell as usize];
            *sum = (sum.0 + entry.squared, sum.1 + entry.correlation);
        }
        let [a0, a1, a2, a3] = sums;
        let features = self.feature_distances(a, i).sum::<f64>();
        Sums {
            squared: (a0.0 + a1.0) + (a2.0 + a3.0) + features * self.kernel.stretch,
            correlations: (a0.1 + a1.1) + (a2.1 + a3.1),
            features,
        }
    }

    /// The squared scaled distances between the features.
    fn feature_distances(&self, a: &Inputs, i: usize) -> impl Iterator<Item = f64> {
        let pairs = a.features(i).iter().zip(&self.features);
        pairs.zip(&self.kernel.feature_scales).map(|((x, y), scale)| (x - y) * (x - y) * scale)
    }

    fn shared(&self, a: &Inputs, i: usize) -> f64 {
        let kernel = self.kernel;
        let agree = || kernel.geometry.shared().iter().all(|&d| a.cells(i)[d] == self.cells[d]);
        if kernel.shared > 0.0 && agree() { kernel.shared } else { 0.0 }
    }
}

/// Matern 5/2 correlation at squared scaled distance `squared`.
fn matern(squared: f64) -> f64 {
    let r = (5.0 * squared).sqrt();
    (1.0 + r + r * r / 3.0) * (-r).exp()
}

/// Minus twice the derivative of [`matern`] by `squared`: multiplied by `squared` it is the derivative by the logarithm
/// of a length scale that divides the distance.
fn matern_slope(squared: f64) -> f64 {
    let r = (5.0 * squared).sqrt();
    5.0 / 3.0 * (1.0 + r) * (-r).exp()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::inputs::tests::{level, mixed_geometry, mixed_inputs};
    use super::*;
    use crate::stream::stream;
    use rand::RngExt;

    pub(crate) fn some_parameters(geometry: &Geometry) -> Parameters {
        let mut rng = stream(3, 0, "test parameters");
        let v: Vec<f64> = (0..geometry.inputs() + 6).map(|_| rng.random_range(-1.5..0.5)).collect();
        Parameters::from_slice(&v)
    }

    #[test]
    fn covariances_are_symmetric_and_positive_definite() {
        let geometry = mixed_geometry();
        let kernel = Kernel::new(&geometry, some_parameters(&geometry));
        let inputs = mixed_inputs(&geometry, 50, 1);
        let full = kernel.cross(&inputs, &inputs);
        assert!((&full - full.transpose()).amax() < 1e-14);
        assert!(full.symmetric_eigenvalues().min() > -1e-10);
        assert!(full.diagonal().iter().all(|k| (k - kernel.variance()).abs() < 1e-12));
        let mut lower = full.lower_triangle();
        (0..50).for_each(|i| lower[(i, i)] += kernel.noise());
        assert!((lower - kernel.noisy_lower_gram(&inputs)).amax() < 1e-14);
    }

    #[test]
    fn it_is_the_formula_of_the_module() {
        let geometry = mixed_geometry();
        let p = some_parameters(&geometry);
        let kernel = Kernel::new(&geometry, p.clone());
        let inputs = mixed_inputs(&geometry, 30, 2);
        let k = kernel.cross(&inputs, &inputs);
        let textbook = |d: f64| (1.0 + 5f64.sqrt() * d + 5.0 * d * d / 3.0) * (-(5f64.sqrt()) * d).exp();
        // Of the levels 0, 1, 2, 4: half by their values, half by their positions.
        let coordinates = [0.0, (0.25 + 1.0 / 3.0) / 2.0, (0.5 + 2.0 / 3.0) / 2.0, 1.0f64];
        for i in 0..30 {
            for j in 0..30 {
                let l = |d, i| level(&geometry, &inputs, d, i);
                let hamming = |d| f64::from(u8::from(l(d, i) != l(d, j)));
                let distances = [
                    (coordinates[l(0, i)] - coordinates[l(0, j)]).abs(),
                    hamming(1),
                    hamming(2),
                    hamming(3),
                    (inputs.features(i)[0] - inputs.features(j)[0]).abs(),
                ];
                let scaled = || distances.iter().zip(&p.log_lengths).map(|(d, l)| d / l.exp());
                let main = scaled().take(4).map(textbook).sum::<f64>() / 4.0;
                let known = textbook(distances[4] / p.log_lengths[4].exp());
                let joint = textbook(scaled().map(|d| (d / p.log_stretch.exp()).powi(2)).sum::<f64>().sqrt());
                let shared = if l(2, i) == l(2, j) && l(3, i) == l(3, j) { p.log_shared.exp() } else { 0.0 };
                let expected =
                    p.log_main.exp() * main + p.log_joint.exp() * joint + p.log_known.exp() * known + shared;
                assert!((k[(i, j)] - expected).abs() < 1e-12);
            }
        }
    }
}
