//! Every data layout: files written byte by byte as the layout says come back exactly, and every way to damage them is
//! one line that names the file and the byte or entry.

mod cifar;
mod fashion_mnist;
mod folder;
mod hostile;
mod idx;
mod npz;
mod parts;
mod pictures;
mod real;
mod split;
mod summary;
mod wrong_paths;

use std::fs;
use std::path::Path;

use bomp_export::data::{self, Format};

/// Writes a file into `folder`.
fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The one line with which `path` is refused; every part of it that matters must be there.
fn refused(path: &Path, format: Format, parts: &[&str]) {
    let message = data::load(path, format).expect_err("should have been refused").to_string();
    assert!(!message.contains('\n'), "more than one line: {message}");
    for part in parts {
        assert!(message.contains(part), "`{part}` is missing in: {message}");
    }
}

#[test]
fn what_is_not_there_names_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    for format in [Format::Auto, Format::Idx, Format::Cifar10, Format::Npz, Format::Folder { resize: None }] {
        refused(&absent, format, &["absent: no such file", "cargo xtask setup", "--data"]);
    }
    write(folder.path(), "notes", "hello");
    refused(folder.path(), Format::Auto, &["no known data layout", "train-images-idx3-ubyte", "--data"]);
    write(folder.path(), "notes.txt", "hello");
    refused(&folder.path().join("notes.txt"), Format::Auto, &["notes.txt: a text, not a data set"]);
    refused(folder.path(), Format::Npz, &["0 .npz files"]);
    refused(&folder.path().join("notes.txt"), Format::Npz, &["notes.txt: not a sound .npz archive"]);
}

#[test]
fn formats_are_written_as_they_are_read() {
    for text in [
        "auto",
        "idx",
        "cifar10",
        "cifar100",
        "npz",
        "npz:nchw",
        "npz:nhwc",
        "folder",
        "folder:28x32x3",
        "folder:9x1x1",
        "folder:8x9x1:crop",
        "folder:8x9x1:stretch",
    ] {
        assert_eq!(text.parse::<Format>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "Auto",
        "mnist",
        "npz:",
        "npz:chw",
        "folder:",
        "folder:28x28",
        "folder:0x1x1",
        "folder:28x28x2",
        "folder:1x1x1x1",
        "folder:-1x2x3",
        "folder:1x2x3:",
        "folder:1x2x3:zoom",
    ] {
        let message = text.parse::<Format>().unwrap_err().to_string();
        assert!(message.contains(&format!("`{text}`")), "{message}");
    }
}
