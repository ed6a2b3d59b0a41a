//! Where tensors and scratch lie in the arena, and the proof that a blob's placement is sound: every tensor and every
//! layer's scratch inside the arena, no live tensor overwritten.
//!
//! A tensor lives from the layer that writes it to the last layer that reads it. Its place may be taken by the output of
//! that last layer only in place, see [`Geometry::may_be_in_place`]. Scratch lives during one layer; its place is not
//! stored but derived by [`lowest_gap`], which the exporter's planner calls too.

use core::ops::Range;

use crate::arena::ALIGNMENT;
use crate::blob::Record;
use crate::error::ModelError;
use crate::kernels::scratch_words;
use crate::layer::{Geometry, Kind, Tensor};
use crate::records::Records;

/// Checks the placement of all tensors and scratch. Shapes and sources have been checked already.
///
/// # Errors
/// The first tensor that is dead, out of the arena or overwritten, or the first layer whose scratch does not fit.
pub(crate) fn check(records: Records<'_>) -> Result<(), ModelError> {
    let arena_size = u32::from_le_bytes(records.header.arena_size) as usize;
    for index in 0..records.len() {
        let dead = ModelError::DeadTensor { tensor: index as u16 };
        let this = records.tensor(index).ok_or(dead)?;
        let end = end(this).filter(|&end| end <= arena_size);
        end.ok_or(ModelError::ArenaOverrun { tensor: index as u16 })?;
        let last_reader = last_reader(records.layers, index).ok_or(dead)?;
        // The last layer, the classifier, writes no tensor of the arena.
        for layer in (index..=last_reader).filter(|layer| layer + 1 < records.len()) {
            let Some(output) = records.tensor(layer + 1) else { break };
            let in_place = layer == last_reader
                && output.offset == this.offset
                && records.geometry(layer).as_ref().is_some_and(Geometry::may_be_in_place);
            if !in_place && overlap(this, output) {
                return Err(ModelError::ArenaOverlap { layer: layer as u16, tensor: index as u16 });
            }
        }
    }
    for layer in 0..records.len() {
        if scratch(records, layer).is_none_or(|scratch| scratch.end > arena_size) {
            return Err(ModelError::ScratchOverrun { layer: layer as u16 });
        }
    }
    Ok(())
}

/// The bytes of the arena that are layer `layer`'s scratch, or `None` where there is no such layer.
pub(crate) fn scratch(records: Records<'_>, layer: usize) -> Option<Range<usize>> {
    let words = scratch_words(&records.geometry(layer)?);
    if words == 0 {
        return Some(0..0);
    }
    let output = (layer + 1 < records.len()).then_some(layer + 1);
    let tensors = live_inputs(records.layers, layer).chain(output);
    lowest_gap(tensors.filter_map(|index| records.tensor(index)).map(range), words)
}

/// The lowest place of `words` words, at a multiple of 4, that meets none of the `taken` ranges of bytes; `None` beyond the
/// range of `usize`.
#[must_use]
pub fn lowest_gap(taken: impl Iterator<Item = Range<usize>> + Clone, words: usize) -> Option<Range<usize>> {
    let bytes = words.checked_mul(ALIGNMENT)?;
    let mut start = 0usize;
    loop {
        let mut moved = false;
        for other in taken.clone() {
            if start < other.end && other.start < start.checked_add(bytes)? {
                start = other.end.checked_next_multiple_of(ALIGNMENT)?;
                moved = true;
            }
        }
        // It only ever moves up, past one range at a time, so this ends.
        if !moved {
            return Some(start..start.checked_add(bytes)?);
        }
    }
}

/// The tensors, some of them more than once, that layer `layer` or a later one reads and that exist when it begins.
fn live_inputs(records: &[Record], layer: usize) -> impl Iterator<Item = usize> + Clone {
    // A distance has eight bits, so only the 256 layers from `layer` on can reach back to it.
    let readers = records.get(layer..records.len().min(layer + 256)).unwrap_or(&[]);
    let sources = readers.iter().enumerate().flat_map(move |(later, record)| {
        let second = if is_add(record) { record.source_b } else { record.source };
        [record.source, second].map(|distance| (layer + later).checked_sub(usize::from(distance)))
    });
    sources.flatten().filter(move |&index| index <= layer)
}

fn is_add(record: &Record) -> bool {
    record.kind_number() == Kind::Add as u8
}

/// The last layer that reads tensor `index`.
fn last_reader(records: &[Record], index: usize) -> Option<usize> {
    let reads = |layer: usize, record: &Record| {
        let first = layer.checked_sub(usize::from(record.source)) == Some(index);
        let second = is_add(record) && layer.checked_sub(usize::from(record.source_b)) == Some(index);
        first || second
    };
    let reach = index..records.len().min(index + 256);
    reach.rev().find(|&layer| records.get(layer).is_some_and(|record| reads(layer, record)))
}

/// The bytes of a tensor.
pub(crate) fn range(tensor: Tensor) -> Range<usize> {
    tensor.offset..end(tensor).unwrap_or(usize::MAX)
}

fn end(tensor: Tensor) -> Option<usize> {
    tensor.shape.elements().and_then(|elements| tensor.offset.checked_add(elements))
}

fn overlap(a: Tensor, b: Tensor) -> bool {
    match (end(a), end(b)) {
        (Some(end_a), Some(end_b)) => a.offset < end_b && b.offset < end_a,
        _ => true,
    }
}
