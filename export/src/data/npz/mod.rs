//! An `.npz` archive with a training and a test part, as `np.savez` writes them: `x_train`, `y_train`, `x_test`, `y_test`, or
//! other usual names (see [`names`]).
//!
//! Inputs are `[N, H, W, C]` or `[N, H, W]` (one channel) in C order, pixels or real numbers (see [`inputs`]); labels are whole
//! numbers from 0 without gaps, one-hot rows or words (see [`labels`]). What a `classes.txt` in the archive's folder
//! names are the classes. A validation part beside a test part scores the trials; without a test part it is that.

mod inputs;
mod labels;
mod layout;
mod names;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::candidate::Quantisation;
use crate::files;

use super::classes::{class_names, read_names};
use super::error::{DataError, Place};
use super::npy::{self, Header};
use super::stream::Stream;
use super::{Dataset, Images, SETUP};

use inputs::Inputs;
use labels::Labels;
pub(super) use layout::Layout;
use names::{Names, Pair};

/// Reads the archive; real numbers are quantised as `given`, or else as fits the training part.
pub(super) fn load(path: &Path, layout: Layout, given: Option<Quantisation>) -> Result<Dataset, DataError> {
    let mut archive = Archive::open(path)?;
    let names = Names::find(path, &archive.entries())?;
    let mut parts = vec![archive.part(&names.train, layout)?, archive.part(&names.test, layout)?];
    if let Some(validation) = &names.validation {
        parts.push(archive.part(validation, layout)?);
    }
    let (inputs, labels): (Vec<Inputs>, Vec<Labels>) = parts.into_iter().unzip();
    let shape = inputs[0].shape;
    if let Some(other) = inputs.iter().find(|part| part.shape != shape) {
        let problem = format!("the images are {}, but the training images are {shape}", other.shape);
        return Err(DataError::Malformed { place: other.place.clone(), offset: 0, problem });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = read_names(&folder.join("classes.txt"))?;
    let classes = labels::number_classes(&labels, named.as_deref())?;
    let read = inputs::convert(inputs, given)?;
    let images = read.bytes.into_iter().zip(classes.labels);
    let images = images.map(|(pixels, labels)| Images { pixels, labels, shape, input: read.input });
    let mut images: Vec<Images> = images.collect();
    let class_names = match classes.names {
        Some(names) => names,
        None => {
            // Every label has a class, those of the validation part too.
            let of = |part: usize| (&images[part], &labels[part].bytes);
            for part in 2..images.len() {
                class_names(folder, of(0), of(part))?;
            }
            class_names(folder, of(0), of(1))?.names
        }
    };
    let mut notes = read.notes;
    notes.extend(classes.notes);
    let validation = images.pop_if(|_| names.validation.is_some());
    let test = images.remove(1);
    let train = images.remove(0);
    if let Some(pair) = &names.validation {
        notes.push(format!("the validation part of the data, {}, scores the trials", pair.inputs));
    }
    if names.train_is_bare {
        notes.push(format!(
            "{} and {} are the training part, as {} is another one",
            names.train.inputs, names.train.labels, names.test.inputs
        ));
    }
    if names.test_is_validation {
        notes.push(format!(
            "there is no test part: {} is the test part, and validation images are held out of {}",
            names.test.inputs, names.train.inputs
        ));
    }
    let dataset = match validation {
        Some(validation) => Dataset::assemble_with_validation(path, class_names, train, validation, test)?,
        None => Dataset::assemble(path, class_names, train, test)?,
    };
    Ok(Dataset { notes, warnings: read.warnings, ..dataset })
}

/// Whether the file at `path` is an archive of arrays, whatever its name.
pub(super) fn is_archive(path: &Path) -> bool {
    Archive::open(path).is_ok_and(|archive| archive.entries().iter().any(|entry| entry.ends_with(".npy")))
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
                problem: format!(
                    "not a sound .npz archive: {}; download or copy it again, or save it again with `np.savez`",
                    if length == 0 { "the file is empty".to_owned() } else { error.to_string() }
                ),
            },
        })?;
        Ok(Archive { path, length, zip })
    }

    /// Names of all files in it.
    fn entries(&self) -> Vec<String> {
        self.zip.file_names().map(|name| name.map_or("?".into(), |name| name.into_owned())).collect()
    }

    fn part(&mut self, names: &Pair, layout: Layout) -> Result<(Inputs, Labels), DataError> {
        let inputs = self.entry(&names.inputs, |stream| {
            let header = c_order_header(stream, &names.inputs)?;
            inputs::read(stream, &names.inputs, header, layout)
        })?;
        let labels = self.entry(&names.labels, |stream| {
            let header = c_order_header(stream, &names.labels)?;
            labels::read(stream, &names.labels, &header, &inputs)
        })?;
        Ok((inputs, labels))
    }

    /// Reads one array to its end.
    fn entry<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Stream) -> Result<T, DataError>,
    ) -> Result<T, DataError> {
        let entry = self.zip.by_name(&format!("{name}.npy")).map_err(|error| DataError::Unusable {
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

fn c_order_header(stream: &mut Stream, name: &str) -> Result<Header, DataError> {
    let header = npy::read_header(stream)?;
    if header.fortran_order && header.shape.len() > 1 {
        let problem = format!("the array is in Fortran order: save `{name} = np.ascontiguousarray({name})`");
        return Err(stream.fault(0, problem));
    }
    Ok(header)
}
