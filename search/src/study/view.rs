//! Reads a study in a folder without writing to it: on a read-only medium, as another user, and while a search works on it.
//!
//! Guarantees: no file of the study is changed, made or removed, whatever state it is in. What a process left unfinished is
//! finished in a copy. What is damaged is an error that names the file.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use bomp_export::files;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tempfile::TempDir;

use super::files::{FILE, JOURNAL, WAL, can_lock, orphan};
use super::log::Log;
use super::rows::{self, database};
use super::storage::StoreError;
use super::{StudyConfig, Trial, agreement, record, wal};

/// How long another process may keep the database to itself.
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a copy is made again because a process changed the files in between.
const COPIES: u32 = 20;

/// A study as it is on disk.
#[derive(Debug)]
pub(super) struct View {
    /// The layout of its tables.
    pub(super) schema: i64,
    pub(super) config: StudyConfig,
    pub(super) trials: Vec<Trial>,
}

/// Reads the study in `folder`.
pub(super) fn read(folder: &Path) -> Result<View, StoreError> {
    let path = folder.join(FILE);
    let location = path.display().to_string();
    let header = match header(&path) {
        Ok(header) => header,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let absent = || StoreError::Absent { location: folder.display().to_string() };
            return Err(orphan(folder).unwrap_or_else(absent));
        }
        Err(cause) => return Err(StoreError::Io { path, cause }),
    };
    if header.len() < HEADER {
        return Err(rows::damaged(&location, &format!("it was cut off after {} bytes", header.len())));
    }
    let log = fs::metadata(folder.join(WAL)).is_ok_and(|file| file.len() > 0);
    if log || header[WRITE_VERSION] == 2 || header[READ_VERSION] == 2 {
        return copied(folder, &location, WAL);
    }
    // SQLite takes a file system without locks for another process.
    if can_lock(folder).is_err() {
        return copied(folder, &location, JOURNAL);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(&path, flags).map_err(|source| database(&location, source))?;
    match of(connection, folder, &location) {
        // A commit was cut off: SQLite would undo it in the file itself.
        Err(Failure::Unfinished) => copied(folder, &location, JOURNAL),
        Err(Failure::Other(error)) => Err(error),
        Ok(view) => Ok(view),
    }
}

/// Bytes of the header of a database, and where it says that it has a write-ahead log.
const HEADER: usize = 100;
const WRITE_VERSION: usize = 18;
const READ_VERSION: usize = 19;

fn header(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::with_capacity(HEADER);
    files::open_untrusted(path)?.0.take(HEADER as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Why a study could not be read where it is.
enum Failure {
    /// It has a commit that was cut off.
    Unfinished,
    Other(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

fn of(mut connection: Connection, folder: &Path, location: &str) -> Result<View, Failure> {
    let sql = |source| database(location, source);
    connection.busy_timeout(RETRY_TIMEOUT).map_err(sql)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(sql)?;
    // The first look takes the shared lock: from here on nobody changes the database.
    match transaction.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
            return Err(Failure::Unfinished);
        }
        result => result.map_err(sql)?,
    };
    let (schema, config) = rows::study(&transaction, location)?;
    if schema == rows::FORMER {
        let trials = record::trials(rows::former_records(&transaction, location)?, location)?;
        return Ok(View { schema, config, trials });
    }
    let (records, ends) = (rows::records(&transaction, location)?, rows::ends(&transaction, location)?);
    let mut log = Log::at(folder);
    log.update()?;
    let trials = agreement::trials(records, &ends, &log, location)?;
    if log.config() != Some(&config) {
        return Err(log.damaged("its configuration is not that of the database").into());
    }
    Ok(View { schema, config, trials })
}

/// Reads a copy of the database and of the file beside it that holds what was left unfinished.
fn copied(folder: &Path, location: &str, beside: &str) -> Result<View, StoreError> {
    let mut tries = 1;
    loop {
        let before = state(folder, beside);
        let copy = copy(folder, beside)?;
        let mut problem = None;
        if beside == WAL {
            let bytes = fs::read(copy.path().join(WAL)).unwrap_or_default();
            problem = wal::problem(&bytes)
                .map(|what| rows::damaged(&folder.join(WAL).display().to_string(), &what));
        }
        let result = match problem {
            Some(problem) => Err(problem),
            None => {
                let connection =
                    alone(&copy.path().join(FILE)).map_err(|source| database(location, source))?;
                of(connection, folder, location).map_err(|failure| match failure {
                    Failure::Other(error) => error,
                    Failure::Unfinished => rows::damaged(location, "its last commit cannot be undone"),
                })
            }
        };
        // A process that works on the study may have changed it while it was copied.
        if result.is_ok() || tries == COPIES || state(folder, beside) == before {
            return result;
        }
        tries += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Opens a database that no other process knows, without locks: there may be none.
fn alone(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), c"unix-none")?;
    // A write-ahead log has its index in this process alone.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(connection)
}

/// Tells whether somebody writes.
fn state(folder: &Path, beside: &str) -> [Option<(u64, SystemTime)>; 2] {
    [FILE, beside].map(|name| {
        let file = fs::metadata(folder.join(name)).ok()?;
        Some((file.len(), file.modified().ok()?))
    })
}

/// A temporary folder with the database and the file beside it.
pub(super) fn copy(folder: &Path, beside: &str) -> Result<TempDir, StoreError> {
    let io = |path: &Path, cause| StoreError::Io { path: path.to_owned(), cause };
    let copy = tempfile::tempdir().map_err(|cause| io(&std::env::temp_dir(), cause))?;
    for name in [FILE, beside] {
        let from = folder.join(name);
        if name == FILE || from.is_file() {
            // Not `fs::copy`, which would take over that the file must not be written.
            let bytes =
                files::read_untrusted(&from, files::limit::LARGE).map_err(|cause| io(&from, cause))?;
            let to = copy.path().join(name);
            fs::write(&to, bytes).map_err(|cause| io(&to, cause))?;
        }
    }
    Ok(copy)
}
