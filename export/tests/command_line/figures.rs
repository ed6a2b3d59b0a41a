//! What the commands print equals what the library computes.

use bomp_export::arena::{ArenaPlan, chart};
use bomp_export::candidate::Candidate;
use bomp_export::engines::{Elements, Engine, Tensor, Tract};
use bomp_export::ir::{Bits, Op};
use bomp_export::onnx::float_model;
use bomp_export::{cost, data, evaluate, files, layout};
use bomp_runtime::Model;
use bomp_runtime::blob::{HEADER_BYTES, RECORD_BYTES, checksum};

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
            let bound = size["arena_lower_bound_bytes"].as_u64().unwrap();
            assert_eq!(layers.iter().map(|layer| layer["ram_bytes"].as_u64().unwrap()).max(), Some(bound));
            let by_bits = size["weight_bytes_by_bits"].as_object().unwrap();
            let by_bits: u64 = by_bits.values().map(|bytes| bytes.as_u64().unwrap()).sum();
            assert_eq!(size["sections"]["weights"], by_bits);
            let sum: u64 = layers.iter().map(|layer| layer["bytes"].as_u64().unwrap()).sum();
            assert_eq!(
                sum + size["header_bytes"].as_u64().unwrap() + size["checksum_bytes"].as_u64().unwrap(),
                written
            );
        }
        let svg = case.path("arena.svg");
        let printed = succeed(&["size", text(&case.candidate), "--svg", text(&svg)]);
        let plan = ArenaPlan::of(&network);
        let rectangles = plan.bytes.iter().filter(|&&bytes| bytes > 0).count()
            + plan.scratch.iter().filter(|scratch| scratch.bytes > 0).count();
        let drawn = fs::read_to_string(&svg).unwrap();
        assert_eq!(drawn.matches("<title>").count(), rectangles);
        for layer in 0..network.layers.len() {
            let row = chart::text(&plan, layer, 64);
            assert_eq!(row.len(), 64);
            assert!(printed.contains(&row), "{row} is missing in {printed}");
        }
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
    let printed = succeed(&["inspect", text(&other)]);
    assert!(network.layers.iter().all(|layer| printed.contains(&layer.name)), "{printed}");
    // The names are of the file beside the blob, which the blob does not need.
    let sidecar: Value = serde_json::from_slice(&fs::read(case.path("other.bomp.json")).unwrap()).unwrap();
    assert_eq!(sidecar["blob_sha256"], files::sha256(&blob));
    assert_eq!(inspected["sidecar"], sidecar);
    fs::remove_file(case.path("other.bomp.json")).unwrap();
    assert_eq!(json(&["inspect", text(&other)])["sidecar"], Value::Null);
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
    let chosen = data::stratified(&case.images.labels, model.classes(), 40);
    let right = |&&image: &&usize| predictions[image] == usize::from(case.images.labels[image]);
    assert_eq!(part["integer"]["correct"], chosen.iter().filter(right).count());
    assert_eq!((&part["images"], &part["of_images"]), (&40.into(), &300.into()));
    let text = succeed(&[&validate[..], &["--images", "40"]].concat());
    assert!(text.contains("a sample of 40 of the 300 test images, stratified by class"), "{text}");
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
    // The file says that it belongs to another blob, and the figures say where the two part.
    let output = call(&validate);
    let line = one_line(&output, 1);
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

/// One bit of one weight of one layer, the checksum made again: `validate` fails and names the layer.
#[test]
fn a_planted_bit_is_found_in_its_layer() {
    let case = Case::new(11);
    let sound = fs::read(&case.model).unwrap();
    let model = Model::new(&sound).unwrap();
    let network = Candidate::load(&case.candidate).unwrap().network;
    let planted = case.path("planted.bomp");
    let onnx = case.candidate.join("model.onnx");
    let mut end = HEADER_BYTES + model.layer_count() * RECORD_BYTES;
    let mut tried = 0;
    for (layer, parts) in network.layers.iter().zip(layout::Layout::of_model(&model, &[]).layers) {
        end += parts.data();
        if parts.weights == 0 {
            continue;
        }
        // The largest bit of a weight in the middle.
        let mut blob = sound.clone();
        let middle = end - parts.weights / 2 - 1;
        blob[middle] ^= 0x80;
        let at = blob.len() - 4;
        let sum = checksum(&blob[..at]);
        blob[at..].copy_from_slice(&sum.to_le_bytes());
        fs::write(&planted, &blob).unwrap();
        let validate = ["validate", text(&planted), "--data", text(&case.data), "--against", "tract"];
        let output = call(&[&validate[..], &["--onnx", text(&onnx), "--layers"]].concat());
        let line = one_line(&output, 1);
        let name = format!("layer `{}`", layer.name);
        assert!(line.contains(&name), "{name}: {line}");
        let printed = stdout(&output);
        assert!(printed.contains(&format!("part first in {name}")), "{printed}");
        assert!(printed.contains("integer runtime"), "{printed}");
        tried += 1;
    }
    assert!(tried >= 2, "{tried}");
}

