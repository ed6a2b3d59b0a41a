//! QuantizeLinear and DequantizeLinear: of constants, of the network's input, of tensors.

use std::rc::Rc;

use crate::candidate::Quantisation;
use crate::import::constant::{self, Constant, Quantised};
use crate::import::draft::{Kind, Layer, Pending};
use crate::import::geometry::dense_as_convolution;
use crate::import::graph::Attributes;
use crate::ir::Shape;
use crate::onnx::proto::{DataType, NodeProto};

use super::activations::elements;
use super::{Refusal, Value, Walk, name_of, refuse};

/// Scales that are numbers to count with.
const SCALES: std::ops::Range<f64> = 1e-30..1e30;

impl Walk<'_> {
    /// Scale and zero point of an int8 tensor, and its type in the file; a uint8 one is read as int8 with everything less 128.
    /// `kind` is its type where the node itself does not say.
    pub(super) fn parameters(
        &self,
        node: &NodeProto,
        kind: DataType,
    ) -> Result<(Quantisation, DataType), Refusal> {
        let scale =
            self.constant(node, 1)?.filter(|scale| !scale.is_integer()).and_then(|scale| scale.scalar());
        let Some(scale) = scale.filter(|scale| SCALES.contains(scale)) else {
            return refuse("an activation needs one constant positive scale");
        };
        let (zero_point, kind) = match self.constant(node, 2)? {
            None => (0.0, kind),
            Some(constant) => match constant.scalar() {
                Some(zero_point) => (zero_point, constant.kind),
                None => return refuse("an activation needs one zero point"),
            },
        };
        let shift = match kind {
            DataType::Uint8 => 128.0,
            DataType::Int8 => 0.0,
            other => return refuse(format!("activations are 8-bit here, not {other:?}")),
        };
        let zero_point = zero_point - shift;
        if zero_point.fract() != 0.0 || !(-128.0..=127.0).contains(&zero_point) {
            return refuse("its zero point is not one of its type");
        }
        Ok((Quantisation { scale, zero_point: zero_point as i8 }, kind))
    }

    /// The type of what a QuantizeLinear makes: that of its zero point, or else `output_dtype`, or else uint8.
    pub(super) fn output_kind(&self, node: &NodeProto) -> Result<DataType, Refusal> {
        self.plain(node)?;
        let asked = match Attributes(node).int("output_dtype", 0) {
            0 => None,
            number => match i32::try_from(number).ok().and_then(|number| DataType::try_from(number).ok()) {
                Some(kind) => Some(kind),
                None => return refuse(format!("its output_dtype {number} is not known")),
            },
        };
        match (asked, self.constant(node, 2)?.map(|zero_point| zero_point.kind)) {
            (Some(asked), Some(kind)) if asked != kind => refuse(format!(
                "its output_dtype is {asked:?}, but its zero point is {kind:?}: they must be equal"
            )),
            (asked, kind) => Ok(kind.or(asked).unwrap_or(DataType::Uint8)),
        }
    }

    /// Refuses what a quantiser or dequantiser can ask for beyond a scale and a zero point.
    fn plain(&self, node: &NodeProto) -> Result<(), Refusal> {
        let attributes = Attributes(node);
        if attributes.int("block_size", 0) != 0 {
            return refuse("it has blocks of scales: only one scale, or one for each index, is supported");
        }
        let float = [0, i64::from(i32::from(DataType::Float))];
        if !float.contains(&attributes.int("precision", 0))
            || (node.op_type == "DequantizeLinear" && !float.contains(&attributes.int("output_dtype", 0)))
        {
            return refuse("it computes in another precision than float32: export it with float32");
        }
        Ok(())
    }

    pub(super) fn quantise(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        let kind = self.output_kind(node)?;
        match self.value(node, 0)? {
            Value::Constant(constant) => self.quantise_constant(node, &constant, kind),
            Value::Input { .. } if self.graph.input_type != DataType::Float => {
                refuse("it quantises an input of integers: give the network a float32 input, or take it out")
            }
            Value::Input { channels_last } => {
                let (quantisation, kind) = self.parameters(node, kind)?;
                self.input(quantisation, channels_last, kind)
            }
            Value::Real { tensor, flat, alone } => {
                let (quantisation, kind) = self.parameters(node, kind)?;
                if self.draft.tensors[tensor] == quantisation {
                    return Ok(Value::Elements { tensor, flat, alone, kind });
                }
                let name = name_of(node).into();
                let tensor = self.draft.requantise(tensor, name, quantisation, &self.budget).map_err(Some)?;
                Ok(Value::Elements { tensor, flat, alone: true, kind })
            }
            Value::Pending(pending) if self.last == Some(pending.node) => {
                let quantiser = self.parameters(node, kind)?;
                self.logits(*pending, Some(quantiser))
            }
            Value::Pending(pending) => {
                let (quantisation, kind) = self.parameters(node, kind)?;
                let flat = pending.flat;
                let tensor = self.settle(*pending, quantisation)?;
                Ok(Value::Elements { tensor, flat, alone: true, kind })
            }
            Value::Logits(logits) => {
                let (quantisation, kind) = self.parameters(node, kind)?;
                logits.quantised(quantisation, kind).map(Value::Logits)
            }
            Value::Weights(_) | Value::Elements { .. } => refuse("it quantises what is quantised already"),
            Value::Lost => Err(None),
        }
    }

    /// Quantises weights that the file keeps as floats.
    fn quantise_constant(
        &self,
        node: &NodeProto,
        constant: &Constant,
        kind: DataType,
    ) -> Result<Value, Refusal> {
        let Some(scale) = self.constant(node, 1)? else { return refuse("it has no scale") };
        let zeros = self.constant(node, 2)?.map_or_else(|| vec![0.0], |zero_point| zero_point.values.clone());
        let (low, high) = match kind {
            DataType::Int8 => (-128.0, 127.0),
            DataType::Uint8 => (0.0, 255.0),
            DataType::Int4 => (-8.0, 7.0),
            DataType::Uint4 => (0.0, 15.0),
            other => return refuse(format!("weights of type {other:?} are not supported")),
        };
        if constant.is_integer()
            || scale.is_integer()
            || !scale.values.iter().all(|scale| SCALES.contains(scale))
        {
            return refuse("it quantises integers, or its scale is not a positive float");
        }
        let (rank, count) = (constant.dims.len(), scale.values.len());
        let axis = constant::index(Attributes(node).int("axis", 1), rank);
        let inner: usize = match axis {
            Some(axis) if count == constant.dims[axis] => constant.dims[axis + 1..].iter().product(),
            _ if count == 1 => constant.values.len(),
            _ => return refuse("it has not one scale for each index of its axis"),
        };
        if zeros.len() != 1 && zeros.len() != count {
            return refuse("it has not as many zero points as scales");
        }
        self.budget.take(&[constant.values.len()]).map_err(Some)?;
        let element = |(at, &value): (usize, &f64)| {
            let index = at / inner % count;
            // As engines compute it: a quotient of float32, ties to even.
            let steps = (value as f32 / scale.values[index] as f32).round_ties_even();
            (f64::from(steps) + zeros[if zeros.len() == 1 { 0 } else { index }]).clamp(low, high)
        };
        let values: Vec<f64> = constant.values.iter().enumerate().map(element).collect();
        if values.iter().any(|value| value.is_nan()) {
            return refuse("it quantises what is not a number");
        }
        Ok(Value::Constant(Rc::new(Constant { dims: constant.dims.clone(), kind, values })))
    }

    pub(super) fn dequantise(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        self.plain(node)?;
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let Some(scale) = self.constant(node, 1)? else { return refuse("it has no scale") };
                let zero_point = self.constant(node, 2)?;
                let axis = Attributes(node).int("axis", 1);
                self.budget.take(&[constant.values.len()]).map_err(Some)?;
                let weights = Quantised::new(&constant, &scale, zero_point.as_deref(), axis).map_err(Some)?;
                Ok(Value::Weights(Rc::new(weights)))
            }
            Value::Input { channels_last } if self.graph.input_type != DataType::Float => {
                let (quantisation, kind) = self.parameters(node, self.graph.input_type)?;
                self.same_kind(kind, self.graph.input_type)?;
                match self.input(quantisation, channels_last, kind)? {
                    Value::Elements { tensor, flat, .. } => Ok(Value::Real { tensor, flat, alone: false }),
                    other => Ok(other),
                }
            }
            Value::Elements { tensor, flat, alone, kind } => {
                let (quantisation, own) = self.parameters(node, kind)?;
                self.same_kind(own, kind)?;
                if self.draft.tensors[tensor] != quantisation {
                    return refuse("its scale or zero point is not that of the tensor it reads");
                }
                let read_once = |name: &String| self.graph.readers(name) == 1;
                let alone = alone
                    && node.input.first().is_some_and(read_once)
                    && node.output.first().is_some_and(read_once);
                Ok(Value::Real { tensor, flat, alone })
            }
            Value::Logits(logits) => {
                let (quantisation, own) = self.parameters(node, logits.kind())?;
                self.same_kind(own, logits.kind())?;
                logits.dequantised(quantisation).map(Value::Logits)
            }
            _ => refuse("it dequantises what is not quantised"),
        }
    }

    fn same_kind(&self, zero_point: DataType, elements: DataType) -> Result<(), Refusal> {
        if zero_point == elements {
            return Ok(());
        }
        refuse(format!("its zero point is {zero_point:?}, but it reads {elements:?}: they must be equal"))
    }

    /// The network's input, quantised.
    fn input(
        &mut self,
        quantisation: Quantisation,
        channels_last: bool,
        kind: DataType,
    ) -> Result<Value, Refusal> {
        let sizes = &self.graph.input_sizes;
        let shape = if channels_last {
            Shape::new(sizes[0], sizes[1], sizes[2])
        } else {
            Shape::new(sizes[1], sizes[2], sizes[0])
        };
        if let Some(problem) = shape.problem() {
            return refuse(problem);
        }
        match self.draft.tensors.first() {
            Some(known) if *known == quantisation && self.draft.shapes[0] == shape => {}
            Some(_) => return refuse("the network's input is quantised in two ways"),
            None => {
                self.draft.tensors.push(quantisation);
                self.draft.shapes.push(shape);
            }
        }
        Ok(Value::Elements { tensor: 0, flat: false, alone: false, kind })
    }

    /// Makes a layer of what is pending, with its output quantised.
    fn settle(&mut self, pending: Pending, quantisation: Quantisation) -> Result<usize, Refusal> {
        let Pending { name, kind, inputs, shape, low, high, .. } = pending;
        let kind = match kind {
            Kind::Dense { weights } => {
                dense_as_convolution(self.draft.shapes[inputs[0]], weights, &self.budget).map_err(Some)?
            }
            other => other,
        };
        let layer = Layer { name: name.to_string(), kind, inputs, bounds: elements(quantisation, low, high) };
        self.draft.push(layer, shape, quantisation, &self.budget).map_err(Some)
    }
}
