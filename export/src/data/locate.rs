//! Where below a folder the data set lies: archives unpack to a folder in a folder, torchvision keeps MNIST in `MNIST/raw`.

use std::path::{Path, PathBuf};

use super::error::DataError;
use super::folder::{FOLDS, are_folds, like_parts, subfolders};

/// As deep as a data set is looked for.
const DEPTH: usize = 2;
/// As many folders as are looked into.
const FOLDERS: usize = 256;

/// The one folder at or below `folder` of which `is_here` is true; of several depths the first counts. `None` when there is none.
///
/// # Errors
/// [`DataError::Unusable`] when there are several side by side.
pub(super) fn locate<T>(
    folder: &Path,
    is_here: impl Fn(&Path) -> Result<Option<T>, DataError>,
) -> Result<Option<(PathBuf, T)>, DataError> {
    let mut level = vec![folder.to_owned()];
    for depth in 0..=DEPTH {
        let mut found = Vec::new();
        for candidate in &level {
            if let Some(what) = is_here(candidate)? {
                found.push((candidate.clone(), what));
            }
        }
        match found.len() {
            0 => {}
            1 => return Ok(found.pop()),
            _ => {
                let paths: Vec<&Path> = found.iter().map(|(path, _)| path.as_path()).collect();
                if let Some(problem) = parts(&paths).or_else(|| turned(&paths)) {
                    return Err(DataError::Unusable { path: folder.to_owned(), problem });
                }
                let names: Vec<String> =
                    found.iter().take(4).map(|(path, _)| format!("`{}`", path.display())).collect();
                return Err(DataError::Unusable {
                    path: folder.to_owned(),
                    problem: format!(
                        "{} data sets in it: {}; name the one to use (if they are classes, their images belong directly into them)",
                        found.len(),
                        names.join(", ")
                    ),
                });
            }
        }
        if depth < DEPTH {
            let mut next = Vec::new();
            for candidate in &level {
                // What cannot be read is no data set.
                next.extend(subfolders(candidate).unwrap_or_default());
                if next.len() > FOLDERS {
                    return Ok(None);
                }
            }
            level = next;
        }
    }
    Ok(None)
}

/// What to do about data sets side by side that are parts of one by their names.
fn parts(paths: &[&Path]) -> Option<String> {
    let (first, rest) = paths.split_first()?;
    if rest.iter().any(|path| path.parent() != first.parent()) {
        return None;
    }
    let names: Vec<&str> = paths.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    if are_folds(&names) {
        return Some(FOLDS.to_owned());
    }
    let parts = like_parts(&names)?;
    let renamed: Vec<String> = parts.iter().map(|(name, part)| format!("`{name}` to `{part}`")).collect();
    let mut wanted: Vec<&str> = parts.iter().map(|&(_, part)| part).collect();
    wanted.sort_unstable();
    let are_several = wanted.windows(2).any(|pair| pair[0] == pair[1]);
    Some(format!(
        "{} folders in it are parts of one data set by their names: rename {}{}",
        parts.len(),
        renamed.join(", "),
        if are_several { ", putting the class folders of one part together" } else { "" }
    ))
}

/// What to do about class folders that hold folders of parts: `cat/train` instead of `train/cat`.
fn turned(paths: &[&Path]) -> Option<String> {
    let inside = |path: &Path| {
        let folders = subfolders(path).ok()?;
        let names: Option<Vec<String>> =
            folders.iter().map(|folder| Some(folder.file_name()?.to_str()?.to_owned())).collect();
        names.filter(|names| names.len() > 1)
    };
    let names = inside(paths.first()?)?;
    let are_alike = paths.iter().all(|path| inside(path).as_ref() == Some(&names));
    let parts = like_parts(&names.iter().map(String::as_str).collect::<Vec<_>>()).filter(|_| are_alike)?;
    let class = paths.first()?.file_name()?.to_str()?;
    let (name, part) = parts.first()?;
    Some(format!(
        "{} folders in it have parts of a data set in them: if they are classes, turn the two levels around, `{class}/{name}` to \
         `{part}/{class}`; if they are data sets, name the one to use",
        paths.len()
    ))
}
