//! Data with a rare class: what balanced accuracy and class weights change, and that the counts of each class are the device's.

use std::io::Write;
use std::path::{Path, PathBuf};

use bomp_search::stream::stream;
use bomp_tests::{refuse, succeed};
use rand::RngExt;
use serde_json::Value;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const SIDE: usize = 12;

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Noise, and of class 1 a brighter square in a corner: `common` images of class 0, then `rare` of class 1.
fn images(common: usize, rare: usize, purpose: &str) -> (Vec<u8>, Vec<u8>) {
    let mut random = stream(1, 0, purpose);
    let labels: Vec<u8> = (0..common + rare).map(|index| u8::from(index >= common)).collect();
    let mut pixels = Vec::with_capacity(labels.len() * SIDE * SIDE);
    for &label in &labels {
        for (row, column) in (0..SIDE * SIDE).map(|at| (at / SIDE, at % SIDE)) {
            let bright = if label == 1 && row < 6 && column < 6 { 110 } else { 0 };
            pixels.push(bright + random.random_range(0..=120u8));
        }
    }
    (pixels, labels)
}

/// 394 + 6 training images and 60 + 40 test images.
fn data(folder: &Path) -> PathBuf {
    let array = |shape: &str, bytes: &[u8]| {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
    };
    let path = folder.join("rare.npz");
    let mut archive = ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (part, common, rare) in [("train", 394, 6), ("test", 60, 40)] {
        let (pixels, labels) = images(common, rare, part);
        let count = labels.len();
        for (name, bytes) in [
            (format!("x_{part}.npy"), array(&format!("({count}, {SIDE}, {SIDE}, 1)"), &pixels)),
            (format!("y_{part}.npy"), array(&format!("({count},)"), &labels)),
        ] {
            archive.start_file(name, SimpleFileOptions::default()).unwrap();
            archive.write_all(&bytes).unwrap();
        }
    }
    archive.finish().unwrap();
    path
}

/// Arguments of a small study.
fn run<'a>(study: &'a str, data: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let small = ["--space", "micro", "--trials", "2", "--batch", "16", "--strategy", "random"];
    let short = ["--epochs", "6", "--qaft-epochs", "1", "--final-epochs", "12", "--final-qaft-epochs", "2"];
    let named = ["run", "--study", study, "--data", data];
    [&named[..], &small, &short, extra].concat()
}

fn json(program: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(program, arguments)).expect("--json prints JSON")
}

#[test]
fn a_rare_class_counts_when_it_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let data = data(folder.path());
    let study = folder.path().join("balanced");
    let (study, data) = (text(&study), text(&data));
    let balanced = ["--objective", "balanced-accuracy", "--class-weights", "balanced"];
    succeed("bomp-search", &run(study, data, &balanced));

    let status = json("bomp-search", &["status", "--study", study, "--json"]);
    let config = &status["config"];
    assert_eq!(config["objective"], "balanced-accuracy");
    assert_eq!(config["training"]["class_weights"], "balanced");
    assert_eq!(config["final_training"]["class_weights"], "balanced");
    for trial in status["trials"].as_array().unwrap() {
        let classes = trial["by_class"].as_array().unwrap();
        let sum = |field: &str| classes.iter().map(|class| class[field].as_u64().unwrap()).sum::<u64>();
        // One of forty validation images is of the rare class.
        assert_eq!((classes[0]["images"].as_u64(), classes[1]["images"].as_u64()), (Some(39), Some(1)));
        assert_eq!(
            (Some(sum("images")), Some(sum("correct")), Some(sum("float_correct"))),
            (trial["images"].as_u64(), trial["correct"].as_u64(), trial["float_correct"].as_u64())
        );
    }
    assert!(succeed("bomp-search", &["status", "--study", study]).contains("balanced"));

    let finished = &json("bomp-search", &["finalise", "--study", study, "--best", "--json"])[0];
    let recall = finished["recall"].as_array().unwrap();
    let found = recall[1]["recall"].as_f64().unwrap();
    assert!(found > 0.5, "recall of the rare class: {found}");
    let mean = (found + recall[0]["recall"].as_f64().unwrap()) / 2.0;
    assert!((finished["balanced_accuracy"].as_f64().unwrap() - mean).abs() < 1e-12);

    // The packed model in the integer runtime has the very same counts.
    let candidate = finished["candidate"].as_str().unwrap();
    succeed("bomp-export", &["pack", candidate]);
    let model = Path::new(candidate).join("model.bomp");
    let validated = json("bomp-export", &["validate", text(&model), "--data", data, "--json"]);
    for (class, of_class) in recall.iter().enumerate() {
        assert_eq!(validated["counts"][class][class], of_class["correct"], "class {class}");
        assert_eq!(validated["recall"][class], of_class["recall"], "class {class}");
    }
    assert!((validated["balanced_accuracy"].as_f64().unwrap() - mean).abs() < 1e-12);

    // A network that is finished already is not trained again, and its recall is told again.
    let again = &json("bomp-search", &["finalise", "--study", study, "--best", "--json"])[0];
    assert_eq!(again, finished);
    let out = folder.path().join("report");
    succeed("bomp-search", &["report", "--study", study, "--out", text(&out)]);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for said in ["balanced accuracy [%]", "Recall of each class", "balanced [%]<"] {
        assert!(page.contains(said), "the report does not say `{said}`");
    }
}

#[test]
fn plain_studies_are_as_they_were() {
    let folder = TempDir::new().unwrap();
    let data = data(folder.path());
    let study = folder.path().join("plain");
    succeed("bomp-search", &run(text(&study), text(&data), &[]));
    let status = json("bomp-search", &["status", "--study", text(&study), "--json"]);
    // Configurations and trials of earlier versions had none of these, and their checksums go on being the same.
    assert!(status["config"].get("objective").is_none());
    assert!(status["config"]["training"].get("class_weights").is_none());
    assert!(status["trials"][0].get("by_class").is_none());
}

#[test]
fn a_class_that_cannot_be_scored_is_refused_with_a_remedy_that_works() {
    let folder = TempDir::new().unwrap();
    let data = data(folder.path());
    let study = folder.path().join("study");
    let (study, data) = (text(&study), text(&data));
    let balanced = ["--objective", "balanced-accuracy", "--validation", "0.02"];
    let line = refuse("bomp-search", &run(study, data, &balanced));
    assert!(line.contains("class `1` has no image among the 8 validation images"), "{line}");
    let remedy = line.split("--validation ").last().unwrap().split(' ').next().unwrap();
    succeed("bomp-search", &run(study, data, &["--objective", "balanced-accuracy", "--validation", remedy]));
}
