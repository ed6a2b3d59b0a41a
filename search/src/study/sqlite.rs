//! The SQLite store: a study in a folder, for the workers of one machine.
//!
//! Leases are kept by this machine's clock; a worker whose process has ended is known by its lock, at once. A process that
//! was stopped in the middle of a transaction keeps the others waiting, for up to ten minutes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};

use super::lock::WorkerLock;
use super::record::{self, COLUMNS, End, Record, SCHEMA, TOO_OFTEN};
use super::storage::{Lease, Storage, StoreError, Worker};
use super::{StudyConfig, Trial, TrialState};
use crate::proposal::Proposal;

/// The database in a study's folder.
pub(super) const FILE: &str = "study.sqlite";

/// The tables of a study. Their order is where they lie in the file, which [`super::salvage()`] relies on.
const TABLES: &str = "
    CREATE TABLE study (schema INTEGER NOT NULL, tool_version TEXT NOT NULL, config TEXT NOT NULL,
                        created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
    CREATE TABLE trials (
        number INTEGER PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'given up', 'failed')),
        genotype TEXT NOT NULL, lead INTEGER,
        size_bytes INTEGER NOT NULL, ram_bytes INTEGER NOT NULL, macs INTEGER NOT NULL,
        measured TEXT, reason TEXT,
        attempt INTEGER NOT NULL DEFAULT 1, take_overs INTEGER NOT NULL DEFAULT 0,
        worker TEXT, lease_until REAL NOT NULL,
        claimed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, ended TEXT);";

/// How long another process may keep the database to itself.
const PATIENCE: Duration = Duration::from_secs(600);

/// Now, in seconds.
const NOW: &str = "unixepoch('now', 'subsec')";

/// An open study.
#[derive(Debug)]
pub(super) struct Sqlite {
    folder: PathBuf,
    place: String,
    connection: Connection,
    config: StudyConfig,
    worker: Worker,
    /// Shared by the connections of the worker.
    alive: Option<Arc<WorkerLock>>,
}

impl Sqlite {
    /// Makes a new study in `folder`, which is made if it is absent.
    pub(super) fn create(folder: &Path, config: &StudyConfig) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), cause: source })?;
        let place = folder.join(FILE).display().to_string();
        let json = record::config_to_json(config, &place)?;
        let connection = Connection::open(folder.join(FILE)).map_err(|source| database(&place, source))?;
        let mut store = Self::new(folder, connection, config.clone());
        store.prepare()?;
        let made = store.transaction(|transaction| {
            if has_study(transaction)? {
                return Ok(false);
            }
            transaction.execute_batch(TABLES)?;
            transaction.execute(
                "INSERT INTO study (schema, tool_version, config) VALUES (?1, ?2, ?3)",
                params![SCHEMA, env!("CARGO_PKG_VERSION"), json],
            )?;
            Ok(true)
        })?;
        if made { Ok(store) } else { Err(StoreError::Exists { place: folder.display().to_string() }) }
    }

    /// Opens the study in `folder`.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let place = path.display().to_string();
        let absent = || StoreError::Absent { place: folder.display().to_string() };
        if !path.is_file() {
            return Err(absent());
        }
        let read = || {
            let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            connection.busy_timeout(PATIENCE)?;
            // Without it the process that made the file was killed before its first transaction.
            if !has_study(&connection)? {
                return Ok((connection, None));
            }
            let columns = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let row = connection.query_row("SELECT schema, config FROM study", [], columns).optional()?;
            Ok((connection, row))
        };
        let (connection, row): (_, Option<(i64, String)>) =
            read().map_err(|source| database(&place, source))?;
        let (schema, config) = row.ok_or_else(absent)?;
        let config = record::config_from_json(schema, &config, &place)?;
        let store = Self::new(folder, connection, config);
        store.prepare()?;
        Ok(store)
    }

    /// The bytes of a database of a study's tables without rows, made at `path`.
    pub(super) fn empty(path: &Path) -> Result<Vec<u8>, StoreError> {
        let place = path.display().to_string();
        let make = || {
            let connection = Connection::open(path)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.execute_batch(&format!("BEGIN; {TABLES} COMMIT;"))?;
            connection.close().map_err(|(_, error)| error)
        };
        make().map_err(|source| database(&place, source))?;
        std::fs::read(path).map_err(|cause| StoreError::Io { path: path.to_owned(), cause })
    }

    fn new(folder: &Path, connection: Connection, config: StudyConfig) -> Self {
        let place = folder.join(FILE).display().to_string();
        Self { folder: folder.to_owned(), place, connection, config, worker: Worker::default(), alive: None }
    }

    /// Write-ahead log and a sync at every commit: a commit survives a power cut.
    fn prepare(&self) -> Result<(), StoreError> {
        let set = || {
            self.connection.busy_timeout(PATIENCE)?;
            self.connection.pragma_update(None, "journal_mode", "WAL")?;
            self.connection.pragma_update(None, "synchronous", "FULL")
        };
        set().map_err(|source| database(&self.place, source))
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        let run = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|source| database(&self.place, source))
    }
}

