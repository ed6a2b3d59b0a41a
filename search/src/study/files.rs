//! The files of a study in a folder, and how they come to be.
//!
//! Guarantees: a study is there with all its trials, or not at all: the database gets its name in one step, after the log has
//! been written. Nothing of an earlier study is overwritten.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bomp_export::files::{self, WriteError};

use super::rows::{self, Ends};
use super::storage::StoreError;
use super::{StudyConfig, Trial, log, view};

/// The database in a study's folder.
pub(super) const FILE: &str = "study.sqlite";
/// What SQLite needs to undo a commit that was cut off.
pub(super) const JOURNAL: &str = "study.sqlite-journal";
/// What studies of the schema before kept their latest commits in.
pub(super) const WAL: &str = "study.sqlite-wal";

/// How long another process may take to make the study.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Makes a study of these trials in `folder`, which is made if it is absent.
pub(super) fn create(folder: &Path, config: &StudyConfig, trials: &[Trial]) -> Result<(), StoreError> {
    std::fs::create_dir_all(folder).map_err(|cause| StoreError::Io { path: folder.to_owned(), cause })?;
    let _lock = lock(folder)?;
    if folder.join(FILE).exists() {
        // One that is damaged is told as such: nobody can go on with it.
        view::read(folder)?;
        return Err(StoreError::Exists { location: folder.display().to_string() });
    }
    if let Some(error) = orphan(folder) {
        return Err(error);
    }
    write(folder, config, trials)
}

/// Writes database and log; the caller holds the lock of the folder.
pub(super) fn write(folder: &Path, config: &StudyConfig, trials: &[Trial]) -> Result<(), StoreError> {
    let location = folder.join(FILE).display().to_string();
    let (bytes, count, last) = log::whole(config, trials, &location)?;
    let database = rows::image(config, trials, &Ends { count, last }, &location)?;
    let io = |WriteError { path, source }| StoreError::Io { path, cause: source };
    files::write(&folder.join(log::NEW), &bytes).map_err(io)?;
    files::write(&folder.join(FILE), &database).map_err(io)?;
    finish_rename(folder)
}

/// Gives the log its name, if the process that made the study did not get there.
pub(super) fn finish_rename(folder: &Path) -> Result<(), StoreError> {
    let [new, log] = [log::NEW, log::FILE].map(|name| folder.join(name));
    if log.exists() || !new.exists() {
        return Ok(());
    }
    match std::fs::rename(&new, &log).and_then(|()| File::open(folder)?.sync_all()) {
        // Another process has done it in between.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && log.exists() => Ok(()),
        result => result.map_err(|cause| StoreError::Io { path: log, cause }),
    }
}

/// What a folder without a database says that had one: the file that is left of it.
pub(super) fn orphan(folder: &Path) -> Option<StoreError> {
    let left = [log::FILE, WAL, JOURNAL];
    let holds = |name: &&str| folder.join(name).metadata().is_ok_and(|file| file.len() > 0);
    let left = left.into_iter().find(holds)?;
    let location = folder.join(FILE).display().to_string();
    Some(rows::damaged(&location, &format!("it is missing, but {left} of the study is there")))
}

/// Keeps other processes from making a study in `folder`, or bringing it up to date, until it is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, StoreError> {
    let io = |cause| StoreError::Io { path: folder.to_owned(), cause };
    let file = File::open(folder).map_err(io)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < RETRY_TIMEOUT => std::thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { location: folder.display().to_string() });
            }
            Err(TryLockError::Error(cause)) => return Err(no_locks(folder, &cause)),
        }
    }
}

/// Finds out whether files of `folder` can be locked at all: SQLite takes a file system that cannot for another process.
pub(super) fn can_lock(folder: &Path) -> Result<(), StoreError> {
    let file = File::open(folder).map_err(|cause| StoreError::Io { path: folder.to_owned(), cause })?;
    match file.try_lock() {
        Err(TryLockError::Error(cause)) => Err(no_locks(folder, &cause)),
        Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
    }
}

/// What is said where locks do not work.
pub(super) fn no_locks(path: &Path, cause: &std::io::Error) -> StoreError {
    let cause = std::io::Error::new(cause.kind(), format!("{cause}: {}", rows::NO_LOCKS));
    StoreError::Io { path: PathBuf::from(path), cause }
}
