//! Walks a graph once, in order of execution, and collects layers. What cannot be imported is collected too, so that a user
//! hears of all of it at once.

use std::collections::HashMap;

use crate::candidate::Quantisation;
use crate::ir::Shape;
use crate::onnx::proto::{DataType, NodeProto};

use super::constant::{Constant, Quantised};
use super::draft::{Draft, Kind, Layer, Pending, Weights};
use super::geometry::{Geometry, dense_as_convolution};
use super::graph::{Attributes, Graph};

/// What a value of the graph is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Constant),
    /// A constant that was dequantised.
    Weights(Quantised),
    /// The network's float input; whether its channels are last.
    Input {
        channels_last: bool,
    },
    /// Elements of a tensor, as they are stored. `alone`: on the way to here nobody else reads the tensor.
    Elements {
        tensor: usize,
        flat: bool,
        alone: bool,
    },
    /// The real numbers that a tensor's elements stand for.
    Real {
        tensor: usize,
        flat: bool,
        alone: bool,
    },
    /// The float result of a layer.
    Pending(Box<Pending>),
    /// The logits.
    Logits,
    /// Depends on something that cannot be imported.
    Lost,
}

/// A walk over a graph.
pub(super) struct Walk<'a> {
    pub(super) graph: &'a Graph,
    pub(super) draft: Draft,
    pub(super) values: HashMap<String, Value>,
    /// What cannot be imported, by operator and node.
    pub(super) problems: Vec<String>,
    /// What a user should know of the result.
    pub(super) notes: Vec<String>,
    last: Option<usize>,
}

/// Why a node is not imported; [`None`] where the reason has been told at another node.
pub(super) type Refusal = Option<String>;

pub(super) fn refuse<T>(problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Some(problem.into()))
}

impl<'a> Walk<'a> {
    /// Walks the whole graph.
    pub(super) fn over(graph: &'a Graph) -> Self {
        let draft = Draft { shapes: Vec::new(), tensors: Vec::new(), layers: Vec::new(), logit_scale: None };
        let (last, values) = (graph.last_layer(), HashMap::new());
        let mut walk = Self { graph, draft, values, problems: Vec::new(), notes: Vec::new(), last };
        walk.values.insert(graph.input.clone(), Value::Input { channels_last: false });
        for (name, tensor) in &graph.initialisers {
            let value = match Constant::read(tensor) {
                Ok(constant) => Value::Constant(constant),
                Err(problem) => {
                    walk.problems.push(problem);
                    Value::Lost
                }
            };
            walk.values.insert(name.clone(), value);
        }
        for (at, node) in graph.nodes.iter().enumerate() {
            let value = walk.node(at, node).unwrap_or_else(|refusal| {
                if let Some(problem) = refusal {
                    walk.problems.push(format!("{} `{}`: {problem}", node.op_type, name_of(node)));
                }
                Value::Lost
            });
            if let Some(output) = node.output.first() {
                walk.values.insert(output.clone(), value);
            }
        }
        walk
    }

