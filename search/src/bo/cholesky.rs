//! Cholesky factor of a covariance matrix that never fails on a finite matrix, grows by single rows, and solves many
//! right-hand sides at once.

use nalgebra::{Cholesky, DMatrix, DVector, DVectorView, Dyn};

/// Rows of a block: small enough for the cache, large enough for the matrix product.
const BLOCK: usize = 48;

/// The lower-triangular L with L L^T = K + jitter I.
#[derive(Clone, Debug)]
pub(super) struct Factor {
    lower: DMatrix<f64>,
}

impl Factor {
    /// Factorises the symmetric matrix whose lower triangle is given. Where rounding has made it indefinite, a jitter is
    /// added to the diagonal, from 1e-10 of its mean upwards in steps of ten up to that mean. `None` if even that does
    /// not help, as with a matrix that is not finite.
    #[must_use]
    pub(super) fn new(matrix: &DMatrix<f64>) -> Option<Self> {
        let n = matrix.nrows();
        if n == 0 {
            return Some(Self { lower: DMatrix::zeros(0, 0) });
        }
        let mean = matrix.trace() / n as f64;
        let jitters = std::iter::once(0.0).chain((0..=10).map(|i| mean * 1e-10 * 10f64.powi(i)));
        jitters.into_iter().find_map(|jitter| Self::with_jitter(matrix, jitter))
    }

    fn with_jitter(matrix: &DMatrix<f64>, jitter: f64) -> Option<Self> {
        let mut lower = matrix.clone();
        let n = lower.nrows();
        (0..n).for_each(|i| lower[(i, i)] += jitter);
        // Column block by column block, each first reduced by all blocks to the left of it in one matrix product.
        for start in (0..n).step_by(BLOCK) {
            let size = BLOCK.min(n - start);
            let (left, mut rest) = lower.columns_range_pair_mut(..start, start..);
            let mut here = rest.view_mut((start, 0), (n - start, size));
            if start > 0 {
                let across = left.rows(start, size).transpose();
                here.gemm(-1.0, &left.rows(start, n - start), &across, 1.0);
            }
            let mut corner = Cholesky::<f64, Dyn>::new(here.rows(0, size).into_owned())?.unpack_dirty();
            corner.fill_upper_triangle(0.0, 1);
            let below = here.rows(size, n - start - size) * inverted(&corner)?.transpose();
            here.rows_mut(size, n - start - size).copy_from(&below);
            here.rows_mut(0, size).copy_from(&corner);
        }
        lower.fill_upper_triangle(0.0, 1);
        // A pivot lost to cancellation passes the factorisation, but what is solved with it is noise.
        let tiny = 1e-9 * lower.diagonal().amax();
        (lower.iter().all(|x| x.is_finite()) && lower.diagonal().iter().all(|&x| x > tiny))
            .then_some(Self { lower })
    }

