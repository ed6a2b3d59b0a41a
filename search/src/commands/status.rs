//! `bomp-search status`: what a study is, how far it is and every trial of it. Works while the study runs.

use anyhow::Result;
use bomp_search::proposal;
use bomp_search::study::{Store, Trial, TrialState};
use serde::Serialize;

use super::{Outcome, StudyOptions, front, table};

#[derive(Serialize)]
struct Status<'a> {
    config: &'a bomp_search::study::StudyConfig,
    config_sha256: String,
    finished: usize,
    given_up: usize,
    failed: usize,
    running: usize,
    trained_images: u64,
    /// Images that were not trained on because trials were given up.
    saved_images: u64,
    hypervolume: f64,
    trials: &'a [Trial],
}

/// Prints the state of a study.
pub(crate) fn run(options: &StudyOptions) -> Result<Outcome> {
    let store = Store::open(&options.study)?;
    let (config, trials) = (store.config(), store.trials()?);
    let finished = trials.iter().filter(|trial| trial.measured().is_some()).count();
    let running = trials.iter().filter(|trial| trial.is_running()).count();
    let given_up: Vec<_> = trials
        .iter()
        .filter_map(|trial| match &trial.state {
            TrialState::GivenUp(given_up) => Some(given_up),
            _ => None,
        })
        .collect();
    let status = Status {
        config,
        config_sha256: config.sha256(),
        finished,
        given_up: given_up.len(),
        failed: trials.len() - finished - running - given_up.len(),
        running,
        trained_images: trials.iter().map(Trial::trained_images).sum(),
        saved_images: given_up.iter().map(|given_up| given_up.saved_images).sum(),
        hypervolume: proposal::hypervolume(config, &front::of(&trials)),
        trials: &trials,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(Outcome::Done);
    }
    let Status { given_up, failed, trained_images, saved_images, hypervolume, .. } = status;
    println!(
        "{}: space {}, data {}",
        options.study.display(),
        config.space.definition().name,
        config.data.name
    );
    println!(
        "{finished} of {} trials finished, {given_up} given up, {failed} failed, {running} running; {:.2} M images trained, {:.2} M saved; hypervolume {hypervolume:.6}",
        config.trials,
        trained_images as f64 / 1e6,
        saved_images as f64 / 1e6
    );
    println!("{}", table::HEADING);
    trials.iter().for_each(|trial| println!("{}", table::line(trial)));
    Ok(Outcome::Done)
}