    fn node(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let attributes = Attributes(node);
        match node.op_type.as_str() {
            "Constant" => match attributes.tensor("value") {
                Some(constant) => Ok(Value::Constant(constant.map_err(Some)?)),
                None => refuse("only constants that are tensors are supported"),
            },
            "Identity" | "Dropout" => self.same(node),
            "QuantizeLinear" => self.quantise(node),
            "DequantizeLinear" => self.dequantise(node),
            "Relu" => self.bounded(at, node, 0.0, f64::INFINITY),
            "Clip" => self.clip(at, node),
            "Transpose" => self.transpose(node),
            "Flatten" | "Reshape" | "Squeeze" => self.flatten(node),
            "Softmax" | "LogSoftmax" => match self.value(node, 0)? {
                Value::Logits => {
                    self.notes.push(format!(
                        "{} `{}` is left out: the logits have the same class",
                        node.op_type,
                        name_of(node)
                    ));
                    Ok(Value::Logits)
                }
                Value::Pending(pending) if self.last == Some(pending.node) => {
                    self.notes.push(format!(
                        "{} `{}` is left out: the logits have the same class",
                        node.op_type,
                        name_of(node)
                    ));
                    Ok(Value::Pending(pending))
                }
                _ => refuse("it is supported after the last layer only"),
            },
            "Conv" => self.convolution(at, node),
            "Gemm" | "MatMul" => self.dense(at, node),
            "Add" => self.add(at, node),
            "GlobalAveragePool" | "ReduceMean" | "AveragePool" => self.average(at, node),
            "QLinearConv" | "QLinearMatMul" | "QLinearAdd" | "QGemm" | "ConvInteger" | "MatMulInteger" => {
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
        match self.values.get(name) {
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

    fn constant(&self, node: &NodeProto, index: usize) -> Result<Option<Constant>, Refusal> {
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
        Value::Pending(Box::new(Pending {
            name: name_of(node).into(),
            node: at,
            kind,
            inputs,
            shape,
            flat,
            low,
            high,
        }))
    }

    /// Scale and zero point of an int8 tensor; a uint8 one is read as int8 with everything less 128.
    fn parameters(&self, node: &NodeProto) -> Result<(Quantisation, i32), Refusal> {
        let scale = self.constant(node, 1)?.and_then(|scale| scale.scalar());
        let Some(scale) = scale.filter(|scale| (1e-30..1e30).contains(scale)) else {
            return refuse("an activation needs one constant positive scale");
        };
        let (zero_point, kind) = match self.constant(node, 2)? {
            None => (0.0, DataType::Uint8),
            Some(constant) => match constant.scalar() {
                Some(zero_point) => (zero_point, constant.kind),
                None => return refuse("an activation needs one zero point"),
            },
        };
        let shift = match kind {
            DataType::Uint8 => 128,
            DataType::Int8 => 0,
            other => return refuse(format!("activations are 8-bit here, not {other:?}")),
        };
        let zero_point = i8::try_from(zero_point as i32 - shift);
        let Ok(zero_point) = zero_point else { return refuse("its zero point is not one of its type") };
        Ok((Quantisation { scale, zero_point }, shift))
    }

    fn quantise(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        match self.value(node, 0)? {
            Value::Constant(constant) => self.quantise_constant(node, &constant),
            Value::Input { channels_last } => {
                let (quantisation, _) = self.parameters(node)?;
                self.input(quantisation, channels_last)
            }
            Value::Real { tensor, flat, alone } => {
                let (quantisation, _) = self.parameters(node)?;
                if self.draft.tensors[tensor] == quantisation {
                    return Ok(Value::Elements { tensor, flat, alone });
                }
                let tensor =
                    self.draft.requantise(tensor, name_of(node).into(), quantisation, [i8::MIN, i8::MAX]);
                Ok(Value::Elements { tensor, flat, alone: true })
            }
            Value::Pending(pending) if self.last == Some(pending.node) => self.logits(*pending, Some(node)),
            Value::Pending(pending) => {
                let (quantisation, _) = self.parameters(node)?;
                let flat = pending.flat;
                let tensor = self.settle(*pending, quantisation)?;
                Ok(Value::Elements { tensor, flat, alone: true })
            }
            Value::Logits => Ok(Value::Logits),
            Value::Weights(_) | Value::Elements { .. } => refuse("it quantises what is quantised already"),
            Value::Lost => Err(None),
        }
    }

    /// Quantises weights that the file keeps as floats.
    fn quantise_constant(&self, node: &NodeProto, constant: &Constant) -> Result<Value, Refusal> {
        let Some(scale) = self.constant(node, 1)? else { return refuse("it has no scale") };
        let zero_point = self.constant(node, 2)?;
        let kind = zero_point.as_ref().map_or(DataType::Uint8, |zero_point| zero_point.kind);
        let (low, high) = match kind {
            DataType::Int8 => (-128.0, 127.0),
            DataType::Uint8 => (0.0, 255.0),
            DataType::Int4 => (-8.0, 7.0),
            DataType::Uint4 => (0.0, 15.0),
            other => return refuse(format!("weights of type {other:?} are not supported")),
        };
        let (rank, count) = (constant.dims.len(), scale.values.len());
        let axis = Attributes(node).int("axis", 1);
        let axis = usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).unwrap_or(rank);
        if count != 1 && constant.dims.get(axis) != Some(&count) {
            return refuse("it has not one scale for each index of its axis");
        }
        let inner: usize = constant.dims.iter().skip(axis + 1).product();
        let index = |at: usize| if count == 1 { 0 } else { at / inner % count };
        let zero = |at: usize| {
            zero_point.as_ref().map_or(0.0, |zero| {
                zero.values.get(index(at)).or(zero.values.first()).copied().unwrap_or(0.0)
            })
        };
        let element = |(at, &value): (usize, &f64)| {
            // As engines compute it: a quotient of float32, ties to even.
            let steps = (value as f32 / scale.values[index(at)] as f32).round_ties_even();
            (f64::from(steps) + zero(at)).clamp(low, high)
        };
        let values = constant.values.iter().enumerate().map(element).collect();
        Ok(Value::Constant(Constant { dims: constant.dims.clone(), kind, values }))
    }

    fn dequantise(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        match self.value(node, 0)? {
            Value::Constant(constant) => {
                let Some(scale) = self.constant(node, 1)? else { return refuse("it has no scale") };
                let zero_point = self.constant(node, 2)?;
                let axis = Attributes(node).int("axis", 1);
                Quantised::new(&constant, &scale, zero_point.as_ref(), axis).map(Value::Weights).map_err(Some)
            }
            Value::Input { channels_last } if self.graph.input_is_integer() => {
                let (quantisation, _) = self.parameters(node)?;
                match self.input(quantisation, channels_last)? {
                    Value::Elements { tensor, flat, .. } => Ok(Value::Real { tensor, flat, alone: false }),
                    other => Ok(other),
                }
            }
            Value::Elements { tensor, flat, alone } => {
                let (quantisation, _) = self.parameters(node)?;
                if self.draft.tensors[tensor] != quantisation {
                    return refuse("its scale or zero point is not that of the tensor it reads");
                }
                let read_once = |name: &String| self.graph.readers(name) == 1;
                let alone = alone
                    && node.input.first().is_some_and(read_once)
                    && node.output.first().is_some_and(read_once);
                Ok(Value::Real { tensor, flat, alone })
            }
            Value::Logits => Ok(Value::Logits),
            _ => refuse("it dequantises what is not quantised"),
        }
    }

    /// The network's input, quantised.
    fn input(&mut self, quantisation: Quantisation, channels_last: bool) -> Result<Value, Refusal> {
        let sizes = &self.graph.input_sizes;
        let shape = if channels_last {
            Shape::new(sizes[0], sizes[1], sizes[2])
        } else {
            Shape::new(sizes[1], sizes[2], sizes[0])
        };
        match self.draft.tensors.first() {
            Some(known) if *known == quantisation && self.draft.shapes[0] == shape => {}
            Some(_) => return refuse("the network's input is quantised in two ways"),
            None => {
                self.draft.tensors.push(quantisation);
                self.draft.shapes.push(shape);
            }
        }
        Ok(Value::Elements { tensor: 0, flat: false, alone: false })
    }

    /// Makes a layer of what is pending, with its output quantised.
    fn settle(&mut self, pending: Pending, quantisation: Quantisation) -> Result<usize, Refusal> {
        let Pending { name, kind, inputs, shape, low, high, .. } = pending;
        let kind = match kind {
            Kind::Dense { weights } => {
                dense_as_convolution(self.draft.shapes[inputs[0]], weights).map_err(Some)?
            }
            other => other,
        };
        let bounds = elements(quantisation, low, high);
        Ok(self.draft.push(Layer { name, kind, inputs, bounds }, shape, quantisation))
    }

    /// Makes the logits of the last layer. `quantiser` quantises them, if anything does.
    pub(super) fn logits(
        &mut self,
        pending: Pending,
        quantiser: Option<&NodeProto>,
    ) -> Result<Value, Refusal> {
        let quantisation =
            quantiser.map(|node| self.parameters(node)).transpose()?.map(|(quantisation, _)| quantisation);
        if (pending.low, pending.high) != (f64::NEG_INFINITY, f64::INFINITY) {
            return refuse("an activation after the last layer is not supported: its logits are int32");
        }
        let Pending { name, kind, inputs, shape, .. } = pending;
        let (kind, inputs) = match (kind, quantisation) {
            (Kind::Dense { weights }, _) => (Kind::Dense { weights }, inputs),
            (kind, Some(quantisation)) if (shape.height, shape.width) == (1, 1) => {
                // The last layer is none of the classifiers that the runtime has: an identity makes its output the logits.
                let tensor = self.draft.push(
                    Layer { name: name.clone(), kind, inputs, bounds: [i8::MIN, i8::MAX] },
                    shape,
                    quantisation,
                );
                (Kind::Dense { weights: Weights::identity(shape.channels) }, vec![tensor])
            }
            (_, None) => return refuse("its output is not quantised, and it is not a fully connected layer"),
            _ => return refuse("the output is not one number for each class"),
        };
        self.draft.logit_scale = quantisation.map(|quantisation| quantisation.scale);
        let classes = Shape::new(1, 1, shape.elements());
        // The classifier's output has no quantisation of its own; what is pushed here is taken off again when it is lowered.
        let none = Quantisation { scale: 1.0, zero_point: 0 };
        self.draft.push(Layer { name, kind, inputs, bounds: [0, 0] }, classes, none);
        Ok(Value::Logits)
    }

    /// A value between real bounds: of a layer that is pending, or of a tensor.
    fn bounded(&mut self, at: usize, node: &NodeProto, low: f64, high: f64) -> Result<Value, Refusal> {
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
        let output = node.output.first().cloned().unwrap_or_default();
        let next = self.graph.nodes.iter().find(|next| next.input.first() == Some(&output));
        let same = match next {
            Some(next) if next.op_type == "QuantizeLinear" => {
                self.parameters(next)?.0 == self.draft.tensors[tensor]
            }
            _ => false,
        };
        if let (true, true, Some(layer)) =
            (same, alone && self.graph.readers(&output) == 1, tensor.checked_sub(1))
        {
            let bounds = elements(self.draft.tensors[tensor], low, high);
            let own = self.draft.layers[layer].bounds;
            self.draft.layers[layer].bounds = own.map(|bound| bound.clamp(bounds[0], bounds[1]));
            return Ok(Value::Real { tensor, flat, alone });
        }
        let shape = self.draft.shapes[tensor];
        let identity = Weights::constant(shape.channels, 1, 1.0);
        let kind = Kind::Depthwise { window: crate::ir::Window::pointwise(), weights: identity };
        let value = self.pending(at, node, kind, vec![tensor], shape, flat);
        Ok(match value {
            Value::Pending(pending) => Value::Pending(Box::new(Pending { low, high, ..*pending })),
            other => other,
        })
    }

    fn clip(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let attributes = Attributes(node);
        let bound = |index: usize, name: &str, default: f64| {
            let given = self.constant(node, index)?.and_then(|constant| constant.scalar());
            Ok::<f64, Refusal>(given.or(attributes.float(name).map(f64::from)).unwrap_or(default))
        };
        let low = bound(1, "min", f64::NEG_INFINITY)?;
        let high = bound(2, "max", f64::INFINITY)?;
        if low > high || low.is_nan() || high.is_nan() {
            return refuse(format!("its bounds are {low} and {high}"));
        }
        match self.value(node, 0)? {
            Value::Constant(mut constant) => {
                constant.values.iter_mut().for_each(|value| *value = value.clamp(low, high));
                Ok(Value::Constant(constant))
            }
            Value::Logits => Ok(Value::Logits),
            Value::Elements { tensor, flat, alone } => {
                // Between quantiser and dequantiser: narrower integers than 8 bits. uint8 is stored less 128.
                let unsigned =
                    self.constant(node, 1)?.is_some_and(|constant| constant.kind == DataType::Uint8);
                let shift = if unsigned { 128.0 } else { 0.0 };
                let bounds = [low - shift, high - shift].map(|bound| bound.clamp(-128.0, 127.0) as i8);
                let alone = alone && node.input.first().is_some_and(|name| self.graph.readers(name) == 1);
                match tensor.checked_sub(1) {
                    _ if bounds == [i8::MIN, i8::MAX] => {}
                    Some(layer) if alone => {
                        let own = self.draft.layers[layer].bounds;
                        self.draft.layers[layer].bounds = own.map(|bound| bound.clamp(bounds[0], bounds[1]));
                    }
                    _ => return refuse("it narrows the network's input, or a tensor that others read too"),
                }
                Ok(Value::Elements { tensor, flat, alone })
            }
            _ => self.bounded(at, node, low, high),
        }
    }

    fn transpose(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        let order = Attributes(node).ints("perm").map(<[i64]>::to_vec);
        match (self.value(node, 0)?, order.as_deref()) {
            (Value::Input { channels_last: false }, Some([0, 3, 1, 2])) => {
                Ok(Value::Input { channels_last: true })
            }
            (Value::Weights(weights), None | Some([1, 0])) => match weights.transposed() {
                Some(weights) => Ok(Value::Weights(weights)),
                None => refuse("only matrices of weights are transposed"),
            },
            _ => refuse("supported are [0, 3, 1, 2] of the network's input and [1, 0] of weights"),
        }
    }

    fn flatten(&mut self, node: &NodeProto) -> Result<Value, Refusal> {
        let count = |value: &Value| match value {
            Value::Real { tensor, .. } | Value::Elements { tensor, .. } => {
                Some(self.draft.shapes[*tensor].elements())
            }
            Value::Pending(pending) => Some(pending.shape.elements()),
            _ => None,
        };
        let mut value = self.value(node, 0)?;
        let elements = count(&value);
        let one_pixel = match &value {
            Value::Real { tensor, .. } | Value::Elements { tensor, .. } => {
                let shape = self.draft.shapes[*tensor];
                (shape.height, shape.width) == (1, 1)
            }
            Value::Pending(pending) => (pending.shape.height, pending.shape.width) == (1, 1),
            _ => true,
        };
        let fits = match node.op_type.as_str() {
            "Flatten" => Attributes(node).int("axis", 1) == 1,
            "Squeeze" => one_pixel,
            _ => match self.constant(node, 1)?.map(|shape| shape.values) {
                Some(shape) => match shape[..] {
                    [_, length] => length == -1.0 || Some(length as usize) == elements,
                    [_, _, 1.0, 1.0] => one_pixel,
                    _ => false,
                },
                None => false,
            },
        };
        if !fits {
            return refuse("supported is [N, C, H, W] to [N, C*H*W]");
        }
        match &mut value {
            Value::Real { flat, alone, .. } | Value::Elements { flat, alone, .. } => {
                *flat = true;
                *alone &= node.output.first().is_some_and(|name| self.graph.readers(name) == 1);
            }
            Value::Pending(pending) => pending.flat = true,
            Value::Logits => {}
            _ => return refuse("its input is not quantised"),
        }
        Ok(value)
    }

    fn convolution(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
        let (tensor, flat) = self.tensor(node, 0)?;
        let Value::Weights(weights) = self.value(node, 1)? else {
            return refuse("its weights are not quantised");
        };
        let input = self.draft.shapes[tensor];
        if flat && (input.height, input.width) != (1, 1) {
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
        let biases = self.biases(node, 2, outputs)?;
        let kind = geometry.convolution(input, group, &weights, biases).map_err(Some)?;
        let window = geometry.window().map_err(Some)?;
        let Some((height, width)) = window.output(input) else {
            return refuse("its kernel is larger than its input");
        };
        let shape = Shape::new(height, width, outputs);
        // A last convolution that sees the whole image is a classifier.
        if let (Kind::Convolution { weights, .. }, true, Some(true)) = (
            &kind,
            geometry.covers(input) && window.kernel == input.height && input.height == input.width,
            self.last.map(|last| last == at),
        ) {
            let kind = Kind::Dense { weights: weights.clone() };
            return Ok(self.pending(at, node, kind, vec![tensor], shape, false));
        }
        Ok(self.pending(at, node, kind, vec![tensor], shape, false))
    }

    /// Real biases, zeros where there are none.
    fn biases(&self, node: &NodeProto, index: usize, count: usize) -> Result<Vec<f64>, Refusal> {
        let biases = match self.optional(node, index)? {
            None => vec![0.0; count],
            Some(Value::Constant(constant)) if !constant.is_integer() => constant.values,
            Some(Value::Weights(quantised)) => {
                let real = |(at, &integer): (usize, &i32)| {
                    Some(f64::from(integer) * quantised.scale(quantised.axis, at)?)
                };
                quantised
                    .integers
                    .iter()
                    .enumerate()
                    .map(real)
                    .collect::<Option<_>>()
                    .ok_or(Some("its bias has odd scales".into()))?
            }
            Some(_) => return refuse("its bias is not a constant"),
        };
        if biases.len() == count {
            Ok(biases)
        } else {
            refuse(format!("it has {} biases for {count} outputs", biases.len()))
        }
    }

    fn dense(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
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
        if !gemm || attributes.int("transB", 0) == 0 {
            // [IN, OUT] to [OUT, IN].
            match weights.transposed() {
                Some(transposed) => weights = transposed,
                None => return refuse("its weights are not a matrix"),
            }
        }
        let input = self.draft.shapes[tensor];
        let &[outputs, length] = &weights.dims[..] else { return refuse("its weights are not a matrix") };
        if length != input.elements() || !(flat || (input.height, input.width) == (1, 1)) {
            return refuse(format!(
                "it reads {length} numbers, its input has {} and was not flattened to them",
                input.elements()
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
        let biases = if gemm { self.biases(node, 2, outputs)? } else { vec![0.0; outputs] };
        let kind = Kind::Dense { weights: Weights { integers, scales, biases } };
        Ok(self.pending(at, node, kind, vec![tensor], Shape::new(1, 1, outputs), true))
    }

    fn add(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
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
        let Kind::Dense { weights } = &mut pending.kind else {
            return refuse("a constant is added to what is not a fully connected layer");
        };
        if !unbounded {
            return refuse("a constant is added after an activation");
        }
        let more = self.biases(node, index, weights.biases.len())?;
        weights.biases.iter_mut().zip(more).for_each(|(bias, more)| *bias += more);
        pending.node = at;
        Ok(Value::Pending(Box::new(pending)))
    }

    fn average(&mut self, at: usize, node: &NodeProto) -> Result<Value, Refusal> {
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
                    (Some(axes), _) => axes.to_vec(),
                    (None, Some(axes)) => axes.values.iter().map(|&axis| axis as i64).collect(),
                    (None, None) => Vec::new(),
                };
                let mut axes: Vec<i64> =
                    axes.iter().map(|&axis| if axis < 0 { axis + 4 } else { axis }).collect();
                axes.sort_unstable();
                if axes != [2, 3] {
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
                let weights = geometry.average(input.channels);
                let (Some(weights), true, 0) = (weights, counted, attributes.int("ceil_mode", 0)) else {
                    return refuse(
                        "supported are square kernels, padding that is counted, and sizes rounded down",
                    );
                };
                let window = geometry.window().map_err(Some)?;
                let Some((height, width)) = window.output(input) else {
                    return refuse("its kernel is larger than its input");
                };
                let kind = Kind::Depthwise { window, weights };
                Ok(self.pending(
                    at,
                    node,
                    kind,
                    vec![tensor],
                    Shape::new(height, width, input.channels),
                    false,
                ))
            }
        }
    }
}

/// The elements of real bounds.
fn elements(quantisation: Quantisation, low: f64, high: f64) -> [i8; 2] {
    let element = |real: f64| {
        let steps = (real / quantisation.scale).round_ties_even() + f64::from(quantisation.zero_point);
        steps.clamp(-128.0, 127.0) as i8
    };
    [element(low), element(high)]
}

/// A node's name, or that of its output where it has none.
pub(super) fn name_of(node: &NodeProto) -> &str {
    if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name }
}
