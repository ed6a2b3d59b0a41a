//! The tables of a study in an SQLite database.
//!
//! Guarantees: each row has a checksum over everything that does not change while its trial is in work, so that a bit that
//! flips within a figure is an error. The table `ends` says how many trials have ended and names the last line of the log.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

use super::checksum;
use super::record::{self, COLUMNS, End, StoredTrial};
use super::storage::StoreError;
use super::{StudyConfig, Trial};

/// Layout of the tables.
pub(super) const SCHEMA: i64 = 4;
/// The layout before, of a database without checksums and with a write-ahead log: read, and brought up to date by whoever writes.
pub(super) const FORMER: i64 = 3;

const TABLES: &str = "
    CREATE TABLE study (schema INTEGER NOT NULL, tool_version TEXT NOT NULL, config TEXT NOT NULL,
                        created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, checksum TEXT NOT NULL);
    CREATE TABLE trials (
        number INTEGER PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'given up', 'failed')),
        genotype TEXT NOT NULL, lead INTEGER,
        size_bytes INTEGER NOT NULL, ram_bytes INTEGER NOT NULL, macs INTEGER NOT NULL,
        measured TEXT, reason TEXT,
        attempt INTEGER NOT NULL DEFAULT 1, take_overs INTEGER NOT NULL DEFAULT 0,
        worker TEXT, lease_until REAL NOT NULL,
        claimed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, ended TEXT, checksum TEXT NOT NULL);
    CREATE TABLE ends (count INTEGER NOT NULL, last TEXT NOT NULL, checksum TEXT NOT NULL);";

/// How many trials have ended, and the checksum of the line of the log that says so of the last one.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) count: u64,
    pub(super) last: String,
}

impl Ends {
    fn checksum(&self) -> String {
        checksum::of(format!("{} {}", self.count, self.last).as_bytes())
    }
}

/// The bytes of a database with these trials. Nobody holds those that have not ended.
pub(super) fn image(
    config: &StudyConfig,
    trials: &[Trial],
    ends: &Ends,
    location: &str,
) -> Result<Vec<u8>, StoreError> {
    let sql = |source| database(location, source);
    let json = record::to_json(config, location, "study.config")?;
    let mut connection = Connection::open_in_memory().map_err(sql)?;
    let transaction = connection.transaction().map_err(sql)?;
    transaction.execute_batch(TABLES).map_err(sql)?;
    let version = env!("CARGO_PKG_VERSION");
    let study = "INSERT INTO study (schema, tool_version, config, checksum) VALUES (?1, ?2, ?3, ?4)";
    let checksum = study_checksum(SCHEMA, version, &json);
    transaction.execute(study, params![SCHEMA, version, json, checksum]).map_err(sql)?;
    let first = "INSERT INTO ends (count, last, checksum) VALUES (?1, ?2, ?3)";
    let of_ends = params![ends.count as i64, ends.last, ends.checksum()];
    transaction.execute(first, of_ends).map_err(sql)?;
    for trial in trials {
        insert(&transaction, &StoredTrial::of_trial(trial, location)?, None, 0.0).map_err(sql)?;
    }
    transaction.commit().map_err(sql)?;
    Ok(connection.serialize("main").map_err(sql)?.to_vec())
}

/// Adds a trial held by `worker`; `false` if there is one of its number.
pub(super) fn insert(
    connection: &Connection,
    row: &StoredTrial,
    worker: Option<&str>,
    lease_until: f64,
) -> Result<bool, rusqlite::Error> {
    let added = connection.execute(
        "INSERT INTO trials (number, state, genotype, lead, size_bytes, ram_bytes, macs, measured, reason, worker,
                             lease_until, ended, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
                 CASE WHEN ?2 <> 'running' THEN CURRENT_TIMESTAMP END, ?12) ON CONFLICT DO NOTHING",
        params![
            row.number,
            row.state,
            row.genotype,
            row.weights_from,
            row.size_bytes,
            row.ram_bytes,
            row.macs,
            row.measured,
            row.reason,
            worker,
            lease_until,
            row.checksum()
        ],
    )?;
    Ok(added == 1)
}

