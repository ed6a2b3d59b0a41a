//! Convolutions over all channels and the classifier: products of a matrix of weights with tiles of the input.
//!
//! A tile is read once, normalised on the way, used for everything while it is in the first-level cache, and each result
//! is stored once. The backward pass makes both gradients, w.r.t. the weights and w.r.t. the input, from the same two tiles.

use std::ops::Range;

use fearless_simd::Simd;

use super::lanes::{Batch, Lanes};
use super::product::{Block, Packed, ROWS, Row, TILE, add_outer, product};
use super::tensor::{Above, ChannelFinish, Finish, Gradient, Pair, Sums, Tensor};
use bomp_export::ir::Window;

const EMPTY: Row = [Lanes::ZERO; TILE];

/// What the rows of a matrix product are made from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows {
    /// Each channel is a row: a pointwise convolution.
    Channels,
    /// Each tap of a kernel on each channel is a row; outputs per row of the image.
    Taps(Window, usize),
    /// Each element is a row: the classifier.
    Elements,
}

/// A layer's geometry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) rows: Rows,
    /// Rows of the input's matrix, which are the columns of the weights' matrix.
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Elements of a row of the output, in groups.
    pub(super) run: usize,
}

/// A layer's geometry and its weights [outputs, inputs].
#[derive(Clone, Copy, Debug)]
pub(super) struct TiledLayer<'a> {
    pub(super) geometry: Geometry,
    pub(super) weights: &'a [f32],
}

/// Memory for tiles and packed weights.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    weights: Packed,
    input: Vec<Row>,
    output: Vec<Row>,
    blocks: Vec<Block>,
}

fn reserve(tile: &mut Vec<Row>, rows: usize) {
    tile.clear();
    tile.resize(rows.next_multiple_of(ROWS), EMPTY);
}

/// The rows of `input` at `columns`.
#[inline(always)]
fn read<S: Simd>(
    simd: S,
    geometry: &Geometry,
    input: &Tensor,
    batch: &Batch,
    columns: Range<usize>,
    tile: &mut [Row],
) {
    let (first, count) = (columns.start, columns.len());
    match geometry.rows {
        Rows::Channels | Rows::Elements => {
            let rows = input.data.chunks_exact(geometry.run);
            let per_channel = geometry.inputs / input.channels;
            for (index, (row, to)) in rows.zip(tile.iter_mut()).enumerate() {
                let view = input.view.of(simd, if per_channel == 1 { index } else { index / per_channel });
                view.read_run(&row[first..][..count], &mut to[..count]);
                to[count..].fill(Lanes::ZERO);
                batch.clear(&mut to[..count], first);
            }
        }
        Rows::Taps(window, width) => {
            let kernel = window.kernel;
            let [top, left, ..] = window.padding;
            let mut rows = tile.iter_mut();
            for channel in 0..input.channels {
                let (view, from) = (input.view.of(simd, channel), input.channel(channel, batch));
                for tap in 0..kernel * kernel {
                    let to = rows.next().expect("a row for each tap of each channel");
                    for (column, to) in to.iter_mut().enumerate() {
                        let (pixel, group) =
                            ((first + column) / batch.groups, (first + column) % batch.groups);
                        let y = (pixel / width * window.stride + tap / kernel).wrapping_sub(top);
                        let x = (pixel % width * window.stride + tap % kernel).wrapping_sub(left);
                        // Above and left of the image, too, the position is not below its size.
                        if column < count && y < input.height && x < input.width {
                            let at = (y * input.width + x) * batch.groups + group;
                            view.read_run(&from[at..=at], std::slice::from_mut(to));
                        } else {
                            *to = Lanes::ZERO;
                        }
                    }
                    batch.clear(&mut to[..count], first);
                }
            }
        }
    }
}

