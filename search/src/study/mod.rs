//! A study: its configuration and its trials, kept in a folder (SQLite) or in a PostgreSQL database.
//!
//! Guarantees, of both stores and whatever number of workers: a trial whose end [`Storage::end`] has acknowledged survives
//! a crash of the process and of the machine; each trial ends exactly once; a trial whose worker died is found again, with
//! its genotype; a worker that was believed dead cannot overwrite what another has found.

mod address;
mod agreement;
mod archive;
mod checksum;
mod config;
mod encryption;
mod files;
mod folder;
mod heartbeat;
mod inherit;
mod link;
mod location;
mod lock;
mod log;
mod migration;
mod objective;
mod password;
mod postgres;
mod preset;
mod record;
mod rows;
mod salvage;
mod sqlite;
mod storage;
mod trial;
mod view;
mod wal;

pub use archive::{Archive, ArchiveError};
pub use config::{DataConfig, StrategyKind, StudyConfig};
pub use heartbeat::Heartbeat;
pub use location::Location;
pub use lock::StudyLock;
pub use objective::{Objective, balanced_accuracy};
pub use preset::{Preset, PresetError};
pub use salvage::{Salvaged, salvage, sound};
pub use storage::{Lease, Storage, StoreError, Worker};
pub use trial::{ClassCount, GivenUp, Halfway, Measured, Proposal, Trial, TrialState};
