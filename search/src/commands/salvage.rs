//! `bomp-search salvage`: a new study of what can be read of one whose database is damaged.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use bomp_export::text;
use bomp_search::study::{Archive, Salvaged, Trial, salvage};

use super::{CommandOutcome, options};

/// Lost trials that are named one by one.
const NAMED: usize = 10;

pub(crate) fn run(options: &options::SalvageOptions) -> Result<CommandOutcome> {
    let printed = options.config.as_deref().map(Archive::open).transpose()?;
    let config = printed.map(|archive| archive.config);
    ensure!(
        options.study.is_folder(),
        "{}: a database's own tools repair it; salvage reads studies in folders",
        options.study
    );
    let Salvaged { config, trials, lost, after } = salvage(&options.study.files(), config)?;
    let trials = moved_up(trials);
    let into = &options.into;
    into.create_with(&config, &trials)?;
    let (saved, all) = (trials.len(), trials.len() + lost.len());
    println!(
        "{into}: {saved} of {all} trials; `bomp-search resume --study {}` goes on",
        text::argument(&into.to_string())
    );
    for (number, why) in lost.iter().take(NAMED) {
        println!("lost: trial {number}: {why}");
    }
    if lost.len() > NAMED {
        println!("lost: {} more", lost.len() - NAMED);
    }
    match after {
        Some(what) => println!("what there was after the last of them cannot be read: {what}"),
        None if lost.is_empty() => println!("nothing was lost"),
        None => {}
    }
    Ok(CommandOutcome::Done)
}

/// Gives the trials new numbers, without gaps. A trial whose weights came from one that is lost stands for itself.
fn moved_up(trials: Vec<Trial>) -> Vec<Trial> {
    let numbers: BTreeMap<u64, u64> = (0..).zip(&trials).map(|(new, trial)| (trial.number, new)).collect();
    let moved = |trial: Trial| {
        let weights_from = trial.weights_from.and_then(|weights_from| numbers.get(&weights_from).copied());
        Trial { number: numbers[&trial.number], weights_from, ..trial }
    };
    trials.into_iter().map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_search::space::{Space, Usage};
    use bomp_search::study::TrialState;

    #[test]
    fn references_follow_their_trials() {
        let space = Space::open("extended").unwrap();
        let smallest = vec![0; space.genes().len()];
        let genotype = space.genotype(&smallest);
        let usage = Usage::of(&space.network(&genotype));
        let trial = |number, weights_from| {
            let genotype = genotype.clone();
            Trial { number, genotype, usage, weights_from, worker: None, state: TrialState::Running }
        };
        let left = vec![trial(1, None), trial(3, Some(1)), trial(4, Some(2))];
        let moved = moved_up(left);
        let shown: Vec<_> = moved.iter().map(|trial| (trial.number, trial.weights_from)).collect();
        assert_eq!(shown, [(0, None), (1, Some(0)), (2, None)]);
    }
}
