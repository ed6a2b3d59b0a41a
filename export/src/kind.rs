//! What a file is, by its first bytes, and the way from there to what a command needs: for errors only, never to read it.
//!
//! Guarantees: what is said of a file's bytes is one line; nothing is allocated for them.

use std::io;
use std::path::Path;

use bomp_runtime::ModelError;

/// What a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// A packed model.
    Model,
    /// An ONNX file.
    Onnx,
    /// A network as JSON, or a candidate's folder.
    Network,
    /// A key that `keygen` wrote.
    Key,
    /// A text file: a preset, a search space, a problem, what `--json` printed.
    Text,
}

/// Kinds of files that are taken for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Empty,
    Model,
    SignedModel,
    LfsPointer,
    Html,
    TfLite,
    Hdf5,
    PyTorch,
    Keras,
    Numpy,
    Zip,
    Gzip,
    Pickle,
    Safetensors,
    Key,
    Image,
    Program,
    Sqlite,
    Json,
    Unknown,
}

/// What is in the file instead of what is needed, and the way out; `None` where the bytes say nothing.
#[must_use]
pub fn instead(bytes: &[u8], needed: Needed) -> Option<String> {
    use Needed::{Key, Model, Network, Onnx, Text};
    let onnx = match needed {
        Onnx | Model => {
            "export the network to ONNX and quantise it there (QDQ), then `bomp-export from-onnx`"
        }
        Network => {
            "`bomp-search finalise` writes candidates, `bomp-export from-onnx` reads other tools' networks"
        }
        Key => "`bomp-export keygen` writes keys",
        Text => "name the text file",
    };
    let (what, remedy) = match (kind(bytes), needed) {
        (Kind::Empty, _) => ("it is empty", "was it copied or downloaded whole? fetch it again"),
        (Kind::LfsPointer, _) => {
            ("it is a Git LFS pointer, not the file itself", "run `git lfs pull` in its repository")
        }
        (Kind::Html, _) => {
            ("it is a web page, not the file itself", "download the file that the page offers")
        }
        (Kind::SignedModel, Model) => (
            "it is a signed model",
            "`bomp-export verify FILE --public-key KEY.pub -o model.bomp` writes the model without its signature",
        ),
        (Kind::Model | Kind::SignedModel, Network) => {
            ("it is a packed model", "`bomp-export inspect` shows what is in it")
        }
        (Kind::Model | Kind::SignedModel, Onnx) => (
            "it is a packed model",
            "it needs no import; `bomp-export inspect` shows it, `bomp-export onnx CANDIDATE` writes ONNX",
        ),
        (Kind::TfLite, Model | Onnx | Network) => (
            "it is a TensorFlow Lite file",
            "convert it with `python -m tf2onnx.convert --tflite FILE --output network.onnx --opset 13`, then `bomp-export from-onnx`",
        ),
        (Kind::Hdf5, Model | Onnx | Network) => ("it is an HDF5 file, as Keras writes networks", onnx),
        (Kind::Keras, Model | Onnx | Network) => ("it is a Keras archive", onnx),
        (Kind::PyTorch | Kind::Pickle, Model | Onnx | Network) => ("it is a PyTorch or pickle file", onnx),
        (Kind::Safetensors, Model | Onnx) => (
            "it is a safetensors file, weights alone",
            "name the candidate's folder, after `bomp-export pack` its model.bomp",
        ),
        (Kind::Safetensors, Network) => {
            ("it is a safetensors file, weights alone", "name the candidate's folder")
        }
        (Kind::Numpy, Model | Onnx | Network) => ("it is a NumPy archive", "data are named with `--data`"),
        (Kind::Gzip, _) => ("it is compressed", "unpack it first (gunzip, or tar xzf)"),
        (Kind::Zip, _) => ("it is a zip archive", "unpack it first"),
        (Kind::Key, Model | Onnx | Network) => {
            ("it is a key", "the model comes first, keys are named with --key and --public-key")
        }
        (Kind::Image, _) => ("it is an image", "images are named with `--data`, as a folder"),
        (Kind::Program, _) => ("it is a program", "name the model that was packed into it"),
        (Kind::Sqlite, _) => {
            ("it is a study's database", "name its folder with `bomp-search status --study`")
        }
        (Kind::Json, Model) => (
            "it is JSON",
            "the packed model is what `bomp-export pack` writes, model.bomp; a network as JSON goes to `bomp-export size`",
        ),
        (Kind::Json, Onnx) => ("it is JSON", "name the ONNX file"),
        (Kind::Unknown, Model) if is_onnx(bytes) => {
            ("it is an ONNX file", "`bomp-export from-onnx FILE` makes a packed model of it")
        }
        (Kind::Unknown, Network) if is_onnx(bytes) => {
            ("it is an ONNX file", "`bomp-export from-onnx FILE` imports it")
        }
        _ => return None,
    };
    Some(format!("{what}: {remedy}"))
}

/// Why a file is no packed model, with the way out: `error` is what the runtime says of its bytes.
#[must_use]
pub fn no_model(bytes: &[u8], error: ModelError) -> String {
    instead(bytes, Needed::Model)
        .unwrap_or_else(|| format!("{error}; copy the file again, or make it again with `bomp-export pack`"))
}

