//! Everything that plots and tables show, gathered from the configurations and trials of studies. Knows nothing of
//! drawing; `bomp-search report --json` prints it as it is.

mod bits;
mod finished;
mod progress;
pub mod remarks;
mod score;
mod study;
mod surrogate;

use serde::Serialize;
use thiserror::Error;

use crate::bo::history::HistoryError;
use crate::bo::pareto::Reference;
use crate::front;
use crate::space::{LimitsError, SpaceError};
use crate::study::{Objective, StudyConfig, Trial};

pub use bits::{BitMap, BitRow};
pub use finished::{Finished, FinishedNetwork};
pub use progress::Progress;
pub use score::EquationScore;
pub use study::{Counts, StudyReport, TrialRow};
pub use surrogate::{Importance, SurrogateSummary, TrialPrediction};

/// A study to report on.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What to call it: the name of its folder.
    pub name: &'a str,
    /// Its configuration.
    pub config: &'a StudyConfig,
    /// Its trials in the order of their numbers.
    pub trials: &'a [Trial],
    /// Its finished networks.
    pub finished: &'a Finished,
}

/// Why there is no report.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum ReportError {
    /// A trial is not of the study's space.
    #[error("{study}: trial {number}: {source}")]
    Genotype { study: String, number: u64, source: Box<SpaceError> },
    /// The study's limits admit no network.
    #[error("{study}: {source}")]
    Limits { study: String, source: LimitsError },
    /// A trial has impossible figures.
    #[error("{study}: {source}")]
    History { study: String, source: HistoryError },
}

/// Studies side by side.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The corner from which [`StudyReport::progress`] measures all studies alike.
    pub common_reference: Corner,
    /// The studies in the order in which they were given.
    pub studies: Vec<StudyReport>,
}

/// Where a hypervolume begins: networks of at most this accuracy or at least this size are worth nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Corner {
    /// Validation accuracy, 0..=1.
    pub accuracy: f64,
    /// log10 of the bytes of a packed model.
    pub log10_bytes: f64,
}

impl Report {
    /// Gathers everything.
    ///
    /// # Errors
    /// If a study does not fit its own configuration.
    pub fn of(sources: &[Source<'_>]) -> Result<Self, ReportError> {
        let references = || sources.iter().map(|source| front::reference(source.config));
        // The corner that cuts nothing off any study.
        let common = Reference {
            value: references().map(|r| r.value).fold(1.0, f64::min),
            cost: references().map(|r| r.cost).fold(0.0, f64::max),
        };
        let mut studies: Vec<StudyReport> = Vec::with_capacity(sources.len());
        for source in sources {
            let name = unused(source.name, &studies);
            studies.push(StudyReport::of(source, name, common)?);
        }
        Ok(Self { common_reference: Corner::from(common), studies })
    }

    /// What the studies score networks by, for an axis that they share.
    #[must_use]
    pub fn objective(&self) -> &'static str {
        let mut names = self.studies.iter().map(|study| study.config.objective.name());
        let first = names.next().unwrap_or(Objective::Accuracy.name());
        if names.all(|name| name == first) { first } else { "accuracy or balanced accuracy" }
    }

    /// Whether any study has trials in work, or interrupted ones.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.studies.iter().any(|study| study.counts.running > 0)
    }

    /// Whether every study has ended as many trials as it was asked for.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let complete = |counts: Counts| {
            counts.running == 0 && counts.finished + counts.given_up + counts.failed >= counts.asked
        };
        self.studies.iter().all(|study| complete(study.counts))
    }
}

/// `name`, with a number behind it if another study has it already.
fn unused(name: &str, studies: &[StudyReport]) -> String {
    let taken = |name: &str| studies.iter().any(|study| study.name == name);
    let mut candidates = std::iter::once(name.to_owned()).chain((2u64..).map(|n| format!("{name} ({n})")));
    candidates.find(|name| !taken(name)).unwrap_or_default()
}

impl From<Reference> for Corner {
    fn from(reference: Reference) -> Self {
        Self { accuracy: reference.value, log10_bytes: reference.cost }
    }
}
