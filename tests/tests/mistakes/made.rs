//! The files that the mistakes are made with: a candidate, models, data, a study, and files of other programs.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use bomp_tests::{program, succeed};
use tempfile::TempDir;

/// Classes and side of the images.
const CLASSES: usize = 3;
const SIDE: usize = 12;

/// All files, in one folder that is gone with the process.
pub(crate) struct Made {
    folder: TempDir,
}

impl Made {
    /// The path of a file or folder here, as text.
    pub(crate) fn at(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("temporary folders have plain names").to_owned()
    }
}

/// The files, made at the first use.
pub(crate) fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> Made {
    let made = Made { folder: tempfile::tempdir().unwrap() };
    let write = |name: &str, bytes: &[u8]| {
        let path = PathBuf::from(made.at(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let candidate = bomp_tests::random_candidate(SIDE, CLASSES);
    for folder in ["candidate", "finished/trial-0003/candidate", "finished/trial-0004/candidate"] {
        candidate.save(Path::new(&made.at(folder))).unwrap();
    }
    succeed("bomp-export", &["pack", &made.at("candidate"), "-o", &made.at("model.bomp")]);
    succeed("bomp-export", &["keygen", "-o", &made.at("key")]);
    let sign = ["sign", &made.at("model.bomp"), "--key", &made.at("key"), "--counter", "1"];
    succeed("bomp-export", &[&sign[..], &["-o", &made.at("signed.bomp")]].concat());

    write("pointer.onnx", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n");
    write("page.onnx", b"<!DOCTYPE html>\n<html><body>Sign in</body></html>");
    write("network.tflite", b"\x1c\0\0\0TFL3\x14\0\x20\0");
    write("network.h5", b"\x89HDF\r\n\x1a\n\0\0");
    write("network.pt", &zip(&[("archive/data.pkl", b"\x80\x02")]));
    write("network.keras", &zip(&[("config.json", b"{}")]));
    write("network.zip", &zip(&[("readme.txt", b"see elsewhere")]));
    write("empty.onnx", b"");
    write("noise.bomp", b"what is this");
    write("notes.txt", b"mine");
    write("full/notes.txt", b"mine");
    write("space.toml", b"name = \"mine\"\nclases = 10\n");
    write("based.toml", b"based_on = \"two-cores\"\n[training.float]\nepoch = 3.0\n");
    write("circle.toml", b"based_on = \"circle.toml\"\n");
    write("bare.toml", b"trials = 3\n");
    write("own-space.toml", succeed("bomp-search", &["space", "micro"]).as_bytes());
    write("own-preset.toml", succeed("bomp-search", &["preset", "two-cores"]).as_bytes());
    write("list.json", b"[{\"trial\": 1}]");
    for class in ["cats", "dogs"] {
        write(&format!("pictures/{class}/1.png"), b"\x89PNG");
    }

    for name in ["data.npz", "set/images.npz", "holder/inner/images.npz"] {
        write(name, &images());
    }
    let study = made.at("study");
    let data = made.at("data.npz");
    let run = ["run", "--study", &study, "--data", &data, "--space", "micro", "--trials", "2"];
    let short = ["--epochs", "0.5", "--qaft-epochs", "0.2", "--batch", "8", "--threads", "1"];
    let output = Command::new(program("bomp-search")).args(run).args(short).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    made
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(*name, stored).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// An `.npz` of grey images whose class is where they are bright.
fn images() -> Vec<u8> {
    let array = |descr: &str, shape: &str, bytes: &[u8]| {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
        header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
        header.push('\n');
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), bytes].concat()
    };
    let part = |count: usize| {
        let pixel = |at: usize| {
            let (image, pixel) = (at / (SIDE * SIDE), at % (SIDE * SIDE));
            let bright = pixel / SIDE * CLASSES / SIDE == image % CLASSES;
            let noise = (at * 7919 + image * 104_729) % 97;
            (if bright { 140 } else { 10 } + noise) as u8
        };
        let pixels: Vec<u8> = (0..count * SIDE * SIDE).map(pixel).collect();
        let labels: Vec<u8> = (0..count).map(|image| (image % CLASSES) as u8).collect();
        (
            array("|u1", &format!("{count}, {SIDE}, {SIDE}, 1"), &pixels),
            array("|u1", &format!("{count},"), &labels),
        )
    };
    let ((x_train, y_train), (x_test, y_test)) = (part(600), part(120));
    zip(&[
        ("x_train.npy", &x_train),
        ("y_train.npy", &y_train),
        ("x_test.npy", &x_test),
        ("y_test.npy", &y_test),
    ])
}
