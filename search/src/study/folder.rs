//! Whether a folder can be a study: before one is made, and before one is opened.
//!
//! Guarantees: a study is made in a folder that is new or empty, and neither in its data nor around them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bomp_export::text;

use super::files::{FILE, JOURNAL, WAL};
use super::{StoreError, log};

/// What a study keeps beside its database: where one of these is, the store says what became of the rest.
const OWN: [&str; 6] = [log::FILE, log::NEW, JOURNAL, WAL, "lock", "workers"];

/// Refuses a folder in which no study can be made on the data at `data`. One that has a study is left to the store.
pub(super) fn is_free(folder: &Path, data: &Path) -> Result<(), StoreError> {
    may_hold_study(folder)?;
    let wrong = |problem: String| Err(StoreError::Folder { location: folder.display().to_string(), problem });
    let (study, data) = (real(folder), real(data));
    if data.is_dir() && study.starts_with(&data) {
        return wrong(format!(
            "a study in the folder of its data, {}, would become a part of them: name a folder outside",
            data.display()
        ));
    }
    if data.starts_with(&study) {
        return wrong(format!("the data, {}, are in it: name another folder for the study", data.display()));
    }
    match contents(folder).next() {
        Some(entry) if !folder.join(FILE).exists() => wrong(format!(
            "the folder is not empty ({} is in it) and holds no study: name a new one, such as {}",
            entry.file_name().unwrap_or_default().display(),
            beside(folder).display()
        )),
        _ => Ok(()),
    }
}

/// Refuses a folder with other things in it than a study; an absent or empty one is left to the store.
pub(super) fn holds_study(folder: &Path) -> Result<(), StoreError> {
    may_hold_study(folder)?;
    let is_study = folder.join(FILE).exists() || OWN.iter().any(|name| folder.join(name).exists());
    if !is_study && let Some(study) = folder.parent().filter(|parent| parent.join(FILE).is_file()) {
        let problem = format!("it belongs to the study {}: name that", study.display());
        return Err(StoreError::Folder { location: folder.display().to_string(), problem });
    }
    if is_study || contents(folder).next().is_none() {
        return Ok(());
    }
    let mut studies: Vec<PathBuf> = contents(folder).filter(|entry| entry.join(FILE).is_file()).collect();
    studies.sort();
    let problem = match studies.first() {
        Some(first) => format!("no study here, but in folders of it: name one, such as {}", first.display()),
        None => format!(
            "no study here; `bomp-search run --study {}` starts one in a new folder",
            text::argument(&beside(folder).display().to_string())
        ),
    };
    Err(StoreError::Folder { location: folder.display().to_string(), problem })
}

/// A new folder's name: beside this one, because what is in it may be data, which a study in them would become a part of.
fn beside(folder: &Path) -> PathBuf {
    // `.` has no name to add to.
    let whole = real(folder);
    let folder = if folder.file_name().is_none() { &whole } else { folder };
    let mut name = folder.file_name().map_or_else(|| "new".into(), ToOwned::to_owned);
    name.push("-study");
    folder.with_file_name(name)
}

/// What is in a folder, but for what begins with a dot: that is the file manager's or the version control's.
fn contents(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let seen = entries.filter(|entry| {
        let name = entry.file_name();
        !name.as_encoded_bytes().starts_with(b".") && !OWN.iter().any(|own| name == *own)
    });
    seen.map(|entry| entry.path())
}

/// Refuses what is no folder, or one that cannot be looked into.
pub(super) fn may_hold_study(folder: &Path) -> Result<(), StoreError> {
    let wrong = |problem: String| Err(StoreError::Folder { location: folder.display().to_string(), problem });
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => {}
        Ok(_) if folder.file_name().is_some_and(|name| name == FILE) => {
            let folder =
                folder.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            return wrong(format!("a study is named by its folder: {}", folder.display()));
        }
        Ok(_) => return wrong("is a file; a study is a folder, name a new one or that of a study".into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return wrong(format!("{error}; name a folder that you may read and write")),
    }
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            wrong(format!("{error}; name a folder that you may read and write"))
        }
        _ => Ok(()),
    }
}

/// Without links, as far as the path exists.
fn real(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest = Vec::new();
    for there in whole.ancestors() {
        if let Ok(found) = there.canonicalize() {
            return rest.iter().rev().fold(found, |path: PathBuf, name| path.join(name));
        }
        rest.extend(there.file_name());
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn studies_and_data_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("data/train/cats")).unwrap();
        std::fs::create_dir_all(at("mine")).unwrap();
        std::fs::write(at("mine/notes.txt"), "").unwrap();
        std::fs::write(at("images.npz"), "").unwrap();
        std::fs::create_dir_all(at("empty")).unwrap();
        std::fs::write(at("empty/.gitkeep"), "").unwrap();
        std::os::unix::fs::symlink(at("data"), at("link")).unwrap();
        let refused = |study: &str, data: &str| is_free(&at(study), &at(data)).unwrap_err().to_string();
        for study in ["data", "data/study", "data/train", "link/study", "mine/../data/new/deep"] {
            assert!(refused(study, "data").contains("name a folder outside"), "{study}");
        }
        assert!(refused("", "data").contains("are in it"));
        assert!(refused("", "images.npz").contains("are in it"));
        assert!(refused("mine", "data").contains("notes.txt"));
        assert!(refused("images.npz", "data").contains("is a file"));
        assert!(refused("images.npz/study", "data").contains("may read and write"));
        for study in ["new", "new/deep", "empty", "database"] {
            is_free(&at(study), &at("data")).unwrap();
            is_free(&at(study), &at("images.npz")).unwrap();
        }
        std::fs::write(at("mine/study.sqlite"), "").unwrap();
        is_free(&at("mine"), &at("data")).unwrap();
        let named = may_hold_study(&at("mine/study.sqlite")).unwrap_err().to_string();
        assert!(named.contains("named by its folder"), "{named}");
    }
}
