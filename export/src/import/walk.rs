//! Walks a graph once, in order of execution, and collects layers. What cannot be imported is collected too, so that a user
//! hears of all of it at once.
//!
//! Values are shared between the nodes that read them, and whatever is made of one is taken from the [`Budget`] first, so memory
//! and steps stay in proportion to the file.

mod activations;
mod layers;
mod logits;
mod quantise;
mod shapes;

use std::collections::HashMap;
use std::rc::Rc;

use crate::ir::Shape;
use crate::onnx::proto::{DataType, NodeProto};

use super::budget::Budget;
use super::constant::{Constant, Quantised};
use super::draft::{Draft, Kind, Pending};
use super::graph::{Attributes, Graph};
use super::operators;
use logits::Logits;

/// What a value of the graph is.
#[derive(Clone)]
pub(super) enum Value {
    Constant(Rc<Constant>),
    /// A constant that was dequantised.
    Weights(Rc<Quantised>),
    /// The network's float input; whether its channels are last.
    Input {
        channels_last: bool,
    },
    /// Elements of a tensor, as they are stored. `alone`: on the way to here nobody else reads the tensor. `kind`: their type in
    /// the file, int8 or uint8.
    Elements {
        tensor: usize,
        flat: bool,
        alone: bool,
        kind: DataType,
    },
    /// The real numbers that a tensor's elements stand for.
    Real {
        tensor: usize,
        flat: bool,
        alone: bool,
    },
    /// The float result of a layer.
    Pending(Box<Pending>),
    /// The logits, or what has their class.
    Logits(Logits),
    /// Depends on something that cannot be imported.
    Lost,
}

/// A walk over a graph.
pub(super) struct Walk<'a> {
    pub(super) graph: &'a Graph,
    pub(super) draft: Draft,
    pub(super) values: HashMap<&'a str, Value>,
    /// What cannot be imported, by operator and node.
    pub(super) problems: Vec<String>,
    /// What a user should know of the result.
    pub(super) notes: Vec<String>,
    budget: Budget,
    last: Option<usize>,
}

/// Why a node is not imported; [`None`] where the reason has been told at another node.
pub(super) type Refusal = Option<String>;

pub(super) fn refuse<T>(problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Some(problem.into()))
}

impl<'a> Walk<'a> {
    /// Walks the whole graph of a file of `bytes` bytes.
    pub(super) fn over(graph: &'a Graph, bytes: usize) -> Self {
        let mut walk = Self {
            graph,
            draft: Draft::default(),
            values: HashMap::new(),
            problems: Vec::new(),
            notes: Vec::new(),
            budget: Budget::of(bytes),
            last: graph.last_layer(),
        };
        walk.values.insert(&graph.input, Value::Input { channels_last: false });
        for tensor in &graph.initialisers {
            let value = match Constant::read(tensor) {
                Ok(constant) => Value::Constant(Rc::new(constant)),
                Err(problem) => {
                    walk.problems.push(problem);
                    Value::Lost
                }
            };
            walk.values.insert(&tensor.name, value);
        }
        for (at, node) in graph.nodes.iter().enumerate() {
            let value = walk.node(at, node).unwrap_or_else(|refusal| {
                if let Some(problem) = refusal {
                    walk.problems.push(format!("{} `{}`: {problem}", node.op_type, name_of(node)));
                }
                Value::Lost
            });
            if let Some(output) = node.output.first() {
                walk.values.insert(output, value);
            }
        }
        walk
    }

    fn node(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        operators::check(node).map_err(Some)?;
        match node.op_type.as_str() {
            "Constant" => match Attributes(node).tensor("value") {
                Some(constant) => Ok(Value::Constant(Rc::new(constant.map_err(Some)?))),
                None => refuse("only constants that are tensors are supported"),
            },
            "Identity" => self.same(node),
            "Dropout" => match self.constant(node, 2)? {
                Some(training) if training.values.iter().any(|&value| value != 0.0) => {
                    refuse("it is in training mode: export the network for inference")
                }
                _ => self.same(node),
            },
            "QuantizeLinear" => self.quantise(node),
            "DequantizeLinear" => self.dequantise(node),
            "Relu" => self.bounded(at, node, 0.0, f64::INFINITY),
            "Clip" => self.clip(at, node),
            "Transpose" => self.transpose(node),
            "Flatten" | "Reshape" | "Squeeze" => self.flatten(node),
            "Softmax" | "LogSoftmax" => self.softmax(node),
            "Conv" => self.convolution(at, node),
            "Gemm" | "MatMul" => self.dense(at, node),
            "Add" => self.add(at, node),
            "GlobalAveragePool" | "ReduceMean" | "AveragePool" => self.average(at, node),
            name if operators::is_integer_operator(name) => {
                refuse("quantise with QDQ nodes (QuantFormat.QDQ), not with integer operators")
            }
            "BatchNormalization" => refuse("fold it into the convolution before quantising"),
            _ => refuse("the runtime has no such layer"),
        }
    }

    /// What a node does not change; with more readers than one, a tensor is not read alone any more.
    fn same(&self, node: &NodeProto) -> Result<Value, Refusal> {
        let mut value = self.value(node, 0)?;
        if let Value::Real { alone, .. } | Value::Elements { alone, .. } = &mut value {
            *alone &= node.output.first().is_some_and(|name| self.graph.readers(name) == 1);
        }
        Ok(value)
    }

    /// Input `index` of a node.
    fn value(&self, node: &NodeProto, index: usize) -> Result<Value, Refusal> {
        let Some(name) = node.input.get(index).filter(|name| !name.is_empty()) else {
            return refuse(format!("it lacks input {index}"));
        };
        match self.values.get(name.as_str()) {
            Some(Value::Lost) => Err(None),
            Some(value) => Ok(value.clone()),
            None => refuse(format!("nothing makes its input `{name}`")),
        }
    }

    /// The same for an input that may be absent.
    fn optional(&self, node: &NodeProto, index: usize) -> Result<Option<Value>, Refusal> {
        match node.input.get(index) {
            Some(name) if !name.is_empty() => self.value(node, index).map(Some),
            _ => Ok(None),
        }
    }

    fn constant(&self, node: &NodeProto, index: usize) -> Result<Option<Rc<Constant>>, Refusal> {
        match self.optional(node, index)? {
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(_) => refuse(format!("its input {index} is not a constant")),
            None => Ok(None),
        }
    }

    /// A tensor whose real numbers a node reads.
    fn tensor(&self, node: &NodeProto, index: usize) -> Result<(usize, bool), Refusal> {
        match self.value(node, index)? {
            Value::Real { tensor, flat, .. } => Ok((tensor, flat)),
            _ => refuse(
                "its input is not quantised: every tensor between layers needs QuantizeLinear and DequantizeLinear",
            ),
        }
    }

    fn pending(
        &self,
        at: usize,
        node: &NodeProto,
        kind: Kind,
        inputs: Vec<usize>,
        shape: Shape,
        flat: bool,
    ) -> Value {
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        let name = name_of(node).into();
        Value::Pending(Box::new(Pending { name, node: at, kind, inputs, shape, flat, low, high }))
    }
}

/// A node's name, or that of its output where it has none.
pub(super) fn name_of(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}
