//! `bomp-search import`: a study from a file, in a folder or in a database: kept in a repository, moved to another machine or
//! another store.
//!
//! Guarantees: the new study has the configuration, the trials and their figures to the last bit; a trial that was in work is
//! done again. The study is there as a whole or, if the command is stopped, not at all.

use anyhow::Result;
use bomp_export::text;
use bomp_search::study::Archive;

use super::{CommandOutcome, options};

pub(crate) fn run(options: &options::ImportOptions) -> Result<CommandOutcome> {
    // Everything is read and checked before anything is written.
    let Archive { config, trials } = Archive::read(&options.file)?;
    options.study.create_with(&config, &trials)?;
    println!(
        "{}: {} trials; `bomp-search resume --study {}` goes on",
        options.study,
        trials.len(),
        text::argument(&options.study.to_string())
    );
    Ok(CommandOutcome::Done)
}
