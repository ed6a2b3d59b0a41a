//! `bomp-search pareto`: the trials that no other one beats in both accuracy and size.

use anyhow::Result;
use bomp_export::text;
use bomp_search::front;
use bomp_search::study::Trial;

use super::{CommandOutcome, csv, options, status, table};

/// Prints the front by rising size.
pub(crate) fn run(options: &options::ParetoOptions) -> Result<CommandOutcome> {
    let at_most = options.at_most;
    let options = &options.study;
    let (config, trials) = options.study.read()?;
    let mut front = front::of_trials(&trials);
    if let Some(count) = at_most {
        front = front::spread(front, front::worthwhile(&config, &trials), count.into());
    }
    let front: Vec<Trial> = front.into_iter().cloned().collect();
    if options.json {
        println!("{}", text::json(&serde_json::to_string_pretty(&front)?));
    } else if options.csv {
        print!("{}", csv::of(&front));
    } else {
        println!("{}", table::heading(config.objective));
        front.iter().for_each(|trial| println!("{}", table::line(trial)));
        let hypervolume = front::hypervolume(&config, &front);
        println!(
            "hypervolume {hypervolume:.6} (accuracy from {}, x log10 of bytes below the budget)",
            status::corner(&config)
        );
    }
    Ok(CommandOutcome::Done)
}
