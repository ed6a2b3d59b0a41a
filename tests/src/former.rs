//! Studies as former versions made them: an SQLite database with a write-ahead log and no checksums.

use std::path::Path;

use bomp_search::study::{StudyConfig, Trial, TrialState};
use rusqlite::{Connection, params};

use crate::flips;

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

/// Makes a study of this schema in `folder` as a process leaves it that is killed: the trials are in the write-ahead log alone,
/// each claimed and ended by transactions of its own.
///
/// # Panics
/// If it cannot be made.
pub fn make(folder: &Path, schema: i64, config: &StudyConfig, trials: &[Trial]) {
    let work = tempfile::tempdir().expect("a temporary folder");
    let connection = Connection::open(work.path().join("study.sqlite")).expect("a new file");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a write-ahead log");
    connection.execute_batch(&format!("BEGIN; {TABLES} COMMIT;")).expect("tables");
    let json = serde_json::to_string(config).expect("plain data");
    let study = "INSERT INTO study (schema, tool_version, config) VALUES (?1, '0.1.0', ?2)";
    connection.execute(study, params![schema, json]).expect("a row");
    for trial in trials {
        let genotype = serde_json::to_string(&trial.genotype).expect("plain data");
        let sizes = [trial.usage.bytes as i64, trial.usage.ram as i64, trial.usage.macs as i64];
        let claim = "INSERT INTO trials (number, state, genotype, lead, size_bytes, ram_bytes, macs, worker, lease_until)
                     VALUES (?1, 'running', ?2, ?3, ?4, ?5, ?6, 'somebody', 0)";
        let weights_from = trial.weights_from.map(|weights_from| weights_from as i64);
        connection
            .execute(
                claim,
                params![trial.number as i64, genotype, weights_from, sizes[0], sizes[1], sizes[2]],
            )
            .expect("a row");
        if let TrialState::Finished(measured) = &trial.state {
            let measured = serde_json::to_string(measured).expect("plain data");
            let end = "UPDATE trials SET state = 'finished', measured = ?2 WHERE number = ?1";
            connection.execute(end, params![trial.number as i64, measured]).expect("a row");
        }
    }
    // While it is open: closing it would move everything into the main file.
    flips::copy(work.path(), folder);
    std::fs::remove_file(folder.join("study.sqlite-shm")).expect("the log's index");
}
