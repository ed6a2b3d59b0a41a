//! `bomp-search pareto`: the trials that no other one beats in both accuracy and size.

use anyhow::Result;
use bomp_search::proposal;
use bomp_search::study::Trial;

use super::{Outcome, StudyOptions, table};

/// Prints the front by rising size.
pub(crate) fn run(options: &StudyOptions) -> Result<Outcome> {
    let mut store = options.study.open()?;
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

/// The non-dominated finished trials by rising size.
pub(crate) fn of(trials: &[Trial]) -> Vec<Trial> {
    bomp_search::report::data::front(trials).into_iter().cloned().collect()
}
