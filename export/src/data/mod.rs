//! Labelled images from the user's files: Fashion-MNIST, CIFAR, `.npz` archives and folders of images.
//!
//! What [`load`] returns is complete and consistent: every image has one shape, every label names a class, neither part
//! is empty, and the order depends on nothing but the files. Pixels stay `u8`; the device's input is `pixel - 128`, and
//! nothing here normalises or augments. Features, which are real numbers, are quantised to the same bytes; what a byte stands
//! for is kept with them ([`Images::input`]). Anything else is a [`DataError`] that names the file and the byte or entry.
//!
//! ```no_run
//! use bomp_export::data::{self, Format, ValidationSize};
//!
//! let dataset = data::load(&data::default_folder(), Format::Auto)?;
//! let split = data::split(&dataset, ValidationSize::default(), 1)?;
//! let validation = dataset.train.subset(&split.validation_indices);
//! assert_eq!(validation.image(0).len(), dataset.shape.elements());
//! # Ok::<(), data::DataError>(())
//! ```

mod cifar;
mod classes;
mod dark;
mod error;
mod features;
mod folder;
mod foreign;
mod format;
mod idx;
mod locate;
mod model;
mod npy;
mod npz;
mod sample;
mod split;
mod stream;
mod summary;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::candidate::Quantisation;
use crate::ir::Shape;

pub use error::{DataError, Place};
pub use folder::{Fit, Resize};
pub use format::{Format, default_folder, load, load_for};
pub use model::{ModelDataError, for_model};
pub use sample::{Sample, SampleSize, describe, image_count, stratified, test_sample};
pub use split::{Split, ValidationSize, split};
pub use summary::{ClassImages, Summary, summarise};

/// How to get data when there is none.
const SETUP: &str = "`cargo xtask setup` installs Fashion-MNIST, `--data` names other data";

/// The largest height, width and number of channels that [`Shape`] allows.
const MAX_SIZE: usize = 65_535;

/// Images of one shape and their labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// `[N, H, W, C]`, row-major, each value 0 to 255: the int8 input of the device plus 128.
    pub pixels: Vec<u8>,
    /// `[N]`, the index of each image's class.
    pub labels: Vec<u16>,
    /// `[H, W, C]`.
    pub shape: Shape,
    /// What a byte stands for: (byte - 128 - zero point) * scale. It is [`Quantisation::IMAGE`] for pixels; for features the
    /// scale is a float32.
    pub input: Quantisation,
}

impl Images {
    /// Whether these are pixels, 0 to 255, and not features.
    pub fn are_pixels(&self) -> bool {
        self.input == Quantisation::IMAGE
    }

    /// The real number that a byte stands for, as float32: 0 to 1 for pixels.
    pub fn value(&self, byte: u8) -> f32 {
        if self.are_pixels() {
            return f32::from(byte) / 255.0;
        }
        f32::from(i16::from(byte) - 128 - i16::from(self.input.zero_point)) * self.input.scale as f32
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels `[H, W, C]` of an image.
    ///
    /// # Panics
    /// When `index` is not below [`Images::len`].
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.elements();
        &self.pixels[index * size..][..size]
    }

    /// Copies the images at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Images::len`].
    pub fn subset(&self, indices: &[usize]) -> Images {
        let mut pixels = Vec::with_capacity(indices.len() * self.shape.elements());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        Images {
            pixels,
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            shape: self.shape,
            input: self.input,
        }
    }

    /// The number of images of each of `classes` classes.
    ///
    /// # Panics
    /// When a label is not below `classes`.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            counts[usize::from(label)] += 1;
        }
        counts
    }
}

