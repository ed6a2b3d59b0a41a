//! Files made for a purpose, each with the words that it is refused with.

use bomp_export::onnx::proto::{
    AttributeProto, AttributeType, DataType, GraphProto, ModelProto, NodeProto, TensorProto,
};
use prost::Message;

use super::builder::{Builder, int, ints};
use super::import_within_bounds;

/// An attribute of any numbers, those below 0 too.
fn list(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..ints(name, &[]) }
}

fn auto_pad(how: &[u8]) -> AttributeProto {
    AttributeProto {
        name: "auto_pad".into(),
        r#type: AttributeType::String.into(),
        s: how.to_vec(),
        ..AttributeProto::default()
    }
}

#[track_caller]
fn refused(file: &[u8], words: &str) {
    let problem = import_within_bounds(file, words).expect_err(words).to_string();
    assert!(problem.contains(words), "`{words}` is not in: {problem}");
    assert!(problem.len() < 2_000, "{} bytes of problems", problem.len());
}

/// One convolution or pool with these attributes on an image of 8x8.
fn one_layer(op_type: &str, attributes: Vec<AttributeProto>) -> Vec<u8> {
    let mut builder = Builder::new([1, 8, 8], false);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let weights = builder.weights("w", &[2, 1, 3, 3], &[1; 18], &[0.1], 0);
    let inputs = if op_type == "Conv" { vec![value.as_str(), &weights] } else { vec![value.as_str()] };
    let value = builder.node(op_type, "layer", &inputs, attributes);
    let value = builder.quantised(&value, 0.1, 0);
    builder.finish(&value, 2)
}

#[test]
fn absurd_geometry_is_refused_before_it_is_counted_with() {
    let huge = i64::MAX;
    for (op, attributes, words) in [
        ("Conv", vec![list("dilations", &[huge, 1]), auto_pad(b"SAME_UPPER")], "15x15"),
        ("Conv", vec![list("dilations", &[huge, huge])], "15x15"),
        ("Conv", vec![list("dilations", &[-1, 1])], "dilations"),
        ("Conv", vec![list("dilations", &[0, 1])], "of 0"),
        ("Conv", vec![list("pads", &[huge, 0, huge, 0])], "padding"),
        ("Conv", vec![list("pads", &[0, 0, 0])], "pads"),
        ("Conv", vec![list("strides", &[huge, huge])], "strides"),
        ("Conv", vec![int("group", 1 << 62)], "groups"),
        ("Conv", vec![int("group", i64::MIN)], "groups"),
        ("Conv", vec![list("kernel_shape", &[huge, huge])], "15x15"),
        ("Conv", vec![auto_pad(b"\xff")], "auto_pad"),
        ("AveragePool", vec![list("kernel_shape", &[huge, huge])], "15x15"),
        ("AveragePool", vec![list("kernel_shape", &[1 << 62, 4]), list("dilations", &[4, 4])], "15x15"),
        ("AveragePool", vec![list("kernel_shape", &[huge, 1]), auto_pad(b"SAME_LOWER")], "15x15"),
        ("AveragePool", vec![list("kernel_shape", &[3, 3]), list("pads", &[0, 0, huge, huge])], "padding"),
        ("AveragePool", vec![list("kernel_shape", &[1; 1_000])], "1000 numbers"),
    ] {
        refused(&one_layer(op, attributes), words);
    }
}

#[test]
fn constants_without_elements_are_refused() {
    for dims in [&[0, 64][..], &[64, 0], &[1 << 60, 0]] {
        let mut builder = Builder::new([1, 8, 8], false);
        let value = builder.quantised("x", 1.0 / 255.0, -128);
        let flat = builder.node("Flatten", "flat", &[&value], vec![]);
        let weights = builder.weights("w", dims, &[], &[0.1], 0);
        let value = builder.node("Gemm", "dense", &[&flat, &weights], vec![int("transB", 1)]);
        let value = builder.quantised(&value, 0.1, 0);
        refused(&builder.finish(&value, 2), "without elements");
    }
}