/// Records the end of a running trial, and how many have ended now; `false` if the trial is none that runs.
pub(super) fn end(connection: &Connection, row: &StoredTrial, ends: &Ends) -> Result<bool, rusqlite::Error> {
    let changed = connection.execute(
        "UPDATE trials SET state = ?2, measured = ?3, reason = ?4, ended = CURRENT_TIMESTAMP, checksum = ?5
         WHERE number = ?1 AND state = 'running'",
        params![row.number, row.state, row.measured, row.reason, row.checksum()],
    )?;
    let all = "UPDATE ends SET count = ?1, last = ?2, checksum = ?3";
    connection.execute(all, params![ends.count as i64, ends.last, ends.checksum()])?;
    Ok(changed == 1)
}

pub(super) fn study(connection: &Connection, location: &str) -> Result<(i64, StudyConfig), StoreError> {
    let sql = |source| database(location, source);
    let there = "SELECT 1 FROM sqlite_master WHERE name = 'study'";
    if !connection.prepare(there).and_then(|mut statement| statement.exists([])).map_err(sql)? {
        let cause = "it holds no study: it was cut off, or copied without the files beside it";
        return Err(damaged(location, cause));
    }
    let columns =
        |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
    let query = "SELECT schema, tool_version, config FROM study";
    let row = connection.query_row(query, [], columns).optional().map_err(sql)?;
    let (schema, version, json) = row.ok_or_else(|| damaged(location, "its configuration is gone"))?;
    // A damaged number of the schema is told from another version by the column that the versions before did not have.
    let has_checksum = "SELECT 1 FROM pragma_table_info('study') WHERE name = 'checksum'";
    let has_checksum =
        connection.prepare(has_checksum).and_then(|mut statement| statement.exists([])).map_err(sql)?;
    if has_checksum || schema == SCHEMA {
        let stored = connection.query_row("SELECT checksum FROM study", [], |row| row.get::<_, String>(0));
        if stored.map_err(sql)? != study_checksum(schema, &version, &json) {
            return Err(damaged(location, "study: its checksum is wrong: it was changed"));
        }
    }
    if schema != SCHEMA && schema != FORMER {
        return Err(StoreError::Schema { location: location.to_owned(), found: schema, expected: SCHEMA });
    }
    Ok((schema, record::from_json(&json, location, "study.config")?))
}

fn study_checksum(schema: i64, version: &str, json: &str) -> String {
    checksum::of(format!("{schema} {version} {json}").as_bytes())
}

/// How many trials have ended.
pub(super) fn ends(connection: &Connection, location: &str) -> Result<Ends, StoreError> {
    let columns = |row: &Row<'_>| {
        Ok((Ends { count: row.get::<_, i64>(0)? as u64, last: row.get(1)? }, row.get::<_, String>(2)?))
    };
    let row = connection.query_row("SELECT count, last, checksum FROM ends", [], columns).optional();
    match row.map_err(|source| database(location, source))? {
        Some((ends, checksum)) if ends.checksum() == checksum => Ok(ends),
        Some(_) => Err(damaged(location, "ends: its checksum is wrong: it was changed")),
        None => Err(damaged(location, "ends: its row is gone")),
    }
}

/// All trials in the order of their numbers, each as its checksum says.
pub(super) fn records(connection: &Connection, location: &str) -> Result<Vec<StoredTrial>, StoreError> {
    let query = || {
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS}, checksum FROM trials ORDER BY number"))?;
        statement.query_map([], |row| Ok((read(row)?, row.get(10)?)))?.collect::<Result<Vec<_>, _>>()
    };
    let records = query().map_err(|source| database(location, source))?;
    records.into_iter().map(|(record, checksum)| checked(record, checksum, location)).collect()
}

