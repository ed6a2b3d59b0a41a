//! What no refactoring changes: the bytes of packed networks and the logits of blobs, against the record `unchanged.json`.
//!
//! A change that is meant to alter them says why and writes the record again with BOMP_UNCHANGED=write.
//! The golden models are packed again in `golden.rs`. Random weights follow from the seed and the C library's `pow`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bomp_export::candidate::Candidate;
use bomp_export::files::sha256;
use bomp_export::testing::{Limits, Numbers};
use bomp_export::{lower, write};
use bomp_runtime::Model;
use bomp_runtime::kernels::{Dsp, Portable, Reference};

use super::golden::logits;
use super::packed;

/// Folders of blobs, from the workspace's root: the champions, the golden models, what the benchmarks count.
const BLOBS: [&str; 3] =
    ["tests/studies/sizes/champions", "runtime/tests/golden/v1", "firmware-sim/networks"];
/// A candidate whose weights are kept, from the workspace's root.
const CANDIDATE: &str = "tests/vectors/eight-kilobytes";
/// Seeds of random networks that are packed.
const SEEDS: std::ops::Range<u64> = 0..40;
/// Images that each blob classifies.
const IMAGES: usize = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// SHA-256 of a blob, and of its logits on images that follow from a seed; all kernels must give the same.
fn hashes(name: &str, blob: &[u8]) -> [String; 2] {
    let model = Model::new(blob).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut numbers = Numbers::new(1);
    let inputs: Vec<u8> = (0..IMAGES * model.input_len()).map(|_| numbers.within(0..=255) as u8).collect();
    let found = logits::<Reference>(blob, &inputs);
    assert_eq!(logits::<Portable>(blob, &inputs), found, "{name}");
    assert_eq!(logits::<Dsp>(blob, &inputs), found, "{name}");
    [sha256(blob), sha256(&found)]
}

#[test]
fn blobs_and_logits_are_those_of_the_record() {
    let mut found = BTreeMap::new();
    for folder in BLOBS {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "bomp")) {
            let name = format!("{folder}/{}", path.file_name().unwrap().to_string_lossy());
            found.insert(name.clone(), hashes(&name, &fs::read(&path).unwrap()));
        }
    }
    let candidate = Candidate::load(&root().join(CANDIDATE)).unwrap();
    let blob = write::blob(&lower::lower(&candidate).unwrap()).unwrap();
    found.insert(CANDIDATE.into(), hashes(CANDIDATE, &blob));
    for seed in SEEDS {
        let name = format!("seed {seed:02}");
        found.insert(name.clone(), hashes(&name, &packed(seed, &Limits::SMALL).blob));
    }
    let path = root().join("export/tests/networks/unchanged.json");
    if std::env::var("BOMP_UNCHANGED").is_ok_and(|value| value == "write") {
        bomp_export::files::write_json(&path, &found).unwrap();
    }
    let record: BTreeMap<String, [String; 2]> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(found, record);
}
