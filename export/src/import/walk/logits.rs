//! The logits: what makes them, and what may follow without changing the class.

use std::rc::Rc;

use crate::candidate::Quantisation;
use crate::import::constant;
use crate::import::draft::{Kind, Layer, Pending, Weights};
use crate::import::graph::Attributes;
use crate::ir::Shape;
use crate::onnx::proto::{DataType, NodeProto};

use super::activations::integers;
use super::{Refusal, Value, Walk, name_of, refuse};

/// A value that has the class of the logits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::import) struct Logits {
    /// [N, CLASSES], otherwise [N, CLASSES, 1, 1].
    pub(super) flat: bool,
    form: Form,
}

/// What the numbers are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Logits as they are.
    Float,
    /// Quantised logits, and their type in the file.
    Elements(Quantisation, DataType),
    /// Quantised logits as real numbers.
    Real(Quantisation, DataType),
    /// What Softmax makes, 0 to 1, or LogSoftmax, at most 0; quantised or not. `kind` is the type that it was quantised to last.
    Probabilities { low: f64, high: f64, kind: DataType },
}

impl Logits {
    /// Type of the elements in the file, where they are quantised.
    pub(super) fn kind(&self) -> DataType {
        match self.form {
            Form::Elements(_, kind) | Form::Real(_, kind) | Form::Probabilities { kind, .. } => kind,
            Form::Float => DataType::Float,
        }
    }

    /// What a quantiser makes of them.
    pub(super) fn quantised(self, by: Quantisation, kind: DataType) -> Result<Self, Refusal> {
        match self.form {
            Form::Real(own, _) if own == by => Ok(Self { form: Form::Elements(own, kind), ..self }),
            Form::Probabilities { low, high, .. } => {
                Ok(Self { form: Form::Probabilities { low, high, kind }, ..self })
            }
            Form::Elements(..) => refuse("it quantises what is quantised already"),
            _ => refuse("it quantises the logits a second time, with another step: take it out"),
        }
    }

    /// What a dequantiser makes of them.
    pub(super) fn dequantised(self, by: Quantisation) -> Result<Self, Refusal> {
        match self.form {
            Form::Elements(own, kind) if own == by => Ok(Self { form: Form::Real(own, kind), ..self }),
            Form::Elements(..) => refuse("its scale or zero point is not that of the tensor it reads"),
            Form::Probabilities { .. } => Ok(self),
            Form::Float | Form::Real(..) => refuse("it dequantises what is not quantised"),
        }
    }

    /// Bounds, which must be none: the device's logits are not bounded.
    pub(super) fn bounded(self, low: f64, high: f64) -> Result<Self, Refusal> {
        let [lowest, highest] = match self.form {
            Form::Float => [f64::NEG_INFINITY, f64::INFINITY],
            Form::Elements(_, kind) => {
                let none = integers(kind, low, high) == [i8::MIN, i8::MAX];
                if none { [low, high] } else { [f64::NEG_INFINITY, f64::INFINITY] }
            }
            Form::Real(Quantisation { scale, zero_point }, _) => {
                [i8::MIN, i8::MAX].map(|element| (f64::from(element) - f64::from(zero_point)) * scale)
            }
            Form::Probabilities { low, high, .. } => [low, high],
        };
        if low <= lowest && highest <= high {
            return Ok(self);
        }
        refuse(format!(
            "it bounds the logits to {low} and {high}, and those of the device are not bounded: take it out"
        ))
    }
}

