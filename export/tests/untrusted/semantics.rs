//! What a file says and the importer does not know is refused by name; what it says in another way means the same.

use bomp_export::import::Imported;
use bomp_export::onnx::proto::{DataType, ModelProto, NodeProto, OperatorSetIdProto};
use prost::Message;

use super::builder::{Builder, int};
use super::import_within_bounds;

/// A fully connected layer with quantised logits, zero point -28 and step 0.5, then what `tail` adds to the value that it gets.
fn classifier(tail: impl FnOnce(&mut Builder, String) -> String) -> Vec<u8> {
    let mut builder = Builder::new([1, 4, 4], false);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let flat = builder.node("Flatten", "flat", &[&value], vec![]);
    let numbers: Vec<i8> = (0..48).map(|at| (at * 37 % 120) as i8 - 60).collect();
    let weights = builder.weights("w", &[3, 16], &numbers, &[0.01], 0);
    let value = builder.node("Gemm", "dense", &[&flat, &weights], vec![int("transB", 1)]);
    let value = builder.quantised(&value, 0.5, -28);
    let value = tail(&mut builder, value);
    builder.finish(&value, 3)
}

fn with(file: &[u8], change: impl FnOnce(&mut ModelProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(file).unwrap();
    change(&mut model);
    model.encode_to_vec()
}

fn node<'m>(model: &'m mut ModelProto, name: &str) -> &'m mut NodeProto {
    model.graph.as_mut().unwrap().node.iter_mut().find(|node| node.name == name).unwrap()
}

#[track_caller]
fn accepted(file: &[u8]) -> Imported {
    import_within_bounds(file, "it is valid").unwrap()
}

#[track_caller]
fn refused(file: &[u8], words: &[&str]) {
    let problem = import_within_bounds(file, words[0]).unwrap_err().to_string();
    for word in words {
        assert!(problem.contains(word), "`{word}` is not in: {problem}");
    }
}

fn clipped(low: f32, high: f32) -> Vec<u8> {
    classifier(|builder, value| {
        let (low, high) = (builder.floats("low", &[], &[low]), builder.floats("high", &[], &[high]));
        builder.node("Clip", "clip", &[&value, &low, &high], vec![])
    })
}

#[test]
fn a_clip_of_logits_is_left_out_only_if_it_bounds_nothing() {
    let plain = accepted(&classifier(|_, value| value));
    // int8 at this step and zero point stands for -50 to 77.5.
    assert_eq!(accepted(&clipped(-50.0, 77.5)), plain);
    refused(&clipped(-50.0, 77.0), &["Clip `clip`", "bounds the logits", "take it out"]);
    refused(&clipped(-1.0, 0.4), &["Clip `clip`", "-1"]);
    refused(&classifier(|builder, value| builder.node("Relu", "relu", &[&value], vec![])), &["relu"]);
}

#[test]
fn softmax_is_left_out_over_the_classes_alone() {
    let softmax = |axis: Option<i64>, opset: i64| {
        let file = classifier(|builder, value| {
            let attributes = axis.map(|axis| int("axis", axis)).into_iter().collect();
            builder.node("Softmax", "softmax", &[&value], attributes)
        });
        with(&file, |model| model.opset_import[0].version = opset)
    };
    for (axis, opset) in [(None, 21), (Some(-1), 21), (Some(1), 21), (None, 11), (Some(1), 11)] {
        assert!(accepted(&softmax(axis, opset)).notes.iter().any(|note| note.contains("left out")));
    }
    for axis in [0, -2, 2, i64::MIN] {
        refused(&softmax(Some(axis), 21), &["Softmax `softmax`", "its axis is"]);
    }
    // Of [N, C, 1, 1] the last axis is not that of the classes.
    let image = |axis: i64| {
        let mut builder = Builder::new([1, 4, 4], false);
        let value = builder.quantised("x", 1.0 / 255.0, -128);
        let weights = builder.weights("w", &[3, 1, 4, 4], &[1; 48], &[0.01], 0);
        let value = builder.node("Conv", "conv", &[&value, &weights], vec![]);
        let value = builder.node("Softmax", "softmax", &[&value], vec![int("axis", axis)]);
        builder.finish(&value, 3)
    };
    accepted(&image(1));
    accepted(&image(-3));
    refused(&image(-1), &["its axis is -1"]);
}

