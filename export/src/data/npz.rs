//! An `.npz` archive with the arrays `x_train`, `y_train`, `x_test` and `y_test`, as `np.savez` writes them.
//!
//! Images are `uint8` `[N, H, W, C]` or `[N, H, W]` (one channel) in C order; labels are any integer type, `[N]` or
//! `[N, 1]`, from 0 without gaps, or named by a `classes.txt` in the archive's folder.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::files;
use crate::ir::Shape;

use super::classes::{LabelBytes, class_names};
use super::error::{DataError, Place};
use super::npy::{self, Header, Integer};
use super::stream::Stream;
use super::{Dataset, Images, SETUP};

/// As many entries as an error message lists.
const MAX_NAMES: usize = 12;

/// Reads the archive.
pub(super) fn load(path: &Path) -> Result<Dataset, DataError> {
    let mut archive = Archive::open(path)?;
    let (train, train_labels) = archive.part("x_train", "y_train")?;
    let (test, test_labels) = archive.part("x_test", "y_test")?;
    if test.shape != train.shape {
        let place = Place { path: path.to_owned(), entry: Some("x_test".to_owned()) };
        let problem = format!("the images are {}, but the training images are {}", test.shape, train.shape);
        return Err(DataError::Malformed { place, offset: 0, problem });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = class_names(folder, (&train, &train_labels), (&test, &test_labels))?;
    Dataset::assemble(path, named.names, train, test)
}

struct Archive<'a> {
    path: &'a Path,
    length: u64,
    zip: ZipArchive<BufReader<File>>,
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        if !path.exists() {
            return Err(DataError::Missing { path: path.to_owned(), remedy: SETUP });
        }
        let refuse = |cause| DataError::Read { path: path.to_owned(), cause };
        let (file, length) = files::open_untrusted(path).map_err(refuse)?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| match error {
            ZipError::Io(cause) if cause.kind() != std::io::ErrorKind::UnexpectedEof => refuse(cause),
            error => DataError::Unusable {
                path: path.to_owned(),
                problem: format!("not a sound .npz archive: {error}"),
            },
        })?;
        Ok(Archive { path, length, zip })
    }

    fn part(&mut self, x: &str, y: &str) -> Result<(Images, LabelBytes), DataError> {
        let (pixels, shape, count) = self.entry(x, read_images)?;
        let (labels, bytes) = self.entry(y, |stream| read_labels(stream, count, x))?;
        Ok((Images { pixels, labels, shape }, bytes))
    }

    /// Reads one array to its end.
    fn entry<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Stream) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let file_name = format!("{name}.npy");
        let Some(index) = self.zip.index_for_name(&file_name) else {
            let names = self
                .zip
                .file_names()
                .take(MAX_NAMES)
                .map(|name| name.map_or("?".into(), |name| name.into_owned()));
            let mut found: Vec<String> = names.collect();
            found.sort_unstable();
            let found = if found.is_empty() { "no entries".to_owned() } else { found.join(", ") };
            return Err(DataError::MissingEntry {
                path: self.path.to_owned(),
                entry: name.to_owned(),
                found,
            });
        };
        let entry = self.zip.by_index(index).map_err(|error| DataError::Unusable {
            path: self.path.to_owned(),
            problem: format!("entry {name} cannot be read: {error}"),
        })?;
        let place = Place { path: self.path.to_owned(), entry: Some(name.to_owned()) };
        let mut stream = Stream::new(place, entry, self.length);
        let value = read(&mut stream)?;
        stream.end()?;
        Ok(value)
    }
}

/// Pixels, the shape of an image and the number of images.
fn read_images(stream: &mut Stream) -> Result<(Vec<u8>, Shape, u64), DataError> {
    let header = c_order_header(stream)?;
    if !matches!(header.integer, Some(Integer { signed: false, bytes: 1, .. })) {
        let problem = format!(
            "element type {}, but images are uint8: save `x.astype(np.uint8)` with pixels 0 to 255",
            header.descr
        );
        return Err(stream.fault(0, problem));
    }
    let (n, h, w, c) = match header.shape[..] {
        [n, h, w] => (n, h, w, 1),
        [n, h, w, c] => (n, h, w, c),
        _ => {
            return Err(stream
                .fault(0, format!("shape {:?}, but images are [N, H, W] or [N, H, W, C]", header.shape)));
        }
    };
    let length = [h, w, c].into_iter().try_fold(n, u64::checked_mul).filter(|&length| length > 0);
    let (Some(length), Ok(h), Ok(w), Ok(c)) =
        (length, usize::try_from(h), usize::try_from(w), usize::try_from(c))
    else {
        return Err(stream.fault(0, format!("shape {:?} is empty or too large", header.shape)));
    };
    Ok((stream.bytes(length, "the pixels")?, Shape::new(h, w, c), n))
}

/// One label for each of `count` images of `images`.
fn read_labels(stream: &mut Stream, count: u64, images: &str) -> Result<(Vec<u16>, LabelBytes), DataError> {
    let header = c_order_header(stream)?;
    let Some(integer) = header.integer else {
        let problem =
            format!("element type {}, but labels are integers: save `y.astype(np.int64)`", header.descr);
        return Err(stream.fault(0, problem));
    };
    let (&[n] | &[n, 1]) = &header.shape[..] else {
        return Err(stream.fault(0, format!("shape {:?}, but labels are [N] or [N, 1]", header.shape)));
    };
    if n != count {
        return Err(stream.fault(0, format!("{n} labels for the {count} images of {images}")));
    }
    let stride = integer.bytes as u64;
    let label_bytes = LabelBytes { place: stream.place().clone(), first: stream.offset(), stride };
    // `count` images were read, so this product is far from overflow.
    let bytes = stream.bytes(count * stride, "the labels")?;
    let mut labels = Vec::with_capacity(bytes.len() / integer.bytes);
    for (index, element) in bytes.chunks_exact(integer.bytes).enumerate() {
        let value = integer.value(element);
        let Ok(label) = u16::try_from(value) else {
            let offset = label_bytes.first + index as u64 * stride;
            return Err(stream
                .fault(offset, format!("label {value} of image {index}, but labels are 0 to {}", u16::MAX)));
        };
        labels.push(label);
    }
    Ok((labels, label_bytes))
}

fn c_order_header(stream: &mut Stream) -> Result<Header, DataError> {
    let header = npy::read_header(stream)?;
    if header.fortran_order && header.shape.len() > 1 {
        return Err(stream.fault(0, "the array is in Fortran order: save `np.ascontiguousarray(x)`"));
    }
    Ok(header)
}
