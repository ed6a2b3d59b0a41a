//! One process for one study: an advisory lock on a file of the study's folder, gone with the process that held it.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::StoreError;

/// Held while a process changes a study.
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
        let path = folder.join("lock");
        let io = |source| StoreError::Io { path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }
}