/// Forward pass: fills the output, and the sums as `finish` says.
#[inline(always)]
pub(super) fn forward<S: Simd>(
    simd: S,
    TiledLayer { geometry, weights }: TiledLayer<'_>,
    input: &Tensor,
    finish: Finish<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    (output, sums): (&mut [Lanes], &mut Sums),
) {
    let Geometry { inputs, outputs, run, .. } = geometry;
    scratch.weights.pack(outputs, inputs, |row, column| weights[row * inputs + column]);
    reserve(&mut scratch.input, inputs);
    let mut result = [EMPTY; ROWS];
    for first in (0..run).step_by(TILE) {
        let count = TILE.min(run - first);
        read(simd, &geometry, input, batch, first..first + count, &mut scratch.input);
        for (index, weights) in scratch.weights.blocks().enumerate() {
            product(simd, weights, &scratch.input, &mut result);
            for (channel, result) in (index * ROWS..outputs).zip(&result) {
                let (finish, mut pair) = (finish.of(simd, channel), Pair::zero(simd));
                let to = &mut output[channel * run + first..][..count];
                for (lanes, to) in result.iter().zip(to) {
                    to.store(finish.apply(lanes.load(simd), &mut pair));
                }
                if matches!(finish, ChannelFinish::Measure) {
                    pair.add_to(simd, &mut sums.pairs[channel]);
                }
            }
        }
    }
}

/// Backward pass: adds the gradient w.r.t. the weights to `by_weights`, and that w.r.t. the input to
/// `by_input`, if there is one.
#[inline(always)]
pub(super) fn backward<S: Simd>(
    simd: S,
    TiledLayer { geometry, weights }: TiledLayer<'_>,
    input: &Tensor,
    above: Above<'_>,
    batch: &Batch,
    scratch: &mut Scratch,
    (by_weights, mut by_input): (&mut [f32], Option<&mut Gradient>),
) {
    let Geometry { inputs, outputs, run, .. } = geometry;
    let first_part = by_input.as_ref().is_some_and(|gradient| !gradient.filled);
    if by_input.is_some() {
        scratch.weights.pack(inputs, outputs, |row, column| weights[column * inputs + row]);
    }
    let per_channel = inputs / input.channels;
    reserve(&mut scratch.input, inputs);
    reserve(&mut scratch.output, outputs);
    let [in_blocks, out_blocks] = [inputs, outputs].map(|rows| rows.div_ceil(ROWS));
    scratch.blocks.clear();
    scratch.blocks.resize(in_blocks * out_blocks, [[Lanes::ZERO; ROWS]; ROWS]);
    let mut result = [EMPTY; ROWS];
    for first in (0..run).step_by(TILE) {
        let count = TILE.min(run - first);
        read(simd, &geometry, input, batch, first..first + count, &mut scratch.input);
        for (channel, to) in scratch.output[..outputs].iter_mut().enumerate() {
            above.read_run(simd, channel, channel * run + first, &mut to[..count]);
            to[count..].fill(Lanes::ZERO);
            batch.clear(&mut to[..count], first);
        }
        let mut blocks = scratch.blocks.iter_mut();
        for left in scratch.output.as_chunks::<ROWS>().0 {
            for (right, block) in scratch.input.as_chunks::<ROWS>().0.iter().zip(&mut blocks) {
                add_outer(simd, left, right, block);
            }
        }
        let Some(by_input) = &mut by_input else { continue };
        for (index, weights) in scratch.weights.blocks().enumerate() {
            product(simd, weights, &scratch.output, &mut result);
            for (row, result) in (index * ROWS..inputs).zip(&result) {
                let channel = if per_channel == 1 { row } else { row / per_channel };
                let view = input.view.of(simd, channel);
                let mut pair = Pair::zero(simd);
                let part = row * run + first..row * run + first + count;
                let to = &mut by_input.data[part.clone()];
                let columns = result.iter().zip(&scratch.input[row]).zip(&input.data[part]).zip(to);
                for (((gradient, read), stored), to) in columns {
                    let gradient = view.pass(read.load(simd), gradient.load(simd));
                    pair.add(gradient, stored.load(simd));
                    to.store(if first_part { gradient } else { gradient + to.load(simd) });
                }
                pair.add_to(simd, &mut by_input.sums.pairs[channel]);
            }
        }
    }
    for (index, block) in scratch.blocks.iter().enumerate() {
        let (first_output, first_input) = (index / in_blocks * ROWS, index % in_blocks * ROWS);
        for (output, row) in (first_output..outputs).zip(block) {
            for (input, sum) in (first_input..inputs).zip(row) {
                by_weights[output * inputs + input] += sum.total() as f32;
            }
        }
    }
}
