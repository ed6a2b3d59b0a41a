//! A study: its configuration and its trials, on disk.
//!
//! Guarantees: a trial that [`Store::finish`] or [`Store::fail`] returned from survives a crash of the process and of the
//! machine; a trial that was running at a crash is found again as running, with its genotype; only one process works on a
//! study at a time.

mod config;
mod lock;
mod preset;
mod store;
mod trial;

pub use config::{DataConfig, StrategyKind, StudyConfig};
pub use lock::StudyLock;
pub use preset::{Preset, PresetError};
pub use store::{Store, StoreError};
pub use trial::{GivenUp, Halfway, Measured, Trial, TrialState};
