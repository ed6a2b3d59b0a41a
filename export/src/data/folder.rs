//! A folder of image files with one folder per class; classes and files are taken in the order of their names.
//!
//! Either `train/CLASS/*` and `test/CLASS/*` with the same classes in both (other things beside these two folders are
//! not looked at), or `CLASS/*` alone: then a fifth of the images, stratified, is the test part, drawn with a fixed
//! seed, so that every command sees the same test images. Files may be PNG, JPEG, BMP or PNM, told by their contents;
//! names that begin with a dot are passed over, and any other file is an error.
//!
//! Without a resize all images must have one size and be 8-bit grey (1 channel) or 8-bit colour (3 channels). A resize
//! scales to exactly the given sides, without keeping the aspect ratio, by triangle filter (bilinear, widened when
//! shrinking), and converts to grey or colour; transparency is dropped. Rotation notes of cameras (EXIF) are ignored.

use std::ffi::OsStr;
use std::fs;
use std::num::NonZero;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use image::imageops::FilterType;
use image::{ColorType, DynamicImage, ImageReader};

use crate::ir::Shape;

use super::error::DataError;
use super::split::hold_out;
use super::{Dataset, Images};

/// The part of a folder without `train` and `test` that becomes the test part.
const TEST_DIVISOR: usize = 5;
const TEST_SEED: u64 = 0;

/// Image files and their labels.
#[derive(Default)]
struct Files {
    paths: Vec<PathBuf>,
    labels: Vec<u16>,
}

/// True when `folder` has a folder in it.
pub(super) fn is_here(folder: &Path) -> Result<bool, DataError> {
    Ok(visible(folder)?.iter().any(|path| path.is_dir()))
}

/// Reads every image under `folder`.
pub(super) fn load(folder: &Path, resize: Option<Shape>) -> Result<Dataset, DataError> {
    let (train, test) = (folder.join("train"), folder.join("test"));
    let (classes, train, test) = if train.is_dir() && test.is_dir() {
        let (classes, train_files) = list(&train)?;
        let (test_classes, test_files) = list(&test)?;
        if let Some(class) = classes.iter().find(|class| !test_classes.contains(class)) {
            return Err(unusable(&train.join(class), "this class has no folder in the test part"));
        }
        if let Some(class) = test_classes.iter().find(|class| !classes.contains(class)) {
            return Err(unusable(&test.join(class), "this class has no folder in the training part"));
        }
        (classes, train_files, test_files)
    } else {
        let (classes, files) = list(folder)?;
        let count = files.paths.len() / TEST_DIVISOR;
        let [train, test] =
            hold_out(&files.labels, classes.len(), count, TEST_SEED, "test").map_err(|problem| {
                unusable(folder, format!("cannot hold out {count} images as the test part: {problem}"))
            })?;
        let pick = |indices: &[usize]| Files {
            paths: indices.iter().map(|&index| files.paths[index].clone()).collect(),
            labels: indices.iter().map(|&index| files.labels[index]).collect(),
        };
        (classes, pick(&train), pick(&test))
    };
    let first = &train.paths[0];
    let target = match resize {
        Some(shape) => Target { shape, like: None },
        None => Target { shape: plain_shape(first, &decode(first)?)?, like: Some(first.clone()) },
    };
    let (train, test) = (target.read(train, folder)?, target.read(test, folder)?);
    Dataset::assemble(folder, classes, train, test)
}

/// The class folders of a part, and every file in them; at least one class with at least one file each.
fn list(part: &Path) -> Result<(Vec<String>, Files), DataError> {
    let mut classes = Vec::new();
    let mut files = Files::default();
    for class in visible(part)? {
        if !class.is_dir() {
            return Err(unusable(
                &class,
                "a file beside the class folders; images belong into the folder of their class",
            ));
        }
        let Some(name) = class.file_name().and_then(OsStr::to_str) else {
            return Err(unusable(&class, "the name of a class must be UTF-8"));
        };
        let Ok(label) = u16::try_from(classes.len()) else {
            return Err(unusable(part, format!("more than {} classes", u16::MAX)));
        };
        let images = visible(&class)?;
        if images.is_empty() {
            return Err(unusable(&class, "no images in this class's folder"));
        }
        files.labels.resize(files.labels.len() + images.len(), label);
        files.paths.extend(images);
        classes.push(name.to_owned());
    }
    if classes.is_empty() {
        return Err(unusable(part, "no class folders"));
    }
    Ok((classes, files))
}

