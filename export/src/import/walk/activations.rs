//! Relu and Clip: bounds of a layer's output, of a tensor, of constants.

use std::rc::Rc;

use crate::candidate::Quantisation;
use crate::import::constant::Constant;
use crate::import::draft::{Kind, Pending, Weights};
use crate::import::graph::Attributes;
use crate::ir::Window;
use crate::onnx::proto::{DataType, NodeProto};

use super::{Refusal, Value, Walk, refuse};

impl Walk<'_> {
    /// A value between real bounds: of a layer that is pending, or of a tensor.
    pub(super) fn bounded(
        &mut self,
        at: usize,
        node: &NodeProto,
        low: f64,
        high: f64,
    ) -> Result<Value, Refusal> {
        match self.value(node, 0)? {
            Value::Pending(mut pending) => {
                // min(max(x, low), high) after another such pair: the second one has the last word.
                let clamp = |value: f64| value.max(low).min(high);
                (pending.low, pending.high) = (clamp(pending.low), clamp(pending.high));
                Ok(Value::Pending(pending))
            }
            Value::Real { tensor, flat, alone } => {
                self.bounded_tensor(at, node, (tensor, flat, alone), (low, high))
            }
            Value::Logits(logits) => logits.bounded(low, high).map(Value::Logits),
            _ => refuse("its input is not quantised"),
        }
    }

    /// Bounds on a tensor of its own: saturation of the layer that makes it, if the next quantiser keeps its step and nobody
    /// else reads it; else a layer that does nothing else.
    fn bounded_tensor(
        &mut self,
        at: usize,
        node: &NodeProto,
        (tensor, flat, alone): (usize, bool, bool),
        (low, high): (f64, f64),
    ) -> Result<Value, Refusal> {
        let output = node.output.first().map_or("", String::as_str);
        let same = match self.graph.reader(output) {
            Some(next) if next.op_type == "QuantizeLinear" => {
                let kind = self.output_kind(next)?;
                self.parameters(next, kind)?.0 == self.draft.tensors[tensor]
            }
            _ => false,
        };
        if let (true, true, Some(layer)) =
            (same, alone && self.graph.readers(output) == 1, tensor.checked_sub(1))
        {
            let bounds = elements(self.draft.tensors[tensor], low, high);
            let own = self.draft.layers[layer].bounds;
            self.draft.layers[layer].bounds = own.map(|bound| bound.clamp(bounds[0], bounds[1]));
            return Ok(Value::Real { tensor, flat, alone });
        }
        let shape = self.draft.shapes[tensor];
        let weights = Rc::new(Weights::constant(shape.channels, 1, 1.0, &self.budget).map_err(Some)?);
        let kind = Kind::Depthwise { window: Window::pointwise(), weights };
        let value = self.pending(at, node, kind, vec![tensor], shape, flat);
        Ok(match value {
            Value::Pending(pending) => Value::Pending(Box::new(Pending { low, high, ..*pending })),
            other => other,
        })
    }

    pub(super) fn clip(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let given = [self.constant(node, 1)?, self.constant(node, 2)?];
        let bound = |index: usize, name: &str, default: f64| {
            let attribute = Attributes(node).float(name).map(f64::from);
            match (&given[index], attribute) {
                (Some(constant), None) => match constant.scalar() {
                    Some(bound) => Ok(bound),
                    None => refuse(format!("its {name} is not one number")),
                },
                (None, attribute) => Ok(attribute.unwrap_or(default)),
                (Some(_), Some(_)) => {
                    refuse(format!("its {name} is given twice: as an input and as an attribute"))
                }
            }
        };
        let low = bound(0, "min", f64::NEG_INFINITY)?;
        let high = bound(1, "max", f64::INFINITY)?;
        if low > high || low.is_nan() || high.is_nan() {
            return refuse(format!("its bounds are {low} and {high}"));
        }
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                self.budget.take(&[constant.values.len()]).map_err(Some)?;
                let values = constant.values.iter().map(|value| value.clamp(low, high)).collect();
                let Constant { dims, kind, .. } = &*constant;
                Ok(Value::Constant(Rc::new(Constant { dims: dims.clone(), kind: *kind, values })))
            }
            Value::Elements { tensor, flat, alone, kind } => {
                if given.iter().flatten().any(|bound| bound.kind != kind) {
                    return refuse(format!("its bounds are not of the type {kind:?} of what it reads"));
                }
                // Between quantiser and dequantiser: narrower integers than 8 bits.
                let bounds = integers(kind, low, high);
                let alone = alone && node.input.first().is_some_and(|name| self.graph.readers(name) == 1);
                match tensor.checked_sub(1) {
                    _ if bounds == [i8::MIN, i8::MAX] => {}
                    Some(layer) if alone => {
                        let own = self.draft.layers[layer].bounds;
                        self.draft.layers[layer].bounds = own.map(|bound| bound.clamp(bounds[0], bounds[1]));
                    }
                    _ => return refuse("it narrows the network's input, or a tensor that others read too"),
                }
                Ok(Value::Elements { tensor, flat, alone, kind })
            }
            _ => self.bounded(at, node, low, high),
        }
    }
}

/// The elements of real bounds.
pub(super) fn elements(quantisation: Quantisation, low: f64, high: f64) -> [i8; 2] {
    let element = |real: f64| {
        let steps = (real / quantisation.scale).round_ties_even() + f64::from(quantisation.zero_point);
        steps.clamp(-128.0, 127.0) as i8
    };
    [element(low), element(high)]
}

/// Bounds on elements of the type `kind` in the file, as they are stored: uint8 less 128.
pub(super) fn integers(kind: DataType, low: f64, high: f64) -> [i8; 2] {
    let shift = if kind == DataType::Uint8 { 128.0 } else { 0.0 };
    [low - shift, high - shift].map(|bound| bound.clamp(-128.0, 127.0) as i8)
}