/// Why a path cannot be read, with the way out.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error, needed: Needed) -> String {
    let shown = path.display();
    let is_folder = error.kind() == io::ErrorKind::IsADirectory || path.is_dir();
    match (error.kind(), needed) {
        (io::ErrorKind::NotFound, _) => {
            let made = match needed {
                Needed::Model => {
                    "`bomp-export pack CANDIDATE -o FILE` and `bomp-export from-onnx` write packed models"
                }
                Needed::Onnx => "`bomp-export onnx CANDIDATE` writes one",
                Needed::Network => {
                    "`bomp-search finalise` writes candidates: STUDY/final/trial-NNNN/candidate"
                }
                Needed::Key => "`bomp-export keygen -o FILE` writes FILE and FILE.pub",
                Needed::Text => "name a file that is there",
            };
            format!("{shown}: no such file; {made}")
        }
        (io::ErrorKind::PermissionDenied, _) => {
            format!("{shown}: permission denied; `chmod u+r` lets its owner read it")
        }
        (_, Needed::Model) if is_folder => {
            let packed = path.join("model.bomp");
            if packed.is_file() {
                format!("{shown}: is a folder; name the model in it, {}", packed.display())
            } else {
                format!(
                    "{shown}: is a folder; a packed model is a file, `bomp-export pack {shown}` writes one of a candidate"
                )
            }
        }
        _ if is_folder => format!("{shown}: is a folder; name the file in it"),
        _ => format!("{shown}: cannot be read: {error}"),
    }
}

fn kind(bytes: &[u8]) -> Kind {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]);
    let text = start.trim_start().to_ascii_lowercase();
    let named = |name: &[u8]| bytes[..bytes.len().min(4096)].windows(name.len()).any(|window| window == name);
    if bytes.is_empty() {
        Kind::Empty
    } else if begins(&bomp_runtime::blob::MAGIC) {
        match bomp_runtime::signed::split(bytes) {
            Ok(_) => Kind::SignedModel,
            Err(_) => Kind::Model,
        }
    } else if begins(b"version https://git-lfs.github.com/spec/") {
        Kind::LfsPointer
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        Kind::Html
    } else if bytes.get(4..8) == Some(b"TFL3") {
        Kind::TfLite
    } else if begins(b"\x89HDF\r\n\x1a\n") {
        Kind::Hdf5
    } else if begins(b"PK\x03\x04") {
        if named(b"data.pkl") {
            Kind::PyTorch
        } else if named(b"config.json") {
            Kind::Keras
        } else if named(b".npy") {
            Kind::Numpy
        } else {
            Kind::Zip
        }
    } else if begins(b"\x93NUMPY") {
        Kind::Numpy
    } else if begins(b"\x1f\x8b") {
        Kind::Gzip
    } else if begins(b"\x80\x02") || begins(b"\x80\x03") || begins(b"\x80\x04") || begins(b"\x80\x05") {
        Kind::Pickle
    } else if bytes.get(8) == Some(&b'{') && bytes.get(4..8) == Some(&[0; 4]) {
        Kind::Safetensors
    } else if text.starts_with("-----begin ") {
        Kind::Key
    } else if begins(b"\x89PNG") || begins(b"\xff\xd8\xff") || begins(b"GIF8") || begins(b"BM") {
        Kind::Image
    } else if begins(b"\x7fELF") || begins(b"MZ") {
        Kind::Program
    } else if begins(b"SQLite format 3\0") {
        Kind::Sqlite
    } else if text.starts_with(['{', '[']) {
        Kind::Json
    } else {
        Kind::Unknown
    }
}

/// Whether the bytes look like ONNX: a protobuf whose first field is the version of the intermediate representation.
fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=20, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_with_its_way_out() {
        let zip = |name: &str| [b"PK\x03\x04.......", name.as_bytes()].concat();
        for (bytes, needed, words) in [
            (b"".to_vec(), Needed::Model, ["empty", "again"]),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:1".to_vec(),
                Needed::Onnx,
                ["LFS", "git lfs pull"],
            ),
            (b"\n<!DOCTYPE html><html>".to_vec(), Needed::Onnx, ["web page", "download"]),
            (b"\x1c\0\0\0TFL3".to_vec(), Needed::Onnx, ["TensorFlow Lite", "tf2onnx"]),
            (b"\x89HDF\r\n\x1a\n".to_vec(), Needed::Onnx, ["HDF5", "ONNX"]),
            (zip("archive/data.pkl"), Needed::Onnx, ["PyTorch", "ONNX"]),
            (zip("config.json"), Needed::Onnx, ["Keras", "ONNX"]),
            (zip("x_train.npy"), Needed::Model, ["NumPy", "--data"]),
            (zip("readme"), Needed::Onnx, ["zip", "unpack"]),
            (b"BOMP\x01\0".to_vec(), Needed::Network, ["packed model", "inspect"]),
            (b"BOMP\x01\0".to_vec(), Needed::Onnx, ["packed model", "inspect"]),
            (b"\x08\x08\x12\x07".to_vec(), Needed::Model, ["ONNX", "from-onnx"]),
            (b"\x08\x08\x12\x07".to_vec(), Needed::Network, ["ONNX", "from-onnx"]),
            (b"-----BEGIN PRIVATE KEY-----".to_vec(), Needed::Model, ["key", "--key"]),
            (b" {\"network\"".to_vec(), Needed::Model, ["JSON", "bomp-export size"]),
            (b"\x7fELF".to_vec(), Needed::Model, ["program", "packed into"]),
        ] {
            let told = instead(&bytes, needed).unwrap();
            assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
        }
        for needed in [Needed::Model, Needed::Onnx, Needed::Network, Needed::Key, Needed::Text] {
            assert_eq!(instead(b"what is this", needed), None);
        }
        assert_eq!(instead(b"BOMP\x01\0", Needed::Model), None);
    }
}