impl Walk<'_> {
    /// Makes the logits of the last layer. `quantiser` quantises them, if anything does.
    pub(in crate::import) fn logits(
        &mut self,
        pending: Pending,
        quantiser: Option<(Quantisation, DataType)>,
    ) -> Result<Value, Refusal> {
        if (pending.low, pending.high) != (f64::NEG_INFINITY, f64::INFINITY) {
            return refuse("an activation after the last layer is not supported: its logits are int32");
        }
        let Pending { name, kind, inputs, shape, flat, .. } = pending;
        let none = Quantisation { scale: 1.0, zero_point: 0 };
        let (kind, inputs) = match (kind, quantiser) {
            (Kind::Dense { weights }, _) => (Kind::Dense { weights }, inputs),
            (kind, Some((quantisation, _))) if (shape.height, shape.width) == (1, 1) => {
                // The last layer is none of the classifiers that the runtime has: an identity makes its output the logits.
                let weights = Weights::identity(shape.channels, &self.budget).map_err(|_| {
                    Some(format!(
                        "the identity that makes logits of its {} channels is too large for a file of this length: end the \
                         network with a fully connected layer",
                        shape.channels
                    ))
                })?;
                let layer = Layer { name: name.to_string(), kind, inputs, bounds: [i8::MIN, i8::MAX] };
                let tensor = self.draft.push(layer, shape, quantisation, &self.budget).map_err(Some)?;
                (Kind::Dense { weights: Rc::new(weights) }, vec![tensor])
            }
            (_, None) => return refuse("its output is not quantised, and it is not a fully connected layer"),
            _ => return refuse("the output is not one number for each class"),
        };
        self.draft.logit_scale = quantiser.map(|(quantisation, _)| quantisation.scale);
        let classes = Shape::new(1, 1, shape.elements());
        // The classifier's output has no quantisation of its own; what is pushed here is taken off again when it is lowered.
        let layer = Layer { name: name.to_string(), kind, inputs, bounds: [0, 0] };
        self.draft.push(layer, classes, none, &self.budget).map_err(Some)?;
        let form = quantiser.map_or(Form::Float, |(quantisation, kind)| Form::Elements(quantisation, kind));
        Ok(Value::Logits(Logits { flat, form }))
    }

    /// Softmax over the classes, which changes no class and is left out.
    pub(super) fn softmax(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        let logits = match self.value(node, 0)? {
            Value::Logits(logits) => logits,
            Value::Pending(pending) if self.last == Some(pending.node) => {
                match self.logits(*pending, None)? {
                    Value::Logits(logits) => logits,
                    other => return Ok(other),
                }
            }
            _ => return refuse("it is supported after the last layer only"),
        };
        if matches!(logits.form, Form::Elements(..)) {
            return refuse("it reads quantised numbers: a DequantizeLinear is missing before it");
        }
        // Until opset 12 it flattened what it read at its axis, which was 1 by default.
        let rank = if logits.flat { 2 } else { 4 };
        let default = if self.graph.opset < 13 { 1 } else { -1 };
        let axis = Attributes(node).int("axis", default);
        if constant::index(axis, rank) != Some(1) {
            return refuse(format!(
                "its axis is {axis}, not that of the classes: export it with axis 1, or without the node"
            ));
        }
        self.notes.push(format!(
            "{} `{}` is left out: the logits have the same class",
            node.op_type,
            name_of(node)
        ));
        let (low, high) = if node.op_type == "Softmax" { (0.0, 1.0) } else { (f64::NEG_INFINITY, 0.0) };
        let form = Form::Probabilities { low, high, kind: DataType::Uint8 };
        Ok(Value::Logits(Logits { form, ..logits }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Quantisation = Quantisation { scale: 0.5, zero_point: -28 };

    fn logits(form: Form) -> Logits {
        Logits { flat: true, form }
    }

    #[test]
    fn only_bounds_that_bound_nothing_are_passed_over() {
        let (infinity, low, high) = (f64::INFINITY, -50.0, 77.5);
        for (form, bounds, passes) in [
            (Form::Real(STEP, DataType::Int8), (low, high), true),
            (Form::Real(STEP, DataType::Int8), (low + 0.5, high), false),
            (Form::Real(STEP, DataType::Int8), (low, high - 0.5), false),
            (Form::Elements(STEP, DataType::Int8), (-128.0, 127.0), true),
            (Form::Elements(STEP, DataType::Uint8), (-128.0, 127.0), false),
            (Form::Elements(STEP, DataType::Uint8), (0.0, infinity), true),
            (Form::Float, (-1e30, infinity), false),
            (Form::Float, (-infinity, infinity), true),
            (Form::Probabilities { low: 0.0, high: 1.0, kind: DataType::Uint8 }, (0.0, 1.0), true),
            (Form::Probabilities { low: 0.0, high: 1.0, kind: DataType::Uint8 }, (0.0, 0.4), false),
        ] {
            assert_eq!(logits(form).bounded(bounds.0, bounds.1).is_ok(), passes, "{form:?} {bounds:?}");
        }
    }

    #[test]
    fn quantisers_of_logits_agree_with_each_other() {
        let other = Quantisation { scale: 0.25, ..STEP };
        let elements = logits(Form::Elements(STEP, DataType::Int8));
        let real = elements.dequantised(STEP).unwrap();
        assert_eq!(real.quantised(STEP, DataType::Int8).unwrap(), elements);
        assert!(elements.dequantised(other).is_err() && real.quantised(other, DataType::Int8).is_err());
        assert!(elements.quantised(STEP, DataType::Int8).is_err() && real.dequantised(STEP).is_err());
    }
}
