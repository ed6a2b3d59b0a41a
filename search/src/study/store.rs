//! The SQLite store. Every change is one transaction, synced before the call returns.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::Serialize;
use thiserror::Error;

use super::{GivenUp, Measured, StudyConfig, Trial, TrialState};
use crate::proposal::Proposal;
use crate::space::Usage;

/// Layout of the tables; a study of another one is refused.
const SCHEMA: i64 = 2;
const FILE: &str = "study.sqlite";

/// What can go wrong with a study on disk.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is a study already.
    #[error(
        "{folder}: there is a study already; continue it with `bomp-search resume` or name another folder"
    )]
    Exists {
        /// The study's folder.
        folder: PathBuf,
    },
    /// There is no study.
    #[error("{folder}: no study here; `bomp-search run --study {folder}` starts one")]
    Absent {
        /// The study's folder.
        folder: PathBuf,
    },
    /// Another process works on it.
    #[error("{folder}: another process is working on this study")]
    InUse {
        /// The study's folder.
        folder: PathBuf,
    },
    /// Made by another version.
    #[error("{path}: schema {found} is not supported, this version reads {SCHEMA}")]
    Schema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// The database cannot be read or written.
    #[error("{path}: {source}")]
    Database {
        /// The database.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A value in the database is not what it should be.
    #[error("{path}: {field}: {source}")]
    Content {
        /// The database.
        path: PathBuf,
        /// Table and field.
        field: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A trial was finished that does not run.
    #[error("{path}: trial {number} is not running")]
    NotRunning {
        /// The database.
        path: PathBuf,
        /// The trial.
        number: u64,
    },
}

/// An open study.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
    config: StudyConfig,
}

