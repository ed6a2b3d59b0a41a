//! What the commands print equals what the library computes.

use bomp_export::arena::ArenaPlan;
use bomp_export::candidate::Candidate;
use bomp_export::{cost, evaluate, files, layout};
use bomp_runtime::Model;

use super::*;

#[test]
fn size_before_the_weights_equals_the_file() {
    for seed in 0..5 {
        let case = Case::new(seed);
        let network = Candidate::load(&case.candidate).unwrap().network;
        let bare = case.path("network-alone.json");
        fs::write(&bare, serde_json::to_vec(&network).unwrap()).unwrap();
        let written = fs::metadata(&case.model).unwrap().len();
        for path in [case.candidate.clone(), case.candidate.join("network.json"), bare] {
            let size = json(&["size", text(&path)]);
            assert_eq!(size["total_bytes"], written);
            assert_eq!(size["total_bits"], 8 * written);
            assert_eq!(size["total_bytes"], layout::blob_bytes(&network));
            assert_eq!(size["arena_bytes"], ArenaPlan::of(&network).size);
            assert_eq!(size["macs"], cost::macs(&network));
            let layers = size["layers"].as_array().unwrap();
            assert_eq!(layers.len(), network.layers.len());
            let sum: u64 = layers.iter().map(|layer| layer["bytes"].as_u64().unwrap()).sum();
            assert_eq!(
                sum + size["header_bytes"].as_u64().unwrap() + size["checksum_bytes"].as_u64().unwrap(),
                written
            );
        }
        let printed = succeed(&["size", text(&case.candidate)]);
        for layer in &network.layers {
            assert!(
                printed.lines().any(|line| line.split_whitespace().next() == Some(&layer.name)),
                "{printed}"
            );
        }
    }
}

#[test]
fn pack_and_inspect_tell_of_one_blob() {
    let case = Case::new(6);
    let other = case.path("other.bomp");
    let packed = json(&["pack", text(&case.candidate), "-o", text(&other)]);
    let blob = fs::read(&other).unwrap();
    assert_eq!(blob, fs::read(&case.model).unwrap());
    assert_eq!(packed["predicted_bytes"], blob.len());
    assert_eq!(packed["file_bytes"], blob.len());
    let inspected = json(&["inspect", text(&other)]);
    let model = Model::new(&blob).unwrap();
    for (report, field) in [(&packed, "sha256"), (&inspected, "sha256")] {
        assert_eq!(report[field], files::sha256(&blob));
    }
    assert_eq!(inspected["bytes"], blob.len());
    assert_eq!(inspected["arena_bytes"], packed["arena_bytes"]);
    assert_eq!(inspected["arena_bytes"], model.arena_size());
    assert_eq!(inspected["classes"], model.classes());
    let layers = inspected["layers"].as_array().unwrap();
    let bits: Vec<Option<u64>> = layers.iter().map(|layer| layer["bits"].as_u64()).collect();
    let network = Candidate::load(&case.candidate).unwrap().network;
    let expected: Vec<Option<u64>> =
        network.layers.iter().map(|layer| layer.op.bits().map(|bits| u64::from(bits.get()))).collect();
    assert_eq!(bits, expected);
    assert_eq!(succeed(&["inspect", text(&other)]).lines().count(), 7 + network.layers.len());
}

#[test]
fn validate_counts_as_the_runtime_does() {
    let case = Case::new(7);
    let validate = ["validate", text(&case.model), "--data", text(&case.data)];
    let engines = ["--against", "onnxruntime", "--against", "tract"];
    let report = json(&[&validate[..], &engines].concat());

    let blob = fs::read(&case.model).unwrap();
    let model = Model::new(&blob).unwrap();
    let logits = evaluate::logits(&model, &case.images, 1, &|_| {}).unwrap();
    let predictions = evaluate::predictions(&logits, model.classes());
    let correct = evaluate::correct(&predictions, &case.images.labels);
    assert_eq!(report["images"], 300);
    assert_eq!(report["integer"]["correct"], correct);
    let interval = &report["integer"]["interval95"];
    let fraction = correct as f64 / 300.0;
    assert!(interval[0].as_f64().unwrap() < fraction && fraction < interval[1].as_f64().unwrap());
    let counts = report["counts"].as_array().unwrap();
    let diagonal = |class: usize| counts[class][class].as_u64().unwrap();
    assert_eq!((0..model.classes()).map(diagonal).sum::<u64>(), correct as u64);

    assert_eq!(report["passed"], true);
    for (engine, name) in report["against"].as_array().unwrap().iter().zip(["onnxruntime", "tract"]) {
        assert_eq!(engine["engine"], name);
        assert!(engine["agreement"].as_f64().unwrap() >= 0.999, "{engine}");
        assert_eq!(engine["layers"]["rounding_only"], true, "{engine}");
        assert_eq!(engine["layers"]["by_layer"].as_array().unwrap().len(), model.layer_count());
    }

    let part = json(&[&validate[..], &["--images", "40", "--threads", "2"]].concat());
    let first: Vec<usize> = (0..40).collect();
    let labels = case.images.subset(&first).labels;
    assert_eq!(part["integer"]["correct"], evaluate::correct(&predictions[..40], &labels));
    assert!(succeed(&[&validate[..], &engines].concat()).contains("same class as the integer runtime"));
}

/// A blob whose one weight differs from the ONNX file's is found out, and that is exit code 1.
#[test]
fn a_model_that_is_not_the_onnx_files_fails() {
    let case = Case::new(9);
    let mut blob = fs::read(&case.model).unwrap();
    // The last bytes before the checksum are weights of the classifier: the whole last class.
    let end = blob.len() - 4;
    for byte in &mut blob[end - 4..end] {
        *byte = !*byte;
    }
    let sum = bomp_runtime::blob::checksum(&blob[..end]);
    blob[end..].copy_from_slice(&sum.to_le_bytes());
    let changed = case.path("changed.bomp");
    fs::write(&changed, &blob).unwrap();
    let onnx = case.candidate.join("model.onnx");
    let validate =
        ["validate", text(&changed), "--data", text(&case.data), "--against", "tract", "--onnx", text(&onnx)];
    // Not even tried while the file says that it belongs to another blob.
    let line = one_line(&call(&validate), 2);
    assert!(line.contains("another blob") && line.contains("bomp-export onnx"), "{line}");

    // With the name of this blob in it, it is the figures that tell.
    let mut file = fs::read(&onnx).unwrap();
    let old = files::sha256(&fs::read(&case.model).unwrap());
    let at = file.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
    file[at..at + old.len()].copy_from_slice(files::sha256(&blob).as_bytes());
    let renamed = case.path("renamed.onnx");
    fs::write(&renamed, file).unwrap();
    let arguments = [&validate[..7], &[text(&renamed)]].concat();
    let line = one_line(&call(&arguments), 1);
    assert!(line.starts_with("failed: tract"), "{line}");
    let lenient = [&arguments[..], &["--min-agreement", "0", "--json"]].concat();
    let output = call(&lenient);
    let line = one_line(&output, 1);
    let classifier = Candidate::load(&case.candidate).unwrap().network.layers.pop().unwrap().name;
    assert!(line.contains(&format!("layer `{classifier}`")), "{line}");
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["passed"], false);
}
