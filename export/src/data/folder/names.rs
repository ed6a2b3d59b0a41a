//! What names of files and folders mean: the parts of a data set, what operating systems leave behind, annotations.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::error::DataError;

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Training,
    Validation,
    Test,
}

impl Part {
    const NAMES: [(Part, &[&str]); 3] = [
        (Part::Training, &["train", "training", "trn"]),
        (Part::Validation, &["val", "valid", "validation", "dev"]),
        (Part::Test, &["test", "testing", "tst"]),
    ];

    /// The part that a folder of this name is, in any case: `Train`, `training_set`, `testImages`.
    pub(super) fn named(name: &str) -> Option<Part> {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_lowercase();
        let endings = ["set", "images", "imgs", "data", "split"];
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
        let is =
            |names: &[&str]| names.contains(&name.as_str()) || stem.is_some_and(|stem| names.contains(&stem));
        Self::NAMES.into_iter().find_map(|(part, names)| is(names).then_some(part))
    }

    /// The part that one of the words in a name is, as in `seg_train`. Classes have such names too (`train_station`); only a folder
    /// with folders in it is a part by such a name.
    pub(super) fn hinted(name: &str) -> Option<Part> {
        name.split(|letter: char| !letter.is_ascii_alphanumeric()).find_map(Part::named)
    }

    /// For messages.
    pub(super) fn what(self) -> &'static str {
        match self {
            Part::Training => "training",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }
}

/// A file or folder inside a folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) is_folder: bool,
}

/// What is in a folder, in the order of the names, without what [`is_left_behind`].
pub(super) fn visible(folder: &Path) -> Result<Vec<Entry>, DataError> {
    let refuse = |cause| DataError::Read { path: folder.to_owned(), cause };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        let name = entry.file_name();
        if is_left_behind(&name.to_string_lossy()) {
            continue;
        }
        let Ok(name) = name.into_string() else {
            let problem = "the name is not UTF-8; rename it".to_owned();
            return Err(DataError::Unusable { path: entry.path(), problem });
        };
        let path = entry.path();
        entries.push(Entry { is_folder: path.is_dir(), path, name });
    }
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// True for what operating systems, archivers and file servers put into folders beside the user's files, and for every name that
/// begins with a dot.
pub(in super::super) fn is_left_behind(name: &str) -> bool {
    const LEFT: [&str; 10] = [
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "@eadir",
        "#recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "icon\r",
    ];
    name.starts_with('.') || LEFT.contains(&name.to_lowercase().as_str())
}

/// True when folders of these names are those of a data set for detection or segmentation instead of classes.
pub(super) fn are_annotated<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let is = |wanted: &'static [&'static str]| {
        move |name: &str| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted))
    };
    let pictures = is(&["images", "imgs", "image", "jpegimages"]);
    let marks = is(&["labels", "label", "annotations", "masks", "mask", "bboxes"]);
    names.clone().any(pictures) && names.any(marks)
}
