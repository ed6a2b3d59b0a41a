//! QDQ networks that other tools have quantised, as far as the runtime's layers reach: ONNX Runtime's static quantiser,
//! Brevitas, this program's own files.
//!
//! Supported between a quantised input and one vector of logits: `Conv` of any group, stride, padding and dilation up to a
//! reach of 15x15; `Gemm`, `MatMul` with a bias; `Add` of two tensors; `Relu`, `Clip`; `GlobalAveragePool`, `ReduceMean` over
//! the image, `AveragePool`; `Flatten`, `Reshape` to a vector, `Identity`; a final `Softmax`, which is left out. Weights are
//! constants of 4 or 8 bits, or floats that are quantised in the file, with one step or one for each output channel.
//! Activations are int8 or uint8 with one step; uint8 is stored less 128. Everything between two layers must be quantised.
//!
//! All that cannot be imported is told at once. What is not known of a node (its domain, an attribute, an operand) is refused by
//! name. Memory and steps are in proportion to the length of the file, see `budget`.

mod budget;
mod constant;
mod draft;
mod geometry;
mod graph;
mod integers;
mod operators;
mod order;
mod recognise;
mod walk;

use prost::Message;
use serde::Serialize;
use thiserror::Error;

use crate::kind::{self, Needed};
use crate::lower::Lowered;
use crate::onnx::proto::{ModelProto, Size};

use graph::Graph;
use walk::{Value, Walk};

/// A network that was imported.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Ready to be packed.
    pub lowered: Lowered,
    /// What became of each layer, in order.
    pub layers: Vec<LayerReport>,
    /// What a user should know beyond that.
    pub notes: Vec<String>,
}

/// What became of a layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerReport {
    /// Its node's name.
    pub name: String,
    /// Width of its weights.
    pub bits: Option<u8>,
    /// Largest relative error of a channel's factor, which is rounded to 26 significant bits: at most 2^-26.
    pub factor_error: f64,
    /// Largest change of a weight in steps of the file: 0 unless weights needed more than 8 bits.
    pub weights_changed: f64,
}

impl LayerReport {
    fn new(name: &str) -> Self {
        Self { name: name.into(), bits: None, factor_error: 0.0, weights_changed: 0.0 }
    }
}

/// Why a file cannot be imported.
#[derive(Debug, Error, PartialEq)]
pub enum Problem {
    /// Not an ONNX file, or not a classifier.
    #[error("{0}")]
    File(String),
    /// Nodes that the runtime has nothing for, all of them.
    #[error("{} of its nodes cannot be imported: {}", .0.len(), .0.join("; "))]
    Nodes(Vec<String>),
    /// A layer whose numbers do not fit.
    #[error("layer `{layer}`: {problem}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// What is wrong.
        problem: String,
    },
    /// The network as a whole does not fit the format.
    #[error("{0}")]
    Network(String),
}

/// Most bytes of memory that [`import`] takes for a file of `bytes` bytes: 64 MiB, and 2 KiB for each byte.
#[must_use]
pub const fn most_memory(bytes: usize) -> usize {
    bytes.saturating_mul(2 << 10).saturating_add(64 << 20)
}

/// Imports the bytes of a file, with no more memory than [`most_memory`] says and steps in proportion to it.
///
/// # Errors
/// See [`Problem`].
pub fn import(bytes: &[u8]) -> Result<Imported, Problem> {
    if let Some(what) = kind::instead(bytes, Needed::Onnx) {
        return Err(Problem::File(format!("not an ONNX file: {what}")));
    }
    let graph = Graph::parse(bytes).map_err(Problem::File)?;
    let mut walk = Walk::over(&graph, bytes.len());
    let output = walk.values.get(graph.output.as_str()).cloned();
    match output {
        // Logits that stay float.
        Some(Value::Pending(pending)) => {
            let name = pending.name.clone();
            if let Err(Some(problem)) = walk.logits(*pending, None) {
                walk.problems.push(format!("output `{}` (`{name}`): {problem}", graph.output));
            }
        }
        Some(Value::Logits(_) | Value::Lost) => {}
        _ => walk.problems.push(format!("output `{}`: no layer of the network makes it", graph.output)),
    }
    if !walk.problems.is_empty() {
        return Err(Problem::Nodes(walk.problems));
    }
    let Walk { draft, mut notes, .. } = walk;
    if draft.logit_scale.is_some() {
        notes.push("the logits have the file's step and are not saturated to 8 bits".into());
    }
    let (lowered, layers) = integers::lower(draft, graph.logit_step)?;
    for layer in layers.iter().filter(|layer| layer.weights_changed > 0.0) {
        notes.push(format!(
            "layer `{}`: weights needed more than 8 bits and were rounded, by up to {:.2} of their steps",
            layer.name, layer.weights_changed
        ));
    }
    Ok(Imported { lowered, layers, notes })
}

/// The same file with a batch of any size, for engines: many exporters fix it to one image.
///
/// # Errors
/// It is not an ONNX file.
pub fn with_free_batch(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let wrong = |problem: &str| Problem::File(format!("not an ONNX file: {problem}"));
    let mut model = ModelProto::decode(bytes).map_err(|error| wrong(&error.to_string()))?;
    let graph = model.graph.as_mut().ok_or_else(|| wrong("it has no graph"))?;
    let constants: std::collections::HashSet<&str> =
        graph.initializer.iter().map(|constant| constant.name.as_str()).collect();
    let ends = graph
        .input
        .iter_mut()
        .filter(|info| !constants.contains(info.name.as_str()))
        .chain(&mut graph.output);
    for info in ends {
        let tensor = info.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut());
        let shape = tensor.and_then(|tensor| tensor.shape.as_mut());
        if let Some(batch) = shape.and_then(|shape| shape.dim.first_mut()) {
            batch.value = Some(Size::Named(crate::onnx::BATCH.into()));
        }
    }
    // Stated for the old batch.
    graph.value_info.clear();
    Ok(model.encode_to_vec())
}
