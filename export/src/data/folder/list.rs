//! The class folders of one part and the files in them. Nothing is passed over but what operating systems leave behind and, with a
//! note, files beside the class folders that are no images.

use std::path::{Path, PathBuf};

use super::super::error::DataError;
use super::super::foreign;
use super::names::{self, visible};
use super::{quoted, unusable};

/// Image files and their labels.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) paths: Vec<PathBuf>,
    pub(super) labels: Vec<u16>,
}

impl Files {
    /// Those at `indices`.
    pub(super) fn subset(&self, indices: &[usize]) -> Files {
        Files {
            paths: indices.iter().map(|&index| self.paths[index].clone()).collect(),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        }
    }
}

/// The classes of a part in the order of their names, at least one with at least one file each, and the files.
pub(super) fn list(part: &Path, notes: &mut Vec<String>) -> Result<(Vec<String>, Files), DataError> {
    let entries = names::without_dead_links(visible(part)?)?;
    let folders = || entries.iter().filter(|entry| entry.is_folder);
    if names::are_annotated(folders().map(|entry| entry.name.as_str())) {
        return Err(unusable(part, DETECTION));
    }
    let mut unread = Vec::new();
    for file in entries.iter().filter(|entry| !entry.is_folder) {
        if foreign::is_image(&file.path) {
            return Err(unusable(
                &file.path,
                "an image beside the class folders; move it into the folder of its class, or remove it",
            ));
        }
        unread.push(file.name.as_str());
    }
    if !unread.is_empty() {
        notes.push(format!(
            "{}: not read: {}; classes are the names of the folders",
            part.display(),
            quoted(&unread)
        ));
    }
    let mut classes: Vec<String> = Vec::new();
    let mut files = Files::default();
    for class in folders() {
        if let Some(twin) = classes.iter().find(|twin| twin.to_lowercase() == class.name.to_lowercase()) {
            let problem = format!(
                "this class differs from `{twin}` in case alone; put the images of both into one folder"
            );
            return Err(unusable(&class.path, problem));
        }
        let Ok(label) = u16::try_from(classes.len()) else {
            return Err(unusable(part, format!("more than {} classes", u16::MAX)));
        };
        let images = visible(&class.path)?;
        if images.is_empty() {
            return Err(unusable(
                &class.path,
                "no images in this class's folder; put some there or remove the folder",
            ));
        }
        for image in images {
            if image.is_folder {
                let problem =
                    "a folder inside a class's folder; images belong directly into the folder of their class";
                return Err(unusable(&image.path, problem));
            }
            files.labels.push(label);
            files.paths.push(image.path);
        }
        classes.push(class.name.clone());
    }
    if classes.is_empty() {
        return Err(unusable(
            part,
            "no class folders; make one folder for each class and put its images into it",
        ));
    }
    Ok((classes, files))
}

/// Gives the files of another part the labels of the training part's classes. Every class of `found` must be among them.
pub(super) fn relabel(
    folder: &Path,
    part: &str,
    (found, mut files): (Vec<String>, Files),
    classes: &[String],
) -> Result<Files, DataError> {
    let mut labels = Vec::with_capacity(found.len());
    for name in &found {
        let Some(label) = classes.iter().position(|class| class == name) else {
            let twin = classes.iter().find(|class| class.to_lowercase() == name.to_lowercase());
            let problem = match twin {
                Some(twin) => {
                    format!("this class is called `{twin}` in the training part; give both folders one name")
                }
                None => format!(
                    "this class has no folder in the training part; remove it from the {part} part, or add images to train on"
                ),
            };
            return Err(unusable(&folder.join(name), problem));
        };
        // There are at most as many classes as labels.
        labels.push(label as u16);
    }
    files.labels.iter_mut().for_each(|label| *label = labels[usize::from(*label)]);
    Ok(files)
}

/// Data for another task.
pub(super) const DETECTION: &str = "images beside annotations, as for detection or segmentation, which are not supported; put each image \
                                    into a folder named after its one class";
