//! Files that are either whole or not there: written to a temporary file in the same folder, synced, renamed. Files from
//! elsewhere are opened by [`read_untrusted`] and its siblings only.

mod untrusted;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use untrusted::{limit, open_untrusted, read_untrusted, read_untrusted_text};

/// A file could not be written.
#[derive(Debug, Error)]
#[error("{path}: cannot be written: {source}; {}", remedy(.source))]
pub struct WriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

/// What helps where a file or folder cannot be written.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => "the disk is full: free some space, then call it again",
        Kind::NotFound => "no folder can be made there: name another place",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "name a place that you may write to",
        Kind::IsADirectory => "it is a folder: name a file",
        Kind::NotADirectory | Kind::AlreadyExists => "a file is where a folder is needed: name another place",
        _ => "is the folder writable and the disk not full?",
    }
}

/// Writes `bytes` to `path`, making its folder if it is absent.
///
/// # Errors
/// Names the file. What was there before is untouched then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    let write = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        // A temporary file is private; this one gets the rights of any new file, less those that the umask takes.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The rename itself is durable only once the folder is.
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Writes `value` as indented JSON with a final newline.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), WriteError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| WriteError { path: path.to_owned(), source: error.into() })?;
    text.push(b'\n');
    write(path, &text)
}

/// SHA-256 in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
