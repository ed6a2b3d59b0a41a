//! A folder of image files with one folder for each class; classes and files are taken in the order of their names.
//!
//! - Parts: `train/CLASS/*`, `test/CLASS/*` and, if it is there, `val/CLASS/*`, in any case and with the usual other names. Without a
//!   test part the validation part is the test part; with neither, or with `CLASS/*` alone, a fifth of the images, stratified, is
//!   drawn with a fixed seed, so that every command sees the same test images. Each such choice is in [`Dataset::notes`].
//! - Files: PNG, JPEG, WebP, BMP or PNM, told by their contents. What operating systems leave behind and names that begin with a
//!   dot are passed over; any other file, and one that ends too early, is an error.
//! - Pixels: turned as EXIF says, laid on black where they are transparent, 16-bit values brought to 8 bits by as many bits as all
//!   of them need. Without a resize all images must have one size and all be grey or all colour; see [`Resize`].
//! - Memory: every header is read before the first pixel is allocated.

mod bytes;
mod complete;
mod fit;
mod list;
mod names;
mod parts;
mod picture;
mod read;

use std::path::{Path, PathBuf};

use super::Dataset;
use super::error::DataError;
use super::foreign;

pub use fit::{Fit, Resize};
pub(super) use names::{FOLDS, are_folds, dead_link, is_dead_link, like_parts};
pub(super) use parts::are_here;

/// Reads every image under `folder`.
pub(super) fn load(folder: &Path, resize: Option<Resize>) -> Result<Dataset, DataError> {
    let (mut notes, mut warnings) = (Vec::new(), Vec::new());
    let parts = parts::find(folder, &mut notes)?;
    let files: Vec<_> =
        [Some(&parts.train), parts.validation.as_ref(), Some(&parts.test)].into_iter().flatten().collect();
    let plan = read::Survey::of(&files)?.plan(folder, resize, &mut notes, &mut warnings)?;
    let train = plan.read(&parts.train, folder)?;
    let validation = parts.validation.as_ref().map(|files| plan.read(files, folder)).transpose()?;
    let test = plan.read(&parts.test, folder)?;
    let dataset = match validation {
        None => Dataset::assemble(folder, parts.classes, train, test),
        Some(validation) => Dataset::assemble_with_validation(folder, parts.classes, train, validation, test),
    }?;
    Ok(Dataset { notes, warnings, ..dataset })
}

/// The folders in a folder, in the order of their names, without what operating systems leave behind.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let folders = names::visible(folder)?.into_iter().filter(|entry| entry.is_folder);
    Ok(folders.map(|entry| entry.path).collect())
}

/// What is in a folder that holds no data set, as far as one can tell by looking at a few of its files.
pub(super) fn misfit(folder: &Path) -> Result<String, DataError> {
    const FILES: usize = 64;
    let entries = names::visible(folder)?;
    if entries.is_empty() {
        return Ok("the folder is empty; name the folder or file of the data with `--data`".to_owned());
    }
    let files = || entries.iter().filter(|entry| !entry.is_folder).take(FILES);
    if let Some(image) = files().find(|entry| foreign::is_image(&entry.path)) {
        return Ok(format!(
            "images such as `{}` lie directly in this folder, and no file of labels is read; make one folder for each class and \
             put its images into it",
            image.name
        ));
    }
    let found = files().find_map(|entry| foreign::describe(&entry.path).map(|foreign| (entry, foreign)));
    Ok(match found {
        Some((entry, foreign)) => {
            format!("no data set, but `{}`, {}; {}", entry.name, foreign.what, foreign.remedy)
        }
        None => String::new(),
    })
}

/// A few names for a message.
fn quoted(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    shown.join(", ") + &more
}

fn unusable(path: &Path, problem: impl Into<String>) -> DataError {
    DataError::Unusable { path: path.to_owned(), problem: problem.into() }
}
