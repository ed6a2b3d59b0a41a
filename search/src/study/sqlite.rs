//! The SQLite store: a study in a folder, for the workers of one machine. Beside the database lies a log of the trials that have
//! ended ([`super::log`]): both have to agree.
//!
//! Guarantees: a trial that has ended is in the log and in the database, both synced, before [`Storage::end`] returns. A
//! process that stops in between leaves it in the log; whoever writes next brings the database up to date. There is no
//! write-ahead log: what SQLite needs to undo a commit that was cut off is not needed once the commit is done.
//!
//! Leases are kept by the time since this machine started, so that nothing happens when its clock is set. A worker whose process
//! has ended is known by its lock, at once. A process that was stopped in the middle of a transaction keeps the others waiting,
//! for up to ten minutes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use super::files::{self, FILE};
use super::lock::WorkerLock;
use super::log::Log;
use super::record::{End, StoredTrial, TOO_OFTEN};
use super::rows::{self, Ends, database};
use super::storage::{Lease, Storage, StoreError, Worker};
use super::{Proposal, StudyConfig, Trial, TrialState, agreement, migration, view};

/// How long another process may keep the database to itself.
const RETRY_TIMEOUT: Duration = Duration::from_secs(600);

/// An open study.
#[derive(Debug)]
pub(super) struct Sqlite {
    folder: PathBuf,
    location: String,
    connection: Connection,
    log: Log,
    config: StudyConfig,
    worker: Worker,
    /// Shared by the connections of the worker.
    alive: Option<Arc<WorkerLock>>,
    clock: fn() -> f64,
}

impl Sqlite {
    /// Makes a new study of these trials in `folder`, which is made if it is absent.
    pub(super) fn create(folder: &Path, config: &StudyConfig, trials: &[Trial]) -> Result<Self, StoreError> {
        files::create(folder, config, trials)?;
        Self::new(folder, config.clone())
    }

    /// Opens the study in `folder`; one of the schema before is brought up to date.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        // Damage is found before anything is written.
        let mut found = view::read(folder)?;
        if found.schema == rows::FORMER {
            migration::run(folder)?;
            found = view::read(folder)?;
        }
        files::finish_rename(folder)?;
        Self::new(folder, found.config)
    }

    fn new(folder: &Path, config: StudyConfig) -> Result<Self, StoreError> {
        files::can_lock(folder)?;
        let location = folder.join(FILE).display().to_string();
        let connect = || {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(folder.join(FILE), flags)?;
            connection.busy_timeout(RETRY_TIMEOUT)?;
            // A commit is on disk, with the journal that could undo it gone, before it returns.
            connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            Ok(connection)
        };
        let connection = connect().map_err(|source| database(&location, source))?;
        Ok(Self {
            folder: folder.to_owned(),
            location,
            connection,
            log: Log::at(folder),
            config,
            worker: Worker::default(),
            alive: None,
            clock: since_start,
        })
    }

    /// Does `work` while nobody else can write, with the database brought up to the log.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let location = &self.location;
        let sql = |source| database(location, source);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let now = (self.clock)();
        let mut writer = Writer { transaction, log: &mut self.log, location, now };
        writer.catch_up()?;
        let result = work(&mut writer)?;
        writer.transaction.commit().map_err(sql)?;
        Ok(result)
    }
}

/// A transaction that may write.
struct Writer<'a> {
    transaction: Transaction<'a>,
    log: &'a mut Log,
    location: &'a str,
    /// When it began, in seconds.
    now: f64,
}

