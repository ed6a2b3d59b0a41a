//! The placement problem of a network: items that need a place, and which of them meet.

use bomp_runtime::arena::ALIGNMENT;
use bomp_runtime::kernels::scratch_words;

use super::geometry;
use crate::ir::{Network, Op};

/// Tensors that share one first byte, or a layer's scratch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Bytes of the largest tensor.
    pub(super) bytes: usize,
    /// First and last layer of its life.
    pub(super) life: [usize; 2],
    /// 1, or that of scratch.
    pub(super) alignment: usize,
}

/// Two items that live at one time: of `item` at most `own` bytes, of `other` `others`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Conflict {
    pub(super) item: usize,
    pub(super) other: usize,
    pub(super) own: usize,
    pub(super) others: usize,
}

/// One of an add's operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    First,
    Second,
}

/// Everything that the placement depends on.
pub(super) struct Problem {
    pub(super) items: Vec<Item>,
    /// Sorted; each pair from both sides.
    conflicts: Vec<Conflict>,
    /// Of each item the first of its conflicts, and the number of all.
    first_conflict: Vec<usize>,
    /// Item of each tensor; `None` for the logits.
    pub(super) item_of: Vec<Option<usize>>,
    /// Bytes of each tensor; 0 for the logits.
    pub(super) tensor_bytes: Vec<usize>,
    /// First and last layer of each tensor's life.
    pub(super) lives: Vec<[usize; 2]>,
    /// Words of scratch of each layer.
    pub(super) words: Vec<usize>,
    /// Sum of the bytes that live during each layer.
    pub(super) layer_bytes: Vec<usize>,
}

impl Problem {
    /// Of a validated network. Where both operands of an add die there, its output takes the place of the `preferred` one.
    pub(super) fn of(network: &Network, preferred: Operand) -> Self {
        let shapes = network.shapes();
        let count = network.layers.len();
        let mut lives: Vec<[usize; 2]> = (0..=count).map(|tensor| [tensor.saturating_sub(1); 2]).collect();
        for (layer, reads) in network.layers.iter().enumerate() {
            for &input in &reads.inputs {
                lives[input][1] = layer;
            }
        }
        let mut tensor_bytes: Vec<usize> = shapes.iter().map(|shape| shape.elements()).collect();
        tensor_bytes[count] = 0;
        let mut problem = Self {
            items: Vec::with_capacity(2 * count),
            conflicts: Vec::with_capacity(8 * count),
            first_conflict: Vec::new(),
            item_of: vec![None; count + 1],
            tensor_bytes,
            lives,
            words: vec![0; count],
            layer_bytes: Vec::with_capacity(count),
        };
        problem.add_tensor(0);
        // Items that live during the layer, with their bytes.
        let mut live: Vec<(usize, usize)> = Vec::new();
        let mut tensors = vec![0];
        for (layer, of) in network.layers.iter().enumerate() {
            let mut dying = of.inputs.iter().copied().filter(|&input| problem.lives[input][1] == layer);
            let dying = match preferred {
                Operand::First => dying.next(),
                Operand::Second => dying.next_back(),
            };
            let [apart, in_place] = [false, true].map(|in_place| geometry(network, &shapes, layer, in_place));
            let [apart_words, in_place_words] = [apart, in_place].map(|geometry| scratch_words(&geometry));
            let output_bytes = problem.tensor_bytes[layer + 1];
            // Only what lives during this layer depends on the choice, so the smaller one is never wrong.
            let reused = dying
                .filter(|_| in_place.may_be_in_place())
                .filter(|_| in_place_words * ALIGNMENT <= output_bytes + apart_words * ALIGNMENT);
            tensors.retain(|&tensor| problem.lives[tensor][1] >= layer);
            live.clear();
            live.extend(
                tensors
                    .iter()
                    .filter_map(|&tensor| Some((problem.item_of[tensor]?, problem.tensor_bytes[tensor]))),
            );
            if !matches!(of.op, Op::Classifier { .. }) {
                tensors.push(layer + 1);
                if let Some(item) = reused.and_then(|input| problem.item_of[input]) {
                    problem.item_of[layer + 1] = Some(item);
                    let end = problem.lives[layer + 1][1];
                    problem.items[item].life[1] = end;
                } else {
                    live.push((problem.add_tensor(layer + 1), output_bytes));
                }
            }
            let words = if reused.is_some() { in_place_words } else { apart_words };
            if words > 0 {
                problem.words[layer] = words;
                let bytes = words * ALIGNMENT;
                live.push((problem.items.len(), bytes));
                problem.items.push(Item { bytes, life: [layer; 2], alignment: ALIGNMENT });
            }
            problem.meet(&live);
        }
        problem.index();
        problem
    }

    fn add_tensor(&mut self, tensor: usize) -> usize {
        let item = self.items.len();
        self.items.push(Item { bytes: self.tensor_bytes[tensor], life: self.lives[tensor], alignment: 1 });
        self.item_of[tensor] = Some(item);
        item
    }

    /// Items that live during one layer.
    fn meet(&mut self, live: &[(usize, usize)]) {
        self.layer_bytes.push(live.iter().map(|&(_, bytes)| bytes).sum());
        for (index, &(item, own)) in live.iter().enumerate() {
            for &(other, others) in &live[index + 1..] {
                self.conflicts.push(Conflict { item, other, own, others });
                self.conflicts.push(Conflict { item: other, other: item, own: others, others: own });
            }
        }
    }

    fn index(&mut self) {
        self.conflicts.sort_unstable();
        self.conflicts.dedup();
        let conflicts = &self.conflicts;
        self.first_conflict =
            (0..=self.items.len()).map(|item| conflicts.partition_point(|c| c.item < item)).collect();
    }

    /// The conflicts of an item.
    pub(super) fn conflicts(&self, item: usize) -> &[Conflict] {
        &self.conflicts[self.first_conflict[item]..self.first_conflict[item + 1]]
    }

    /// The tensors of the arena that live during a layer.
    pub(super) fn live_tensors(&self, layer: usize) -> impl Iterator<Item = usize> + Clone {
        let lives = move |&tensor: &usize| {
            let [first, last] = self.lives[tensor];
            first <= layer && layer <= last && self.item_of[tensor].is_some()
        };
        (0..self.lives.len()).filter(lives)
    }
}
