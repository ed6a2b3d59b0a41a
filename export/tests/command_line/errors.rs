//! Everything that can be wrong is one line on standard error and exit code 2; nothing half-written stays behind.

use std::io::Read;
use std::process::Stdio;

use super::*;

/// The line with which the arguments are refused.
fn refused(arguments: &[&str]) -> String {
    let output = call(arguments);
    assert!(output.stdout.is_empty(), "{arguments:?} printed {}", stdout(&output));
    let line = one_line(&output, 2);
    assert!(line.starts_with("error: "), "{line}");
    line
}

#[track_caller]
fn contains(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "`{part}` is missing in: {line}");
    }
}

#[test]
fn wrong_usage() {
    let help = call(&[]);
    assert_eq!(help.status.code(), Some(2));
    contains(&String::from_utf8(help.stderr).unwrap(), &["Usage: bomp-export", "validate"]);
    contains(&refused(&["sise"]), &["sise", "--help"]);
    contains(&refused(&["size"]), &["NETWORK"]);
    for (option, value) in [
        ("--threads", "0"),
        ("--threads", "-1"),
        ("--images", "0"),
        ("--images", "1e9"),
        ("--min-agreement", "1.5"),
        ("--min-agreement", "NaN"),
        ("--against", "caffe"),
        ("--format", "jpeg"),
    ] {
        contains(&refused(&["validate", "model.bomp", option, value]), &[value.trim_start_matches('-')]);
    }
    for option in [&["--onnx", "x.onnx"][..], &["--candidate", "x"], &["--layers"]] {
        contains(&refused(&[&["validate", "model.bomp"], option].concat()), &["--against"]);
    }
    contains(&refused(&["diff", "model.bomp"]), &["AFTER"]);
}

#[test]
fn files_that_are_missing_or_foreign() {
    let case = Case::new(1);
    let absent = case.path("absent");
    contains(&refused(&["diff", text(&absent), text(&case.model)]), &["absent"]);
    contains(&refused(&["diff", text(&case.model), text(&absent)]), &["absent"]);
    for command in ["size", "pack", "inspect", "onnx", "validate"] {
        contains(&refused(&[command, text(&absent)]), &["absent"]);
    }
    let foreign = case.path("foreign");
    for content in [&b""[..], b"{", b"[]", b"{\"network\": 3}", b"null", b"\xff\xfe\x00", b"{\"input\":{}}"] {
        fs::write(&foreign, content).unwrap();
        contains(&refused(&["size", text(&foreign)]), &["foreign", "not a network"]);
        contains(&refused(&["inspect", text(&foreign)]), &["foreign"]);
    }
    let onnx = case.path("foreign.onnx");
    let validate = [
        "validate",
        text(&case.model),
        "--data",
        text(&case.data),
        "--against",
        "tract",
        "--onnx",
        text(&onnx),
    ];
    contains(&refused(&validate), &["foreign.onnx", "bomp-export onnx"]);
    for content in [&b""[..], b"hello", &fs::read(&case.model).unwrap()] {
        fs::write(&onnx, content).unwrap();
        contains(&refused(&validate), &["foreign.onnx", "bomp-export onnx"]);
    }
}

#[test]
fn networks_with_absurd_numbers() {
    let case = Case::new(2);
    let path = case.candidate.join("network.json");
    let sound: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let layers = sound["network"]["layers"].as_array().unwrap();
    let (at, kind) = layers
        .iter()
        .enumerate()
        .find_map(|(at, layer)| {
            ["convolution", "depthwise"]
                .iter()
                .find(|kind| layer["op"][**kind].is_object())
                .map(|kind| (at, *kind))
        })
        .unwrap();
    let huge = u64::MAX;
    for (pointer, value) in [
        ("window/stride", 0u64.into()),
        ("window/stride", huge.into()),
        ("window/kernel", 0.into()),
        ("window/kernel", huge.into()),
        ("window/padding/0", huge.into()),
        ("window/padding", serde_json::json!([huge, huge, huge, huge])),
        ("bits", 3.into()),
        ("bits", 9.into()),
        ("bits", 300.into()),
        ("bits", (-4).into()),
    ] {
        let mut network = sound["network"].clone();
        *network.pointer_mut(&format!("/layers/{at}/op/{kind}/{pointer}")).unwrap() = value;
        let file = case.path("network.json");
        fs::write(&file, network.to_string()).unwrap();
        contains(&refused(&["size", text(&file)]), &["network.json"]);
    }
    for (pointer, value) in [
        ("/input/height", Value::from(0)),
        ("/input/height", huge.into()),
        ("/input/channels", (-1).into()),
        ("/layers", serde_json::json!([])),
        ("/layers/0/inputs", serde_json::json!([7])),
        ("/layers/0/inputs", serde_json::json!([])),
        ("/layers/0/name", "".into()),
        ("/layers/0/name", "input".into()),
    ] {
        let mut network = sound["network"].clone();
        *network.pointer_mut(pointer).unwrap() = value;
        let file = case.path("network.json");
        fs::write(&file, network.to_string()).unwrap();
        contains(&refused(&["size", text(&file)]), &["network.json"]);
    }
}

