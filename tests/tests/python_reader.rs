//! A reader in Python, written from FORMAT.md alone, gives the runtime's logits bit for bit: on the golden models of version 1
//! and on 50 generated ones. It refuses what is damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bomp_export::candidate::Candidate;
use bomp_export::testing::{self, Limits, Numbers};
use bomp_export::{lower, write};
use bomp_runtime::blob::checksum;
use bomp_runtime::{Model, arena};
use bomp_search::space::Space;
use bomp_search::stream::stream;
use rand::RngExt;

/// Images of each generated model.
const IMAGES: usize = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs the reader on every model in `folder`.
fn read(folder: &Path) -> Output {
    let reader = root().join("tests/reader/bomp_reader.py");
    // Where `cargo xtask setup` puts numpy; one that is installed otherwise will do.
    Command::new("python3")
        .env("PYTHONPATH", root().join(".toolchain/python"))
        .arg("-B")
        .arg(reader)
        .arg(folder)
        .output()
        .expect("python3, which `cargo xtask setup` installs")
}

/// Every candidate that is compared.
fn candidates() -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> =
        (0..35).map(|seed| testing::candidate(1_000 + seed, &Limits::SMALL)).collect();
    candidates.extend((0..5).map(|seed| testing::candidate(2_000 + seed, &Limits::LARGE)));
    for name in ["paper", "extended"] {
        let space = Space::open(name).unwrap();
        let mut random = stream(3, 0, "second reader");
        for number in 0..5 {
            let mut point: Vec<u16> = space
                .genes()
                .iter()
                .map(|gene| random.random_range(0..gene.coordinates.len()) as u16)
                .collect();
            space.canonicalise(&mut point);
            candidates.push(bomp_tests::candidate_of(&space.network(&space.genotype(&point)), number));
        }
    }
    candidates
}

/// Logits of the images in `inputs`, as bytes.
fn logits(blob: &[u8], inputs: &[u8]) -> Vec<u8> {
    let model = Model::new(blob).unwrap();
    let mut words = vec![0; arena::words(model.arena_size())];
    let mut logits = vec![0; model.classes()];
    let mut bytes = Vec::new();
    for image in inputs.chunks_exact(model.input_len()) {
        let image: Vec<i8> = image.iter().map(|&byte| byte as i8).collect();
        model.run(&image, arena::from_words(&mut words), &mut logits).unwrap();
        bytes.extend(logits.iter().flat_map(|logit| logit.to_le_bytes()));
    }
    bytes
}

#[test]
fn fifty_generated_models_give_the_runtimes_logits() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = candidates();
    assert_eq!(candidates.len(), 50);
    let mut expected = Vec::new();
    for (number, candidate) in candidates.iter().enumerate() {
        let mut numbers = Numbers::new(number as u64);
        let mut lowered = lower::lower(candidate).unwrap();
        // Every other one has wide layers between the others.
        if number % 2 == 1 {
            testing::widen(&mut lowered, false, &mut numbers);
        }
        let blob = write::blob(&lowered).unwrap();
        let elements = IMAGES * candidate.network.input.elements();
        let inputs: Vec<u8> = (0..elements).map(|_| numbers.within(0..=255) as u8).collect();
        let path = folder.path().join(format!("{number:02}"));
        fs::write(path.with_extension("bomp"), &blob).unwrap();
        fs::write(path.with_extension("inputs"), &inputs).unwrap();
        expected.push((path.with_extension("python"), logits(&blob, &inputs)));
    }
    let output = read(folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said} (numpy comes with `cargo xtask setup`)");
    for (path, expected) in expected {
        assert_eq!(fs::read(&path).unwrap(), expected, "{}", path.display());
    }
}

#[test]
fn golden_models_give_the_recorded_logits() {
    let golden = root().join("runtime/tests/golden/v1");
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(&golden).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        if path.extension().is_some_and(|extension| extension == "bomp") {
            names.push(path.with_extension("logits"));
        }
    }
    assert_eq!(names.len(), 4);
    let output = read(folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in names {
        let found = folder.path().join(expected.file_name().unwrap()).with_extension("python");
        assert_eq!(fs::read(found).unwrap(), fs::read(&expected).unwrap(), "{}", expected.display());
    }
}

#[test]
fn damage_is_refused_by_both_readers() {
    let folder = tempfile::tempdir().unwrap();
    let sound = write::blob(&lower::lower(&testing::candidate(3, &Limits::SMALL)).unwrap()).unwrap();
    let path = folder.path().join("damaged");
    fs::write(path.with_extension("inputs"), vec![0; Model::new(&sound).unwrap().input_len()]).unwrap();
    // Magic, version, length, arena, input's place, reserved byte; kind, padding, stride, source, height of the first layer.
    for at in [0, 4, 8, 12, 16, 20, 27, 36, 38, 39, 44, 46] {
        let mut blob = sound.clone();
        if at == 12 {
            let smaller = Model::new(&sound).unwrap().arena_size() as u32 - 1;
            blob[12..16].copy_from_slice(&smaller.to_le_bytes());
        } else {
            blob[at] ^= 0xf7;
        }
        let end = blob.len() - 4;
        let sum = checksum(&blob[..end]);
        blob[end..].copy_from_slice(&sum.to_le_bytes());
        assert!(Model::new(&blob).is_err(), "byte {at}");
        fs::write(path.with_extension("bomp"), &blob).unwrap();
        let output = read(folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "byte {at}: {said}");
        assert!(said.contains("damaged.bomp: ") && said.lines().count() == 1, "byte {at}: {said}");
    }
}
