//! `bomp-search import`: a study from what `bomp-search status --json` said of it, in a folder or in a database: kept in a
//! repository, moved to another machine or another store.
//!
//! Guarantees: the new study has the configuration, the trials and their figures to the last bit; a trial that was in work is
//! done again. The study is there as a whole or, if the command is stopped, not at all.

use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bomp_export::files;
use bomp_export::kind::{self, Needed};
use bomp_search::study::{StudyConfig, Trial, sound};
use serde::Deserialize;

use super::{Outcome, options};

/// What `status --json` says, as far as a study is made of it.
#[derive(Deserialize)]
pub(super) struct Status {
    pub(super) config: StudyConfig,
    config_sha256: String,
    trials: Vec<Trial>,
}

/// Makes the study.
pub(crate) fn run(options: &options::Import) -> Result<Outcome> {
    let Status { config, trials, .. } = read(&options.file)?;
    options.study.create_with(&config, &trials)?;
    println!(
        "{}: {} trials; `bomp-search resume --study {}` goes on",
        options.study,
        trials.len(),
        options.study
    );
    Ok(Outcome::Done)
}

/// What `status --json` printed, with a configuration that is as it was then.
pub(super) fn printed(path: &Path) -> Result<Status> {
    let file = path.display();
    let bytes = files::read_untrusted(path, files::limit::LARGE)
        .map_err(|error| anyhow!(kind::unreadable(path, &error, Needed::Text)))?;
    let status: Status = serde_json::from_slice(&bytes).with_context(|| {
        let what = kind::instead(&bytes, Needed::Text).unwrap_or_else(|| "make it with that command".into());
        format!("{file}: not what `bomp-search status --json` prints: {what}")
    })?;
    let sha256 = status.config.sha256();
    ensure!(
        sha256 == status.config_sha256,
        "{file}: config_sha256 is {}, but that of its configuration is {sha256}: one of them was changed",
        status.config_sha256
    );
    Ok(status)
}

/// Reads and checks everything before anything is written.
fn read(path: &Path) -> Result<Status> {
    let (file, status) = (path.display(), printed(path)?);
    for (index, trial) in status.trials.iter().enumerate() {
        let number = trial.number;
        ensure!(
            number == index as u64,
            "{file}: trials[{index}].number is {number}: a trial is missing before it"
        );
        if let Some(problem) = sound(&status.config, trial) {
            bail!("{file}: trials[{index}].{problem}");
        }
    }
    Ok(status)
}