/// What is in a folder, in the order of the names, without names that begin with a dot.
fn visible(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let refuse = |cause| DataError::Read { path: folder.to_owned(), cause };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// What every image is to become.
struct Target {
    shape: Shape,
    /// The image that set the shape; `None` when images are scaled to it.
    like: Option<PathBuf>,
}

impl Target {
    /// Decodes all files, on every core; the result and the error reported do not depend on their number.
    fn read(&self, files: Files, folder: &Path) -> Result<Images, DataError> {
        let size = self.shape.elements();
        let total = files.paths.len().checked_mul(size).filter(|&total| isize::try_from(total).is_ok());
        let mut pixels = Vec::new();
        match total {
            Some(total) if pixels.try_reserve_exact(total).is_ok() => pixels.resize(total, 0),
            _ => {
                let problem = format!(
                    "{} images of {} do not fit into memory; resize them",
                    files.paths.len(),
                    self.shape
                );
                return Err(unusable(folder, problem));
            }
        }
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let part = files.paths.len().div_ceil(threads);
        thread::scope(|scope| {
            let workers: Vec<_> = files
                .paths
                .chunks(part)
                .zip(pixels.chunks_mut(part * size))
                .map(|(paths, pixels)| {
                    scope.spawn(|| {
                        let mut images = paths.iter().zip(pixels.chunks_exact_mut(size));
                        images.try_for_each(|(path, pixels)| self.read_one(path, pixels))
                    })
                })
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })?;
        Ok(Images { pixels, labels: files.labels, shape: self.shape })
    }

    fn read_one(&self, path: &Path, pixels: &mut [u8]) -> Result<(), DataError> {
        let mut image = decode(path)?;
        let Shape { height, width, channels } = self.shape;
        if let Some(like) = &self.like {
            let shape = plain_shape(path, &image)?;
            if shape != self.shape {
                let problem = format!(
                    "the image is {shape}, but {} is {}; give one size to all with `--format folder:HxWxC`",
                    like.display(),
                    self.shape
                );
                return Err(unusable(path, problem));
            }
        } else if (image.height() as usize, image.width() as usize) != (height, width) {
            image = image.resize_exact(width as u32, height as u32, FilterType::Triangle);
        }
        let bytes = if channels == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
        pixels.copy_from_slice(&bytes);
        Ok(())
    }
}

fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    let refuse = |cause| DataError::Read { path: path.to_owned(), cause };
    if path.is_dir() {
        return Err(unusable(path, "a folder inside a class's folder; images belong directly into it"));
    }
    let reader = ImageReader::open(path).map_err(refuse)?.with_guessed_format().map_err(refuse)?;
    // The decoders are other people's and read hostile files: should one panic, that is this file's fault, not the end.
    let decoded =
        catch_unwind(|| reader.decode()).map_err(|_| unusable(path, "the image's decoder failed"))?;
    let image = decoded.map_err(|error| unusable(path, format!("not a readable image: {error}")))?;
    match image.width() > 0 && image.height() > 0 {
        true => Ok(image),
        false => Err(unusable(path, "the image has no pixels")),
    }
}

/// The shape of an image that needs no conversion.
fn plain_shape(path: &Path, image: &DynamicImage) -> Result<Shape, DataError> {
    let channels = match image.color() {
        ColorType::L8 => 1,
        ColorType::Rgb8 => 3,
        other => {
            let problem = format!(
                "{other:?} pixels, but 8-bit grey or colour is needed; convert with `--format folder:HxWxC`"
            );
            return Err(unusable(path, problem));
        }
    };
    Ok(Shape::new(image.height() as usize, image.width() as usize, channels))
}

fn unusable(path: &Path, problem: impl Into<String>) -> DataError {
    DataError::Unusable { path: path.to_owned(), problem: problem.into() }
}