/// A graph of nodes without attributes.
fn graph(nodes: &[(&str, &str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new([1, 4, 4], false);
    // Without any quantised value the file is refused as a float network before its nodes are looked at.
    builder.quantised("x", 0.1, 0);
    let mut model = ModelProto::decode(&builder.finish("y", 10)[..]).unwrap();
    let node = |&(op_type, input, output): &(&str, &str, &str)| NodeProto {
        op_type: op_type.into(),
        input: vec![input.into()],
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let GraphProto { node: all, .. } = model.graph.as_mut().unwrap();
    all.extend(nodes.iter().map(node));
    model.encode_to_vec()
}

#[test]
fn circles_are_refused_with_their_nodes() {
    refused(&graph(&[("Identity", "y", "y")]), "nodes `y` read from each other in a circle");
    refused(&graph(&[("Identity", "b", "y"), ("Flatten", "y", "b")]), "in a circle");
}

/// Steps do not grow with the square of a chain's length, forwards or backwards, whatever the nodes are.
#[test]
fn long_chains_take_time_in_proportion() {
    for op_type in ["Identity", "Relu", "Flatten", "Softmax"] {
        let names: Vec<String> = (0..=100_000).map(|at| format!("v{at}")).collect();
        let mut nodes: Vec<(&str, &str, &str)> =
            names.windows(2).map(|pair| (op_type, pair[0].as_str(), pair[1].as_str())).collect();
        nodes.push(("Identity", names.last().unwrap(), "y"));
        nodes[0].1 = "x";
        for _ in 0..2 {
            let _ = import_within_bounds(&graph(&nodes), op_type).unwrap_err();
            nodes.reverse();
        }
    }
}

#[test]
fn few_bytes_cannot_ask_for_much_memory() {
    // An average pool as the last layer needs an identity for each pair of channels.
    let mut builder = Builder::new([30_000, 1, 1], false);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let value = builder.node("GlobalAveragePool", "pool", &[&value], vec![]);
    let value = builder.quantised(&value, 0.1, 0);
    refused(&builder.finish(&value, 30_000), "end the network with a fully connected layer");
    // Groups and dilations are spelled out with zeros.
    let mut builder = Builder::new([4_096, 15, 15], false);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let weights = builder.weights("w", &[8_192, 1, 2, 2], &[1; 4 * 8_192], &[0.1], 0);
    let attributes = vec![int("group", 4_096), ints("dilations", &[14, 14])];
    let value = builder.node("Conv", "conv", &[&value, &weights], attributes);
    let value = builder.quantised(&value, 0.1, 0);
    refused(&builder.finish(&value, 8_192), "fewer groups");
    // A constant, a name and a layer that many nodes read.
    let mut builder = Builder::new([1, 8, 8], false);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let weights = builder.weights("w", &[2, 1, 3, 3], &[1; 18], &[0.1], 0);
    let conv = builder.node("Conv", "conv", &[&value, &weights], vec![]);
    let large = builder.floats("large", &[100_000], &[1.0; 100_000]);
    let scale = builder.floats("scale", &[], &[0.5]);
    for at in 0..3_000 {
        builder.node("Relu", &format!("r{at}"), &[&conv], vec![]);
        builder.node("QuantizeLinear", &format!("q{at}"), &[&large, &scale], vec![]);
        builder.node("Identity", &format!("i{at}"), &[&large], vec![]);
    }
    let mut model = ModelProto::decode(&builder.finish("all", 2)[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.node.iter_mut().find(|node| node.name == "conv").unwrap().name = "n".repeat(100_000);
    // All of them lead to the output.
    let input = graph.node.iter().map(|node| node.output[0].clone()).collect();
    let output = vec!["all".to_owned()];
    graph.node.push(NodeProto { op_type: "Sum".into(), input, output, ..NodeProto::default() });
    let problem = import_within_bounds(&model.encode_to_vec(), "many readers").unwrap_err().to_string();
    assert!(problem.contains("take more than"), "{}", &problem[..200]);
    // Messages that are empty in the file and not in memory.
    for tag in [1u8, 5, 11, 12, 13] {
        let graph: Vec<u8> = (0..200_000).flat_map(|_| [tag << 3 | 2, 0]).collect();
        let mut file = vec![7 << 3 | 2];
        prost::encode_length_delimiter(graph.len(), &mut file).unwrap();
        file.extend(graph);
        let _ = import_within_bounds(&file, "empty messages").unwrap_err();
    }
}

#[test]
fn zero_points_outside_their_type_are_refused() {
    let mut builder = Builder::new([1, 8, 8], true);
    let scale = builder.floats("s", &[], &[0.1]);
    let zero = builder.constant("z", DataType::Uint8, &[], vec![]);
    let value = builder.node("QuantizeLinear", "q", &["x", &scale, &zero], vec![]);
    let mut model = ModelProto::decode(&builder.finish(&value, 2)[..]).unwrap();
    let constants = &mut model.graph.as_mut().unwrap().initializer;
    let zero: &mut TensorProto = constants.iter_mut().find(|constant| constant.name == "z").unwrap();
    zero.int32_data = vec![i32::MIN];
    refused(&model.encode_to_vec(), "its type cannot hold");
}
