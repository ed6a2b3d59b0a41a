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
        (Part::Validation, &["val", "valid", "validation", "dev", "eval", "evaluation"]),
        (Part::Test, &["test", "testing", "tst", "holdout"]),
    ];

    /// The part that a folder of this name is, in any case: `Train`, `training_set`, `testImages`.
    pub(super) fn named(name: &str) -> Option<Part> {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_lowercase();
        let endings = ["set", "images", "imgs", "data", "split"];
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
        let is =
            |names: &[&str]| names.contains(&name.as_str()) || stem.is_some_and(|stem| names.contains(&stem));
        Self::NAMES.into_iter().find_map(|(part, names)| is(names).then_some(part)).or(match &*name {
            // As nnU-Net and the Medical Segmentation Decathlon call them.
            "imagestr" => Some(Part::Training),
            "imagesva" => Some(Part::Validation),
            "imagests" => Some(Part::Test),
            _ => None,
        })
    }

    /// The part that one of the words in a name is, as in `seg_train`. Classes have such names too (`train_station`); only a folder
    /// with folders in it is a part by such a name.
    pub(super) fn hinted(name: &str) -> Option<Part> {
        name.split(|letter: char| !letter.is_ascii_alphanumeric()).find_map(Part::named)
    }

    /// The part that a name speaks of with or without a number or a letter behind it: `train2017`, `test_0`, `trainA`.
    pub(super) fn numbered(name: &str) -> Option<Part> {
        let unnumbered = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let mut letters = name.chars();
        let last = letters.next_back().filter(char::is_ascii_alphabetic);
        let rest = letters.as_str();
        // Not the s of `trains`.
        let is_apart = |last: char| {
            last.is_ascii_uppercase() && rest.ends_with(|letter: char| letter.is_ascii_lowercase())
                || rest.ends_with(|letter: char| !letter.is_ascii_alphanumeric())
        };
        Part::named(name)
            .or_else(|| Part::named(unnumbered))
            .or_else(|| last.filter(|&last| is_apart(last)).and_then(|_| Part::named(rest)))
    }

    /// The name that a folder of this part is best given.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Part::Training => "train",
            Part::Validation => "val",
            Part::Test => "test",
        }
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

/// True for a link to what is not there.
pub(in super::super) fn is_dead_link(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

/// That `path` is a link to what is not there.
pub(in super::super) fn dead_link(path: &Path) -> DataError {
    let target = fs::read_link(path).unwrap_or_default();
    let problem =
        format!("a link to `{}`, which is not there; bring that back, or remove the link", target.display());
    DataError::Unusable { path: path.to_owned(), problem }
}

/// Refuses links to what is not there: a class or a part may be meant.
pub(super) fn without_dead_links(entries: Vec<Entry>) -> Result<Vec<Entry>, DataError> {
    match entries.iter().find(|entry| !entry.is_folder && is_dead_link(&entry.path)) {
        Some(entry) => Err(dead_link(&entry.path)),
        None => Ok(entries),
    }
}

/// True for what operating systems, archivers and file servers put into folders beside the user's files, and for every name that
/// begins with a dot.
pub(in super::super) fn is_left_behind(name: &str) -> bool {
    const LEFT: [&str; 12] = [
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
        "picasa.ini",
        "zbthumbnail.info",
    ];
    // What Windows writes into a stream of a file becomes a file elsewhere; editors keep the version before in `NAME~`.
    const ENDINGS: [&str; 3] = [":zone.identifier", ":encryptable", "~"];
    let lower = name.to_lowercase();
    name.starts_with('.')
        || LEFT.contains(&lower.as_str())
        || ENDINGS.iter().any(|ending| lower.ends_with(ending))
}

/// The parts of a data set that folders of these names are, if they are rather that than classes: all of them, or those of two parts.
pub(in super::super) fn like_parts<'a>(names: &[&'a str]) -> Option<Vec<(&'a str, &'static str)>> {
    let parts: Vec<(&str, Part)> =
        names.iter().filter_map(|name| Some((*name, Part::numbered(name)?))).collect();
    let (_, first) = parts.first()?;
    let are_parts = parts.iter().any(|(_, part)| part != first) || parts.len() == names.len();
    are_parts.then(|| parts.into_iter().map(|(name, part)| (name, part.folder())).collect())
}

/// True when folders of these names are the folds of a cross-validation: `fold1`, `fold_2`, all of them.
pub(in super::super) fn are_folds(names: &[&str]) -> bool {
    let is_fold = |name: &&str| {
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let number = letters.to_lowercase().strip_prefix("fold").map(str::to_owned);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    names.len() > 1 && names.iter().all(is_fold)
}

/// What to do about them.
pub(in super::super) const FOLDS: &str = "by name, these are folds of a cross-validation, which is not carried out: call one of them `test`, and put \
                                     the images of the others together as `train`, with one folder for each class in both; if the \
                                     folders are classes, give them other names, such as `class_fold1`";

/// True when folders of these names are those of a data set for detection or segmentation instead of classes.
pub(super) fn are_annotated<'a>(mut names: impl Iterator<Item = &'a str> + Clone) -> bool {
    const PICTURES: &[&str] =
        &["images", "imgs", "image", "img", "jpegimages", "leftimg8bit", "input", "inputs"];
    const MARKS: &[&str] = &[
        "labels",
        "label",
        "annotations",
        "annotation",
        "anno",
        "masks",
        "mask",
        "bboxes",
        "boxes",
        "gt",
        "gtfine",
        "gtcoarse",
        "groundtruth",
        "seg",
        "segmentation",
        "segmentations",
        "segmentationclass",
        "trimaps",
        "target",
        "targets",
    ];
    // Before or behind the word may stand a part: `imagesTr`, `train_masks`.
    const PARTS: &[&str] =
        &["train", "training", "tr", "val", "validation", "va", "test", "testing", "ts", "te"];
    let is = |words: &'static [&'static str]| {
        move |name: &str| {
            let letters = name.chars().filter(char::is_ascii_alphanumeric);
            let name = letters.collect::<String>().to_lowercase();
            let without =
                |part: &&str| [name.strip_prefix(*part), name.strip_suffix(*part)].into_iter().flatten();
            words.contains(&name.as_str()) || PARTS.iter().flat_map(without).any(|word| words.contains(&word))
        }
    };
    names.clone().any(is(PICTURES)) && names.any(is(MARKS))
}
