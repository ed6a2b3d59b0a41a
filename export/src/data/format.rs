//! The formats, and how to tell which one a path holds.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::candidate::Quantisation;

use super::cifar::{CIFAR10, CIFAR100, Layout};
use super::error::DataError;
use super::folder::Resize;
use super::locate::locate;
use super::npz::Layout as NpzLayout;
use super::{Dataset, SETUP, dark, folder, foreign, idx, npz};

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const DEBIAN_FOLDER: &str = "/usr/share/datasets/fashion-mnist";

/// What the files are. Written `auto`, `idx`, `cifar10`, `cifar100`, `npz`, `npz:nchw`, `npz:nhwc`, `folder`, or `folder:HxWxC` with
/// `:crop` or `:stretch` behind it if pictures of other proportions are to be cut or distorted instead of letterboxed.
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
    /// The same with channels first, `[N, C, H, W]`.
    NpzNchw,
    /// The same with channels last, even where a shape looks like channels first.
    NpzNhwc,
    /// `train/CLASS/*`, `test/CLASS/*` and perhaps `val/CLASS/*`, or `CLASS/*` alone, of which a fixed fifth of each class is
    /// the test part.
    Folder {
        /// Bring every image to this shape (1 or 3 channels); without it all images must have one size already.
        resize: Option<Resize>,
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
            Format::NpzNchw => f.write_str("npz:nchw"),
            Format::NpzNhwc => f.write_str("npz:nhwc"),
            Format::Folder { resize: None } => f.write_str("folder"),
            Format::Folder { resize: Some(resize) } => write!(f, "folder:{resize}"),
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
            "npz:nchw" => Format::NpzNchw,
            "npz:nhwc" => Format::NpzNhwc,
            "folder" => Format::Folder { resize: None },
            _ => {
                let resize = given.strip_prefix("folder:").and_then(|resize| resize.parse().ok());
                let resize = resize.ok_or_else(|| DataError::Format { given: given.to_owned() })?;
                Format::Folder { resize: Some(resize) }
            }
        })
    }
}

/// Where the data is when the user names none: the environment variable `BOMP_DATA`, or else the folder of Debian's
/// Fashion-MNIST.
pub fn default_folder() -> PathBuf {
    env::var_os("BOMP_DATA")
        .filter(|value| !value.is_empty())
        .map_or_else(|| DEBIAN_FOLDER.into(), PathBuf::from)
}

/// Loads all of the data at `path`, a folder or an `.npz` file. A folder may also hold the data one or two folders down.
///
/// # Errors
/// A [`DataError`] for a missing, truncated, foreign or inconsistent file.
pub fn load(path: &Path, format: Format) -> Result<Dataset, DataError> {
    load_as(path, format, None)
}

/// Loads all of the data at `path` for a model whose input is quantised as `input`: real numbers are quantised so too. Pixels stay
/// pixels; what a model with another input makes of them is up to the caller.
///
/// # Errors
/// As [`load`]; also for real numbers of another scale, and for a model of pixels.
pub fn load_for(path: &Path, format: Format, input: Quantisation) -> Result<Dataset, DataError> {
    let mut dataset = load_as(path, format, Some(input))?;
    let dark = dark::warnings(&dataset);
    dataset.warnings.extend(dark);
    Ok(dataset)
}

fn load_as(path: &Path, format: Format, input: Option<Quantisation>) -> Result<Dataset, DataError> {
    if folder::is_dead_link(path) {
        return Err(folder::dead_link(path));
    }
    if !path.exists() {
        return Err(DataError::Missing { path: path.to_owned(), remedy: SETUP });
    }
    if !path.is_dir() {
        return load_file(path, format, input);
    }
    let layout = match format {
        Format::Auto => None,
        format => Some(format),
    };
    let located = locate(path, |folder| recognise(folder, layout))?;
    let (folder, found) = match (located, layout) {
        (Some((folder, found)), _) => (folder, found),
        // The layout says best what it misses.
        (None, Some(layout)) => (path.to_owned(), layout),
        (None, None) => return Err(unrecognised(path)?),
    };
    let mut dataset = match found {
        Format::Idx => idx::load(&folder),
        Format::Cifar10 => CIFAR10.load(&folder),
        Format::Cifar100 => CIFAR100.load(&folder),
        Format::Npz | Format::NpzNchw | Format::NpzNhwc => {
            npz::load(&only_npz(&folder)?, npz_layout(found), input)
        }
        Format::Folder { resize } => folder::load(&folder, resize),
        Format::Auto => return Err(unrecognised(path)?),
    }?;
    if folder != path {
        let below = folder.strip_prefix(path).unwrap_or(&folder);
        dataset
            .notes
            .insert(0, format!("the data are those in `{}` in the folder that was named", below.display()));
    }
    Ok(dataset)
}

