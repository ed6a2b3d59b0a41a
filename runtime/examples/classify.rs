//! Classifies raw images with a packed model on a computer, exactly as a device would:
//! `cargo run --release --workspace --example classify -- MODEL.bomp IMAGES`. IMAGES are int8, [H, W, C] each, one after the other.
//!
//! `cargo test` runs it on a model of the golden set and compares the logits.

use std::error::Error;
use std::{env, fs};

use bomp_runtime::Model;
use bomp_runtime::engine::argmax;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [model, images] = &arguments[..] else { return Err("usage: classify MODEL.bomp IMAGES".into()) };
    for logits in run(&fs::read(model)?, &fs::read(images)?)? {
        println!("class {} of {logits:?}", argmax(&logits));
    }
    Ok(())
}

/// The logits of each image.
fn run(blob: &[u8], images: &[u8]) -> Result<Vec<Vec<i32>>, Box<dyn Error>> {
    // Checks every byte; firmware does this once.
    let model = Model::new(blob).map_err(|error| format!("not a model that this runtime runs: {error}"))?;
    // Firmware makes it a static of the size that `arena_size!` computes from the model.
    let mut arena = vec![0; model.arena_size()];
    let mut all = Vec::new();
    for image in images.chunks(model.input_len()) {
        let input: Vec<i8> = image.iter().map(|&byte| byte as i8).collect();
        let mut logits = vec![0; model.classes()];
        model.run(&input, &mut arena, &mut logits).map_err(|error| format!("cannot run: {error}"))?;
        all.push(logits);
    }
    Ok(all)
}

#[test]
fn a_golden_model_gives_its_logits() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    // One folder for each version of the format.
    for version in fs::read_dir(golden).unwrap() {
        let read = |name: &str| fs::read(version.as_ref().unwrap().path().join(name)).unwrap();
        let logits = run(&read("classifier.bomp"), &read("classifier.inputs")).unwrap();
        let bytes: Vec<u8> = logits.iter().flatten().flat_map(|logit| logit.to_le_bytes()).collect();
        assert_eq!(bytes, read("classifier.logits"));
    }
}
