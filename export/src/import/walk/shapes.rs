//! Transpose, Flatten, Reshape and Squeeze: only what changes no element's place, or the place of weights.

use std::rc::Rc;

use crate::import::constant::{self, Constant};
use crate::import::graph::Attributes;
use crate::ir::Shape;
use crate::onnx::proto::NodeProto;

use super::{Refusal, Value, Walk, refuse};

impl Walk<'_> {
    pub(super) fn transpose(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        match (self.value(node, 0)?, Attributes(node).ints("perm")) {
            (Value::Input { channels_last: false }, Some([0, 3, 1, 2])) => {
                Ok(Value::Input { channels_last: true })
            }
            (Value::Weights(weights), None | Some([1, 0])) => {
                self.budget.take(&[weights.integers.len()]).map_err(Some)?;
                match weights.transposed() {
                    Some(weights) => Ok(Value::Weights(Rc::new(weights))),
                    None => refuse("only matrices of weights are transposed"),
                }
            }
            _ => refuse("supported are [0, 3, 1, 2] of the network's input and [1, 0] of weights"),
        }
    }

    pub(super) fn flatten(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        let mut value = self.value(node, 0)?;
        let (shape, was_flat) = match &value {
            Value::Real { tensor, flat, .. } | Value::Elements { tensor, flat, .. } => {
                (self.draft.shapes[*tensor], *flat)
            }
            Value::Pending(pending) => (pending.shape, pending.flat),
            Value::Logits(logits) => (Shape::new(1, 1, self.classes()), logits.flat),
            _ => return refuse("its input is not quantised"),
        };
        if !self.keeps_places(node, shape, was_flat)? {
            return refuse("supported is [N, C, H, W] to [N, C*H*W]");
        }
        let becomes_flat = !self.is_image(node)?;
        match &mut value {
            Value::Real { flat, alone, .. } | Value::Elements { flat, alone, .. } => {
                *flat = becomes_flat;
                *alone &= node.output.first().is_some_and(|name| self.graph.readers(name) == 1);
            }
            Value::Pending(pending) => pending.flat = becomes_flat,
            Value::Logits(logits) => logits.flat = becomes_flat,
            _ => {}
        }
        Ok(value)
    }

    /// Number of classes, once there are logits.
    fn classes(&self) -> usize {
        self.draft.shapes.last().map_or(0, |shape| shape.channels)
    }

    /// Whether a Reshape makes [N, C, 1, 1].
    fn is_image(&self, node: &NodeProto) -> Result<bool, Refusal> {
        Ok(node.op_type == "Reshape" && self.constant(node, 1)?.is_some_and(|shape| shape.values.len() == 4))
    }

    /// Whether a node makes [N, C*H*W], or [N, C, 1, 1] of one pixel, of a value of this shape.
    fn keeps_places(&self, node: &NodeProto, shape: Shape, flat: bool) -> Result<bool, Refusal> {
        let attributes = Attributes(node);
        let one_pixel = (shape.height, shape.width) == (1, 1);
        let rank = if flat { 2 } else { 4 };
        let sizes = |constant: Option<Rc<Constant>>| {
            constant.filter(|constant| constant.is_integer()).map(|constant| constant.values.clone())
        };
        Ok(match node.op_type.as_str() {
            "Flatten" => constant::index(attributes.int("axis", 1), rank) == Some(1),
            "Squeeze" => {
                let axes = match (attributes.ints("axes"), self.constant(node, 1)?) {
                    (Some(axes), None) => axes.to_vec(),
                    (None, axes) => sizes(axes).unwrap_or_default().iter().map(|&axis| axis as i64).collect(),
                    (Some(_), Some(_)) => {
                        return refuse("its axes are given twice: as an input and as an attribute");
                    }
                };
                let mut axes: Vec<_> = axes.iter().map(|&axis| constant::index(axis, rank)).collect();
                axes.sort_unstable();
                if !(one_pixel && axes == [Some(2), Some(3)]) {
                    return refuse("supported are the axes [2, 3] of one pixel, [N, C, 1, 1] to [N, C]");
                }
                true
            }
            _ => {
                let Some(target) = sizes(self.constant(node, 1)?) else { return Ok(false) };
                let allow_zero = attributes.int("allowzero", 0) != 0;
                let batch = |size: f64| size == 1.0 || size == -1.0 || (size == 0.0 && !allow_zero);
                // At most one size is -1, the one that follows from the others.
                let one_open = target.iter().filter(|&&size| size == -1.0).count() <= 1;
                let is = |size: f64, count: usize| size == -1.0 || size == count as f64;
                one_open
                    && match target[..] {
                        [n, length] => {
                            let copied = length == 0.0 && !allow_zero && (flat || one_pixel);
                            batch(n) && (is(length, shape.elements()) || copied)
                        }
                        [n, channels, 1.0, 1.0] => {
                            let copied = channels == 0.0 && !allow_zero;
                            one_pixel && batch(n) && (is(channels, shape.channels) || copied)
                        }
                        _ => false,
                    }
            }
        })
    }
}
