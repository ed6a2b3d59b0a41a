//! Writes a lowered network as QDQ ONNX: float operators between `DequantizeLinear` and `QuantizeLinear`.
//!
//! The file holds the blob's integers and the real steps they stand for, never the float weights, so both describe one
//! network; engines that compute it in float32 differ only where a value lies on the edge between two steps. Opset
//! [`OPSET`], which ONNX Runtime and tract run.
//!
//! The input is `input`, float32 [N, C, H, W] with pixels 0..=255 as 0..1; the output is `logits`, float32 [N, CLASSES];
//! N is free. Of layer `L` the operator's node is named `L`; `L/weight` (int8) and `L/bias` (int32) are its parameters
//! with `L/weight_scale` and `L/bias_scale` for each output channel; `L/int8` is its output as the device holds it, but
//! [N, C, H, W], with `L/scale` and `L/zero_point`; `L/float` is that output before it is quantised and `L/dequantised`
//! after. Weights are in int8 containers, whatever their width, unless [`Containers::Int4`] is asked for.

mod extract;
mod float;
mod graph;
pub mod proto;

use prost::Message;
use thiserror::Error;

use bomp_runtime::quant::Output;

use crate::candidate::{Provenance, Quantisation};
use crate::files;
use crate::ir::{Activation, INPUT, Op, Shape, Window};
use crate::lower::{Lowered, Parameters, Weighted};
pub use graph::BATCH;
use graph::{Graph, int, ints, tensor};
use proto::{DataType, ModelProto, OperatorSetIdProto, StringStringEntryProto};

pub use float::float_model;

pub use extract::{Document, DocumentError, Stage};

/// Version of ONNX's operator set.
pub const OPSET: i64 = 21;
/// Version of ONNX's file format.
const IR_VERSION: i64 = 10;
/// Width of an element of ONNX's INT4.
const INT4_BITS: u8 = 4;
/// Name of the output.
const LOGITS: &str = "logits";
/// Key of the metadata entry with the SHA-256 of the blob that holds the same network.
const BLOB_SHA256: &str = "blob_sha256";

/// What weights are kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Containers {
    /// int8 for all: every engine reads it.
    #[default]
    Int8,
    /// ONNX's INT4 for layers of 4 bits, int8 for the others. ONNX Runtime 1.31 and Netron read it, tract 0.23 does not.
    Int4,
}

/// Why a network cannot be written as ONNX.
#[derive(Debug, Error, PartialEq)]
pub enum OnnxError {
    /// ONNX's steps are float32.
    #[error("layer `{layer}`: its {field} of {value:e} does not fit float32")]
    Step {
        /// Name of the layer.
        layer: String,
        /// Which step.
        field: &'static str,
        /// The step.
        value: f64,
    },
}

/// The ONNX file of a lowered network that was packed as `blob`.
///
/// # Errors
/// A layer whose steps float32 cannot hold.
pub fn model(lowered: &Lowered, provenance: &Provenance, blob: &[u8]) -> Result<Vec<u8>, OnnxError> {
    with_containers(lowered, provenance, blob, Containers::Int8)
}

/// As [`model`], with weights in containers of choice.
///
/// # Errors
/// As [`model`].
pub fn with_containers(
    lowered: &Lowered,
    provenance: &Provenance,
    blob: &[u8],
    containers: Containers,
) -> Result<Vec<u8>, OnnxError> {
    let mut writer =
        Writer { graph: Graph::default(), lowered, shapes: lowered.network.shapes(), containers };
    writer.network()?;
    let mut graph = writer.graph.0;
    graph.name = if provenance.study.is_empty() {
        "network".into()
    } else {
        format!("{}, trial {}", provenance.study, provenance.trial)
    };
    Ok(file(graph, metadata(lowered, provenance, blob)))
}

fn file(graph: proto::GraphProto, metadata_props: Vec<StringStringEntryProto>) -> Vec<u8> {
    let file = ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: env!("CARGO_PKG_NAME").into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        metadata_props,
        ..ModelProto::default()
    };
    file.encode_to_vec()
}

