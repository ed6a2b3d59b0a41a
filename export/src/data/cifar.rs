//! The binary layouts of CIFAR-10 and CIFAR-100 (Krizhevsky 2009), as on the authors' page.
//!
//! A record is its label bytes, then 1,024 bytes for each of red, green and blue, row by row. CIFAR-10 has one label
//! byte (0 to 9); CIFAR-100 has two, coarse (0 to 19) and fine (0 to 99), and the fine one is the class. Planes are
//! interleaved to NHWC on reading. The published files have 10,000 (CIFAR-100: 50,000) records; any whole number of
//! records is read.

use std::path::Path;

use crate::candidate::Quantisation;
use crate::ir::Shape;

use super::classes::read_names;
use super::error::DataError;
use super::stream::Stream;
use super::{Dataset, Images};

const SHAPE: Shape = Shape::new(32, 32, 3);
const PLANE: usize = SHAPE.height * SHAPE.width;

/// What tells the two layouts apart.
pub(super) struct Layout {
    train: &'static [&'static str],
    test: &'static str,
    names: &'static str,
    /// The number of values of each label byte; the last one is the class.
    labels: &'static [u8],
    remedy: &'static str,
}

/// CIFAR-10.
pub(super) const CIFAR10: Layout = Layout {
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    names: "batches.meta.txt",
    labels: &[10],
    remedy: "it comes with the binary version of CIFAR-10",
};

/// CIFAR-100.
pub(super) const CIFAR100: Layout = Layout {
    train: &["train.bin"],
    test: "test.bin",
    names: "fine_label_names.txt",
    labels: &[20, 100],
    remedy: "it comes with the binary version of CIFAR-100",
};

impl Layout {
    /// True when the first training file or the test file is in `folder`.
    pub(super) fn is_here(&self, folder: &Path) -> bool {
        [self.train[0], self.test].iter().any(|name| folder.join(name).is_file())
    }

    /// What to do about CIFAR as Python's pickles, if that is in `folder`.
    pub(super) fn pickled(folder: &Path) -> Option<&'static str> {
        let has = |name: &str| folder.join(name).is_file();
        if has("data_batch_1") || has("test_batch") {
            Some(
                "CIFAR-10 as Python pickles, which are not read; take its binary version, cifar-10-binary.tar.gz, from \
                 where this one came from, unpack it and name the folder",
            )
        } else if has("train") && has("test") && has("meta") {
            Some(
                "CIFAR-100 as Python pickles, which are not read; take its binary version, cifar-100-binary.tar.gz, from \
                 where this one came from, unpack it and name the folder",
            )
        } else {
            None
        }
    }

    /// Reads the files of `folder`.
    pub(super) fn load(&self, folder: &Path) -> Result<Dataset, DataError> {
        let train = self.read(folder, self.train)?;
        let test = self.read(folder, &[self.test])?;
        Dataset::assemble(folder, self.class_names(folder)?, train, test)
    }

    fn class_names(&self, folder: &Path) -> Result<Vec<String>, DataError> {
        let classes = usize::from(self.labels[self.labels.len() - 1]);
        let path = folder.join(self.names);
        match read_names(&path)? {
            None => Ok((0..classes).map(|class| class.to_string()).collect()),
            Some(names) if names.len() == classes => Ok(names),
            Some(names) => Err(DataError::Unusable {
                path,
                problem: format!("{} class names, but this layout has {classes} classes", names.len()),
            }),
        }
    }

    fn read(&self, folder: &Path, files: &[&str]) -> Result<Images, DataError> {
        let mut images =
            Images { pixels: Vec::new(), labels: Vec::new(), shape: SHAPE, input: Quantisation::IMAGE };
        for name in files {
            let path = folder.join(name);
            if !path.exists() {
                return Err(DataError::Missing { path, remedy: self.remedy });
            }
            self.append(Stream::open(&path)?, &mut images)?;
        }
        Ok(images)
    }

    fn append(&self, mut stream: Stream, images: &mut Images) -> Result<(), DataError> {
        let header = self.labels.len();
        let record = header + SHAPE.elements();
        let bytes = stream.rest()?;
        let (records, rest) = (bytes.chunks_exact(record), bytes.len() % record);
        if bytes.is_empty() || rest != 0 {
            let problem = format!("the file ends {rest} bytes into a record of {record} bytes");
            return Err(stream.fault(bytes.len() as u64, problem));
        }
        images.pixels.reserve_exact(records.len() * SHAPE.elements());
        images.labels.reserve_exact(records.len());
        for (index, record_bytes) in records.enumerate() {
            let (labels, planes) = record_bytes.split_at(header);
            for (place, (&label, &classes)) in labels.iter().zip(self.labels).enumerate() {
                if label >= classes {
                    let offset = (index * record + place) as u64;
                    return Err(stream
                        .fault(offset, format!("label {label}, but labels here are 0 to {}", classes - 1)));
                }
            }
            images.labels.push(u16::from(labels[header - 1]));
            let (red, rest) = planes.split_at(PLANE);
            let (green, blue) = rest.split_at(PLANE);
            for ((&red, &green), &blue) in red.iter().zip(green).zip(blue) {
                images.pixels.extend_from_slice(&[red, green, blue]);
            }
        }
        Ok(())
    }
}