impl Writer<'_> {
    /// Records what the log says of trials that the database still has for running: their worker was stopped in between.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        let ends = rows::ends(&self.transaction, self.location)?;
        self.log.update()?;
        self.log.expect(ends.count, &ends.last)?;
        for (index, trial) in self.log.trials().iter().enumerate().skip(ends.count as usize) {
            let record = StoredTrial::of_trial(trial, self.location)?;
            self.record_end(&record, index as u64 + 1)?;
        }
        Ok(())
    }

    /// Records the end of a trial in the log, then in the database.
    fn end(&mut self, record: StoredTrial) -> Result<(), StoreError> {
        let record = StoredTrial { worker: None, ..record };
        self.log.append(&record.clone().trial(self.location)?)?;
        self.record_end(&record, self.log.trials().len() as u64)
    }

    fn record_end(&self, record: &StoredTrial, count: u64) -> Result<(), StoreError> {
        let ends = Ends { count, last: self.log.checksum_after(count).to_owned() };
        let ended = rows::end(&self.transaction, record, &ends).map_err(|source| self.sql(source))?;
        if ended {
            return Ok(());
        }
        let what =
            format!("trial {} has ended by {}, but does not run here", record.number, super::log::FILE);
        Err(rows::damaged(self.location, &what))
    }

    fn execute(&self, statement: &str, values: &[&dyn rusqlite::ToSql]) -> Result<usize, StoreError> {
        self.transaction.execute(statement, values).map_err(|source| self.sql(source))
    }

    fn sql(&self, source: rusqlite::Error) -> StoreError {
        database(self.location, source)
    }

    /// The running trials and who holds them.
    fn running(&self) -> Result<Vec<Held>, StoreError> {
        let query = || {
            let mut statement = self.transaction.prepare_cached(
                "SELECT number, attempt, take_overs, worker, lease_until < ?1 FROM trials
                 WHERE state = 'running' ORDER BY number",
            )?;
            let held = |row: &rusqlite::Row<'_>| {
                Ok(Held {
                    number: row.get(0)?,
                    attempt: row.get(1)?,
                    take_overs: row.get(2)?,
                    holder: row.get(3)?,
                    is_expired: row.get(4)?,
                })
            };
            statement.query_map([self.now], held)?.collect::<Result<Vec<_>, _>>()
        };
        query().map_err(|source| self.sql(source))
    }
}

struct Held {
    number: i64,
    attempt: i64,
    take_overs: i64,
    holder: Option<String>,
    is_expired: bool,
}

impl Storage for Sqlite {
    fn config(&self) -> &StudyConfig {
        &self.config
    }

    fn trials(&mut self) -> Result<Vec<Trial>, StoreError> {
        let location = &self.location;
        // The first query takes the shared lock, so that nobody changes the database while the log is read.
        let transaction = self.connection.transaction().map_err(|source| database(location, source))?;
        let (records, ends) = (rows::records(&transaction, location)?, rows::ends(&transaction, location)?);
        self.log.update()?;
        agreement::trials(records, &ends, &self.log, location)
    }

    fn enlist(&mut self, worker: &Worker) -> Result<(), StoreError> {
        self.alive = Some(Arc::new(WorkerLock::take(&self.folder, &worker.id)?));
        self.worker = worker.clone();
        Ok(())
    }

    fn claim_open(&mut self) -> Result<Option<Lease>, StoreError> {
        let (worker, folder) = (self.worker.clone(), self.folder.clone());
        self.transaction(|writer| {
            for Held { number, attempt, take_overs, holder, is_expired } in writer.running()? {
                // Released trials, and its own, are not taken from anybody.
                let other = holder.filter(|holder| *holder != worker.id);
                if other.as_ref().is_some_and(|other| !is_expired && !WorkerLock::is_dead(&folder, other)) {
                    continue;
                }
                let take_overs = take_overs + i64::from(other.is_some());
                let claim = "UPDATE trials SET attempt = attempt + 1, take_overs = ?2 WHERE number = ?1";
                writer.execute(claim, params![number, take_overs])?;
                if let Some(last) = other.filter(|_| take_overs > i64::from(worker.take_overs)) {
                    let reason = format!("{take_overs}{TOO_OFTEN}{last}");
                    let end = End::of(number as u64, &TrialState::Failed { reason }, writer.location)?;
                    if let Some((record, _)) = rows::one(&writer.transaction, number as u64, writer.location)?
                    {
                        writer.end(rows::ended(record, end))?;
                    }
                    continue;
                }
                let lease = "UPDATE trials SET worker = ?2, lease_until = ?3 WHERE number = ?1";
                writer.execute(lease, params![number, worker.id, writer.now + worker.grace.as_secs_f64()])?;
                return Ok(Some(Lease { number: number as u64, attempt: attempt as u64 + 1 }));
            }
            Ok(None)
        })
    }

    fn claim_new(&mut self, number: u64, proposal: &Proposal) -> Result<Option<Lease>, StoreError> {
        let row = StoredTrial::of(number, proposal, &self.location)?;
        let worker = self.worker.clone();
        self.transaction(|writer| {
            let until = writer.now + worker.grace.as_secs_f64();
            let added = rows::insert(&writer.transaction, &row, Some(&worker.id), until);
            if added.map_err(|source| writer.sql(source))? {
                return Ok(Some(Lease { number, attempt: 1 }));
            }
            let running = writer.running()?.into_iter();
            // It may be there already by this worker, which asks again.
            let own = running.filter(|held| held.number as u64 == number);
            let own = own.filter(|held| held.holder.as_deref() == Some(&worker.id));
            Ok(own.map(|held| Lease { number, attempt: held.attempt as u64 }).next())
        })
    }

