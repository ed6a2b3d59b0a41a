//! The unquantised network as ONNX, float operators and nothing else, so that an engine can say what quantising it cost.

use super::graph::{Graph, int, ints, tensor};
use super::proto::DataType;
use super::{LOGITS, channels_first, file};
use crate::candidate::{Candidate, LayerWeights, weight_shape};
use crate::ir::{Activation, INPUT, Op, Window};

/// The ONNX file of a candidate's float weights, batch-norm folded. Input and output are those of [`super::model`].
///
/// # Panics
/// When the candidate has no weights for a layer that needs them; [`Candidate::load`] never returns such a one.
#[must_use]
pub fn float_model(candidate: &Candidate) -> Vec<u8> {
    let network = &candidate.network;
    let shapes = network.shapes();
    let mut graph = Graph::default();
    graph.0.name = "float network".into();
    graph.0.input.push(tensor(INPUT, DataType::Float, &channels_first(shapes[0])));
    for (index, layer) in network.layers.iter().enumerate() {
        let name = layer.name.as_str();
        let tensors = |tensor: usize| match tensor.checked_sub(1) {
            None => INPUT.to_owned(),
            Some(layer) => output_name(&network.layers[layer].name),
        };
        let mut inputs: Vec<String> = layer.inputs.iter().map(|&input| tensors(input)).collect();
        if let Some(LayerWeights { weight, bias, .. }) = &candidate.weights[index] {
            if matches!(layer.op, Op::Classifier { .. }) {
                let (flatten, flat) = (format!("{name}/flatten"), format!("{name}/flat"));
                inputs = vec![graph.node("Flatten", flatten, inputs, flat, vec![int("axis", 1)])];
            }
            let dims = weight_shape(network, index, &shapes);
            inputs.push(graph.floats(format!("{name}/weight"), &dims, weight));
            inputs.push(graph.floats(format!("{name}/bias"), &[bias.len()], bias));
        } else {
            assert!(layer.op.bits().is_none(), "layer `{name}` has no weights");
        }
        let mut windowed = |window: &Window, groups: usize, activation: Activation, inputs: Vec<String>| {
            let attributes = vec![
                int("group", groups),
                ints("kernel_shape", &[window.kernel; 2]),
                ints("pads", &window.padding),
                ints("strides", &[window.stride; 2]),
            ];
            if activation == Activation::Linear {
                graph.node("Conv", name.into(), inputs, output_name(name), attributes);
                return;
            }
            let sum = graph.node("Conv", name.into(), inputs, format!("{name}/sum"), attributes);
            let low = graph.floats(format!("{name}/min"), &[], &[0.0]);
            let high = graph.floats(format!("{name}/max"), &[], &[6.0]);
            let clip = format!("{name}/clip");
            graph.node("Clip", clip, vec![sum, low, high], output_name(name), vec![]);
        };
        match &layer.op {
            Op::Convolution { window, activation, .. } => windowed(window, 1, *activation, inputs),
            Op::Depthwise { window, activation, .. } => {
                windowed(window, shapes[layer.inputs[0]].channels, *activation, inputs);
            }
            Op::Add => {
                graph.node("Add", name.into(), inputs, output_name(name), vec![]);
            }
            Op::AveragePool => {
                graph.node("GlobalAveragePool", name.into(), inputs, output_name(name), vec![]);
            }
            Op::Classifier { classes, .. } => {
                graph.node("Gemm", name.into(), inputs, LOGITS.into(), vec![int("transB", 1)]);
                graph.0.output.push(tensor(LOGITS, DataType::Float, &[*classes]));
            }
        }
    }
    file(graph.0, Vec::new())
}

fn output_name(layer: &str) -> String {
    format!("{layer}/output")
}
