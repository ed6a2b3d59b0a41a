//! Class names: from a `classes.txt` beside the data, or else the labels' own numbers.
//!
//! Without names the number of classes is the largest label plus one, and every smaller label must occur in the
//! training part: labels that start at 1 would otherwise cost a dead output in every network.

use std::io;
use std::path::Path;

use super::Images;
use crate::files;

use super::error::{DataError, Place};

/// The file of class names, one a line, in the order of the labels.
pub(super) const CLASSES_FILE: &str = "classes.txt";

/// Where the labels of a part stand in their file, for error messages.
pub(super) struct LabelBytes {
    pub(super) place: Place,
    pub(super) first: u64,
    pub(super) stride: u64,
}

impl LabelBytes {
    fn fault(&self, index: usize, problem: String) -> DataError {
        let offset = self.first + index as u64 * self.stride;
        DataError::Malformed { place: self.place.clone(), offset, problem }
    }
}

/// Class names, and whether the user gave them.
pub(super) struct ClassNames {
    pub(super) names: Vec<String>,
    pub(super) given: bool,
}

/// Finds the classes of two labelled parts that lie in `folder`, and checks every label against them.
pub(super) fn class_names(
    folder: &Path,
    train: (&Images, &LabelBytes),
    test: (&Images, &LabelBytes),
) -> Result<ClassNames, DataError> {
    let (names, given) = match read_names(&folder.join(CLASSES_FILE))? {
        Some(names) => (names, true),
        None => (numbered(train.0, train.1)?, false),
    };
    for (images, bytes) in [train, test] {
        if let Some(index) = images.labels.iter().position(|&label| usize::from(label) >= names.len()) {
            let label = images.labels[index];
            let (source, remedy) = match given {
                true => (CLASSES_FILE, "add a line for each further class"),
                false => ("the training labels", "add training images of it, or leave such images out"),
            };
            let problem = format!("label {label}, but {source} give {} classes; {remedy}", names.len());
            return Err(bytes.fault(index, problem));
        }
    }
    Ok(ClassNames { names, given })
}

fn numbered(train: &Images, bytes: &LabelBytes) -> Result<Vec<String>, DataError> {
    let Some((index, largest)) = train.labels.iter().enumerate().max_by_key(|&(_, label)| label) else {
        return Ok(Vec::new());
    };
    let counts = train.class_counts(usize::from(*largest) + 1);
    match counts.iter().position(|&count| count == 0) {
        Some(missing) => {
            let problem = format!(
                "label {largest}, but no training image has label {missing}: labels count from 0 without gaps, or \
                 {CLASSES_FILE} names the classes"
            );
            Err(bytes.fault(index, problem))
        }
        None => Ok((0..counts.len()).map(|class| class.to_string()).collect()),
    }
}

/// One name a line; `None` when there is no such file.
pub(super) fn read_names(path: &Path) -> Result<Option<Vec<String>>, DataError> {
    let text = match files::read_untrusted_text(path, files::limit::TEXT) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(DataError::Read { path: path.to_owned(), cause }),
    };
    let names: Vec<String> = text.trim_end().lines().map(|line| line.trim().to_owned()).collect();
    match names.iter().position(String::is_empty) {
        Some(line) => Err(DataError::Unusable {
            path: path.to_owned(),
            problem: format!("line {} is empty; each line names one class", line + 1),
        }),
        None => Ok(Some(names)),
    }
}