impl Storage for Sqlite {
    fn config(&self) -> &StudyConfig {
        &self.config
    }

    fn trials(&mut self) -> Result<Vec<Trial>, StoreError> {
        let query = || {
            let mut statement =
                self.connection.prepare(&format!("SELECT {COLUMNS} FROM trials ORDER BY number"))?;
            statement.query_map([], read)?.collect::<Result<Vec<_>, _>>()
        };
        let records: Vec<Record> = query().map_err(|source| database(&self.place, source))?;
        record::trials(records, &self.place)
    }

    fn enlist(&mut self, worker: &Worker) -> Result<(), StoreError> {
        self.alive = Some(Arc::new(WorkerLock::take(&self.folder, &worker.id)?));
        self.worker = worker.clone();
        Ok(())
    }

    fn claim_open(&mut self) -> Result<Option<Lease>, StoreError> {
        let (worker, folder) = (self.worker.clone(), self.folder.clone());
        self.transaction(|transaction| {
            let mut statement = transaction.prepare(&format!(
                "SELECT number, attempt, take_overs, worker, lease_until < {NOW} FROM trials
                 WHERE state = 'running' ORDER BY number"
            ))?;
            let running = statement.query_map([], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, Option<String>>(3)?,
                    row.get::<_, bool>(4)?,
                ))
            })?;
            for trial in running {
                let (number, attempt, take_overs, holder, expired) = trial?;
                // Released trials, and its own, are not taken from anybody.
                let other = holder.filter(|holder| *holder != worker.id);
                if other.as_ref().is_some_and(|other| !expired && !WorkerLock::is_dead(&folder, other)) {
                    continue;
                }
                let take_overs = take_overs + i64::from(other.is_some());
                if let Some(last) = other.filter(|_| take_overs > i64::from(worker.take_overs)) {
                    transaction.execute(
                        "UPDATE trials SET state = 'failed', reason = ?2, take_overs = ?3, attempt = attempt + 1,
                                           ended = CURRENT_TIMESTAMP WHERE number = ?1",
                        params![number, format!("{take_overs}{TOO_OFTEN}{last}"), take_overs],
                    )?;
                    continue;
                }
                transaction.execute(
                    &format!(
                        "UPDATE trials SET attempt = ?2, take_overs = ?3, worker = ?4, lease_until = {NOW} + ?5
                         WHERE number = ?1"
                    ),
                    params![number, attempt + 1, take_overs, worker.id, worker.grace.as_secs_f64()],
                )?;
                return Ok(Some(Lease { number: number as u64, attempt: attempt as u64 + 1 }));
            }
            Ok(None)
        })
    }

    fn claim_new(&mut self, number: u64, proposal: &Proposal) -> Result<Option<Lease>, StoreError> {
        let row = Record::of(number, proposal, &self.place)?;
        let worker = self.worker.clone();
        self.transaction(|transaction| {
            let added = transaction.execute(
                &format!(
                    "INSERT INTO trials (number, state, genotype, lead, size_bytes, ram_bytes, macs, worker, lease_until)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, {NOW} + ?9) ON CONFLICT DO NOTHING"
                ),
                params![
                    row.number,
                    row.state,
                    row.genotype,
                    row.lead,
                    row.size_bytes,
                    row.ram_bytes,
                    row.macs,
                    worker.id,
                    worker.grace.as_secs_f64()
                ],
            )?;
            if added == 1 {
                return Ok(Some(Lease { number, attempt: 1 }));
            }
            let own = "SELECT attempt FROM trials WHERE number = ?1 AND worker = ?2 AND state = 'running'";
            let attempt = |row: &Row<'_>| row.get::<_, i64>(0);
            let attempt = transaction.query_row(own, params![row.number, worker.id], attempt).optional()?;
            Ok(attempt.map(|attempt| Lease { number, attempt: attempt as u64 }))
        })
    }

    fn renew(&mut self, lease: Lease) -> Result<bool, StoreError> {
        let grace = self.worker.grace.as_secs_f64();
        let changed = self.transaction(|transaction| {
            transaction.execute(
                &format!(
                    "UPDATE trials SET lease_until = {NOW} + ?3
                     WHERE number = ?1 AND attempt = ?2 AND state = 'running'"
                ),
                params![lease.number as i64, lease.attempt as i64, grace],
            )
        })?;
        Ok(changed == 1)
    }

    fn release(&mut self, lease: Lease) -> Result<(), StoreError> {
        self.transaction(|transaction| {
            transaction.execute(
                "UPDATE trials SET worker = NULL, lease_until = 0
                 WHERE number = ?1 AND attempt = ?2 AND state = 'running'",
                params![lease.number as i64, lease.attempt as i64],
            )
        })?;
        Ok(())
    }

    fn end(&mut self, lease: Lease, state: &TrialState) -> Result<(), StoreError> {
        let End { state, measured, reason } = End::of(lease.number, state, &self.place)?;
        let recorded = self.transaction(|transaction| {
            let (number, attempt) = (lease.number as i64, lease.attempt as i64);
            let changed = transaction.execute(
                "UPDATE trials SET state = ?3, measured = ?4, reason = ?5, ended = CURRENT_TIMESTAMP
                 WHERE number = ?1 AND attempt = ?2 AND state = 'running'",
                params![number, attempt, state, measured, reason],
            )?;
            if changed == 1 {
                return Ok(true);
            }
            let same = "SELECT 1 FROM trials WHERE number = ?1 AND attempt = ?2 AND state = ?3
                        AND measured IS ?4 AND reason IS ?5";
            transaction.prepare(same)?.exists(params![number, attempt, state, measured, reason])
        })?;
        if recorded {
            Ok(())
        } else {
            Err(StoreError::Superseded { place: self.place.clone(), number: lease.number })
        }
    }

    fn another(&self) -> Result<Box<dyn Storage>, StoreError> {
        let mut other = Self::open(&self.folder)?;
        other.worker = self.worker.clone();
        other.alive = self.alive.clone();
        Ok(Box::new(other))
    }
}

/// Whether the database holds a study's tables: all of them are made at once.
fn has_study(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.prepare("SELECT 1 FROM sqlite_master WHERE name = 'study'")?.exists([])
}

/// A row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<Record, rusqlite::Error> {
    Ok(Record {
        number: row.get(0)?,
        state: row.get(1)?,
        genotype: row.get(2)?,
        lead: row.get(3)?,
        size_bytes: row.get(4)?,
        ram_bytes: row.get(5)?,
        macs: row.get(6)?,
        measured: row.get(7)?,
        reason: row.get(8)?,
        worker: row.get(9)?,
    })
}

/// What SQLite says, and the remedy if the file is damaged.
pub(super) fn database(place: &str, source: rusqlite::Error) -> StoreError {
    let place = place.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { place, cause: source.into() }
        }
        _ => StoreError::Database { place, cause: source.into() },
    }
}
