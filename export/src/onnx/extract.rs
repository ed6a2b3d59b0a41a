//! Reads a QDQ file back and cuts single layers out of it, so that an engine can be given a layer's exact inputs.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use prost::Message;
use thiserror::Error;

use crate::files;

use super::proto::{DataType, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::{BLOB_SHA256, LOGITS};
use crate::kind::{self, Needed};

/// A file that [`super::model`] wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    model: ModelProto,
    graph: GraphProto,
    /// Position of each tensor's `QuantizeLinear` among the nodes: the input's, then that of each layer's output but the
    /// classifier's.
    quantisers: Vec<usize>,
}

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// The operating system refused to read it.
    #[error("{path}: {source} (`bomp-export onnx CANDIDATE` writes it)")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not an ONNX file, or not one of this program.
    #[error("{path}: {problem}; `bomp-export onnx CANDIDATE` writes what is needed here")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// What a layer that was cut out returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// int8, or the logits of the classifier.
    Quantised,
    /// The float value that is about to be quantised.
    Real,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`DocumentError`].
    pub fn read(path: &Path) -> Result<(Self, Vec<u8>), DocumentError> {
        let bytes = files::read_untrusted(path, files::limit::ONNX)
            .map_err(|source| DocumentError::Read { path: path.to_owned(), source })?;
        match Self::parse(&bytes) {
            Ok(document) => Ok((document, bytes)),
            Err(problem) => {
                let problem = kind::instead(&bytes, Needed::Onnx).unwrap_or(problem);
                Err(DocumentError::Foreign { path: path.to_owned(), problem })
            }
        }
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut model = ModelProto::decode(bytes).map_err(|error| format!("not an ONNX file: {error}"))?;
        let graph = model.graph.take().ok_or("it has no graph")?;
        let is_quantiser = |(_, node): &(usize, &NodeProto)| node.op_type == "QuantizeLinear";
        let quantisers: Vec<usize> =
            graph.node.iter().enumerate().filter(is_quantiser).map(|(index, _)| index).collect();
        for &index in &quantisers {
            let node = &graph.node[index];
            if node.input.len() != 3 || node.output.len() != 1 {
                return Err(format!("node `{}` is not a quantiser with scale and zero point", node.name));
            }
        }
        if quantisers.is_empty() || graph.output.len() != 1 || graph.output[0].name != LOGITS {
            return Err(format!("it has no quantised tensors or no single output `{LOGITS}`"));
        }
        Ok(Self { model, graph, quantisers })
    }

    /// SHA-256 of the blob that was packed from the same network.
    #[must_use]
    pub fn blob_sha256(&self) -> Option<&str> {
        let mut entries = self.model.metadata_props.iter();
        entries.find(|entry| entry.key == BLOB_SHA256).map(|entry| entry.value.as_str())
    }

    /// Number of int8 tensors, which is the number of layers: the input's, and each layer's output but the classifier's.
    #[must_use]
    pub fn tensors(&self) -> usize {
        self.quantisers.len()
    }

    /// Name of layer `layer`: that of its operator's node.
    #[must_use]
    pub fn layer_name(&self, layer: usize) -> &str {
        let output = self.quantisers.get(layer + 1).map(|&index| self.graph.node[index].output[0].as_str());
        match output {
            Some(int8) => int8.strip_suffix("/int8").unwrap_or(int8),
            None => self.graph.node.last().map_or(LOGITS, |node| node.name.as_str()),
        }
    }

    /// Step and zero point of tensor `tensor`.
    ///
    /// # Errors
    /// They are not scalar constants.
    pub fn quantisation(&self, tensor: usize) -> Result<(f32, i8), String> {
        let node = &self.graph.node[self.quantisers[tensor]];
        let constant = |name: &str, element: DataType| -> Result<&TensorProto, String> {
            let found = self.graph.initializer.iter().find(|constant| constant.name == name);
            found
                .filter(|constant| constant.data_type == i32::from(element))
                .ok_or_else(|| format!("`{name}` is not a constant {element:?}"))
        };
        let scale = constant(&node.input[1], DataType::Float)?;
        let zero_point = constant(&node.input[2], DataType::Int8)?;
        match (scale.raw_data.as_slice().try_into(), zero_point.raw_data.as_slice()) {
            (Ok(scale), &[zero_point]) => Ok((f32::from_le_bytes(scale), zero_point as i8)),
            _ => Err(format!("node `{}`: scale or zero point is not a scalar", node.name)),
        }
    }

    /// The file of layer `layer` alone: it takes int8 tensors `inputs` (each once, in this order) and returns `stage`.
    ///
    /// # Errors
    /// The layer needs a value that the inputs do not lead to.
    pub fn layer(&self, layer: usize, inputs: &[usize], stage: Stage) -> Result<Vec<u8>, String> {
        let int8 = |tensor: usize| {
            let name = &self.graph.node[self.quantisers[tensor]].output[0];
            let info = self.graph.value_info.iter().find(|info| info.name == *name);
            info.cloned().ok_or_else(|| format!("`{name}` has no stated type"))
        };
        let inputs = inputs.iter().map(|&tensor| int8(tensor)).collect::<Result<Vec<_>, _>>()?;
        let output = match (self.quantisers.get(layer + 1), stage) {
            (None, _) => self.graph.output[0].clone(),
            (Some(_), Stage::Quantised) => int8(layer + 1)?,
            (Some(&quantiser), Stage::Real) => {
                let mut output = int8(layer + 1)?;
                output.name.clone_from(&self.graph.node[quantiser].input[0]);
                if let Some(tensor) = output.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut()) {
                    tensor.elem_type = DataType::Float.into();
                }
                output
            }
        };
        let graph = self.cut(inputs, output)?;
        Ok(ModelProto { graph: Some(graph), ..self.model.clone() }.encode_to_vec())
    }

    /// The nodes and constants between `inputs` and `output`.
    fn cut(&self, input: Vec<ValueInfoProto>, output: ValueInfoProto) -> Result<GraphProto, String> {
        let mut given: HashSet<&str> = input.iter().map(|info| info.name.as_str()).collect();
        given.extend(self.graph.initializer.iter().map(|constant| constant.name.as_str()));
        // Nodes are in execution order, so one pass from the end finds everything that is needed.
        let mut needed: HashSet<&str> = HashSet::from([output.name.as_str()]);
        let mut node = Vec::new();
        for candidate in self.graph.node.iter().rev() {
            if candidate
                .output
                .iter()
                .any(|name| needed.contains(name.as_str()) && !given.contains(name.as_str()))
            {
                needed.extend(candidate.input.iter().map(String::as_str));
                node.push(candidate.clone());
            }
        }
        node.reverse();
        let made: HashSet<&str> = node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
        if let Some(missing) = needed.iter().find(|name| !given.contains(*name) && !made.contains(*name)) {
            return Err(format!("`{missing}` is not made by any node"));
        }
        let constants =
            self.graph.initializer.iter().filter(|constant| needed.contains(constant.name.as_str()));
        Ok(GraphProto {
            name: output.name.clone(),
            initializer: constants.cloned().collect(),
            node: node.clone(),
            input,
            output: vec![output.clone()],
            value_info: Vec::new(),
        })
    }
}
