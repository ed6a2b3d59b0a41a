//! An ONNX graph ready to be walked: one input, one output, the nodes between them in order, who reads what.

use std::collections::{HashMap, HashSet};

use prost::Message;

use crate::onnx::proto::{DataType, GraphProto, ModelProto, NodeProto, Size, TensorProto, ValueInfoProto};

use super::constant::Constant;
use super::{operators, order, recognise};

/// A graph with one input and one output.
pub(super) struct Graph {
    /// Nodes that the output depends on, each after those that it reads from.
    pub(super) nodes: Vec<NodeProto>,
    /// Constants that these nodes read.
    pub(super) initialisers: Vec<TensorProto>,
    pub(super) input: String,
    pub(super) input_type: DataType,
    /// Sizes after the batch.
    pub(super) input_sizes: Vec<usize>,
    pub(super) output: String,
    /// Version of ONNX's operators.
    pub(super) opset: i64,
    /// The logit step that this program wrote into the file, if it did.
    pub(super) logit_step: Option<f64>,
    readers: HashMap<String, Readers>,
}

/// Who reads a value.
#[derive(Clone, Copy, Default)]
struct Readers {
    /// How many nodes, the file's output being one more.
    count: usize,
    /// The first node whose first input it is.
    first: Option<usize>,
}

impl Graph {
    /// Reads the bytes of a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model = ModelProto::decode(bytes)
            .map_err(|error| format!("not an ONNX file: {error}; export or copy it again"))?;
        if let Some(problem) = recognise::unsuited(&model) {
            return Err(problem);
        }
        let opset = operators::opset(&model);
        let logit_step = logit_step(&model)?;
        let graph = model.graph.ok_or("not an ONNX file: it has no graph")?;
        let opset = opset?;
        let constants = constants(&graph)?;
        // Old files list their constants among the inputs.
        let inputs: Vec<_> = graph.input.iter().filter(|info| !constants.contains(&info.name)).collect();
        let ([input], [output]) = (&inputs[..], &graph.output[..]) else {
            return Err(format!(
                "it has {} inputs and {} outputs: a classifier with one of each is needed",
                inputs.len(),
                graph.output.len()
            ));
        };
        let (input_type, input_sizes) = input_kind(input)?;
        let (input, output) = (input.name.clone(), output.name.clone());
        let nodes = order::needed(graph.node, &output, |name| name == input || constants.contains(name))?;
        let mut readers: HashMap<String, Readers> = HashMap::new();
        readers.entry(output.clone()).or_default().count = 1;
        for (at, node) in nodes.iter().enumerate() {
            for (index, name) in node.input.iter().enumerate() {
                let readers = readers.entry(name.clone()).or_default();
                readers.count += 1;
                if index == 0 && readers.first.is_none() {
                    readers.first = Some(at);
                }
            }
        }
        let initialisers =
            graph.initializer.into_iter().filter(|tensor| readers.contains_key(&tensor.name)).collect();
        Ok(Self { nodes, initialisers, input, input_type, input_sizes, output, opset, logit_step, readers })
    }

    /// How many nodes read a value; the file's output counts as one.
    pub(super) fn readers(&self, value: &str) -> usize {
        self.readers.get(value).map_or(0, |readers| readers.count)
    }

    /// The first node whose first input is `value`.
    pub(super) fn reader(&self, value: &str) -> Option<&NodeProto> {
        self.readers.get(value).and_then(|readers| readers.first).map(|at| &self.nodes[at])
    }

    /// The node that computes the logits: the last one that does more than quantise, reshape or normalise them.
    pub(super) fn last_layer(&self) -> Option<usize> {
        const AFTER: [&str; 9] = [
            "QuantizeLinear",
            "DequantizeLinear",
            "Clip",
            "Softmax",
            "LogSoftmax",
            "Identity",
            "Flatten",
            "Reshape",
            "Squeeze",
        ];
        let makers: HashMap<&str, usize> = (self.nodes.iter().enumerate())
            .flat_map(|(at, node)| node.output.iter().map(move |name| (name.as_str(), at)))
            .collect();
        // Nodes come after what they read from, so this ends.
        let mut value = self.output.as_str();
        loop {
            let at = *makers.get(value)?;
            if !AFTER.contains(&self.nodes[at].op_type.as_str()) {
                return Some(at);
            }
            value = self.nodes[at].input.first()?;
        }
    }
}