#[test]
fn the_float_network_is_an_engine() {
    let case = Case::new(12);
    let report = json(&["validate", text(&case.model), "--data", text(&case.data), "--against", "float"]);
    let float = &report["against"][0];
    assert_eq!((&float["engine"], &float["layers"]), (&"float".into(), &Value::Null));
    let logits = &float["logits"];
    // Not the same network, but near it.
    assert!(logits["mean_cosine"].as_f64().unwrap() > 0.5, "{logits}");
    assert!(logits["rmse"].as_f64().unwrap() > 0.0 && logits["rmse"].as_f64() <= logits["max"].as_f64());
    let candidate = Candidate::load(&case.candidate).unwrap();
    let exact = testing::float_logits(&candidate, case.images.image(0));
    let engine = Tract.load(&float_model(&candidate), 1).unwrap().run(&[pixels(&case)]).unwrap();
    let Elements::Float(found) = engine.elements else { panic!("not float") };
    for (found, exact) in found.iter().zip(&exact) {
        assert!((f64::from(*found) - exact).abs() <= 1e-4 * exact.abs().max(1.0), "{found} {exact}");
    }
}

/// The first image as float32 [1, C, H, W].
fn pixels(case: &Case) -> Tensor {
    let shape = case.images.shape;
    let image = case.images.image(0);
    let channel = |c: usize| image.iter().skip(c).step_by(shape.channels).map(|&p| f32::from(p) / 255.0);
    Tensor {
        shape: vec![1, shape.channels, shape.height, shape.width],
        elements: Elements::Float((0..shape.channels).flat_map(channel).collect()),
    }
}

#[test]
fn diff_tells_what_changed() {
    let case = Case::new(13);
    let same = json(&["diff", text(&case.model), text(&case.model), "--fail-if-larger"]);
    assert_eq!((&same["larger"], &same["layers"]), (&false.into(), &serde_json::json!([])));
    // The same network with one layer wider.
    let mut candidate = Candidate::load(&case.candidate).unwrap();
    let parts = layout::Layout::of(&candidate.network).layers;
    let largest = |&layer: &usize| if parts[layer].bits < Some(8) { parts[layer].weight_count } else { 0 };
    let layer = (0..parts.len()).max_by_key(largest).unwrap();
    let layer = &mut candidate.network.layers[layer];
    let (name, before) = (layer.name.clone(), layer.op.bits().unwrap().get());
    match &mut layer.op {
        Op::Convolution { bits, .. } | Op::Depthwise { bits, .. } | Op::Classifier { bits, .. } => {
            *bits = Bits::MAX;
        }
        Op::Add | Op::AveragePool => unreachable!(),
    }
    let folder = case.path("wider");
    candidate.save(&folder).unwrap();
    succeed(&["pack", text(&folder)]);
    let wider = folder.join("model.bomp");
    succeed(&["validate", text(&wider), "--data", text(&case.data), "--record"]);
    let report = json(&["diff", text(&case.model), text(&wider)]);
    let changed = report["layers"].as_array().unwrap();
    assert_eq!(changed.len(), 1, "{report}");
    assert_eq!(changed[0]["name"], name);
    assert_eq!((&changed[0]["before"]["bits"], &changed[0]["after"]["bits"]), (&before.into(), &8.into()));
    assert_eq!(report["after"]["bytes"], fs::metadata(&wider).unwrap().len());
    assert_eq!(report["after"]["accuracy"]["images"], 300);
    let line = one_line(&call(&["diff", text(&case.model), text(&wider), "--fail-if-larger"]), 1);
    assert!(line.contains("flash"), "{line}");
    let printed = succeed(&["diff", text(&wider), text(&case.model), "--fail-if-larger"]);
    assert!(printed.contains(&format!("8 -> {before}")), "{printed}");
}
