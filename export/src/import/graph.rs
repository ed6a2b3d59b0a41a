//! An ONNX graph ready to be walked: one input, one output, the nodes between them in order, who reads what.

use std::collections::{HashMap, HashSet};

use prost::Message;

use crate::onnx::proto::{DataType, ModelProto, NodeProto, Size, TensorProto};

use super::constant::Constant;

/// A graph with one input and one output.
pub(super) struct Graph {
    /// Nodes that the output depends on, each after those that it reads from.
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initialisers: HashMap<String, TensorProto>,
    pub(super) input: String,
    pub(super) input_type: i32,
    /// Sizes after the batch.
    pub(super) input_sizes: Vec<usize>,
    pub(super) output: String,
    /// The logit step that this program wrote into the file, if it did.
    pub(super) logit_step: Option<f64>,
    readers: HashMap<String, usize>,
}

impl Graph {
    /// Reads the bytes of a file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model = ModelProto::decode(bytes).map_err(|error| format!("not an ONNX file: {error}"))?;
        let graph = model.graph.ok_or("not an ONNX file: it has no graph")?;
        let initialisers: HashMap<String, TensorProto> =
            graph.initializer.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        // Old files list their constants among the inputs.
        let inputs: Vec<_> =
            graph.input.iter().filter(|info| !initialisers.contains_key(&info.name)).collect();
        let ([input], [output]) = (&inputs[..], &graph.output[..]) else {
            return Err(format!(
                "it has {} inputs and {} outputs: a classifier with one of each is needed",
                inputs.len(),
                graph.output.len()
            ));
        };
        let tensor = input
            .r#type
            .as_ref()
            .and_then(|kind| kind.tensor_type.as_ref())
            .ok_or("its input has no type")?;
        let dims = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dim);
        let known = |value: &Option<Size>| match value {
            Some(Size::Known(size)) => usize::try_from(*size).ok().filter(|size| (1..=65_535).contains(size)),
            _ => None,
        };
        let Some((batch, sizes)) = dims.split_first() else { return Err("its input has no shape".into()) };
        if known(&batch.value).is_some_and(|batch| batch != 1) {
            return Err("its input has a fixed batch of more than one image: export it with a free batch or a batch of 1".into());
        }
        let sizes: Option<Vec<usize>> = sizes.iter().map(|dim| known(&dim.value)).collect();
        let input_sizes = sizes.filter(|sizes| sizes.len() == 3).ok_or(
            "its input is not [N, C, H, W] with known C, H and W: export it with the sizes of its images",
        )?;
        let logit_step = model
            .metadata_props
            .iter()
            .find(|entry| entry.key == "logit_step")
            .and_then(|entry| entry.value.parse().ok())
            .filter(|step: &f64| step.is_finite() && *step > 0.0);
        let (input, input_type, output) = (input.name.clone(), tensor.elem_type, output.name.clone());
        let nodes = needed(graph.node, &output)?;
        let mut readers: HashMap<String, usize> = HashMap::from([(output.clone(), 1)]);
        for name in nodes.iter().flat_map(|node| &node.input) {
            *readers.entry(name.clone()).or_default() += 1;
        }
        Ok(Self { nodes, initialisers, input, input_type, input_sizes, output, logit_step, readers })
    }

    /// How many nodes read a value; the file's output counts as one.
    pub(super) fn readers(&self, value: &str) -> usize {
        self.readers.get(value).copied().unwrap_or(0)
    }

    /// Whether the input holds integers already.
    pub(super) fn input_is_integer(&self) -> bool {
        [DataType::Uint8, DataType::Int8].map(i32::from).contains(&self.input_type)
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
        let mut value = self.output.as_str();
        loop {
            let at = self.nodes.iter().rposition(|node| node.output.iter().any(|output| output == value))?;
            if !AFTER.contains(&self.nodes[at].op_type.as_str()) {
                return Some(at);
            }
            value = self.nodes[at].input.first()?;
        }
    }
}

/// The nodes that `output` depends on, in an order in which they can be computed.
fn needed(nodes: Vec<NodeProto>, output: &str) -> Result<Vec<NodeProto>, String> {
    let mut wanted: HashSet<String> = HashSet::from([output.to_owned()]);
    let mut kept = Vec::new();
    // Files list nodes in order of execution, so one pass from the end finds all.
    for node in nodes.into_iter().rev() {
        if node.output.iter().any(|name| wanted.contains(name)) {
            wanted.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    if kept.is_empty() {
        return Err("no node makes its output".into());
    }
    Ok(kept)
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

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.find(name).and_then(|attribute| std::str::from_utf8(&attribute.s).ok())
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
        sizes.ok_or_else(|| format!("its {name} are {:?}: {N} sizes are supported", attribute.ints))
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