    fn renew(&mut self, lease: Lease) -> Result<bool, StoreError> {
        let grace = self.worker.grace.as_secs_f64();
        let changed = self.transaction(|writer| {
            writer.execute(
                "UPDATE trials SET lease_until = ?3 WHERE number = ?1 AND attempt = ?2 AND state = 'running'",
                params![lease.number as i64, lease.attempt as i64, writer.now + grace],
            )
        })?;
        Ok(changed == 1)
    }

    fn release(&mut self, lease: Lease) -> Result<(), StoreError> {
        self.transaction(|writer| {
            writer.execute(
                "UPDATE trials SET worker = NULL, lease_until = 0
                 WHERE number = ?1 AND attempt = ?2 AND state = 'running'",
                params![lease.number as i64, lease.attempt as i64],
            )
        })?;
        Ok(())
    }

    fn end(&mut self, lease: Lease, state: &TrialState) -> Result<(), StoreError> {
        let end = End::of(lease.number, state, &self.location)?;
        let recorded = self.transaction(|writer| {
            let found = rows::one(&writer.transaction, lease.number, writer.location)?;
            let Some((record, _)) = found.filter(|&(_, attempt)| attempt == lease.attempt) else {
                return Ok(false);
            };
            if record.state != "running" {
                // It may be recorded already, if the answer was lost.
                return Ok(record.has(&end));
            }
            writer.end(rows::ended(record, end))?;
            Ok(true)
        })?;
        if recorded {
            Ok(())
        } else {
            Err(StoreError::Superseded { location: self.location.clone(), number: lease.number })
        }
    }

    fn another(&self) -> Result<Box<dyn Storage>, StoreError> {
        let mut other = Self::new(&self.folder, self.config.clone())?;
        other.worker = self.worker.clone();
        other.alive = self.alive.clone();
        other.clock = self.clock;
        Ok(Box::new(other))
    }
}

/// Seconds since this machine started, the time that it slept included; the same for all its processes.
fn since_start() -> f64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has this clock");
    Duration::from(time).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::proposal::Proposer;
    use crate::space::{Limits, Space};
    use crate::study::{DataConfig, Preset};

    static NOW: AtomicU64 = AtomicU64::new(1_000);

    #[test]
    fn leases_follow_the_clock_that_they_are_given() {
        let folder = tempfile::tempdir().unwrap();
        let none = serde_json::json!("none");
        let data: DataConfig = serde_json::from_value(serde_json::json!({
            "path": none, "format": "auto", "validation": "0.1", "name": none, "sha256": none
        }))
        .unwrap();
        let preset = Preset::open("two-cores").unwrap();
        let config = preset.config(1, Space::open("extended").unwrap(), Limits::default(), data);
        let join = |mut store: Sqlite| {
            store.clock = || NOW.load(Ordering::Relaxed) as f64;
            store.enlist(&Worker::new(Duration::from_secs(60), 5)).unwrap();
            store
        };
        let mut one = join(Sqlite::create(folder.path(), &config, &[]).unwrap());
        let mut other = join(Sqlite::open(folder.path()).unwrap());
        let proposal = Proposer::new(&config).unwrap().next(&[], None, &|_| false).unwrap().unwrap();
        let lease = one.claim_new(0, &proposal).unwrap().unwrap();
        NOW.store(1_059, Ordering::Relaxed);
        assert_eq!(other.claim_open().unwrap(), None);
        NOW.store(1_061, Ordering::Relaxed);
        let taken = other.claim_open().unwrap().unwrap();
        assert_eq!((taken.number, taken.attempt), (0, 2));
        assert!(!one.renew(lease).unwrap());
        // The machine was started again: its clock begins at 0, and the lease seems to last for long. While its worker lives it
        // does; once that has ended it does not.
        NOW.store(5, Ordering::Relaxed);
        assert_eq!(one.claim_open().unwrap(), None);
        drop(other);
        assert_eq!(one.claim_open().unwrap().map(|lease| lease.attempt), Some(3));
    }
}