#[test]
fn the_type_of_a_quantiser_without_zero_point_is_the_one_it_names() {
    let network = |kind: Option<DataType>, zero_point: bool| {
        let mut builder = Builder::new([1, 4, 4], kind != Some(DataType::Int8));
        let value = builder.quantised("x", 1.0 / 255.0, -128);
        let weights = builder.weights("w", &[2, 1, 3, 3], &[1; 18], &[0.01], 0);
        let value = builder.node("Conv", "conv", &[&value, &weights], vec![]);
        // The zero point that is the default of the type.
        let value = builder.quantised(&value, 0.05, if kind == Some(DataType::Int8) { 0 } else { -128 });
        let flat = builder.node("Flatten", "flat", &[&value], vec![]);
        let weights = builder.weights("v", &[3, 8], &[1; 24], &[0.01], 0);
        let value = builder.node("Gemm", "dense", &[&flat, &weights], vec![int("transB", 1)]);
        with(&builder.finish(&value, 3), |model| {
            if zero_point {
                return;
            }
            node(model, "conv:out/q/dq").input.truncate(2);
            let quantiser = node(model, "conv:out/q");
            quantiser.input.truncate(2);
            if let Some(kind) = kind {
                quantiser.attribute.push(int("output_dtype", i32::from(kind).into()));
            }
        })
    };
    for kind in [None, Some(DataType::Uint8), Some(DataType::Int8)] {
        let (said, named) = (accepted(&network(kind, true)), accepted(&network(kind, false)));
        assert_eq!(said, named, "{kind:?}");
        assert_eq!(named.lowered.outputs[0].zero_point, if kind == Some(DataType::Int8) { 0 } else { -128 });
    }
    refused(&network(Some(DataType::Int4), false), &["conv:out/q", "8-bit"]);
    refused(&network(Some(DataType::Int32), false), &["conv:out/q", "8-bit"]);
    let contradicts = with(&network(Some(DataType::Int8), true), |model| {
        node(model, "conv:out/q").attribute.push(int("output_dtype", i32::from(DataType::Uint8).into()));
    });
    refused(&contradicts, &["conv:out/q", "must be equal"]);
}

#[test]
fn whatever_is_unknown_is_refused_with_its_name() {
    let file = classifier(|builder, value| builder.node("Identity", "last", &[&value], vec![]));
    accepted(&file);
    let changed =
        |name: &str, change: &dyn Fn(&mut NodeProto)| with(&file, |model| change(node(model, name)));
    refused(&changed("last", &|node| node.domain = "com.evil".into()), &["Identity `last`", "`com.evil`"]);
    refused(&changed("dense", &|node| node.attribute.push(int("transC", 1))), &["Gemm `dense`", "`transC`"]);
    refused(
        &changed("dense", &|node| node.attribute.push(int("alpha", 1))),
        &["Gemm `dense`", "`alpha`", "Float"],
    );
    refused(&changed("x/q", &|node| node.attribute.push(int("block_size", 4))), &["x/q", "blocks"]);
    refused(&changed("x/q", &|node| node.attribute.push(int("precision", 10))), &["x/q", "precision"]);
    refused(&changed("flat", &|node| node.input.push("w".into())), &["Flatten `flat`", "2 inputs"]);
    refused(&changed("flat", &|node| node.attribute.push(int("axis", 2))), &["Flatten `flat`"]);
    let opset = |version| with(&file, |model| model.opset_import[0].version = version);
    refused(&opset(9), &["opset 9", "opset 21"]);
    refused(&opset(26), &["opset 26"]);
    let foreign = OperatorSetIdProto { domain: "com.evil".into(), version: 1 };
    // A domain that no node uses is nobody's business.
    accepted(&with(&file, |model| model.opset_import.push(foreign)));
    let twice = with(&file, |model| {
        let graph = model.graph.as_mut().unwrap();
        let constant = graph.initializer[0].clone();
        graph.initializer.push(constant);
    });
    refused(&twice, &["two of its constants"]);
}

/// ONNX lets a bias broadcast; only one number for each output means what the device adds.
#[test]
fn a_bias_that_broadcasts_over_images_is_refused() {
    let biased = |dims: &[usize]| {
        let mut builder = Builder::new([1, 4, 4], false);
        let value = builder.quantised("x", 1.0 / 255.0, -128);
        let flat = builder.node("Flatten", "flat", &[&value], vec![]);
        let weights = builder.weights("w", &[16, 3], &[1; 48], &[0.01], 1);
        let value = builder.node("MatMul", "dense", &[&flat, &weights], vec![]);
        let bias = builder.floats("bias", dims, &[1.0, 2.0, 3.0]);
        let value = builder.node("Add", "add", &[&value, &bias], vec![]);
        builder.finish(&value, 3)
    };
    assert_eq!(accepted(&biased(&[3])).lowered, accepted(&biased(&[1, 3])).lowered);
    refused(&biased(&[3, 1]), &["Add `add`", "its bias"]);
    refused(&biased(&[1, 1, 3]), &["Add `add`", "its bias"]);
}
