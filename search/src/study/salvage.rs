//! What can still be read of a study in a folder whose files are damaged.
//!
//! Guarantees: the damaged files are not touched, a copy is read; every trial that is undamaged in the log, in the database or in
//! a write-ahead log of the schema before is saved. A trial is saved only if it agrees with the configuration: its genotype is
//! one of the space, and takes what the trial says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bomp_export::files;
use rusqlite::{Connection, OptionalExtension};

use super::files::{FILE, JOURNAL, WAL};
use super::rows::{self, database};
use super::{StoreError, StudyConfig, Trial, log, record, view, wal};
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
    /// Numbers of trials that are known to be lost, and why they could not be read.
    pub lost: Vec<(u64, String)>,
    /// What is said of everything after the last trial that is known, if not that there is nothing.
    pub after: Option<String>,
}

/// Reads what can be read of the study in `folder`. `config` takes the place of the study's own, which may be what is damaged.
///
/// # Errors
/// There is no study, or its configuration cannot be read and none was given.
pub fn salvage(folder: &Path, config: Option<StudyConfig>) -> Result<Salvaged, StoreError> {
    let location = folder.join(FILE).display().to_string();
    let (logged_config, logged, mut problems) = log::intact(folder);
    let database = Damaged::open(folder);
    if logged_config.is_none() && logged.is_empty() && matches!(&database, Err(StoreError::Absent { .. })) {
        return Err(StoreError::Absent { location: folder.display().to_string() });
    }
    let own = database.as_ref().ok().map(|database| database.config(&location));
    let config = match (config.or(logged_config), own) {
        (Some(config), _) | (None, Some(Ok(config))) => config,
        (None, Some(Err(error))) => return Err(without_config(location, error)),
        (None, None) => {
            return Err(database.err().map_or_else(
                || StoreError::Absent { location: folder.display().to_string() },
                |error| without_config(location, error),
            ));
        }
    };
    let mut found: BTreeMap<u64, Trial> = BTreeMap::new();
    let mut lost: BTreeMap<u64, String> = BTreeMap::new();
    let mut after = None;
    let frames = files::read_untrusted(&folder.join(WAL), files::limit::LARGE)
        .ok()
        .and_then(|bytes| wal::problem(&bytes));
    problems.extend(frames.map(|what| format!("{WAL}: {what}: what a trial had in it is in work again")));
    match &database {
        Ok(database) => after = database.trials(&config, &location, &mut found, &mut lost),
        Err(error) => problems.push(error.to_string()),
    }
    for trial in logged {
        match sound(&config, &trial) {
            // The log says how a trial ended of which the database may not know it yet.
            None => drop(found.insert(trial.number, trial)),
            Some(why) => drop(lost.insert(trial.number, why)),
        }
    }
    let count = found.last_key_value().map_or(0, |(number, _)| number + 1);
    for number in (0..count).filter(|number| !found.contains_key(number)) {
        lost.entry(number).or_insert_with(|| "its row is gone".into());
    }
    let expected = database.as_ref().ok().and_then(|database| database.ends(&location));
    lost.retain(|number, _| !found.contains_key(number));
    let ended = found.values().filter(|trial| !trial.is_running()).count() as u64;
    if after.is_none() && (expected.is_some_and(|expected| ended + (lost.len() as u64) < expected)) {
        after = Some(format!("{} trials had ended", expected.unwrap_or_default()));
    }
    // With both files readable everything that has ended is known, whatever else is damaged.
    if problems.is_empty() && expected == Some(ended) {
        after = None;
    }
    after = after.or_else(|| (expected != Some(ended) && !problems.is_empty()).then(|| problems.join("; ")));
    Ok(Salvaged { config, trials: found.into_values().collect(), lost: lost.into_iter().collect(), after })
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
    if trial.weights_from.is_some_and(|weights_from| weights_from >= trial.number) {
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

fn without_config(location: String, error: StoreError) -> StoreError {
    match error {
        StoreError::Schema { .. } | StoreError::Absent { .. } | StoreError::Io { .. } => error,
        StoreError::Damaged { cause, .. } => StoreError::Configuration { location, cause },
        error => StoreError::Configuration { location, cause: error.to_string().into() },
    }
}

/// A copy of the damaged database, with everything in it that its journals can give.
struct Damaged {
    connection: Connection,
    _copy: tempfile::TempDir,
}

impl Damaged {
    fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Err(StoreError::Absent { location: folder.display().to_string() });
        }
        let location = path.display().to_string();
        let copy = view::copy(folder, JOURNAL)?;
        let file = copy.path().join(FILE);
        let io = |cause| StoreError::Io { path: path.clone(), cause };
        let log = files::read_untrusted(&folder.join(WAL), files::limit::LARGE).unwrap_or_default();
        let mut bytes = wal::replay(fs::read(&file).map_err(io)?, &log);
        // The copy has no write-ahead log any more.
        if let Some(versions) = bytes.get_mut(18..20) {
            versions.fill(1);
        }
        fs::write(&file, &bytes).map_err(io)?;
        let open = || Connection::open(&file).map_err(|source| database(&location, source));
        let mut connection = open()?;
        if connection.query_row("SELECT count(*) FROM trials", [], |row| row.get::<_, i64>(0)).is_err()
            && let Some(bytes) = with_first_page(bytes, &location)?
        {
            drop(connection);
            fs::write(&file, bytes).map_err(io)?;
            connection = open()?;
        }
        Ok(Self { connection, _copy: copy })
    }

    fn config(&self, location: &str) -> Result<StudyConfig, StoreError> {
        rows::study(&self.connection, location).map(|(_, config)| config)
    }

    fn ends(&self, location: &str) -> Option<u64> {
        rows::ends(&self.connection, location).ok().map(|ends| ends.count)
    }

    /// Reads row by row. Returns what is said of everything after the last one.
    fn trials(
        &self,
        config: &StudyConfig,
        location: &str,
        found: &mut BTreeMap<u64, Trial>,
        lost: &mut BTreeMap<u64, String>,
    ) -> Option<String> {
        let has_checksums = self.connection.prepare("SELECT checksum FROM trials").is_ok();
        let mut missing: Vec<(u64, Option<String>)> = Vec::new();
        for number in 0.. {
            let row = if has_checksums {
                rows::one(&self.connection, number, location).map(|row| row.map(|(record, _)| record))
            } else {
                self.former(number, location)
            };
            let trial = match row {
                Ok(None) => Err(None),
                Ok(Some(row)) => row
                    .trial(location)
                    .map_err(|error| error.to_string())
                    .and_then(|trial| sound(config, &trial).map_or(Ok(trial), Err))
                    .map_err(Some),
                Err(StoreError::Damaged { cause, .. }) => Err(Some(cause.to_string())),
                Err(error) => Err(Some(error.to_string())),
            };
            match trial {
                Ok(trial) => {
                    let reason = |why: Option<String>| why.unwrap_or_else(|| "its row is gone".into());
                    lost.extend(missing.drain(..).map(|(number, why)| (number, reason(why))));
                    found.insert(number, trial);
                }
                Err(why) => missing.push((number, why)),
            }
            if missing.len() as u64 >= END {
                break;
            }
        }
        missing.into_iter().find_map(|(number, why)| Some(format!("from {number} on: {}", why?)))
    }

    fn former(&self, number: u64, location: &str) -> Result<Option<record::StoredTrial>, StoreError> {
        let query = format!("SELECT {} FROM trials WHERE number = ?1", record::COLUMNS);
        let row = self
            .connection
            .prepare_cached(&query)
            .and_then(|mut statement| statement.query_row([number as i64], rows::read).optional());
        row.map_err(|source| database(location, source))
    }
}

/// The database with a first page as it has, which says where the tables are: it is the same in every study, but for the size of
/// the file. `None` if there is no more than that page.
fn with_first_page(mut bytes: Vec<u8>, location: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let fresh = rows::former_image().map_err(|source| database(location, source))?;
    let page = usize::from(u16::from_be_bytes([fresh[16], fresh[17]]));
    if bytes.len() <= page {
        return Ok(None);
    }
    let pages = (bytes.len() / page) as u32;
    bytes[..page].copy_from_slice(&fresh[..page]);
    // Offset 28: pages of the file, valid if the counters at 24 and 92 agree, as they do in a fresh file.
    bytes[28..32].copy_from_slice(&pages.to_be_bytes());
    Ok(Some(bytes))
}
