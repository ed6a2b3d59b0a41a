//! The layers: convolutions, fully connected ones, sums, average pools.

use std::rc::Rc;

use crate::import::draft::{Kind, Pending, Weights};
use crate::import::geometry::Geometry;
use crate::import::graph::Attributes;
use crate::ir::Shape;
use crate::onnx::proto::NodeProto;

use super::{Refusal, Value, Walk, refuse};

impl Walk<'_> {
    pub(super) fn convolution(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let (tensor, flat) = self.tensor(node, 0)?;
        let Value::Weights(weights) = self.value(node, 1)? else {
            return refuse("its weights are not quantised");
        };
        let input = self.draft.shapes[tensor];
        if flat {
            return refuse("its input was flattened");
        }
        let attributes = Attributes(node);
        let kernel = match weights.dims[..] {
            [_, _, height, width] => Some([height, width]),
            _ => None,
        };
        let group = usize::try_from(attributes.int("group", 1)).unwrap_or(0);
        let geometry = Geometry::read(&attributes, kernel, input).map_err(Some)?;
        let outputs = weights.dims.first().copied().unwrap_or(0);
        let biases = self.biases(node, 2, outputs, Side::Channels)?;
        let kind = geometry.convolution(input, group, &weights, biases, &self.budget).map_err(Some)?;
        let window = geometry.window().map_err(Some)?;
        let Some((height, width)) = window.output(input) else {
            return refuse("its kernel is larger than its input");
        };
        let shape = Shape::new(height, width, outputs);
        // A last convolution that sees the whole image is a classifier.
        let whole = geometry.covers(input) && window.kernel == input.height && input.height == input.width;
        let kind = match kind {
            Kind::Convolution { weights, .. } if whole && self.last == Some(at) => Kind::Dense { weights },
            other => other,
        };
        Ok(self.pending(at, node, kind, vec![tensor], shape, false))
    }

    /// Real biases of `count` outputs, zeros where there are none; `side` says what the constant is added to.
    fn biases(&self, node: &NodeProto, index: usize, count: usize, side: Side) -> Result<Vec<f64>, Refusal> {
        self.budget.take(&[count]).map_err(Some)?;
        let (dims, biases) = match self.optional(node, index)? {
            None => return Ok(vec![0.0; count]),
            Some(Value::Constant(constant)) if !constant.is_integer() => {
                (constant.dims.clone(), constant.values.clone())
            }
            Some(Value::Weights(quantised)) => {
                let real = |(at, &integer): (usize, &i32)| {
                    Some(f64::from(integer) * quantised.scale(quantised.axis, at)?)
                };
                let real: Option<Vec<f64>> = quantised.integers.iter().enumerate().map(real).collect();
                (quantised.dims.clone(), real.ok_or(Some("its bias has odd scales".into()))?)
            }
            Some(_) => return refuse("its bias is not a constant"),
        };
        self.budget.take(&[biases.len()]).map_err(Some)?;
        if biases.len() != count {
            return refuse(format!("it has {} biases for {count} outputs", biases.len()));
        }
        // Sizes of 1 in front are ONNX's broadcasting; anywhere else they would add each bias to other numbers.
        let own: Vec<usize> = dims.iter().copied().skip_while(|&size| size == 1).collect();
        let expected = match side {
            _ if count == 1 => own.is_empty(),
            Side::Channels | Side::Rows => own == [count],
            Side::Images => own == [count, 1, 1],
        };
        if expected && dims.len() <= side.rank() {
            Ok(biases)
        } else {
            refuse(format!("its bias has the sizes {dims:?}, which are not one number for each output"))
        }
    }

    pub(super) fn dense(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let (tensor, flat) = self.tensor(node, 0)?;
        let Value::Weights(mut weights) = self.value(node, 1)? else {
            return refuse("its weights are not quantised constants");
        };
        let attributes = Attributes(node);
        let gemm = node.op_type == "Gemm";
        if gemm {
            let one = |name: &str| attributes.float(name).is_none_or(|factor| factor == 1.0);
            if attributes.int("transA", 0) != 0 || !one("alpha") || !one("beta") {
                return refuse("transA, alpha and beta must be 0, 1 and 1");
            }
        }
        // Once for the transposed weights, once for those in the device's order.
        self.budget.take(&[2, weights.integers.len()]).map_err(Some)?;
        if !gemm || attributes.int("transB", 0) == 0 {
            // [IN, OUT] to [OUT, IN].
            match weights.transposed() {
                Some(transposed) => weights = Rc::new(transposed),
                None => return refuse("its weights are not a matrix"),
            }
        }
        let input = self.draft.shapes[tensor];
        let &[outputs, length] = &weights.dims[..] else { return refuse("its weights are not a matrix") };
        if length != input.elements() || !flat {
            return refuse(format!(
                "it reads {length} numbers, its input has {} and was {}flattened to them",
                input.elements(),
                if flat { "" } else { "not " }
            ));
        }
        let scales: Option<Vec<f64>> = (0..outputs).map(|output| weights.scale(0, output)).collect();
        let Some(scales) = scales else {
            return refuse("its weights have scales along another axis than the outputs");
        };
        // ONNX flattens [C, H, W], the device has [H, W, C].
        let positions = input.height * input.width;
        let order =
            (0..positions).flat_map(|position| (0..input.channels).map(move |c| c * positions + position));
        let rows = weights.integers.chunks_exact(length);
        let integers = rows.flat_map(|row| order.clone().map(|from| row[from])).collect();
        let biases = if gemm { self.biases(node, 2, outputs, Side::Rows)? } else { vec![0.0; outputs] };
        let kind = Kind::Dense { weights: Rc::new(Weights { integers, scales, biases }) };
        Ok(self.pending(at, node, kind, vec![tensor], Shape::new(1, 1, outputs), true))
    }

    pub(super) fn add(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let (a, b) = (self.value(node, 0)?, self.value(node, 1)?);
        match (a, b) {
            (Value::Real { tensor: a, flat, .. }, Value::Real { tensor: b, flat: other, .. }) => {
                let shape = self.draft.shapes[a];
                if shape != self.draft.shapes[b] || flat != other {
                    return refuse(format!(
                        "its inputs are {shape} and {}: equal shapes are supported",
                        self.draft.shapes[b]
                    ));
                }
                Ok(self.pending(at, node, Kind::Add, vec![a, b], shape, flat))
            }
            (Value::Pending(pending), Value::Constant(_) | Value::Weights(_)) => {
                self.add_bias(at, node, 1, *pending)
            }
            (Value::Constant(_) | Value::Weights(_), Value::Pending(pending)) => {
                self.add_bias(at, node, 0, *pending)
            }
            _ => refuse(
                "supported are the sum of two quantised tensors and the bias of a fully connected layer",
            ),
        }
    }

    fn add_bias(
        &self,
        at: usize,
        node: &NodeProto,
        index: usize,
        mut pending: Pending,
    ) -> Result<Value, Refusal> {
        let unbounded = (pending.low, pending.high) == (f64::NEG_INFINITY, f64::INFINITY);
        let side = if pending.flat { Side::Rows } else { Side::Images };
        let Kind::Dense { weights } = &mut pending.kind else {
            return refuse("a constant is added to what is not a fully connected layer");
        };
        if !unbounded {
            return refuse("a constant is added after an activation");
        }
        let more = self.biases(node, index, weights.biases.len(), side)?;
        self.budget.take(&[weights.integers.len()]).map_err(Some)?;
        let own = &mut Rc::make_mut(weights).biases;
        own.iter_mut().zip(more).for_each(|(bias, more)| *bias += more);
        pending.node = at;
        Ok(Value::Pending(Box::new(pending)))
    }

    pub(super) fn average(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let (tensor, flat) = self.tensor(node, 0)?;
        let input = self.draft.shapes[tensor];
        if flat {
            return refuse("its input was flattened");
        }
        let attributes = Attributes(node);
        let whole = Shape::new(1, 1, input.channels);
        match node.op_type.as_str() {
            "GlobalAveragePool" => Ok(self.pending(at, node, Kind::AveragePool, vec![tensor], whole, false)),
            "ReduceMean" => {
                let axes: Vec<i64> = match (attributes.ints("axes"), self.constant(node, 1)?) {
                    (Some(_), Some(_)) => {
                        return refuse("its axes are given twice: as an input and as an attribute");
                    }
                    (Some(axes), None) => axes.to_vec(),
                    (None, Some(axes)) if axes.is_integer() => {
                        axes.values.iter().map(|&axis| axis as i64).collect()
                    }
                    (None, _) => Vec::new(),
                };
                let mut axes: Vec<_> =
                    axes.iter().map(|&axis| crate::import::constant::index(axis, 4)).collect();
                axes.sort_unstable();
                if axes != [Some(2), Some(3)] {
                    return refuse("supported is the mean over height and width");
                }
                let flat = attributes.int("keepdims", 1) == 0;
                Ok(self.pending(at, node, Kind::AveragePool, vec![tensor], whole, flat))
            }
            _ => {
                let geometry = Geometry::read(&attributes, None, input).map_err(Some)?;
                if geometry.covers(input) {
                    return Ok(self.pending(at, node, Kind::AveragePool, vec![tensor], whole, false));
                }
                let counted = attributes.int("count_include_pad", 0) != 0 || !geometry.is_padded();
                let weights = geometry.average(input.channels, &self.budget).map_err(Some)?;
                let (Some(weights), true, 0) = (weights, counted, attributes.int("ceil_mode", 0)) else {
                    return refuse(
                        "supported are square kernels, padding that is counted, and sizes rounded down",
                    );
                };
                let window = geometry.window().map_err(Some)?;
                let Some((height, width)) = window.output(input) else {
                    return refuse("its kernel is larger than its input");
                };
                let kind = Kind::Depthwise { window, weights: Rc::new(weights) };
                let shape = Shape::new(height, width, input.channels);
                Ok(self.pending(at, node, kind, vec![tensor], shape, false))
            }
        }
    }
}

/// What a bias is added to.
#[derive(Clone, Copy)]
enum Side {
    /// The channels of a convolution, as its own operand.
    Channels,
    /// [N, OUT].
    Rows,
    /// [N, C, 1, 1].
    Images,
}

impl Side {
    /// Dimensions of what it is added to.
    fn rank(self) -> usize {
        match self {
            Self::Channels => 1,
            Self::Rows => 2,
            Self::Images => 4,
        }
    }
}
