//! `bomp-search pareto`: the trials that no other one beats in both accuracy and size.

use anyhow::Result;
use bomp_search::proposal;
use bomp_search::study::{Store, Trial};

use super::{Outcome, StudyOptions, table};

/// Prints the front by rising size.
pub(crate) fn run(options: &StudyOptions) -> Result<Outcome> {
    let store = Store::open(&options.study)?;
    let front = of(&store.trials()?);
    if options.json {
        println!("{}", serde_json::to_string_pretty(&front)?);
    } else {
        println!("{}", table::HEADING);
        front.iter().for_each(|trial| println!("{}", table::line(trial)));
        let hypervolume = proposal::hypervolume(store.config(), &front);
        println!(
            "hypervolume {hypervolume:.6} (accuracy above the reference x log10 of bytes below the budget)"
        );
    }
    Ok(Outcome::Done)
}

/// The non-dominated finished trials by rising size. Unlike the optimiser's front it has no reference: a network below the
/// reference accuracy is still somebody's best at its size.
pub(crate) fn of(trials: &[Trial]) -> Vec<Trial> {
    let mut finished: Vec<&Trial> = trials.iter().filter(|trial| trial.measured().is_some()).collect();
    let correct = |trial: &Trial| trial.measured().map_or(0, |measured| measured.correct);
    finished.sort_by_key(|trial| (trial.usage.bytes, u64::MAX - correct(trial), trial.number));
    let mut best = None;
    finished.retain(|trial| {
        let better = best.is_none_or(|best| correct(trial) > best);
        if better {
            best = Some(correct(trial));
        }
        better
    });
    finished.into_iter().cloned().collect()
}