fn metadata(lowered: &Lowered, provenance: &Provenance, blob: &[u8]) -> Vec<StringStringEntryProto> {
    let bits = lowered
        .network
        .layers
        .iter()
        .filter_map(|layer| layer.op.bits().map(|bits| format!("{}={}", layer.name, bits.get())));
    let entries = [
        (BLOB_SHA256, files::sha256(blob)),
        ("weight_bits", bits.collect::<Vec<_>>().join(" ")),
        ("logit_step", format!("{:e}", lowered.logit_scale)),
        ("study", provenance.study.clone()),
        ("trial", provenance.trial.to_string()),
        ("seed", provenance.seed.to_string()),
        ("config_sha256", provenance.config_sha256.clone()),
        ("dataset", provenance.dataset.clone()),
        ("data_sha256", provenance.data_sha256.clone()),
        ("class_names", provenance.class_names.join("\n")),
        ("test_images", provenance.test_images.to_string()),
        ("float_correct", provenance.float_correct.to_string()),
        ("integer_correct", provenance.integer_correct.to_string()),
        ("trained_images", provenance.trained_images.to_string()),
    ];
    entries.map(|(key, value)| StringStringEntryProto { key: key.into(), value }).into()
}

struct Writer<'a> {
    graph: Graph,
    lowered: &'a Lowered,
    shapes: Vec<Shape>,
    containers: Containers,
}