/// Tells the layout of a folder, of all or only of `layout`. Nothing below it is looked at but class folders.
fn recognise(folder: &Path, layout: Option<Format>) -> Result<Option<Format>, DataError> {
    let images = Format::Folder { resize: None };
    let order = [Format::Idx, Format::Cifar10, Format::Cifar100, Format::Npz, images];
    for format in layout.map_or(order.to_vec(), |layout| vec![layout]) {
        let is_here = match format {
            Format::Idx => idx::is_here(folder),
            Format::Cifar10 => CIFAR10.is_here(folder),
            Format::Cifar100 => CIFAR100.is_here(folder),
            Format::Npz | Format::NpzNchw | Format::NpzNhwc => !npz_files(folder)?.is_empty(),
            Format::Folder { .. } => folder::are_here(folder)?,
            Format::Auto => false,
        };
        if is_here {
            return Ok(Some(format));
        }
    }
    Ok(None)
}

const LOOKED_FOR: &str = "train-images-idx3-ubyte[.gz], data_batch_1.bin, train.bin, an .npz file, and one folder of \
                          images for each class";

/// Why a folder is no data set.
fn unrecognised(folder: &Path) -> Result<DataError, DataError> {
    let unusable = |problem| DataError::Unusable { path: folder.to_owned(), problem };
    if let Some((found, layout)) = locate(folder, |folder| Ok(Layout::pickled(folder)))? {
        return Ok(DataError::Unusable { path: found, problem: layout.to_owned() });
    }
    Ok(match folder::misfit(folder)? {
        problem if problem.is_empty() => {
            DataError::Unrecognised { path: folder.to_owned(), looked_for: LOOKED_FOR }
        }
        problem => unusable(problem),
    })
}

/// Loads a file, which is an `.npz` archive or refused.
fn load_file(path: &Path, format: Format, input: Option<Quantisation>) -> Result<Dataset, DataError> {
    let unusable = |problem: String| Err(DataError::Unusable { path: path.to_owned(), problem });
    if !path.is_file() {
        return unusable(
            "neither a folder nor a regular file; name the folder or .npz file of the data".to_owned(),
        );
    }
    match format {
        Format::Npz | Format::NpzNchw | Format::NpzNhwc => npz::load(path, npz_layout(format), input),
        Format::Auto if is_npz(path) => npz::load(path, NpzLayout::Likely, input),
        Format::Auto if is_part_of_a_layout(path) => {
            unusable(format!("one file of a data set; name its folder, {}", parent(path).display()))
        }
        Format::Auto if npz::is_archive(path) => unusable(
            "an .npz archive, but its name does not end so; say `--format npz`, or rename it".to_owned(),
        ),
        Format::Auto => match foreign::describe(path) {
            Some(foreign) => unusable(format!("{}, not a data set; {}", foreign.what, foreign.remedy)),
            None if foreign::is_image(path) => {
                unusable("a single image; name a folder with one folder of images for each class".to_owned())
            }
            None => Err(DataError::Unrecognised { path: path.to_owned(), looked_for: LOOKED_FOR }),
        },
        _ if is_npz(path) => {
            unusable(format!("an .npz archive, but `--format {format}` reads a folder; leave out `--format`"))
        }
        _ => match foreign::describe(path) {
            Some(foreign) => unusable(format!(
                "{}, but `--format {format}` reads a folder; {}",
                foreign.what, foreign.remedy
            )),
            None => unusable(format!(
                "a file, but `--format {format}` reads a folder; name its folder, {}",
                parent(path).display()
            )),
        },
    }
}

/// True for a file that belongs to a layout of several files.
fn is_part_of_a_layout(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.contains("-ubyte") || name.contains(".idx") || name.ends_with(".bin")
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where the channels are in an archive of this format.
fn npz_layout(format: Format) -> NpzLayout {
    match format {
        Format::NpzNchw => NpzLayout::ChannelsFirst,
        Format::NpzNhwc => NpzLayout::ChannelsLast,
        _ => NpzLayout::Likely,
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
