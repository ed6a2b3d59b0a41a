//! Proof that the arena placement of a blob is sound: every tensor inside the arena, no live tensor overwritten.
//!
//! A tensor lives from the layer that writes it to the last layer that reads it. Its place may be taken by the output of
//! that last layer only when the layer is an add and both places are the same: then each element is read before it is
//! written.

use crate::blob::{Header, Record};
use crate::error::ModelError;
use crate::layer::{Kind, Tensor, tensor};

/// Checks the placement of all tensors. Shapes and sources have been checked already.
///
/// # Errors
/// The first tensor that is dead, out of the arena or overwritten.
pub fn check(header: &Header, records: &[Record]) -> Result<(), ModelError> {
    let arena_size = u32::from_le_bytes(header.arena_size) as usize;
    for index in 0..records.len() {
        let dead = ModelError::DeadTensor { tensor: index as u16 };
        let this = tensor(header, records, index).ok_or(dead)?;
        let end = end(this).filter(|&end| end <= arena_size);
        end.ok_or(ModelError::ArenaOverrun { tensor: index as u16 })?;
        let last_reader = last_reader(records, index).ok_or(dead)?;
        // The last layer, the classifier, writes no tensor of the arena.
        for layer in (index..=last_reader).filter(|layer| layer + 1 < records.len()) {
            let Some(output) = tensor(header, records, layer + 1) else { break };
            let in_place = layer == last_reader
                && is_add(records, layer)
                && output.offset == this.offset
                && output.shape == this.shape;
            if !in_place && overlap(this, output) {
                return Err(ModelError::ArenaOverlap { layer: layer as u16, tensor: index as u16 });
            }
        }
    }
    Ok(())
}

fn is_add(records: &[Record], layer: usize) -> bool {
    records.get(layer).is_some_and(|record| record.kind_bits & 15 == Kind::Add as u8)
}

/// The last layer that reads tensor `index`.
fn last_reader(records: &[Record], index: usize) -> Option<usize> {
    let reads = |layer: usize, record: &Record| {
        let first = layer.checked_sub(usize::from(record.source)) == Some(index);
        let second = is_add(records, layer) && layer.checked_sub(usize::from(record.source_b)) == Some(index);
        first || second
    };
    // A distance has eight bits, so only the 256 layers from `index` on can reach it.
    let reach = index..records.len().min(index + 256);
    reach.rev().find(|&layer| records.get(layer).is_some_and(|record| reads(layer, record)))
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
