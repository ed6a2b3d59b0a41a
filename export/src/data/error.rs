//! What can be wrong with data: every message is one line that names the file, the byte or entry, and the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::ir::Shape;

/// A file, or an entry of an archive: where a byte offset counts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The entry inside it, when the file is an archive.
    pub entry: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry {
            Some(entry) => write!(f, "{}, entry {entry}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// Why data could not be loaded or used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// There is nothing at this path.
    #[error("{path}: no such file or folder; {remedy}")]
    Missing {
        /// What was looked for.
        path: PathBuf,
        /// Where such a file comes from.
        remedy: &'static str,
    },
    /// The operating system refused to read it.
    #[error("{path}: cannot be read: {cause}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        cause: io::Error,
    },
    /// Nothing here looks like a layout that is known.
    #[error(
        "{path}: no known data layout here; looked for {looked_for}; name other data with `--data`, \
         or install Fashion-MNIST with `cargo xtask setup`"
    )]
    Unrecognised {
        /// The file or folder.
        path: PathBuf,
        /// The names that would have been recognised.
        looked_for: &'static str,
    },
    /// The bytes are not what the layout demands.
    #[error("{place}, byte {offset}: {problem}")]
    Malformed {
        /// The file or archive entry.
        place: Place,
        /// Bytes before the fault, counted after decompression.
        offset: u64,
        /// What is there and what should be.
        problem: String,
    },
    /// An archive lacks an entry.
    #[error(
        "{path}: no entry {entry}; it has {found}; inputs and labels of two parts are needed, \
         `np.savez(\"data.npz\", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)`"
    )]
    MissingEntry {
        /// The archive.
        path: PathBuf,
        /// The entry that the layout demands.
        entry: String,
        /// The entries that are there.
        found: String,
    },
    /// A whole file or folder is not usable.
    #[error("{path}: {problem}")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// Why, and the remedy.
        problem: String,
    },
    /// The data is sound, but another shape or number of classes was asked for.
    #[error(
        "{name}: the images are {} with {classes} classes, but the network is for {} with {expected_classes}: name the data that it \
         was made for with --data; in a search space of your own, write classes = {classes} and input = {{ height = {}, width = {}, \
         channels = {} }}",
        .shape, .expected_shape, .shape.height, .shape.width, .shape.channels
    )]
    Unexpected {
        /// The dataset.
        name: String,
        /// The images' shape.
        shape: Shape,
        /// The number of classes in the data.
        classes: usize,
        /// The shape that was asked for.
        expected_shape: Shape,
        /// The number of classes that was asked for.
        expected_classes: usize,
    },
    /// A validation part cannot be held out as asked.
    #[error("cannot hold out {asked} of {images} training images: {problem}")]
    HoldOut {
        /// The size that was asked for.
        asked: String,
        /// The number of training images.
        images: usize,
        /// Why not.
        problem: String,
    },
    /// More test images were asked for than there are, or none.
    #[error(
        "--images {asked}: {data} has {images} test images; ask for 1 to {images}, or leave --images out"
    )]
    SampleSize {
        /// The number that was asked for.
        asked: usize,
        /// The dataset.
        data: String,
        /// The number of test images.
        images: usize,
    },
    /// A word that names no format.
    #[error(
        "unknown data format `{given}`; one of auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder, folder:HxWxC with C 1 or 3, \
         folder:HxWxC:crop, folder:HxWxC:stretch"
    )]
    Format {
        /// What was given.
        given: String,
    },
    /// A word that is no size of a validation part.
    #[error(
        "`{given}` is no validation size; give a fraction such as 0.1 or a number of images such as 6000"
    )]
    ValidationSize {
        /// What was given.
        given: String,
    },
}
