//! Trials as rows: the same columns in every database. Structures are JSON in text columns, so that a figure is read back to
//! the last bit.

use serde::Serialize;

use super::storage::StoreError;
use super::{Proposal, Trial, TrialState, checksum};
use crate::space::Usage;

/// The columns that [`StoredTrial`] is read from, in its order.
pub(super) const COLUMNS: &str =
    "number, state, genotype, lead, size_bytes, ram_bytes, macs, measured, reason, worker";

/// A row of the trials.
#[derive(Clone, Debug)]
pub(super) struct StoredTrial {
    pub(super) number: i64,
    pub(super) state: String,
    pub(super) genotype: String,
    pub(super) weights_from: Option<i64>,
    pub(super) size_bytes: i64,
    pub(super) ram_bytes: i64,
    pub(super) macs: i64,
    pub(super) measured: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) worker: Option<String>,
}

impl StoredTrial {
    /// The row of a new trial.
    pub(super) fn of(number: u64, proposal: &Proposal, location: &str) -> Result<Self, StoreError> {
        let Proposal { genotype, usage, weights_from } = proposal;
        Ok(Self {
            number: number as i64,
            state: "running".into(),
            genotype: to_json(genotype, location, &format!("trial {number}, genotype"))?,
            weights_from: weights_from.map(|weights_from| weights_from as i64),
            size_bytes: usage.bytes as i64,
            ram_bytes: usage.ram as i64,
            macs: usage.macs as i64,
            measured: None,
            reason: None,
            worker: None,
        })
    }

    /// The row of a trial that nobody works on.
    pub(super) fn of_trial(trial: &Trial, location: &str) -> Result<Self, StoreError> {
        let Trial { number, genotype, usage, weights_from, state, .. } = trial;
        let proposal = Proposal { genotype: genotype.clone(), usage: *usage, weights_from: *weights_from };
        let End { state, measured, reason } = End::of(*number, state, location)?;
        Ok(Self { state: state.into(), measured, reason, ..Self::of(*number, &proposal, location)? })
    }

    /// Over all columns but the worker's, as JSON, so that no two rows share a text.
    pub(super) fn checksum(&self) -> String {
        let Self {
            number,
            state,
            genotype,
            weights_from,
            size_bytes,
            ram_bytes,
            macs,
            measured,
            reason,
            worker: _,
        } = self;
        let columns = (number, state, genotype, weights_from, size_bytes, ram_bytes, macs, measured, reason);
        checksum::of(&serde_json::to_vec(&columns).expect("numbers and texts are JSON"))
    }

    /// Whether this is how the trial ended.
    pub(super) fn has(&self, end: &End) -> bool {
        (self.state.as_str(), &self.measured, &self.reason) == (end.state, &end.measured, &end.reason)
    }

    /// The trial of a row of the database at `location`.
    pub(super) fn trial(self, location: &str) -> Result<Trial, StoreError> {
        let number = self.number as u64;
        let field = |name: &str| format!("trial {number}, {name}");
        let measured = self.measured.unwrap_or_default();
        let state = match self.state.as_str() {
            "running" => TrialState::Running,
            "finished" => TrialState::Finished(from_json(&measured, location, &field("measured"))?),
            "given up" => TrialState::GivenUp(from_json(&measured, location, &field("measured"))?),
            _ => TrialState::Failed { reason: self.reason.unwrap_or_default() },
        };
        Ok(Trial {
            number,
            genotype: from_json(&self.genotype, location, &field("genotype"))?,
            usage: Usage {
                bytes: self.size_bytes as usize,
                ram: self.ram_bytes as usize,
                macs: self.macs as u64,
            },
            weights_from: self.weights_from.map(|weights_from| weights_from as u64),
            // Who has measured what is over makes no difference to anything.
            worker: self.worker.filter(|_| state == TrialState::Running),
            state,
        })
    }
}

/// All trials of a study, in order of their numbers, of which none is missing.
pub(super) fn trials(records: Vec<StoredTrial>, location: &str) -> Result<Vec<Trial>, StoreError> {
    let trial = |(index, record): (usize, StoredTrial)| {
        if record.number != index as i64 {
            return Err(StoreError::Missing { location: location.to_owned(), number: index as u64 });
        }
        record.trial(location)
    };
    records.into_iter().enumerate().map(trial).collect()
}

/// The columns that the end of a trial sets.
#[derive(Debug)]
pub(super) struct End {
    pub(super) state: &'static str,
    pub(super) measured: Option<String>,
    pub(super) reason: Option<String>,
}

impl End {
    pub(super) fn of(number: u64, state: &TrialState, location: &str) -> Result<Self, StoreError> {
        let field = format!("trial {number}, measured");
        Ok(match state {
            TrialState::Running => Self { state: "running", measured: None, reason: None },
            TrialState::Finished(measured) => {
                Self { state: "finished", measured: Some(to_json(measured, location, &field)?), reason: None }
            }
            TrialState::GivenUp(given_up) => {
                Self { state: "given up", measured: Some(to_json(given_up, location, &field)?), reason: None }
            }
            TrialState::Failed { reason } => {
                // PostgreSQL's texts cannot hold the character NUL, which no message needs.
                Self { state: "failed", measured: None, reason: Some(reason.replace('\0', "")) }
            }
        })
    }
}

/// Why a trial is not tried again that was taken over too often: how often, this, and the name of the last worker.
pub(super) const TOO_OFTEN: &str =
    " workers died or stopped answering while they worked on it; the last was ";

pub(super) fn to_json(value: &impl Serialize, location: &str, field: &str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| content(source, location, field))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(
    json: &str,
    location: &str,
    field: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|source| content(source, location, field))
}

fn content(source: serde_json::Error, location: &str, field: &str) -> StoreError {
    StoreError::Content { location: location.to_owned(), field: field.to_owned(), cause: source }
}
