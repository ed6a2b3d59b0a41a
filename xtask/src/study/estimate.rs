//! How long a study will take: the images that are still to be trained on, and the rate of those that were.

use super::{Study, row};
use anyhow::Result;

/// Fashion-MNIST without the part that is held out to score trials.
const TRIAL_IMAGES: f64 = 54_000.0;
/// All of its training images: what finished networks are trained on.
const FINAL_IMAGES: f64 = 60_000.0;

/// Prints what is done, what is left, and how long that takes.
pub(super) fn print(study: &Study<'_>) -> Result<()> {
    let Study { rows, options, .. } = study;
    let (mut done_images, mut done_seconds, mut left) = (0.0, 0.0, 0.0);
    println!("{:<12} {:>9} {:>9}   question", "row", "trials", "finished");
    for row in &rows.rows {
        let trials = row::trials(study, row)?;
        let ended = trials.iter().filter(|trial| trial.ended()).count() as u64;
        done_images += trials.iter().map(row::Trial::trained_images).sum::<f64>();
        done_seconds += trials.iter().map(row::Trial::seconds).sum::<f64>();
        let wanted = rows.trials(row);
        left += wanted.saturating_sub(ended) as f64 * rows.trial_epochs(row) * TRIAL_IMAGES;
        let networks = rows.final_networks.min(wanted as usize);
        let (mut finished, mut finals) = (0, 0);
        if !options.searches_only {
            for &variant in &row.finals {
                finished += row::finished(study, row, variant)?.len();
                finals += networks;
            }
        }
        left += finals.saturating_sub(finished) as f64 * rows.protocol.final_epochs() * FINAL_IMAGES;
        println!("{:<12} {ended:>4}/{wanted:<4} {finished:>4}/{finals:<4}   {}", row.name, row.question);
    }
    if let Some(champions) = rows.champions.as_ref().filter(|_| !options.searches_only) {
        let (missing, wanted) = (study.missing_champions(champions)?, champions.targets.len());
        left += missing.iter().map(|target| target.protocol.final_epochs() * FINAL_IMAGES).sum::<f64>();
        println!("{:<12} {:>9} {:>4}/{wanted:<4}   networks for given sizes", "", "", wanted - missing.len());
    }
    // Seconds of trials are those of one worker each.
    let measured = options.workers as f64 * done_images / done_seconds;
    let rate =
        if done_seconds > 0.0 { measured } else { rows.images_per_second * options.workers as f64 / 2.0 };
    println!(
        "left: {:.1} M images to train on; at {rate:.0} images/s with {} workers about {:.1} h",
        left / 1e6,
        options.workers,
        left / rate / 3600.0
    );
    Ok(())
}
