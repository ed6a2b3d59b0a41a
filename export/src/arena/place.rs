//! Where each item is placed: greedily in several orders, and by a bounded search for the lower bound where these miss it.

use super::problem::{Item, Problem};

/// Sort key of an item: those of the smallest key are placed first.
type Order = fn(&Item) -> (usize, usize);

/// Positions that the search tries for one target.
const NODES: usize = 5_000;

/// The offset of each item.
pub(super) fn place(problem: &Problem) -> Vec<usize> {
    const ORDERS: [Order; 4] = [
        |item| (usize::MAX - item.bytes, item.life[0]),
        |item| (usize::MAX - item.bytes * (item.life[1] - item.life[0] + 1), item.life[0]),
        |item| (usize::MAX - (item.life[1] - item.life[0]), usize::MAX - item.bytes),
        |item| (item.life[0], usize::MAX - item.bytes),
    ];
    let lower_bound = problem.layer_bytes.iter().copied().max().unwrap_or(0);
    let mut best = Vec::new();
    let mut smallest = usize::MAX;
    let mut attempt = Attempt::new(problem);
    for key in ORDERS {
        let mut order: Vec<usize> = (0..problem.items.len()).collect();
        order.sort_by_key(|&item| key(&problem.items[item]));
        let size = attempt.greedy(&order);
        if size < smallest {
            smallest = size;
            best.clone_from(&attempt.offsets);
        }
        if smallest == lower_bound {
            return best;
        }
    }
    // Halve what is between the lower bound, which is tried first, and the smallest found.
    let mut order: Vec<usize> = (0..problem.items.len()).collect();
    order.sort_by_key(|&item| (problem.items[item].life[0], problem.items[item].alignment));
    let (mut low, mut target) = (lower_bound, lower_bound);
    while target < smallest {
        if attempt.search(&order, target) {
            smallest = target;
            best.clone_from(&attempt.offsets);
        } else {
            low = target + 1;
        }
        target = low + (smallest - low) / 2;
    }
    best
}

/// Not placed yet.
const NOWHERE: usize = usize::MAX;

/// A placement under construction.
struct Attempt<'a> {
    problem: &'a Problem,
    /// [`NOWHERE`] or the offset of each item.
    offsets: Vec<usize>,
    /// Scratch: offsets at which an item would meet another, as half-open ranges.
    taken: Vec<(usize, usize)>,
    nodes: usize,
}

impl<'a> Attempt<'a> {
    fn new(problem: &'a Problem) -> Self {
        Self { problem, offsets: vec![NOWHERE; problem.items.len()], taken: Vec::new(), nodes: 0 }
    }

    /// Places the items in this order, each as low as it can be; returns the bytes needed.
    fn greedy(&mut self, order: &[usize]) -> usize {
        self.offsets.fill(NOWHERE);
        let mut size = 0;
        for &item in order {
            self.find_taken(item);
            let offset = self.lowest(item);
            self.offsets[item] = offset;
            size = size.max(offset + self.problem.items[item].bytes);
        }
        size
    }

    /// Places the items in this order within `size` bytes, each at an end of some gap; `false` if that was not found to be
    /// possible.
    fn search(&mut self, order: &[usize], size: usize) -> bool {
        self.offsets.fill(NOWHERE);
        self.nodes = 0;
        self.descend(order, size)
    }

    fn descend(&mut self, order: &[usize], size: usize) -> bool {
        let Some((&item, rest)) = order.split_first() else { return true };
        self.find_taken(item);
        let Item { bytes, alignment, .. } = self.problem.items[item];
        let low = self.lowest(item);
        if low + bytes > size {
            return false;
        }
        // Scratch comes after every tensor that it meets, so nothing depends on where it lies.
        let choices = if alignment > 1 { vec![low] } else { self.edges(low, size - bytes) };
        for offset in choices {
            self.nodes += 1;
            if self.nodes > NODES {
                break;
            }
            self.offsets[item] = offset;
            if self.descend(rest, size) {
                return true;
            }
        }
        self.offsets[item] = NOWHERE;
        false
    }

    /// The lowest and the highest offset of every gap, none above `last`: `low`, the lowest of all, first, then from the ends
    /// of the arena inwards.
    fn edges(&self, low: usize, last: usize) -> Vec<usize> {
        let mut edges = vec![last];
        let mut free_from = 0;
        for &(start, end) in &self.taken {
            if free_from < start {
                edges.extend([free_from, start - 1]);
            }
            free_from = free_from.max(end);
        }
        edges.push(free_from);
        let free = |edge: usize| !self.taken.iter().any(|&(start, end)| start <= edge && edge < end);
        edges.retain(|&edge| edge <= last && edge != low && free(edge));
        edges.sort_unstable_by_key(|&edge| (edge.min(last - edge), edge));
        edges.dedup();
        edges.insert(0, low);
        edges
    }

    /// Fills `taken` with the offsets that the items placed so far forbid `item`, sorted.
    fn find_taken(&mut self, item: usize) {
        self.taken.clear();
        for conflict in self.problem.conflicts(item) {
            let offset = self.offsets[conflict.other];
            if offset != NOWHERE {
                self.taken.push(((offset + 1).saturating_sub(conflict.own), offset + conflict.others));
            }
        }
        self.taken.sort_unstable();
    }

    fn lowest(&self, item: usize) -> usize {
        let alignment = self.problem.items[item].alignment;
        let mut offset = 0;
        for &(start, end) in &self.taken {
            if offset < start {
                break;
            }
            offset = offset.max(end.next_multiple_of(alignment));
        }
        offset
    }
}
