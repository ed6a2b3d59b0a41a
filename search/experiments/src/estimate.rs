//! How long a study will take: the images that are still to be trained on, and the rate of those that were.

use anyhow::Result;
use bomp_search::study::{Archive, Trial};

use crate::study::{Experiment, Study, final_epochs};

/// Fashion-MNIST without the part that is held out to score trials.
const TRIAL_IMAGES: f64 = 54_000.0;
/// All of its training images: what finished networks are trained on.
const FINAL_IMAGES: f64 = 60_000.0;

/// Prints what is done, what is left, and how long that takes: each experiment at the rate of its own trials, and networks
/// for given sizes at that of the experiment that they are chosen from.
pub(crate) fn print(study: &Study) -> Result<()> {
    let mut left = Left::default();
    println!("{:<12} {:>9} {:>9}   question", "experiment", "trials", "finished");
    for experiment in study.chosen() {
        let trials = study.searched(experiment)?.map_or_else(Vec::new, |archive| archive.trials);
        let ended = trials.iter().filter(|trial| !trial.is_running()).count() as u64;
        let wanted = study.trials(experiment);
        let rate = rate(study, experiment, &trials);
        left.add(wanted.saturating_sub(ended) as f64 * study.trial_epochs(experiment) * TRIAL_IMAGES, rate);
        let networks = study.definition.final_networks.min(wanted as usize);
        let (mut finished, mut finals) = (0, 0);
        if !study.options.searches_only {
            for &variant in &experiment.finals {
                finished += study.records(experiment, variant)?.len();
                finals += networks;
            }
        }
        let epochs = finals.saturating_sub(finished) as f64 * final_epochs(&study.protocol);
        left.add(epochs * FINAL_IMAGES, rate);
        println!(
            "{:<12} {ended:>4}/{wanted:<4} {finished:>4}/{finals:<4}   {}",
            experiment.name, experiment.question
        );
    }
    if let Some(champions) = study.definition.champions.as_ref().filter(|_| !study.options.searches_only) {
        let (missing, wanted) = (study.missing_champions(champions)?, champions.targets.len());
        for target in &missing {
            let Some(name) = target.experiments.first() else { continue };
            let experiment = study.named(name)?;
            let trials = study.searched(experiment)?.map_or_else(Vec::new, |Archive { trials, .. }| trials);
            let epochs = final_epochs(&study.preset(champions, target)?);
            left.add(epochs * FINAL_IMAGES, rate(study, experiment, &trials));
        }
        println!("{:<12} {:>9} {:>4}/{wanted:<4}   networks for given sizes", "", "", wanted - missing.len());
    }
    println!(
        "left: {:.1} M images to train on; with {} workers about {:.1} h",
        left.images / 1e6,
        study.options.workers,
        left.seconds / study.options.workers as f64 / 3600.0
    );
    Ok(())
}

/// What is still to be trained on.
#[derive(Debug, Default)]
struct Left {
    images: f64,
    /// Of one worker.
    seconds: f64,
}

impl Left {
    fn add(&mut self, images: f64, rate: f64) {
        self.images += images;
        self.seconds += images / rate;
    }
}

/// Images that a worker trains on in a second, in `trials` of an experiment.
fn rate(study: &Study, experiment: &Experiment, trials: &[Trial]) -> f64 {
    let images: u64 = trials.iter().map(Trial::trained_images).sum();
    let seconds: f64 = trials.iter().map(Trial::seconds).sum();
    if seconds > 0.0 { images as f64 / seconds } else { study.images_per_second(experiment) }
}
