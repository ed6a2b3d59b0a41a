//! `bomp-search status`: what a study is, how far it is and every trial of it. Works while the study runs.

use anyhow::Result;
use bomp_search::session;
use bomp_search::study::{Store, Trial};
use serde::Serialize;

use super::{Outcome, StudyOptions, front, table};

#[derive(Serialize)]
struct Status<'a> {
    config: &'a bomp_search::study::StudyConfig,
    config_sha256: String,
    finished: usize,
    failed: usize,
    running: usize,
    trained_images: u64,
    hypervolume: f64,
    trials: &'a [Trial],
}

/// Prints the state of a study.
pub(crate) fn run(options: &StudyOptions) -> Result<Outcome> {
    let store = Store::open(&options.study)?;
    let (config, trials) = (store.config(), store.trials()?);
    let finished = trials.iter().filter(|trial| trial.measured().is_some()).count();
    let running = trials.iter().filter(|trial| trial.is_running()).count();
    let status = Status {
        config,
        config_sha256: config.sha256(),
        finished,
        failed: trials.len() - finished - running,
        running,
        trained_images: trials
            .iter()
            .filter_map(Trial::measured)
            .map(|measured| measured.trained_images)
            .sum(),
        hypervolume: session::hypervolume(config, &front::of(&trials)),
        trials: &trials,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(Outcome::Done);
    }
    let Status { failed, trained_images, hypervolume, .. } = status;
    println!(
        "{}: space {}, data {}",
        options.study.display(),
        config.space.definition().name,
        config.data.name
    );
    println!(
        "{finished} of {} trials finished, {failed} failed, {running} running; {:.2} M images trained; hypervolume {hypervolume:.6}",
        config.trials,
        trained_images as f64 / 1e6
    );
    println!("{}", table::HEADING);
    trials.iter().for_each(|trial| println!("{}", table::line(trial)));
    Ok(Outcome::Done)
}
