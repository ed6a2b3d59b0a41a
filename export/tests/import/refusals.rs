//! What cannot be imported is told: all of it at once, by operator and node.

use bomp_export::import::{Problem, import};
use bomp_export::onnx::proto::{DataType, ModelProto};
use prost::Message;

use super::builder::{Builder, int, ints};
use super::file;

fn problems(file: &[u8]) -> Vec<String> {
    match import(file) {
        Err(Problem::Nodes(problems)) => problems,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_unsupported_node_is_named() {
    let mut model = ModelProto::decode(&file("ort-per-channel.onnx")[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let replacements = [("/3/Add", "Mul"), ("/7/GlobalAveragePool", "GlobalMaxPool"), ("/9/Gemm", "Einsum")];
    for (name, op_type) in replacements {
        graph.node.iter_mut().find(|node| node.name == name).unwrap().op_type = op_type.into();
    }
    let problems = problems(&model.encode_to_vec());
    assert_eq!(problems.len(), 3, "{problems:?}");
    for ((name, op_type), problem) in replacements.iter().zip(&problems) {
        assert!(problem.starts_with(&format!("{op_type} `{name}`: ")), "{problem}");
    }
}

#[test]
fn what_is_not_quantised_is_refused() {
    let mut builder = Builder::new([1, 6, 6], true);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let floats = builder.floats("w", &[4, 1, 3, 3], &[0.1; 36]);
    let weights = builder.weights("v", &[4, 4, 1, 1], &[1; 16], &[0.1], 0);
    let a = builder.node("Conv", "float_weights", &[&value, &floats], vec![]);
    let integers = builder.weights("u", &[4, 1, 3, 3], &[1; 36], &[0.1], 0);
    let b = builder.node("Conv", "first", &[&value, &integers], vec![]);
    // No quantiser between two convolutions.
    let b = builder.node("Conv", "second", &[&b, &weights], vec![]);
    let b = builder.quantised(&b, 0.1, 0);
    let sum = builder.node("Add", "sum", &[&a, &b], vec![]);
    let file = builder.finish(&sum, 4);
    let problems = problems(&file);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("Conv `float_weights`: its weights are not quantised"), "{problems:?}");
    assert!(problems[1].starts_with("Conv `second`: its input is not quantised"), "{problems:?}");
}

#[test]
fn geometry_beyond_the_runtime_is_refused() {
    for (attribute, words) in [
        (ints("strides", &[1, 2]), "strides 1x2"),
        (ints("dilations", &[8, 8]), "15x15"),
        (ints("pads", &[3, 0, 0, 0]), "padding"),
        (int("group", 3), "3 groups"),
    ] {
        let mut builder = Builder::new([2, 20, 20], false);
        let value = builder.quantised("x", 1.0 / 255.0, -128);
        let weights = builder.weights("w", &[4, 2, 3, 3], &[1; 72], &[0.1], 0);
        let value = builder.node("Conv", "conv", &[&value, &weights], vec![attribute]);
        let value = builder.quantised(&value, 0.1, 0);
        let problems = problems(&builder.finish(&value, 4));
        assert!(problems[0].starts_with("Conv `conv`: ") && problems[0].contains(words), "{problems:?}");
    }
}

#[test]
fn networks_of_other_kinds_are_told_with_their_way_out() {
    for (op_type, domain, words) in [
        ("Quant", "qonnx.custom_op.general", ["QONNX", "qonnx.util.convert"]),
        ("BipolarQuant", "onnx.brevitas", ["QONNX", "export_onnx_qcdq"]),
        ("DynamicQuantizeLinear", "", ["dynamically", "quantize_static"]),
        ("MatMulInteger", "", ["dynamically", "quantize_static"]),
        ("TreeEnsembleClassifier", "ai.onnx.ml", ["scikit-learn", "network"]),
        ("Conv", "", ["float network", "quantize_static"]),
    ] {
        let mut builder = Builder::new([1, 6, 6], true);
        let value = builder.node(op_type, "node", &["x"], vec![]);
        let mut model = ModelProto::decode(&builder.finish(&value, 36)[..]).unwrap();
        model.graph.as_mut().unwrap().node[0].domain = domain.into();
        let problem = import(&model.encode_to_vec()).unwrap_err().to_string();
        assert!(words.iter().all(|word| problem.contains(word)), "{op_type}: {problem}");
    }
}

#[test]
fn other_files_are_refused() {
    let text = |file: &[u8]| import(file).unwrap_err().to_string();
    assert!(text(b"hello").contains("not an ONNX file"));
    assert!(text(b"").contains("not an ONNX file"));
    let mut builder = Builder::new([1, 6, 6], true);
    let wide = builder.constant("z", DataType::Int32, &[], vec![0; 4]);
    let scale = builder.floats("s", &[], &[0.1]);
    let value = builder.node("QuantizeLinear", "q", &["x", &scale, &wide], vec![]);
    assert!(text(&builder.finish(&value, 36)).contains("activations are 8-bit"));
}

/// Damaged files of every kind are refused or imported, never a panic.
#[test]
fn damaged_files_never_panic() {
    let sound = file("ort-symmetric.onnx");
    for at in (0..sound.len()).step_by(61) {
        let mut damaged = sound.clone();
        damaged[at] ^= 1 << (at % 8);
        let _ = import(&damaged);
        let _ = import(&sound[..at]);
    }
}