/// A training part, a test part and the names of their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `fashion-mnist` where the contents are exactly that; else the name of the file or folder.
    pub name: String,
    /// The shape of every image.
    pub shape: Shape,
    /// The name of each label's class, in the order of the labels.
    pub class_names: Vec<String>,
    /// For the search and the final training, validation part included.
    pub train: Images,
    /// Touched once, at the end.
    pub test: Images,
    /// SHA-256 in hexadecimal: height, width and channels, then for the training and the test part the number of images
    /// (all as little-endian `u64`), the labels (little-endian `u16`) and the pixels; then, for features only, the
    /// scale (little-endian `f64`) and the zero point of the input. It says whether two runs saw the same data, whatever files it came from. A validation part of the data's own is covered too.
    pub sha256: String,
    /// The number of images at the end of `train` that came as a validation part of their own; 0 without one.
    pub own_validation: usize,
    /// How the files were read wherever there was a choice, one sentence each without a full stop, for people. Say it before
    /// anything is trained on the data.
    pub notes: Vec<String>,
    /// What is probably a mistake in how the data were named, one sentence each, with the remedy.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Checks what every layout promises, names the dataset after `path` and takes the checksum.
    fn assemble(
        path: &Path,
        class_names: Vec<String>,
        train: Images,
        test: Images,
    ) -> Result<Dataset, DataError> {
        let refuse = |problem: String| DataError::Unusable { path: path.to_owned(), problem };
        if class_names.len() < 2 {
            return Err(refuse(
                "the data has fewer than two classes; there is nothing to tell apart".to_owned(),
            ));
        }
        if train.is_empty() || test.is_empty() {
            return Err(refuse("the training or the test part has no images".to_owned()));
        }
        let Shape { height, width, channels } = train.shape;
        if [height, width, channels].iter().any(|&size| size > MAX_SIZE) {
            return Err(refuse(format!("images of {}; no size may be above {MAX_SIZE}", train.shape)));
        }
        debug_assert_eq!((train.shape, train.input), (test.shape, test.input));
        let canonical = path.canonicalize();
        let path = canonical.as_deref().unwrap_or(path);
        // torchvision keeps the files of MNIST in `MNIST/raw`.
        let path = if path.ends_with("raw") { path.parent().unwrap_or(path) } else { path };
        let name = if path.is_dir() { path.file_name() } else { path.file_stem() }.unwrap_or_default();
        Ok(Dataset {
            name: name.to_string_lossy().into_owned(),
            shape: train.shape,
            class_names,
            sha256: checksum(&train, &test),
            train,
            test,
            own_validation: 0,
            notes: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Like [`Dataset::assemble`], with a validation part that came with the data: it becomes the end of the training images,
    /// and [`split`] takes it instead of drawing one.
    fn assemble_with_validation(
        path: &Path,
        class_names: Vec<String>,
        mut train: Images,
        validation: Images,
        test: Images,
    ) -> Result<Dataset, DataError> {
        if train.is_empty() || validation.is_empty() {
            let problem = "the training or the validation part has no images".to_owned();
            return Err(DataError::Unusable { path: path.to_owned(), problem });
        }
        let own_validation = validation.len();
        train.pixels.extend_from_slice(&validation.pixels);
        train.labels.extend_from_slice(&validation.labels);
        drop(validation);
        let dataset = Self::assemble(path, class_names, train, test)?;
        let sha256 = format!("{} validation {own_validation}", dataset.sha256);
        Ok(Dataset { sha256: crate::files::sha256(sha256.as_bytes()), own_validation, ..dataset })
    }

    /// Makes sure that the data is what a search space or a model was made for.
    ///
    /// # Errors
    /// [`DataError::Unexpected`] with both shapes and class counts.
    pub fn expect(&self, shape: Shape, classes: usize) -> Result<(), DataError> {
        if (self.shape, self.class_names.len()) == (shape, classes) {
            return Ok(());
        }
        Err(DataError::Unexpected {
            name: self.name.clone(),
            shape: self.shape,
            classes: self.class_names.len(),
            expected_shape: shape,
            expected_classes: classes,
        })
    }
}

fn checksum(train: &Images, test: &Images) -> String {
    let mut hash = Sha256::new();
    for dimension in [train.shape.height, train.shape.width, train.shape.channels] {
        hash.update((dimension as u64).to_le_bytes());
    }
    for images in [train, test] {
        hash.update((images.len() as u64).to_le_bytes());
        let labels: Vec<u8> = images.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        hash.update(labels);
        hash.update(&images.pixels);
    }
    if !train.are_pixels() {
        hash.update(train.input.scale.to_le_bytes());
        hash.update(train.input.zero_point.to_le_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
