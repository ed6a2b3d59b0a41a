//! `bomp-search pareto`: the trials that no other one beats in both accuracy and size.

use anyhow::Result;
use bomp_export::text;
use bomp_search::proposal;
use bomp_search::study::Trial;

use super::{Outcome, csv, options, status, table};

/// Prints the front by rising size.
pub(crate) fn run(options: &options::Pareto) -> Result<Outcome> {
    let at_most = options.at_most;
    let options = &options.study;
    let (config, trials) = options.study.read()?;
    let mut front = of(&trials);
    if let Some(count) = at_most {
        front = spread(front, proposal::worthwhile(&config, &trials), count.into());
    }
    if options.json {
        println!("{}", text::json(&serde_json::to_string_pretty(&front)?));
    } else if options.csv {
        print!("{}", csv::of(&front));
    } else {
        println!("{}", table::heading(config.objective));
        front.iter().for_each(|trial| println!("{}", table::line(trial)));
        let hypervolume = proposal::hypervolume(&config, &front);
        println!(
            "hypervolume {hypervolume:.6} (accuracy from {}, x log10 of bytes below the budget)",
            status::corner(&config)
        );
    }
    Ok(Outcome::Done)
}

/// The non-dominated finished trials by rising size.
pub(crate) fn of(trials: &[Trial]) -> Vec<Trial> {
    bomp_search::report::data::front(trials).into_iter().cloned().collect()
}

/// At most `count` (at least 1) of a front, spread evenly over the logarithm of the size: the largest always, then the
/// smallest, then those nearest to even steps between both. Networks of no more than the accuracy `least` (0 to 1) only where
/// there are no better ones.
pub(crate) fn spread(mut front: Vec<Trial>, least: f64, count: usize) -> Vec<Trial> {
    let worth = |trial: &Trial| trial.measured().is_some_and(|measured| measured.accuracy() > least);
    if front.iter().any(worth) {
        front.retain(worth);
    }
    if front.len() <= count {
        return front;
    }
    let size = |trial: &Trial| (trial.usage.bytes as f64).ln();
    let (first, last) = (size(&front[0]), size(&front[front.len() - 1]));
    let mut chosen = Vec::with_capacity(count);
    for step in 0..count {
        let part = if count == 1 { 1.0 } else { step as f64 / (count - 1) as f64 };
        let wanted = first + (last - first) * part;
        // Of those after the one chosen before, and so that enough are left for the steps that follow.
        let from = chosen.last().map_or(0, |&index: &usize| index + 1);
        let until = front.len() - (count - 1 - step);
        let distance = |index: &usize| (size(&front[*index]) - wanted).abs();
        chosen.extend((from..until).min_by(|a, b| distance(a).total_cmp(&distance(b))));
    }
    chosen.into_iter().map(|index| front[index].clone()).collect()
}
