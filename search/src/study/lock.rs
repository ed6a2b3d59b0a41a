//! Advisory locks on files of a study's folder, gone with the process that held them, however it ended: one for the command
//! that leads the study, and one for each worker, by which others know at once that it lives.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::{StoreError, files};

/// Held while a command leads a study.
#[derive(Debug)]
pub struct StudyLock {
    _file: File,
}

impl StudyLock {
    /// Takes the lock of the study in `folder`.
    ///
    /// # Errors
    /// Another process holds it, or the folder cannot be written.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let file = take(&folder.join("lock"))?;
        let file = file.ok_or_else(|| StoreError::InUse { location: folder.display().to_string() })?;
        Ok(Self { _file: file })
    }
}

/// Held as long as a worker lives.
#[derive(Debug)]
pub(super) struct WorkerLock {
    path: PathBuf,
    _file: File,
}

impl WorkerLock {
    /// The lock of the worker `id` of the study in `folder`: of this process.
    pub(super) fn take(folder: &Path, id: &str) -> Result<Self, StoreError> {
        let path = worker_file(folder, id);
        let io = |source| StoreError::Io { path: path.clone(), cause: source };
        std::fs::create_dir_all(folder.join("workers")).map_err(io)?;
        let busy = || io(std::io::Error::other("another process has this worker's name"));
        let file = take(&path)?.ok_or_else(busy)?;
        Ok(Self { path, _file: file })
    }

    /// Whether the process of the worker `id` has ended. Its file goes with it or is removed here; a name is never used twice.
    pub(super) fn is_dead(folder: &Path, id: &str) -> bool {
        let path = worker_file(folder, id);
        let file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            // What cannot be told is left to the grace time.
            Err(error) => return error.kind() == std::io::ErrorKind::NotFound,
        };
        let dead = file.try_lock().is_ok();
        if dead {
            // It only leaves litter if this fails.
            let _ = std::fs::remove_file(&path);
        }
        dead
    }
}

impl Drop for WorkerLock {
    fn drop(&mut self) {
        // It only leaves litter if this fails.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn worker_file(folder: &Path, id: &str) -> PathBuf {
    folder.join("workers").join(id)
}

/// The locked file, or `None` if another process holds it.
fn take(path: &Path) -> Result<Option<File>, StoreError> {
    let io = |source| StoreError::Io { path: path.to_owned(), cause: source };
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(files::no_locks(path, &source)),
    }
}