#[test]
fn damaged_blobs() {
    let case = Case::new(3);
    let sound = fs::read(&case.model).unwrap();
    let damaged = case.path("damaged.bomp");
    for at in (0..sound.len()).step_by(sound.len() / 20 + 1) {
        let mut blob = sound.clone();
        blob[at] ^= 1 << (at % 8);
        fs::write(&damaged, &blob).unwrap();
        contains(&refused(&["inspect", text(&damaged)]), &["damaged.bomp"]);
        fs::write(&damaged, &sound[..at]).unwrap();
        contains(&refused(&["inspect", text(&damaged)]), &["damaged.bomp"]);
    }
    contains(&refused(&["validate", text(&damaged), "--data", text(&case.data)]), &["damaged.bomp"]);
}

/// What lies beside a blob describes that blob, or it is an error.
#[test]
fn descriptions_of_other_blobs() {
    let (case, other) = (Case::new(1), Case::new(2));
    let sidecar = case.candidate.join("model.bomp.json");
    for (content, parts) in [
        (fs::read(other.candidate.join("model.bomp.json")).unwrap(), ["another blob", "bomp-export pack"]),
        (b"{".to_vec(), ["not the description", "bomp-export pack"]),
    ] {
        fs::write(&sidecar, content).unwrap();
        let line = refused(&["inspect", text(&case.model)]);
        contains(&line, &["model.bomp.json"]);
        contains(&line, &parts);
        contains(&refused(&["diff", text(&other.model), text(&case.model)]), &parts);
    }
}

#[test]
fn images_that_do_not_fit() {
    let (case, other) = (Case::new(4), Case::new(5));
    assert_ne!(case.images.shape, other.images.shape);
    let line = refused(&["validate", text(&case.model), "--data", text(&other.data)]);
    contains(&line, &[&case.images.shape.to_string(), &other.images.shape.to_string()]);
    let line = refused(&["validate", text(&case.model), "--data", text(&case.data), "--images", "301"]);
    contains(&line, &["301", "300"]);
    contains(&refused(&["validate", text(&case.model), "--data", text(&case.path("absent"))]), &["absent"]);
}

#[test]
fn an_engine_that_is_not_there() {
    let case = Case::new(4);
    let output = Command::new(env!("CARGO_BIN_EXE_bomp-export"))
        .args(["validate", text(&case.model), "--data", text(&case.data), "--against", "onnxruntime"])
        .env("ORT_DYLIB_PATH", case.path("absent.so"))
        .output()
        .unwrap();
    contains(&one_line(&output, 2), &["absent.so", "cargo xtask setup"]);
}

#[test]
fn output_that_cannot_be_written() {
    let case = Case::new(1);
    let before = fs::read_dir(case.folder.path()).unwrap().count();
    // A file where a folder is needed, and a folder where a file is.
    let (under_a_file, a_folder) = (case.model.join("x"), case.candidate.clone());
    for command in ["pack", "onnx"] {
        for target in [&under_a_file, &a_folder] {
            contains(&refused(&[command, text(&case.candidate), "-o", text(target)]), &[text(target)]);
            contains(&refused(&["size", text(&case.candidate), "--svg", text(target)]), &[text(target)]);
        }
    }
    assert_eq!(fs::read_dir(case.folder.path()).unwrap().count(), before, "a file was left behind");
    assert_eq!(fs::read_dir(&case.candidate).unwrap().count(), 5, "a file was left behind");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let case = Case::new(1);
    for arguments in
        [&["inspect", text(&case.model)][..], &["size", text(&case.candidate), "--json"], &["--help"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bomp-export"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}: {error}");
        assert_eq!(error, "", "{arguments:?}");
    }
}
