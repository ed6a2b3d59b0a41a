//! RAM accounting, the one truth: where each activation lies in the arena, and how large the arena is.
//!
//! The plan is sound by the rules that the runtime checks (`bomp_runtime::plan`): a residual add writes over an operand
//! that dies there, everything else gets a place of its own while it lives. Placement is greedy over several orders,
//! which reaches the lower bound on nearly every network; [`ArenaPlan::lower_bound`] says when it does not.

use serde::Serialize;

use crate::ir::{Network, Op};

/// Placement of all activations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArenaPlan {
    /// Bytes that the arena needs.
    pub size: usize,
    /// First byte of each tensor, the input first; the classifier's logits are not in the arena and get 0.
    pub offsets: Vec<usize>,
    /// Largest sum of the tensors that live at one time: no plan of these layers can be smaller.
    pub lower_bound: usize,
}

/// Sort key of a buffer: those of the smallest key are placed first.
type Order = fn(&Buffer) -> (usize, usize);

/// Tensors that share one place, and when that place is taken.
#[derive(Clone, Debug)]
struct Buffer {
    bytes: usize,
    first: usize,
    last: usize,
    tensors: Vec<usize>,
}

impl Buffer {
    fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl ArenaPlan {
    /// Plans a validated network.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let buffers = buffers(network);
        let lower_bound = (0..network.layers.len())
            .map(|layer| {
                let live = buffers.iter().filter(|b| b.first <= layer && layer <= b.last);
                live.map(|buffer| buffer.bytes).sum()
            })
            .max()
            .unwrap_or(0);
        let orders: [Order; 4] = [
            |b| (usize::MAX - b.bytes, b.first),
            |b| (usize::MAX - b.bytes * (b.last - b.first + 1), b.first),
            |b| (usize::MAX - (b.last - b.first), usize::MAX - b.bytes),
            |b| (b.first, usize::MAX - b.bytes),
        ];
        let mut best: Option<(usize, Vec<usize>)> = None;
        for order in orders {
            let placed = place(&buffers, order);
            let size = buffers.iter().zip(&placed).map(|(b, offset)| offset + b.bytes).max().unwrap_or(0);
            if best.as_ref().is_none_or(|(smallest, _)| size < *smallest) {
                best = Some((size, placed));
            }
            if best.as_ref().is_some_and(|(smallest, _)| *smallest == lower_bound) {
                break;
            }
        }
        let (size, placed) = best.unwrap_or_default();
        let mut offsets = vec![0; network.layers.len() + 1];
        for (buffer, offset) in buffers.iter().zip(placed) {
            for &tensor in &buffer.tensors {
                offsets[tensor] = offset;
            }
        }
        Self { size, offsets, lower_bound }
    }
}

/// One buffer for each tensor of the arena, but for an add whose operand dies there: it joins the operand's buffer.
fn buffers(network: &Network) -> Vec<Buffer> {
    let shapes = network.shapes();
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut buffer_of = vec![usize::MAX; shapes.len()];
    for tensor in 0..network.layers.len() {
        let written = tensor.saturating_sub(1);
        let last = network.last_reader(tensor).unwrap_or(written);
        let reused = tensor.checked_sub(1).map(|layer| &network.layers[layer]).and_then(|layer| {
            let dying = |&&operand: &&usize| network.last_reader(operand) == Some(written);
            if layer.op == Op::Add { layer.inputs.iter().find(dying) } else { None }
        });
        if let Some(&operand) = reused {
            let buffer = &mut buffers[buffer_of[operand]];
            buffer.last = last;
            buffer.tensors.push(tensor);
            buffer_of[tensor] = buffer_of[operand];
        } else {
            buffer_of[tensor] = buffers.len();
            buffers.push(Buffer {
                bytes: shapes[tensor].elements(),
                first: written,
                last,
                tensors: vec![tensor],
            });
        }
    }
    buffers
}

/// Gives each buffer, in the order of `key`, the lowest place that is free while it lives.
fn place(buffers: &[Buffer], key: impl Fn(&Buffer) -> (usize, usize)) -> Vec<usize> {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&index| key(&buffers[index]));
    let mut offsets = vec![0; buffers.len()];
    let mut placed: Vec<usize> = Vec::new();
    for index in order {
        let mut taken: Vec<(usize, usize)> = placed
            .iter()
            .filter(|&&other| buffers[other].meets(&buffers[index]))
            .map(|&other| (offsets[other], offsets[other] + buffers[other].bytes))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + buffers[index].bytes <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[index] = offset;
        placed.push(index);
    }
    offsets
}
