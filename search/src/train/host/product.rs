//! Matrix products on tiles: the inner loops of pointwise convolutions, of the classifier and of their gradients.
//!
//! A tile is some columns of a matrix whose rows are channels, small enough to stay in the first-level cache. Rows come
//! in fours; those that a matrix lacks are zero.

use fearless_simd::{Simd, SimdBase, SimdFloat, f32x16};

use super::lanes::Lanes;

/// Columns of a tile, in groups of sixteen images.
pub(super) const TILE: usize = 8;
/// Rows that are computed together.
pub(super) const ROWS: usize = 4;

/// A row of a tile.
pub(super) type Row = [Lanes; TILE];
/// Sums of products of [`ROWS`] by [`ROWS`] rows, the lanes not yet added up.
pub(super) type Block = [[Lanes; ROWS]; ROWS];

/// A matrix [M, K] in the order in which [`product`] reads it: for each four rows, the four elements of each column.
#[derive(Debug, Default)]
pub(super) struct Packed {
    elements: Vec<[f32; ROWS]>,
    columns: usize,
}

impl Packed {
    /// Packs the matrix whose element in `row` and `column` is `element(row, column)`.
    pub(super) fn pack(&mut self, rows: usize, columns: usize, element: impl Fn(usize, usize) -> f32) {
        self.columns = columns;
        self.elements.clear();
        for first in (0..rows).step_by(ROWS) {
            self.elements.extend((0..columns).map(|column| {
                let mut four = [0.0; ROWS];
                for (row, value) in (first..rows).zip(&mut four) {
                    *value = element(row, column);
                }
                four
            }));
        }
    }

    /// Each four rows.
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[[f32; ROWS]]> {
        self.elements.chunks_exact(self.columns)
    }
}

/// Vectors of a row that a kernel keeps in registers, with four rows: there are 32 registers of sixteen floats or 16 of
/// eight.
pub(super) const fn wide<S: Simd>() -> bool {
    S::f32s::LEN >= 16
}

/// Four rows of a matrix times a tile with as many rows as that has columns.
#[inline(always)]
pub(super) fn product<S: Simd>(simd: S, weights: &[[f32; ROWS]], tile: &[Row], result: &mut [Row; ROWS]) {
    if wide::<S>() {
        columns::<S, 4>(simd, weights, tile, result);
    } else {
        columns::<S, 1>(simd, weights, tile, result);
    }
}

#[inline(always)]
fn columns<S: Simd, const N: usize>(
    simd: S,
    weights: &[[f32; ROWS]],
    tile: &[Row],
    result: &mut [Row; ROWS],
) {
    for part in 0..TILE / N {
        let mut sums = [[f32x16::splat(simd, 0.0); N]; ROWS];
        for (weights, row) in weights.iter().zip(tile) {
            let row = &row.as_chunks::<N>().0[part];
            for (sums, &weight) in sums.iter_mut().zip(weights) {
                let weight = f32x16::splat(simd, weight);
                for (sum, lanes) in sums.iter_mut().zip(row) {
                    *sum = weight.mul_add(lanes.load(simd), *sum);
                }
            }
        }
        for (result, sums) in result.iter_mut().zip(sums) {
            let result = &mut result.as_chunks_mut::<N>().0[part];
            for (result, sum) in result.iter_mut().zip(sums) {
                result.store(sum);
            }
        }
    }
}

/// Adds the products of four rows of one tile with four rows of another, column by column, to `block`.
#[inline(always)]
pub(super) fn add_outer<S: Simd>(simd: S, left: &[Row; ROWS], right: &[Row; ROWS], block: &mut Block) {
    if wide::<S>() {
        outer::<S, 4>(simd, left, right, block);
    } else {
        outer::<S, 2>(simd, left, right, block);
    }
}

#[inline(always)]
fn outer<S: Simd, const N: usize>(simd: S, left: &[Row; ROWS], right: &[Row; ROWS], block: &mut Block) {
    for (left, block) in left.as_chunks::<N>().0.iter().zip(block.as_chunks_mut::<N>().0) {
        for (part, right) in right.as_chunks::<N>().0.iter().enumerate() {
            let mut sums = [[f32x16::splat(simd, 0.0); N]; N];
            for (sums, block) in sums.iter_mut().zip(block.iter()) {
                for (sum, lanes) in sums.iter_mut().zip(&block.as_chunks::<N>().0[part]) {
                    *sum = lanes.load(simd);
                }
            }
            for column in 0..TILE {
                let mut of_right = [f32x16::splat(simd, 0.0); N];
                for (value, row) in of_right.iter_mut().zip(right) {
                    *value = row[column].load(simd);
                }
                for (sums, row) in sums.iter_mut().zip(left) {
                    let of_left = row[column].load(simd);
                    for (sum, value) in sums.iter_mut().zip(of_right) {
                        *sum = of_left.mul_add(value, *sum);
                    }
                }
            }
            for (sums, block) in sums.iter().zip(block.iter_mut()) {
                for (&sum, lanes) in sums.iter().zip(&mut block.as_chunks_mut::<N>().0[part]) {
                    lanes.store(sum);
                }
            }
        }
    }
}