/// The constants of a graph by name.
fn constants(graph: &GraphProto) -> Result<HashSet<String>, String> {
    let mut names = HashSet::with_capacity(graph.initializer.len());
    for tensor in &graph.initializer {
        if !names.insert(tensor.name.clone()) {
            return Err(format!("two of its constants are called `{}`: export it again", tensor.name));
        }
    }
    Ok(names)
}

/// Element type of the input, and its sizes after the batch.
fn input_kind(input: &ValueInfoProto) -> Result<(DataType, Vec<usize>), String> {
    let tensor =
        input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()).ok_or("its input has no type")?;
    let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
    let known = |value: &Option<Size>| match value {
        Some(Size::Known(size)) => usize::try_from(*size).ok().filter(|size| (1..=65_535).contains(size)),
        _ => None,
    };
    let Some((batch, sizes)) = dims.split_first() else { return Err("its input has no shape".into()) };
    if known(&batch.value).is_some_and(|batch| batch != 1) {
        return Err(
            "its input has a fixed batch of more than one image: export it with a free batch or a batch of 1"
                .into(),
        );
    }
    let sizes: Option<Vec<usize>> = sizes.iter().map(|dim| known(&dim.value)).collect();
    let sizes = sizes.filter(|sizes| sizes.len() == 3).ok_or(
        "its input is not [N, C, H, W] with known C, H and W: export it with the sizes of its images",
    )?;
    match DataType::try_from(tensor.elem_type) {
        Ok(kind @ (DataType::Float | DataType::Uint8 | DataType::Int8)) => Ok((kind, sizes)),
        _ => Err(format!(
            "its input has elements of type {} of ONNX: export it with float32, uint8 or int8",
            tensor.elem_type
        )),
    }
}

/// The logit step in the metadata of files that this program writes.
fn logit_step(model: &ModelProto) -> Result<Option<f64>, String> {
    let Some(entry) = model.metadata_props.iter().find(|entry| entry.key == "logit_step") else {
        return Ok(None);
    };
    match entry.value.parse() {
        Ok(step) if (1e-30..1e30).contains(&step) => Ok(Some(step)),
        _ => Err(format!(
            "its metadata has a `logit_step` of `{}`: take it out, or export it again",
            entry.value
        )),
    }
}

/// A node's attributes.
pub(super) struct Attributes<'a>(pub(super) &'a NodeProto);

impl Attributes<'_> {
    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.find(name).map_or(default, |attribute| attribute.i)
    }

    pub(super) fn float(&self, name: &str) -> Option<f32> {
        self.find(name).map(|attribute| attribute.f)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, String> {
        let Some(attribute) = self.find(name) else { return Ok(None) };
        std::str::from_utf8(&attribute.s).map(Some).map_err(|_| format!("its {name} is no text"))
    }

    /// Integers of at least 0, `default` where the attribute is absent.
    pub(super) fn sizes<const N: usize>(
        &self,
        name: &str,
        default: [usize; N],
    ) -> Result<[usize; N], String> {
        let Some(attribute) = self.find(name) else { return Ok(default) };
        let sizes: Option<Vec<usize>> =
            attribute.ints.iter().map(|&size| usize::try_from(size).ok()).collect();
        let sizes = sizes.and_then(|sizes| sizes.try_into().ok());
        sizes.ok_or_else(|| match &attribute.ints[..] {
            few if few.len() <= 8 => format!("its {name} are {few:?}: {N} sizes are supported"),
            many => format!("its {name} are {} numbers: {N} sizes are supported", many.len()),
        })
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.find(name).map(|attribute| &attribute.ints[..])
    }

    pub(super) fn tensor(&self, name: &str) -> Option<Result<Constant, String>> {
        self.find(name).and_then(|attribute| attribute.t.as_ref()).map(Constant::read)
    }

    fn find(&self, name: &str) -> Option<&crate::onnx::proto::AttributeProto> {
        self.0.attribute.iter().find(|attribute| attribute.name == name)
    }
}