impl Store {
    /// Makes a new study in `folder`, which is made if it is absent.
    ///
    /// # Errors
    /// There is one already, or the folder cannot be written.
    pub fn create(folder: &Path, config: &StudyConfig) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Io { path: folder.to_owned(), source })?;
        let path = folder.join(FILE);
        if path.exists() {
            return Err(StoreError::Exists { folder: folder.to_owned() });
        }
        let connection = Connection::open(&path);
        let connection = connection.map_err(|source| StoreError::Database { path: path.clone(), source })?;
        let mut store = Self { path, connection, config: config.clone() };
        store.prepare()?;
        let json = store.to_json("study.config", config)?;
        store.transaction(|transaction| {
            transaction.execute_batch(
                "CREATE TABLE study (schema INTEGER NOT NULL, tool_version TEXT NOT NULL, config TEXT NOT NULL,
                                     created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
                 CREATE TABLE trials (
                     number INTEGER PRIMARY KEY,
                     state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'given up', 'failed')),
                     genotype TEXT NOT NULL, lead INTEGER,
                     size_bytes INTEGER NOT NULL, ram_bytes INTEGER NOT NULL, macs INTEGER NOT NULL,
                     measured TEXT, reason TEXT,
                     claimed TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, ended TEXT);",
            )?;
            transaction.execute(
                "INSERT INTO study (schema, tool_version, config) VALUES (?1, ?2, ?3)",
                params![SCHEMA, env!("CARGO_PKG_VERSION"), json],
            )
        })?;
        Ok(store)
    }

    /// Opens the study in `folder`.
    ///
    /// # Errors
    /// There is none, it is damaged, or it was made by another version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(StoreError::Absent { folder: folder.to_owned() });
        }
        let database = |source| StoreError::Database { path: path.clone(), source };
        let connection =
            Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(database)?;
        let row: Option<(i64, String)> = connection
            .query_row("SELECT schema, config FROM study", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(database)?;
        // The process that made the file was killed before its first transaction.
        let (schema, config) = row.ok_or(StoreError::Absent { folder: folder.to_owned() })?;
        if schema != SCHEMA {
            return Err(StoreError::Schema { path, found: schema });
        }
        let content =
            |source| StoreError::Content { path: path.clone(), field: "study.config".into(), source };
        let config = serde_json::from_str(&config).map_err(content)?;
        let store = Self { path, connection, config };
        store.prepare()?;
        Ok(store)
    }

    /// Write-ahead log and a sync at every commit: a commit survives a power cut.
    fn prepare(&self) -> Result<(), StoreError> {
        let set = || {
            self.connection.busy_timeout(std::time::Duration::from_secs(10))?;
            self.connection.pragma_update(None, "journal_mode", "WAL")?;
            self.connection.pragma_update(None, "synchronous", "FULL")
        };
        set().map_err(|source| self.database(source))
    }

    /// The configuration that the study was made with.
    #[must_use]
    pub fn config(&self) -> &StudyConfig {
        &self.config
    }

    /// Records a new running trial under the next number.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn claim(&mut self, proposal: &Proposal) -> Result<u64, StoreError> {
        let Proposal { genotype, usage, lead } = proposal;
        let genotype = self.to_json("trials.genotype", genotype)?;
        self.transaction(|transaction| {
            let number: i64 =
                transaction
                    .query_row("SELECT COALESCE(MAX(number) + 1, 0) FROM trials", [], |row| row.get(0))?;
            transaction.execute(
                "INSERT INTO trials (number, state, genotype, lead, size_bytes, ram_bytes, macs)
                 VALUES (?1, 'running', ?2, ?3, ?4, ?5, ?6)",
                params![
                    number,
                    genotype,
                    lead.map(|lead| lead as i64),
                    usage.bytes as i64,
                    usage.ram as i64,
                    usage.macs as i64
                ],
            )?;
            Ok(number as u64)
        })
    }

    /// Records what was measured on a running trial.
    ///
    /// # Errors
    /// The trial is not running, or the database cannot be written.
    pub fn finish(&mut self, number: u64, measured: &Measured) -> Result<(), StoreError> {
        let measured = self.to_json("trials.measured", measured)?;
        self.end(number, "finished", Some(&measured), None)
    }

    /// Records that a running trial was given up halfway.
    ///
    /// # Errors
    /// The trial is not running, or the database cannot be written.
    pub fn give_up(&mut self, number: u64, given_up: &GivenUp) -> Result<(), StoreError> {
        let given_up = self.to_json("trials.measured", given_up)?;
        self.end(number, "given up", Some(&given_up), None)
    }

    /// Records that a running trial failed, and why.
    ///
    /// # Errors
    /// The trial is not running, or the database cannot be written.
    pub fn fail(&mut self, number: u64, reason: &str) -> Result<(), StoreError> {
        self.end(number, "failed", None, Some(reason))
    }

    fn end(
        &mut self,
        number: u64,
        state: &str,
        measured: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let changed = self.transaction(|transaction| {
            transaction.execute(
                "UPDATE trials SET state = ?2, measured = ?3, reason = ?4, ended = CURRENT_TIMESTAMP
                 WHERE number = ?1 AND state = 'running'",
                params![number as i64, state, measured, reason],
            )
        })?;
        if changed == 1 { Ok(()) } else { Err(StoreError::NotRunning { path: self.path.clone(), number }) }
    }

    /// All trials in the order of their numbers.
    ///
    /// # Errors
    /// The database cannot be read or holds something else.
    pub fn trials(&self) -> Result<Vec<Trial>, StoreError> {
        let query = || {
            let mut statement = self.connection.prepare(
                "SELECT number, state, genotype, size_bytes, ram_bytes, macs, measured, reason, lead
                 FROM trials ORDER BY number",
            )?;
            let rows = statement.query_map([], |row| {
                let unsigned = |column| row.get::<_, i64>(column).map(|value| value as u64);
                let usage =
                    Usage { bytes: unsigned(3)? as usize, ram: unsigned(4)? as usize, macs: unsigned(5)? };
                let text = |column| row.get::<_, Option<String>>(column);
                Ok((
                    unsigned(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    usage,
                    text(6)?,
                    text(7)?,
                    row.get::<_, Option<i64>>(8)?.map(|lead| lead as u64),
                ))
            })?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = query().map_err(|source| self.database(source))?;
        let trial =
            |(number, state, genotype, usage, measured, reason, lead): (u64, String, String, _, _, _, _)| {
                let content = |field: &str| {
                    let field = format!("trial {number}, {field}");
                    move |source| StoreError::Content { path: self.path.clone(), field, source }
                };
                let measured: Option<String> = measured;
                let reason: Option<String> = reason;
                let genotype = serde_json::from_str(&genotype).map_err(content("genotype"))?;
                let state = match state.as_str() {
                    "running" => TrialState::Running,
                    "finished" => TrialState::Finished(
                        serde_json::from_str(&measured.unwrap_or_default()).map_err(content("measured"))?,
                    ),
                    "given up" => TrialState::GivenUp(
                        serde_json::from_str(&measured.unwrap_or_default()).map_err(content("measured"))?,
                    ),
                    _ => TrialState::Failed { reason: reason.unwrap_or_default() },
                };
                Ok(Trial { number, genotype, usage, lead, state })
            };
        rows.into_iter().map(trial).collect()
    }

    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        let run = || {
            let transaction =
                self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        let result = run();
        result.map_err(|source| self.database(source))
    }

    fn to_json(&self, field: &str, value: &impl Serialize) -> Result<String, StoreError> {
        serde_json::to_string(value).map_err(|source| StoreError::Content {
            path: self.path.clone(),
            field: field.into(),
            source,
        })
    }

    fn database(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }
}