impl Writer<'_> {
    fn network(&mut self) -> Result<(), OnnxError> {
        let lowered = self.lowered;
        self.graph.0.input.push(tensor(INPUT, DataType::Float, &channels_first(self.shapes[0])));
        self.quantise(0, INPUT.into())?;
        for (index, layer) in lowered.network.layers.iter().enumerate() {
            let name = layer.name.as_str();
            let inputs = layer.inputs.iter().map(|&input| self.dequantised(input)).collect();
            let (operator, output) = (name.to_owned(), format!("{name}/float"));
            match (&layer.op, &lowered.parameters[index]) {
                (Op::Convolution { window, activation, .. }, Parameters::Weighted(weighted)) => {
                    let channels_in = self.shapes[layer.inputs[0]].channels;
                    self.convolution(index, window, *activation, channels_in, weighted)?;
                }
                (Op::Depthwise { window, activation, .. }, Parameters::Weighted(weighted)) => {
                    self.convolution(index, window, *activation, 1, weighted)?;
                }
                (Op::Add, _) => {
                    let sum = self.graph.node("Add", operator, inputs, output, vec![]);
                    self.quantise(index + 1, sum)?;
                }
                (Op::AveragePool, _) => {
                    let mean = self.graph.node("GlobalAveragePool", operator, inputs, output, vec![]);
                    self.quantise(index + 1, mean)?;
                }
                (Op::Classifier { .. }, Parameters::Weighted(weighted)) => {
                    self.classifier(index, weighted)?;
                }
                // `lower` makes weighted parameters for every operation with weights.
                (Op::Convolution { .. } | Op::Depthwise { .. } | Op::Classifier { .. }, _) => {
                    unreachable!("layer `{name}` was lowered without weights")
                }
            }
        }
        Ok(())
    }

    /// Name of tensor `index`: the input's or that of the layer that makes it.
    fn tensor_name(&self, index: usize) -> &str {
        index.checked_sub(1).map_or(INPUT, |layer| &self.lowered.network.layers[layer].name)
    }

    fn dequantised(&self, tensor: usize) -> String {
        format!("{}/dequantised", self.tensor_name(tensor))
    }

    /// Quantises the float value `real` to tensor `index` and dequantises it for the layers that read it.
    fn quantise(&mut self, index: usize, real: String) -> Result<(), OnnxError> {
        let Quantisation { scale, zero_point } = self.lowered.tensors[index];
        let name = self.tensor_name(index).to_owned();
        let scale = step(&name, "output step", scale)?;
        let scale = self.graph.floats(format!("{name}/scale"), &[], &[scale]);
        let zero_point = self.graph.int8s(format!("{name}/zero_point"), &[], &[zero_point]);
        let int8 = format!("{name}/int8");
        self.graph.0.value_info.push(tensor(&int8, DataType::Int8, &channels_first(self.shapes[index])));
        let parameters = [real, scale.clone(), zero_point.clone()].into();
        let int8 = self.graph.node("QuantizeLinear", format!("{name}/quantise"), parameters, int8, vec![]);
        let (node, output) = (format!("{name}/dequantise"), self.dequantised(index));
        self.graph.node("DequantizeLinear", node, vec![int8, scale, zero_point], output, vec![]);
        Ok(())
    }

    /// The dequantised weights, of shape `dims`, and biases of layer `index`. Weights are stored [C_OUT, positions, C_IN]
    /// and ONNX has [C_OUT, C_IN, positions].
    fn parameters(
        &mut self,
        index: usize,
        dims: &[usize],
        channels_in: usize,
        weighted: &Weighted,
    ) -> Result<[String; 2], OnnxError> {
        let layer = &self.lowered.network.layers[index];
        let name = layer.name.as_str();
        let channels = weighted.biases.len();
        let fan_in = weighted.weights.len() / channels;
        let positions = fan_in / channels_in;
        let order =
            (0..channels_in).flat_map(|c| (0..positions).map(move |position| position * channels_in + c));
        let rows = weighted.weights.chunks_exact(fan_in);
        let weights: Vec<i8> = rows.flat_map(|row| order.clone().map(|at| row[at])).collect();

        let input_scale = self.lowered.tensors[layer.inputs[0]].scale;
        let mut weight_scales = Vec::with_capacity(channels);
        let mut bias_scales = Vec::with_capacity(channels);
        for &scale in &weighted.weight_scales {
            weight_scales.push(step(name, "weight step", scale)?);
            bias_scales.push(step(name, "bias step", scale * input_scale)?);
        }
        let narrow = self.containers == Containers::Int4
            && layer.op.bits().is_some_and(|bits| bits.get() <= INT4_BITS);
        let weight = format!("{name}/weight");
        let weight = if narrow {
            self.graph.int4s(weight, dims, &weights)
        } else {
            self.graph.int8s(weight, dims, &weights)
        };
        let bias = self.graph.int32s(format!("{name}/bias"), &[channels], &weighted.biases);
        let mut dequantise = |value: String, scales: &[f32]| {
            let scale = self.graph.floats(format!("{value}_scale"), &[channels], scales);
            let (node, output) = (format!("{value}/dequantise"), format!("{value}/dequantised"));
            self.graph.node("DequantizeLinear", node, vec![value, scale], output, vec![int("axis", 0)])
        };
        Ok([dequantise(weight, &weight_scales), dequantise(bias, &bias_scales)])
    }

    /// A convolution in which an output channel reads `channels_in` channels: all, or its own in a group by itself.
    fn convolution(
        &mut self,
        index: usize,
        window: &Window,
        activation: Activation,
        channels_in: usize,
        weighted: &Weighted,
    ) -> Result<(), OnnxError> {
        let layer = &self.lowered.network.layers[index];
        let channels = self.shapes[index + 1].channels;
        let groups = self.shapes[layer.inputs[0]].channels / channels_in;
        let kernel = window.kernel;
        let [weight, bias] =
            self.parameters(index, &[channels, channels_in, kernel, kernel], channels_in, weighted)?;
        let inputs = vec![self.dequantised(layer.inputs[0]), weight, bias];
        let attributes = vec![
            int("group", groups),
            ints("kernel_shape", &[kernel; 2]),
            ints("pads", &window.padding),
            ints("strides", &[window.stride; 2]),
        ];
        let (name, output) = (layer.name.clone(), format!("{}/float", layer.name));
        let mut real = self.graph.node("Conv", name, inputs, output, attributes);
        // Where int8 saturates at 0 and at or below 6 by itself, a Clip would change nothing.
        let Output { min, max, .. } = self.lowered.output(index);
        if activation == Activation::Relu6 && (min, max) != (i8::MIN, i8::MAX) {
            let low = self.graph.floats(format!("{}/min", layer.name), &[], &[0.0]);
            let high = self.graph.floats(format!("{}/max", layer.name), &[], &[6.0]);
            let (name, output) = (format!("{}/clip", layer.name), format!("{}/clipped", layer.name));
            real = self.graph.node("Clip", name, vec![real, low, high], output, vec![]);
        }
        self.quantise(index + 1, real)
    }

    fn classifier(&mut self, index: usize, weighted: &Weighted) -> Result<(), OnnxError> {
        let layer = &self.lowered.network.layers[index];
        let input = self.shapes[layer.inputs[0]];
        let classes = self.shapes[index + 1].channels;
        let [weight, bias] =
            self.parameters(index, &[classes, input.elements()], input.channels, weighted)?;
        let (name, flat) = (format!("{}/flatten", layer.name), format!("{}/flat", layer.name));
        let inputs = vec![self.dequantised(layer.inputs[0])];
        let flat = self.graph.node("Flatten", name, inputs, flat, vec![int("axis", 1)]);
        let inputs = vec![flat, weight, bias];
        self.graph.node("Gemm", layer.name.clone(), inputs, LOGITS.into(), vec![int("transB", 1)]);
        self.graph.0.output.push(tensor(LOGITS, DataType::Float, &[classes]));
        Ok(())
    }
}

/// [C, H, W].
fn channels_first(shape: Shape) -> [usize; 3] {
    [shape.channels, shape.height, shape.width]
}

/// `value` as float32, which must hold it as a normal number.
fn step(layer: &str, field: &'static str, value: f64) -> Result<f32, OnnxError> {
    let narrow = value as f32;
    if narrow.is_normal() { Ok(narrow) } else { Err(OnnxError::Step { layer: layer.into(), field, value }) }
}