    /// The number of rows.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.lower.nrows()
    }

    /// L [n, n].
    #[must_use]
    pub(super) fn lower(&self) -> &DMatrix<f64> {
        &self.lower
    }

    /// L^-1 B, in place of B [n, m].
    pub(super) fn solve_lower(&self, b: &mut DMatrix<f64>) {
        let n = self.len();
        for start in (0..n).step_by(BLOCK) {
            let size = BLOCK.min(n - start);
            let (solved, mut rest) = b.rows_range_pair_mut(..start, start..);
            let mut here = rest.rows_mut(0, size);
            if start > 0 {
                here.gemm(-1.0, &self.lower.view((start, 0), (size, start)), &solved, 1.0);
            }
            // Inverting the small block makes everything a matrix product, the one operation that is fast everywhere.
            let product = self.inverted_corner(start, size) * &here;
            here.copy_from(&product);
        }
    }

    /// L b.
    #[must_use]
    pub(super) fn multiply(&self, b: &DVector<f64>) -> DVector<f64> {
        &self.lower * b
    }

    /// L^-T b.
    #[must_use]
    pub(super) fn solve_upper(&self, b: &DVector<f64>) -> DVector<f64> {
        let mut solved = b.clone();
        let solvable = self.lower.tr_solve_lower_triangular_mut(&mut solved);
        debug_assert!(solvable, "the diagonal of a factor is positive");
        solved
    }

    /// K^-1.
    #[must_use]
    pub(super) fn inverse(&self) -> DMatrix<f64> {
        let n = self.len();
        // First L^-1, of which only the lower triangle is computed.
        let mut half = DMatrix::zeros(n, n);
        for start in (0..n).step_by(BLOCK) {
            let size = BLOCK.min(n - start);
            let corner = self.inverted_corner(start, size);
            if start > 0 {
                let reached = self.lower.view((start, 0), (size, start)) * half.view((0, 0), (start, start));
                half.view_mut((start, 0), (size, start)).gemm(-1.0, &corner, &reached, 0.0);
            }
            half.view_mut((start, start), (size, size)).copy_from(&corner);
        }
        // Then L^-T L^-1, again only the lower triangle. Its factors are 0 above the block.
        let upper = half.transpose();
        let mut inverse = DMatrix::zeros(n, n);
        for start in (0..n).step_by(BLOCK) {
            let (size, rest) = (BLOCK.min(n - start), n - start);
            inverse.view_mut((start, 0), (size, start + size)).gemm(
                1.0,
                &upper.view((start, start), (size, rest)),
                &half.view((start, 0), (rest, start + size)),
                0.0,
            );
        }
        inverse.fill_upper_triangle_with_lower_triangle();
        inverse
    }

    /// The inverse of the block on the diagonal.
    fn inverted_corner(&self, start: usize, size: usize) -> DMatrix<f64> {
        let corner = self.lower.view((start, start), (size, size)).into_owned();
        inverted(&corner).expect("the diagonal of a factor is positive")
    }

    /// Half the log determinant of K.
    #[must_use]
    pub(super) fn half_log_determinant(&self) -> f64 {
        self.lower.diagonal().iter().map(|x| x.ln()).sum()
    }

    /// Adds a row: `solved` is L^-1 k for the covariances k with the rows so far, `variance` the new diagonal element.
    /// What `variance` leaves after them is kept away from 0.
    pub(super) fn push(&mut self, solved: DVectorView<'_, f64>, variance: f64) {
        let n = self.len();
        let pivot = (variance - solved.norm_squared()).max(1e-10 * variance).sqrt();
        self.lower.resize_mut(n + 1, n + 1, 0.0);
        self.lower.view_mut((n, 0), (1, n)).tr_copy_from(&solved);
        self.lower[(n, n)] = pivot;
    }

    /// The last diagonal element.
    ///
    /// # Panics
    /// If the factor is empty.
    #[must_use]
    pub(super) fn last_pivot(&self) -> f64 {
        let n = self.len();
        self.lower[(n - 1, n - 1)]
    }
}

/// The inverse of a small lower triangle; `None` if its diagonal has a 0.
fn inverted(lower: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let mut inverse = DMatrix::identity(lower.nrows(), lower.nrows());
    lower.solve_lower_triangular_mut(&mut inverse).then_some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covariance(n: usize) -> DMatrix<f64> {
        DMatrix::from_fn(n, n, |i, j| {
            (-(i as f64 - j as f64).abs() / 7.0).exp() + if i == j { 0.1 } else { 0.0 }
        })
    }

    #[test]
    fn blocked_solve_and_inverse_are_right_at_every_remainder() {
        for n in [0, 1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5] {
            let k = covariance(n);
            let factor = Factor::new(&k).unwrap();
            assert!((&factor.lower * factor.lower.transpose() - &k).amax() < 1e-12 || n == 0);
            let b = DMatrix::from_fn(n, 4, |i, j| ((i * 7 + j * 3) % 5) as f64);
            let mut x = b.clone();
            factor.solve_lower(&mut x);
            assert!(n == 0 || (&factor.lower * x - b).amax() < 1e-11);
            assert!(n == 0 || (factor.inverse() * k - DMatrix::identity(n, n)).amax() < 1e-10);
        }
    }

    #[test]
    fn growing_by_a_row_is_factorising_the_larger_matrix() {
        let k = covariance(21);
        let mut grown = Factor::new(&k.view((0, 0), (20, 20)).into_owned()).unwrap();
        let mut solved = k.view((0, 20), (20, 1)).into_owned();
        grown.solve_lower(&mut solved);
        grown.push(solved.column(0), k[(20, 20)]);
        assert!((grown.lower - Factor::new(&k).unwrap().lower).amax() < 1e-12);
    }

    #[test]
    fn singular_matrices_get_the_jitter_they_need_and_infinite_ones_are_refused() {
        let ones = DMatrix::from_element(30, 30, 1.0);
        let factor = Factor::new(&ones).unwrap();
        assert!((&factor.lower * factor.lower.transpose() - ones).amax() < 1e-6);
        assert!(Factor::new(&DMatrix::from_element(3, 3, f64::NAN)).is_none());
        let mut grown = factor;
        let mut same = DMatrix::from_element(30, 1, 1.0);
        grown.solve_lower(&mut same);
        grown.push(same.column(0), 1.0);
        assert!(grown.last_pivot() > 0.0);
    }
}
