//! What every store of a study can do. Trials are leased: a worker claims one, renews its lease while it works, and ends it;
//! a lease that is not renewed runs out, and the trial goes to another worker.
//!
//! Guarantees: each claim of a trial has a higher attempt number than the one before it, and only the latest attempt can
//! renew, release or end the trial. Every change is one short transaction, durable before the call returns. Every call can be
//! made again if its answer was lost, with the same result.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bomp_export::text;
use thiserror::Error;

use super::{Proposal, StudyConfig, Trial, TrialState};

/// Who works on a study, and on what terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// Differs between any two processes on any two machines.
    pub id: String,
    /// How long a trial stays with a worker that does not answer.
    pub grace: Duration,
    /// How often a trial is taken over from workers that died before it counts as failed.
    pub take_overs: u32,
}

impl Worker {
    /// Time without an answer after which a worker counts as dead, unless told otherwise.
    pub const GRACE: Duration = Duration::from_secs(60);
    /// Take-overs of one trial, unless told otherwise.
    pub const TAKE_OVERS: u32 = 5;

    /// This process.
    #[must_use]
    pub fn new(grace: Duration, take_overs: u32) -> Self {
        let host = gethostname::gethostname();
        let (host, process, number) = (host.to_string_lossy(), std::process::id(), rand::random::<u32>());
        Self { id: format!("{host}-{process}-{number:08x}"), grace, take_overs }
    }
}

impl Default for Worker {
    fn default() -> Self {
        Self::new(Self::GRACE, Self::TAKE_OVERS)
    }
}

/// The right to end a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The trial.
    pub number: u64,
    /// How often it has been claimed: the fencing token.
    pub attempt: u64,
}

/// A study as one worker sees it.
pub trait Storage: Send + fmt::Debug {
    /// The configuration that the study was made with.
    fn config(&self) -> &StudyConfig;

    /// All trials in the order of their numbers.
    ///
    /// # Errors
    /// The store cannot be read or holds something else.
    fn trials(&mut self) -> Result<Vec<Trial>, StoreError>;

    /// From now on claims are made for `worker`.
    ///
    /// # Errors
    /// The store cannot be written.
    fn enlist(&mut self, worker: &Worker) -> Result<(), StoreError>;

    /// Claims the first running trial that nobody works on any more; one that was taken over too often is recorded as failed
    /// instead.
    ///
    /// # Errors
    /// The store cannot be written.
    fn claim_open(&mut self) -> Result<Option<Lease>, StoreError>;

    /// Records a new running trial under `number`, which must be that of the next trial; `None` if another worker was faster.
    ///
    /// # Errors
    /// The store cannot be written.
    fn claim_new(&mut self, number: u64, proposal: &Proposal) -> Result<Option<Lease>, StoreError>;

    /// Asks for another period of grace; `false` if the trial has been taken over or has ended.
    ///
    /// # Errors
    /// The store cannot be written.
    fn renew(&mut self, lease: Lease) -> Result<bool, StoreError>;

    /// Leaves the trial to whoever asks next.
    ///
    /// # Errors
    /// The store cannot be written.
    fn release(&mut self, lease: Lease) -> Result<(), StoreError>;

    /// Records how the trial ended; `state` is not that of a running one.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if the trial has been taken over; or the store cannot be written.
    fn end(&mut self, lease: Lease, state: &TrialState) -> Result<(), StoreError>;

    /// A second connection, for another thread of the same worker.
    ///
    /// # Errors
    /// The store cannot be opened.
    fn another(&self) -> Result<Box<dyn Storage>, StoreError>;
}

/// What a database reports.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong with a stored study, in one line each: a cause is part of the text. `location` is a folder, a file or a
/// database's address without its password.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum StoreError {
    /// There is a study already.
    #[error(
        "{location}: there is a study already; continue it with `bomp-search resume` or name another one"
    )]
    Exists { location: String },
    /// There is no study.
    #[error("{location}: no study here; `bomp-search run --study {}` starts one", text::argument(location))]
    Absent { location: String },
    /// No study can be here.
    #[error("{location}: {problem}")]
    Folder {
        location: String,
        /// Why not, and where instead.
        problem: String,
    },
    /// Another process works on it.
    #[error("{location}: another process is working on this study; `bomp-search worker` helps it")]
    InUse { location: String },
    /// Made by another version.
    #[error("{location}: schema {found}, but this version reads {expected}: {}", other_version(*found, *expected))]
    Schema {
        location: String,
        found: i64,
        /// The schema of this version.
        expected: i64,
    },
    /// The address makes no sense.
    #[error("{location}: {problem}")]
    Address {
        /// What was given, without a password.
        location: String,
        problem: String,
    },
    /// The database cannot be read or written.
    #[error("{location}: {cause}")]
    Database { location: String, cause: Cause },
    /// The database is damaged.
    #[error("{location}: {cause}; `bomp-search salvage` saves what can be read of a damaged study")]
    Damaged { location: String, cause: Cause },
    /// The configuration of a damaged study cannot be read.
    #[error(
        "{location}: its configuration cannot be read: {cause}; `bomp-search salvage --config` takes it from elsewhere"
    )]
    Configuration { location: String, cause: Cause },
    /// A trial is gone.
    #[error(
        "{location}: trial {number} is missing; `bomp-search salvage` saves what can be read of a damaged study"
    )]
    Missing { location: String, number: u64 },
    /// A value in the database is not what it should be.
    #[error("{location}: {field}: {cause}; `bomp-search salvage` saves what can be read of a damaged study")]
    Content {
        location: String,
        /// Table or trial, and field.
        field: String,
        cause: serde_json::Error,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {cause}{}", advice(cause))]
    Io { path: PathBuf, cause: std::io::Error },
    /// The trial belongs to another worker by now: this one was silent for too long.
    #[error(
        "{location}: trial {number} has been taken over by another worker; what this one found is not recorded"
    )]
    Superseded { location: String, number: u64 },
}

/// What to do with a study of another version.
const fn other_version(found: i64, expected: i64) -> &'static str {
    if found > expected {
        "a later version of bomp-search made it: use that one, or a newer one"
    } else {
        "an earlier version of bomp-search made it, and only that one goes on with it; `bomp-search run --study NEW` \
         starts one that this version reads"
    }
}

/// What to do about a file that cannot be read or written.
fn advice(cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ": free some space; nothing that is finished is lost"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            ": this user needs the right to write there, or name another place"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => ": a study is a folder: name another one",
        ErrorKind::NotFound => ": no folder can be made there, name another place",
        _ => "",
    }
}
