//! Which files are for training, validation and test: by the names of folders, or else a fifth of each class is the test part.

use std::path::Path;

use super::super::error::DataError;
use super::super::foreign;
use super::super::split::hold_out;
use super::list::{DETECTION, Files, list, relabel};
use super::names::{Entry, FOLDS, Part, are_annotated, are_folds, like_parts, visible, without_dead_links};
use super::{quoted, unusable};

/// The part of a folder without a test part that becomes the test part.
const TEST_DIVISOR: usize = 5;
const TEST_SEED: u64 = 0;

/// All files of a data set.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) classes: Vec<String>,
    pub(super) train: Files,
    /// What came as a validation part, when there is a test part too.
    pub(super) validation: Option<Files>,
    pub(super) test: Files,
}

/// True when a folder has class folders with images in it, or parts of which at least one has.
pub(in super::super) fn are_here(folder: &Path) -> Result<bool, DataError> {
    // As many files of a folder as are looked at.
    const FILES: usize = 8;
    for entry in visible(folder)?.into_iter().filter(|entry| entry.is_folder) {
        let inside = visible(&entry.path)?;
        let is_part = Part::hinted(&entry.name).is_some() && inside.iter().any(|entry| entry.is_folder);
        if is_part
            || inside
                .iter()
                .filter(|entry| !entry.is_folder)
                .take(FILES)
                .any(|entry| foreign::is_image(&entry.path))
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds the parts of `folder` and lists them.
pub(super) fn find(folder: &Path, notes: &mut Vec<String>) -> Result<Parts, DataError> {
    let entries = without_dead_links(visible(folder)?)?;
    let folders: Vec<&Entry> = entries.iter().filter(|entry| entry.is_folder).collect();
    if are_annotated(folders.iter().map(|entry| entry.name.as_str())) {
        return Err(unusable(folder, DETECTION));
    }
    let [training, validation, test] =
        [Part::Training, Part::Validation, Part::Test].map(|part| only(&folders, part));
    let [training, validation, test] =
        [training?, validation?, test?].map(|part| part.map(|part| unwrapped(part.clone())));
    let [training, validation, test] = [training.transpose()?, validation.transpose()?, test.transpose()?];
    let (validation, test) = (validation.as_ref(), test.as_ref());
    let Some(training) = &training else {
        let other = [validation, test].into_iter().flatten().next();
        return match other {
            Some(other) if has_folders(other)? => Err(unusable(
                folder,
                format!("`{}` is here, but no folder for training; name it `train`", other.name),
            )),
            _ => undivided(folder, notes),
        };
    };
    if !has_folders(training)? {
        if validation.is_none() && test.is_none() {
            // A class that is called `train`.
            return undivided(folder, notes);
        }
        return Err(unusable(
            &training.path,
            "no class folders; make one folder for each class and put its images into it",
        ));
    }
    for part in [validation, test].into_iter().flatten() {
        if !has_folders(part)? {
            return Err(unusable(
                &part.path,
                format!(
                    "no class folders, so nobody knows the classes of its images; sort them into one folder for each class, or rename \
                     `{}` to a name that is no part, such as `unlabelled`",
                    part.name
                ),
            ));
        }
    }
    let others: Vec<&str> = folders
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|&name| {
            [Some(training), validation, test].into_iter().flatten().all(|part| part.name != name)
        })
        .collect();
    for entry in folders.iter().filter(|entry| others.contains(&entry.name.as_str())) {
        if let Some(part) = Part::numbered(&entry.name)
            && has_folders(entry)?
        {
            let problem = format!(
                "a {} part by its name; call it `{}` to have it read, or give it a name that is no part, such as `unused`",
                part.what(),
                part.folder()
            );
            return Err(unusable(&entry.path, problem));
        }
    }
    if !others.is_empty() {
        notes.push(format!("beside the parts, not read: {}", quoted(&others)));
    }
    let (classes, train) = list(&training.path, notes)?;
    let mut read = |entry: &Entry, part: Part| {
        let found = list(&entry.path, notes)?;
        // A class without validation images only deserves a warning.
        if part == Part::Test
            && let Some(class) = classes.iter().find(|class| !found.0.contains(class))
            && !found.0.iter().any(|other| other.to_lowercase() == class.to_lowercase())
        {
            let problem =
                "this class has no folder in the test part; add test images of it, or remove it here";
            return Err(unusable(&training.path.join(class), problem));
        }
        relabel(&entry.path, part.what(), found, &classes)
    };
    match (validation, test) {
        (validation, Some(test)) => {
            let validation =
                validation.map(|entry| read(entry, Part::Validation).map(|files| (entry, files)));
            let validation = validation.transpose()?;
            let test = read(test, Part::Test)?;
            if let Some((entry, files)) = &validation {
                let images = files.paths.len();
                notes.push(format!(
                    "`{}` is the validation part, {images} images; none are held out of `{}`",
                    entry.name, training.name
                ));
            }
            Ok(Parts { classes, train, validation: validation.map(|(_, files)| files), test })
        }
        (Some(only), None) => {
            let test = read(only, Part::Test)?;
            notes.push(format!(
                "there is no folder `test`: `{}` is the test part, touched only at the end, and validation images are held out of `{}`",
                only.name, training.name
            ));
            Ok(Parts { classes, train, validation: None, test })
        }
        (None, None) => divide(&training.path, classes, &train, notes),
    }
}

/// Class folders alone.
fn undivided(folder: &Path, notes: &mut Vec<String>) -> Result<Parts, DataError> {
    let entries = visible(folder)?;
    let names: Vec<&str> =
        entries.iter().filter(|entry| entry.is_folder).map(|entry| entry.name.as_str()).collect();
    if are_folds(&names) {
        return Err(unusable(folder, FOLDS));
    }
    if let Some(parts) = like_parts(&names) {
        let shown: Vec<&str> = parts.iter().map(|&(name, _)| name).collect();
        let problem = format!(
            "by name, these are parts of a data set, but without class folders: {}; nobody knows the classes of their images: sort \
             these into one folder for each class, `train/CLASS` and `test/CLASS`; if the folders are classes, give them other names, \
             such as `class_{}`",
            quoted(&shown),
            shown[0]
        );
        return Err(unusable(folder, problem));
    }
    let (classes, files) = list(folder, notes)?;
    divide(folder, classes, &files, notes)
}

/// Makes a fixed part of each class the test part.
fn divide(
    folder: &Path,
    classes: Vec<String>,
    files: &Files,
    notes: &mut Vec<String>,
) -> Result<Parts, DataError> {
    let count = files.paths.len() / TEST_DIVISOR;
    let [train, test] = hold_out(&files.labels, classes.len(), count, TEST_SEED, "test").map_err(|problem| {
        let problem = format!(
            "cannot hold out {count} images as the test part: {problem}; add images, or make the folders `train` and `test` yourself"
        );
        unusable(folder, problem)
    })?;
    notes.push(format!(
        "there is no folder `test`: {count} images, a fifth of each class drawn once and for all, are the test part"
    ));
    Ok(Parts { classes, train: files.subset(&train), validation: None, test: files.subset(&test) })
}

/// The one folder of a part.
fn only<'a>(folders: &[&'a Entry], part: Part) -> Result<Option<&'a Entry>, DataError> {
    let (mut found, mut bare) = (Vec::new(), None);
    for &entry in folders {
        if Part::hinted(&entry.name) == Some(part) && has_folders(entry)? {
            found.push(entry);
        } else if Part::named(&entry.name) == Some(part) {
            bare = bare.or(Some(entry));
        }
    }
    match found[..] {
        [] => Ok(bare),
        [one] => Ok(Some(one)),
        [one, other, ..] => Err(unusable(
            &other.path,
            format!(
                "both this and `{}` are a {} part by their names; put their class folders together, or rename one to what is no part, such \
                 as `unused`",
                one.name,
                part.what()
            ),
        )),
    }
}

/// The folder inside a part that holds its class folders alone, as archives of single parts unpack (`train/train/CLASS`); else the
/// part itself. It keeps its name.
fn unwrapped(part: Entry) -> Result<Entry, DataError> {
    if let [inside] = &visible(&part.path)?[..]
        && inside.is_folder
        && has_folders(inside)?
    {
        return Ok(Entry { path: inside.path.clone(), ..part });
    }
    Ok(part)
}

fn has_folders(entry: &Entry) -> Result<bool, DataError> {
    Ok(visible(&entry.path)?.iter().any(|entry| entry.is_folder))
}