/// The same of a database of the schema before, which has no checksums.
pub(super) fn former_records(
    connection: &Connection,
    location: &str,
) -> Result<Vec<StoredTrial>, StoreError> {
    let query = || {
        let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM trials ORDER BY number"))?;
        statement.query_map([], read)?.collect::<Result<Vec<_>, _>>()
    };
    query().map_err(|source| database(location, source))
}

/// One trial and its attempt.
pub(super) fn one(
    connection: &Connection,
    number: u64,
    location: &str,
) -> Result<Option<(StoredTrial, u64)>, StoreError> {
    let query = format!("SELECT {COLUMNS}, checksum, attempt FROM trials WHERE number = ?1");
    let columns = |row: &Row<'_>| Ok((read(row)?, row.get(10)?, row.get::<_, i64>(11)? as u64));
    let row = connection.query_row(&query, params![number as i64], columns).optional();
    let Some((record, checksum, attempt)) = row.map_err(|source| database(location, source))? else {
        return Ok(None);
    };
    Ok(Some((checked(record, checksum, location)?, attempt)))
}

/// The end of a trial as a row.
pub(super) fn ended(record: StoredTrial, end: End) -> StoredTrial {
    let End { state, measured, reason } = end;
    StoredTrial { state: state.into(), measured, reason, ..record }
}

fn checked(record: StoredTrial, checksum: String, location: &str) -> Result<StoredTrial, StoreError> {
    if record.checksum() == checksum {
        Ok(record)
    } else {
        Err(damaged(location, &format!("trial {}: its checksum is wrong: it was changed", record.number)))
    }
}

/// A row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> Result<StoredTrial, rusqlite::Error> {
    Ok(StoredTrial {
        number: row.get(0)?,
        state: row.get(1)?,
        genotype: row.get(2)?,
        weights_from: row.get(3)?,
        size_bytes: row.get(4)?,
        ram_bytes: row.get(5)?,
        macs: row.get(6)?,
        measured: row.get(7)?,
        reason: row.get(8)?,
        worker: row.get(9)?,
    })
}

/// The database is damaged.
pub(super) fn damaged(location: &str, what: &str) -> StoreError {
    StoreError::Damaged { location: location.to_owned(), cause: what.into() }
}

/// What SQLite says, and the remedy.
pub(super) fn database(location: &str, source: rusqlite::Error) -> StoreError {
    let location = location.to_owned();
    let remedy = match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process holds it, and may be stopped: end it or let it go on"
        }
        Some(ErrorCode::DiskFull) => "free some space; nothing that is finished is lost",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            "this user needs the right to write to the study's folder and its files, or a copy of them"
        }
        Some(ErrorCode::FileLockingProtocolFailed | ErrorCode::NoLargeFileSupport) => NO_LOCKS,
        Some(ErrorCode::SystemIoFailure) if source.to_string().contains("lock") => NO_LOCKS,
        Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted) => {
            "the disk or the memory failed, not the study; try again, on another disk if it stays"
        }
        // Everything else is what a damaged file makes SQLite say: no such table, malformed, not a database, a wrong type.
        _ => {
            // It may repeat the text of a table, which has several lines.
            let text = source.to_string();
            let cause = text.lines().next().unwrap_or_default().to_owned();
            return StoreError::Damaged { location, cause: cause.into() };
        }
    };
    StoreError::Database { location, cause: format!("{source}: {remedy}").into() }
}

/// Said of a file system on which processes cannot keep each other out.
pub(super) const NO_LOCKS: &str = "this file system has no working locks: keep the study on a local disk, or in PostgreSQL (docs/workers.md)";

/// The tables of the schema before. Their order is where they lie in the file, which [`super::salvage()`] relies on.
const FORMER_TABLES: &str = "
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

/// The bytes of a database of the schema before, without rows.
pub(super) fn former_image() -> Result<Vec<u8>, rusqlite::Error> {
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch(&format!("BEGIN; {FORMER_TABLES} COMMIT;"))?;
    Ok(connection.serialize("main")?.to_vec())
}
