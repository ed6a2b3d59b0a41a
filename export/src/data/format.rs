//! The formats, and how to tell which one a path holds.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::ir::Shape;

use super::cifar::{CIFAR10, CIFAR100, Layout};
use super::error::DataError;
use super::{Dataset, SETUP, folder, idx, npz};

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const DEBIAN_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// What the files are. Written `auto`, `idx`, `cifar10`, `cifar100`, `npz`, `folder` or `folder:HxWxC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Found out from the names of the files, in the order below.
    #[default]
    Auto,
    /// The four files of MNIST or Fashion-MNIST, each plain or gzipped.
    Idx,
    /// CIFAR-10, binary version.
    Cifar10,
    /// CIFAR-100, binary version, fine labels.
    Cifar100,
    /// An `.npz` file, or a folder with exactly one.
    Npz,
    /// `train/CLASS/*` and `test/CLASS/*`, or `CLASS/*` alone, of which a fixed fifth of each class is the test part.
    Folder {
        /// Scale every image to this shape (1 or 3 channels); without it all images must have one size already.
        resize: Option<Shape>,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Auto => f.write_str("auto"),
            Format::Idx => f.write_str("idx"),
            Format::Cifar10 => f.write_str("cifar10"),
            Format::Cifar100 => f.write_str("cifar100"),
            Format::Npz => f.write_str("npz"),
            Format::Folder { resize: None } => f.write_str("folder"),
            Format::Folder { resize: Some(shape) } => write!(f, "folder:{shape}"),
        }
    }
}

impl FromStr for Format {
    type Err = DataError;

    fn from_str(given: &str) -> Result<Self, DataError> {
        Ok(match given {
            "auto" => Format::Auto,
            "idx" => Format::Idx,
            "cifar10" => Format::Cifar10,
            "cifar100" => Format::Cifar100,
            "npz" => Format::Npz,
            "folder" => Format::Folder { resize: None },
            _ => {
                let shape = given.strip_prefix("folder:").and_then(resize_shape);
                let shape = shape.ok_or_else(|| DataError::Format { given: given.to_owned() })?;
                Format::Folder { resize: Some(shape) }
            }
        })
    }
}

/// Reads `HxWxC`, with sides that an image file can have and 1 or 3 channels.
fn resize_shape(text: &str) -> Option<Shape> {
    let mut parts =
        text.split('x').map(|part| part.parse::<u16>().ok().filter(|&size| size > 0).map(usize::from));
    let shape = Shape::new(parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && (shape.channels == 1 || shape.channels == 3)).then_some(shape)
}

/// Where the data is when the user names none: the environment variable `BOMP_DATA`, or else the folder of Debian's
/// Fashion-MNIST.
pub fn default_folder() -> PathBuf {
    env::var_os("BOMP_DATA")
        .filter(|value| !value.is_empty())
        .map_or_else(|| DEBIAN_FOLDER.into(), PathBuf::from)
}

/// Loads all of the data at `path`, a folder or an `.npz` file.
///
/// # Errors
/// A [`DataError`] for a missing, truncated, foreign or inconsistent file.
pub fn load(path: &Path, format: Format) -> Result<Dataset, DataError> {
    if !path.exists() {
        return Err(DataError::Missing { path: path.to_owned(), remedy: SETUP });
    }
    match format {
        Format::Auto => detect(path),
        Format::Idx => idx::load(path),
        Format::Cifar10 => CIFAR10.load(path),
        Format::Cifar100 => CIFAR100.load(path),
        Format::Npz if path.is_dir() => npz::load(&only_npz(path)?),
        Format::Npz => npz::load(path),
        Format::Folder { resize } => folder::load(path, resize),
    }
}

const LOOKED_FOR: &str = "train-images-idx3-ubyte[.gz], data_batch_1.bin, train.bin, an .npz file, and one folder of \
                          images for each class";

fn detect(path: &Path) -> Result<Dataset, DataError> {
    let unrecognised = || DataError::Unrecognised { path: path.to_owned(), looked_for: LOOKED_FOR };
    if path.is_file() {
        return if is_npz(path) { npz::load(path) } else { Err(unrecognised()) };
    }
    let here = |layout: &Layout| layout.is_here(path);
    if idx::is_here(path) {
        idx::load(path)
    } else if let Some(layout) = [&CIFAR10, &CIFAR100].into_iter().find(|&layout| here(layout)) {
        layout.load(path)
    } else if !npz_files(path)?.is_empty() {
        npz::load(&only_npz(path)?)
    } else if folder::is_here(path)? {
        folder::load(path, None)
    } else {
        Err(unrecognised())
    }
}

fn is_npz(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "npz")
}

fn npz_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let refuse = |cause| DataError::Read { path: folder.to_owned(), cause };
    let paths = fs::read_dir(folder).map_err(refuse)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    paths.retain(|path| is_npz(path));
    Ok(paths)
}

fn only_npz(folder: &Path) -> Result<PathBuf, DataError> {
    match &npz_files(folder)?[..] {
        [one] => Ok(one.clone()),
        files => Err(DataError::Unusable {
            path: folder.to_owned(),
            problem: format!("{} .npz files here; name the one to load", files.len()),
        }),
    }
}
