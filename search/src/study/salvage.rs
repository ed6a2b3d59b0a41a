//! What can still be read of a study whose database is damaged.
//!
//! Guarantees: the damaged file is not touched, a copy is read; a trial is saved only if its row is whole and agrees with the
//! configuration: its genotype is one of the space, and takes what the row says. A database has no checksum of its own, so a bit
//! that flips within a measured figure is not noticed.

use std::fs;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::record::{self, COLUMNS};
use super::sqlite::{FILE, Sqlite, database, read};
use super::{StoreError, StudyConfig, Trial};
use crate::space::Usage;

/// So many numbers in a row without a trial are the end.
const END: u64 = 10_000;

/// What could be read.
#[derive(Debug)]
pub struct Salvaged {
    /// The study's configuration.
    pub config: StudyConfig,
    /// The trials in their order, under their own numbers; some may be missing.
    pub trials: Vec<Trial>,
    /// Numbers of trials before the last one that was read, and why they could not be.
    pub lost: Vec<(u64, String)>,
    /// What the database said of everything after the last trial that was read, if not that there is nothing.
    pub after: Option<String>,
}

/// Reads what can be read of the study in `folder`. `config` takes the place of the study's own, which may be what is damaged.
///
/// # Errors
/// There is no database, or its configuration cannot be read and none was given.
pub fn salvage(folder: &Path, config: Option<StudyConfig>) -> Result<Salvaged, StoreError> {
    let damaged = folder.join(FILE);
    let place = damaged.display().to_string();
    if !damaged.is_file() {
        return Err(StoreError::Absent { place: folder.display().to_string() });
    }
    let io = |cause| StoreError::Io { path: damaged.clone(), cause };
    let copies = tempfile::tempdir().map_err(io)?;
    let copy = copies.path().join(FILE);
    for ending in ["", "-wal"] {
        let name = format!("{FILE}{ending}");
        if folder.join(&name).is_file() {
            fs::copy(folder.join(&name), copies.path().join(&name)).map_err(io)?;
        }
    }
    let sql = |source| database(&place, source);
    let mut connection = Connection::open(&copy).map_err(sql)?;
    let mut own = own_config(&connection);
    if own.is_err() && first_page(&copy, copies.path()).map_err(io)? {
        connection = Connection::open(&copy).map_err(sql)?;
        own = own_config(&connection);
    }
    let config = match (config, own) {
        (Some(config), _) => config,
        (None, Ok(Some((schema, json)))) => record::config_from_json(schema, &json, &place)?,
        (None, Ok(None)) => return Err(StoreError::Absent { place: folder.display().to_string() }),
        (None, Err(cause)) => return Err(StoreError::Configuration { place, cause: cause.into() }),
    };
    let mut salvaged = Salvaged { config, trials: Vec::new(), lost: Vec::new(), after: None };
    let query = format!("SELECT {COLUMNS} FROM trials WHERE number = ?1");
    let mut missing: Vec<(u64, Option<String>)> = Vec::new();
    for number in 0.. {
        let row = connection
            .prepare_cached(&query)
            .and_then(|mut statement| statement.query_row(params![number as i64], read).optional());
        let trial = match row {
            Ok(None) => Err(None),
            Ok(Some(row)) => row
                .trial(&place)
                .map_err(|error| error.to_string())
                .and_then(|trial| sound(&salvaged.config, &trial).map_or(Ok(trial), Err))
                .map_err(Some),
            Err(error) => Err(Some(error.to_string())),
        };
        match trial {
            Ok(trial) => {
                let lost = missing.drain(..);
                salvaged.lost.extend(
                    lost.map(|(number, why)| (number, why.unwrap_or_else(|| "its row is gone".into()))),
                );
                salvaged.trials.push(trial);
            }
            Err(why) => {
                missing.push((number, why));
                if missing.len() as u64 >= END {
                    break;
                }
            }
        }
    }
    salvaged.after =
        missing.into_iter().find_map(|(number, why)| Some(format!("from {number} on: {}", why?)));
    Ok(salvaged)
}

/// What keeps a trial from being one of a study of this configuration, with the field's name.
#[must_use]
pub fn sound(config: &StudyConfig, trial: &Trial) -> Option<String> {
    let space = &config.space;
    if let Err(error) = space.point(&trial.genotype) {
        return Some(format!("genotype: {error}"));
    }
    let usage = Usage::of(&space.network(&trial.genotype));
    if usage != trial.usage {
        return Some(format!(
            "usage is {}, but its genotype takes {usage}: it was changed, or is of another version",
            trial.usage
        ));
    }
    if trial.lead.is_some_and(|lead| lead >= trial.number) {
        return Some("lead is not an earlier trial".into());
    }
    let measured = trial.measured()?;
    if measured.by_class.is_empty() != config.objective.is_accuracy() {
        return Some(format!(
            "measured: by_class does not fit the study's objective, {}",
            config.objective.name()
        ));
    }
    measured.contradiction().map(|problem| format!("measured: {problem}"))
}

fn own_config(connection: &Connection) -> Result<Option<(i64, String)>, rusqlite::Error> {
    let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    connection.query_row("SELECT schema, config FROM study", [], columns).optional()
}

/// Replaces the first page, which says where the tables are: it is the same in every study, but for the size of the file.
/// Returns whether there was more than that page.
fn first_page(copy: &Path, scratch: &Path) -> std::io::Result<bool> {
    let mut bytes = fs::read(copy)?;
    let fresh = Sqlite::empty(&scratch.join("fresh")).map_err(std::io::Error::other)?;
    let page = usize::from(u16::from_be_bytes([fresh[16], fresh[17]]));
    if bytes.len() <= page {
        return Ok(false);
    }
    let pages = (bytes.len() / page) as u32;
    bytes[..page].copy_from_slice(&fresh[..page]);
    // Offset 28: pages of the file, valid if the counters at 24 and 92 agree, as they do in a fresh file.
    bytes[28..32].copy_from_slice(&pages.to_be_bytes());
    fs::write(copy, bytes)?;
    Ok(true)
}
