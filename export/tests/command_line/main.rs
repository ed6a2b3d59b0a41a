//! The program as a user calls it: what it prints, what it writes, how it ends.
#![cfg(feature = "engines")]

mod errors;
mod figures;
mod firmware;
mod hostile;
mod schemas;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bomp_export::data::Images;
use bomp_export::testing::{self, Limits, Numbers};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a candidate, `model.bomp`, `model.onnx` and images of the right shape.
struct Case {
    folder: TempDir,
    candidate: PathBuf,
    model: PathBuf,
    data: PathBuf,
    images: Images,
}

impl Case {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let candidate = folder.path().join("candidate");
        let random = testing::candidate(seed, &Limits::SMALL);
        random.save(&candidate).unwrap();
        succeed(&["pack", text(&candidate)]);
        succeed(&["onnx", text(&candidate)]);
        let (model, data) = (candidate.join("model.bomp"), folder.path().join("data"));
        let classes = random.network.classes();
        let mut images = testing::images(random.network.input, 300, classes, &mut Numbers::new(seed));
        // Every class must occur.
        for (label, place) in images.labels.iter_mut().enumerate() {
            *place = (label % classes) as u16;
        }
        write_npz(&data, &images);
        Self { folder, candidate, model, data, images }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// An `.npz` whose training and test parts are both `images`.
fn write_npz(folder: &Path, images: &Images) {
    use std::io::Write;
    let shape = images.shape;
    let array = |descr: &str, shape: &str, bytes: &[u8]| {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
        header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.bytes());
        file.extend(bytes);
        file
    };
    let sizes = format!("{}, {}, {}, {}", images.len(), shape.height, shape.width, shape.channels);
    let x = array("|u1", &sizes, &images.pixels);
    let labels: Vec<u8> = images.labels.iter().map(|&label| label as u8).collect();
    let y = array("|u1", &format!("{},", images.len()), &labels);
    fs::create_dir_all(folder).unwrap();
    let mut archive = zip::ZipWriter::new(fs::File::create(folder.join("images.npz")).unwrap());
    for (name, bytes) in [("x_train", &x), ("y_train", &y), ("x_test", &x), ("y_test", &y)] {
        archive.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn call(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bomp-export")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error of a call that ended with `code`: one line, no panic.
fn one_line(output: &Output, code: i32) -> String {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert_eq!(line.lines().count(), 1, "not one line: {line}");
    assert!(!line.contains("panicked"), "{line}");
    line
}

fn succeed(arguments: &[&str]) -> String {
    let output = call(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    stdout(&output)
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(&[arguments, &["--json"]].concat())).unwrap()
}
