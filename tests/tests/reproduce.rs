//! A finished network of the study `cpu2`, trained again from its trial: the same bytes.
//!
//! The smallest is taken, so that it is a matter of a minute. Its study goes by `bomp-search import`, as it would on
//! another machine.

use std::fs;
use std::path::{Path, PathBuf};

use bomp_tests::succeed;
use serde_json::Value;
use tempfile::TempDir;

const ROW: &str = "qaft-mp-1";

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

#[test]
fn a_network_of_the_front_is_trained_again_to_the_same_bytes() {
    let row = Path::new(env!("CARGO_MANIFEST_DIR")).join("studies/cpu2").join(ROW);
    let models = fs::read_dir(row.join("final")).expect("the study has finished networks");
    let models = models.map(|entry| entry.unwrap().path());
    let smallest: PathBuf = models
        .filter(|path| path.extension().is_some_and(|extension| extension == "bomp"))
        .min_by_key(|path| fs::metadata(path).unwrap().len())
        .expect("the study has packed models");
    let number = text(&smallest).rsplit_once("trial-").unwrap().1.trim_end_matches(".bomp");
    let number = number.parse::<u64>().unwrap().to_string();
    let record: Value = serde_json::from_slice(&fs::read(smallest.with_extension("json")).unwrap()).unwrap();

    let folder = TempDir::new().unwrap();
    let (study, model) = (folder.path().join(ROW), folder.path().join("again.bomp"));
    succeed("bomp-search", &["import", "--study", text(&study), text(&row.join("trials.jsonl.gz"))]);
    let finished =
        succeed("bomp-search", &["finalise", "--study", text(&study), "--trial", &number, "--json"]);
    let finished: Value = serde_json::from_str(&finished).unwrap();
    let candidate = finished[0]["candidate"].as_str().unwrap();
    succeed("bomp-export", &["pack", candidate, "-o", text(&model)]);

    for figure in ["size_bytes", "float_correct", "integer_correct", "trained_images"] {
        assert_eq!(finished[0][figure], record[figure], "{figure} of trial {number}");
    }
    assert!(
        fs::read(&model).unwrap() == fs::read(&smallest).unwrap(),
        "{} has other bytes",
        smallest.display()
    );
}
