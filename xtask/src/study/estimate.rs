//! How long a study will take: the images that are still to be trained on, and the rate of those that were.

use super::rows::Row;
use super::{Study, row};
use anyhow::Result;

/// Fashion-MNIST without the part that is held out to score trials.
const TRIAL_IMAGES: f64 = 54_000.0;
/// All of its training images: what finished networks are trained on.
const FINAL_IMAGES: f64 = 60_000.0;

/// Prints what is done, what is left, and how long that takes: each row at the rate of its own trials, and networks for
/// given sizes at that of the row that they are chosen from.
pub(super) fn print(study: &Study<'_>) -> Result<()> {
    let Study { rows, options, .. } = study;
    let mut left = Left::default();
    println!("{:<12} {:>9} {:>9}   question", "row", "trials", "finished");
    for row in &rows.rows {
        let trials = row::trials(study, row)?;
        let ended = trials.iter().filter(|trial| trial.ended()).count() as u64;
        let wanted = rows.trials(row);
        let rate = rate(study, row)?;
        left.add(wanted.saturating_sub(ended) as f64 * rows.trial_epochs(row) * TRIAL_IMAGES, rate);
        let networks = rows.final_networks.min(wanted as usize);
        let (mut finished, mut finals) = (0, 0);
        if !options.searches_only {
            for &variant in &row.finals {
                finished += row::finished(study, row, variant)?.len();
                finals += networks;
            }
        }
        let epochs = finals.saturating_sub(finished) as f64 * rows.protocol.final_epochs();
        left.add(epochs * FINAL_IMAGES, rate);
        println!("{:<12} {ended:>4}/{wanted:<4} {finished:>4}/{finals:<4}   {}", row.name, row.question);
    }
    if let Some(champions) = rows.champions.as_ref().filter(|_| !options.searches_only) {
        let (missing, wanted) = (study.missing_champions(champions)?, champions.targets.len());
        for target in &missing {
            let Some(row) = target.rows.first() else { continue };
            let rate = rate(study, rows.named(row)?)?;
            left.add(target.protocol.final_epochs() * FINAL_IMAGES, rate);
        }
        println!("{:<12} {:>9} {:>4}/{wanted:<4}   networks for given sizes", "", "", wanted - missing.len());
    }
    println!(
        "left: {:.1} M images to train on; with {} workers about {:.1} h",
        left.images / 1e6,
        options.workers,
        left.seconds / options.workers as f64 / 3600.0
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

/// Images that a worker trains on in a second, in the trials of `row`.
fn rate(study: &Study<'_>, row: &Row) -> Result<f64> {
    let trials = row::trials(study, row)?;
    let images: f64 = trials.iter().map(row::Trial::trained_images).sum();
    let seconds: f64 = trials.iter().map(row::Trial::seconds).sum();
    Ok(if seconds > 0.0 { images / seconds } else { study.rows.images_per_second(row) })
}
