//! Paths that are no data, data of other kinds, and formats that do not fit: each refusal names what is there and the way out.

use std::fs;

use bomp_export::data::{self, Format};
use tempfile::tempdir;

use super::folder::{PLAIN, grey, save};
use super::{idx, npz, refused, write};

#[test]
fn files_of_other_kinds_are_named() {
    let folder = tempdir().unwrap();
    for (name, bytes, parts) in [
        ("set.zip", &b"PK\x03\x04...."[..], &["an archive", "unpack it"][..]),
        ("set.tar.gz", b"\x1f\x8b\x08\0....", &["an archive", "unpack it"]),
        ("set.7z", b"7z\xbc\xaf\x27\x1c", &["a 7z archive", "unpack it"]),
        ("train.parquet", b"PAR1....", &["a Parquet table", "np.savez"]),
        (
            "train.csv",
            b"a,b\n1,2\n",
            &["a table", "an image's class is the name of its folder", "np.loadtxt", "np.savez"],
        ),
        ("train.tfrecord", b"\x01\0\0\0", &["a file of records", "np.savez"]),
        ("set.h5", b"\x89HDF\r\n\x1a\n", &["an HDF5 file", "np.savez"]),
        ("set.npy", b"\x93NUMPY\x01\0", &["a single array", "np.savez"]),
        ("set.pkl", b"\x80\x04\x95", &["a Python pickle", "np.savez"]),
        ("set.pt", b"PK\x03\x04....", &["a Python pickle", "np.savez"]),
        ("model.onnx", b"\x08\x07\x12\x04", &["a model", "--data names images"]),
        ("model.bomp", b"BOMP\x01\0", &["a packed model", "--data names images"]),
        ("model.tflite", b"\x1c\0\0\0TFL3", &["a TensorFlow Lite model", "--data names images"]),
        ("set.npz.html", b"<!DOCTYPE html><title>404", &["a web page", "download"]),
        ("set.bin2", b"", &["an empty file", "again"]),
        (
            "pointer.dat",
            b"version https://git-lfs.github.com/spec/v1\n",
            &["a Git LFS pointer", "git lfs pull"],
        ),
        ("voice.wav", b"RIFF\x24\0\0\0WAVEfmt ", &["a sound", "spectrograms"]),
        ("photo.heic", b"\0\0\0\x18ftypheic", &["a HEIC image", "convert it to PNG"]),
        ("t10k-labels-idx1-ubyte", b"\0\0\x08\x01", &["one file of a data set", "name its folder"]),
        ("data_batch_1.bin", b"\x01\x02", &["one file of a data set", "name its folder"]),
    ] {
        write(folder.path(), name, bytes);
        let path = folder.path().join(name);
        refused(&path, Format::Auto, parts);
        refused(&path, Format::Auto, &[name]);
        refused(&path, PLAIN, &[name, "`--format folder` reads a folder"]);
        fs::remove_file(path).unwrap();
    }
    save(folder.path(), "photo.png", grey(1));
    refused(
        &folder.path().join("photo.png"),
        Format::Auto,
        &["photo.png: a single image", "one folder of images"],
    );
}

#[test]
fn folders_of_other_kinds_are_named() {
    for (name, bytes, parts) in [
        ("train-00000-of-00010.tfrecord", &b"\x01\0"[..], &["a file of records", "np.savez"][..]),
        ("train-00000.parquet", b"PAR1", &["a Parquet table", "np.savez"]),
        ("data_batch_1", b"\x80\x02}q", &["CIFAR-10 as Python pickles", "cifar-10-binary.tar.gz"]),
        ("model.onnx", b"\x08\x07", &["a model", "--data names images"]),
        ("labels.csv", b"a,b", &["a table", "name of its folder"]),
    ] {
        let folder = tempdir().unwrap();
        write(folder.path(), name, bytes);
        refused(folder.path(), Format::Auto, parts);
    }
    let folder = tempdir().unwrap();
    refused(folder.path(), Format::Auto, &["the folder is empty", "--data"]);
    for name in ["train", "test", "meta"] {
        write(folder.path(), &format!("cifar-100-python/{name}"), b"\x80\x02}q");
    }
    refused(
        folder.path(),
        Format::Auto,
        &["cifar-100-python: CIFAR-100 as Python pickles", "cifar-100-binary.tar.gz", "unpack it"],
    );
    // A folder of folders without images.
    let folder = tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
    refused(folder.path(), Format::Auto, &["no known data layout", "--data"]);
}

#[test]
fn a_format_that_does_not_fit_is_named() {
    let folder = tempdir().unwrap();
    write(folder.path(), "set.npz", npz::archive(&npz::entries()));
    let path = folder.path().join("set.npz");
    refused(&path, PLAIN, &["set.npz: an .npz archive", "`--format folder`", "leave out `--format`"]);
    refused(&path, Format::Idx, &["set.npz: an .npz archive", "leave out `--format`"]);
    data::load(&path, Format::Auto).unwrap();
    refused(folder.path(), Format::Cifar10, &["data_batch_1.bin", "binary version of CIFAR-10"]);
    refused(folder.path(), PLAIN, &["no class folders", "one folder for each class"]);
    write(folder.path(), "notes", "hello");
    refused(
        &folder.path().join("notes"),
        PLAIN,
        &["notes: a file, but `--format folder` reads a folder; name its folder"],
    );
}

#[test]
fn idx_files_have_several_names() {
    for rename in [
        (|name: &str| name.replace("-idx", ".idx")) as fn(&str) -> String,
        |name| format!("emnist-digits-{}", name.replace("t10k", "test")),
        |name| format!("{}.gz", name.to_uppercase()),
    ] {
        let folder = tempdir().unwrap();
        for (name, bytes) in idx::files() {
            let name = rename(name);
            let bytes = if name.ends_with(".gz") { idx::gzip(&bytes) } else { bytes };
            write(folder.path(), &name, bytes);
        }
        let dataset = data::load(folder.path(), Format::Auto).unwrap();
        assert_eq!((dataset.train.len(), dataset.test.len()), (4, 2));
        let is_emnist =
            folder.path().join(rename("t10k-labels-idx1-ubyte")).display().to_string().contains("emnist");
        assert_eq!(
            dataset.warnings.iter().any(|warning| warning.contains("rows and columns swapped")),
            is_emnist
        );
        // A second set beside it is never mixed with the first.
        write(folder.path(), "other-train-images-idx3-ubyte", &idx::files()[0].1);
        refused(folder.path(), Format::Auto, &["is here too", "a folder of their own"]);
    }
}
