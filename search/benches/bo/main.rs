//! How many trials the optimiser needs, and how long it thinks: the strategies side by side, as a client of ask-tell sees
//! them, on a table of real trainings, on a synthetic accuracy over Table I and on synthetic problems of other characters;
//! what several policies for each network save; and the time of one proposal late in a long study. `cargo xtask bench bo`
//! runs it.

mod client;
mod climb;
mod compare;
mod late;
mod made;
mod policies;
mod synthetic;
mod table;

use std::path::PathBuf;

use bomp_search::study::StrategyKind;
use clap::{Parser, ValueEnum};
use compare::entrants;

/// Compares the strategies of the optimiser.
#[derive(Parser)]
struct Arguments {
    /// Table of real trainings with the columns op0.., val_acc_0.. [%] and model_size_mb [default: none]
    #[arg(long)]
    table: Option<PathBuf>,
    /// Only these strategies [default: all]
    #[arg(long, value_enum)]
    strategy: Vec<StrategyKind>,
    /// Studies for each strategy
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Most trials of a study
    #[arg(long, default_value_t = 300)]
    trials: usize,
    /// Most trials of a study on a synthetic problem
    #[arg(long, default_value_t = 150)]
    synthetic_trials: usize,
    /// Studies for each strategy on a synthetic problem
    #[arg(long, default_value_t = 6)]
    synthetic_seeds: u64,
    /// Only these: `table`, `paper`, `easy` and `hard` (from a constant answer up), `policies`, `late`, or the name of a synthetic problem [default: all]
    #[arg(long)]
    only: Vec<String>,
    /// Passed by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let all = StrategyKind::value_variants();
    let strategies = if arguments.strategy.is_empty() { all } else { &arguments.strategy };
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    if wanted("table") {
        match &arguments.table {
            Some(path) => {
                let (trials, seeds) = (arguments.trials, arguments.seeds);
                compare::run(&table::Table::read(path, 80.0)?, &entrants(strategies, false), trials, seeds)?;
                compare::run(&table::Table::read(path, 10.0)?, &entrants(strategies, true), trials, seeds)?;
            }
            None => println!("SKIPPED: the table of real trainings; name it with --table"),
        }
    }
    let (trials, seeds) = (arguments.synthetic_trials, arguments.synthetic_seeds);
    if wanted("paper") {
        compare::run(&synthetic::Synthetic::paper()?, &entrants(strategies, false), trials, seeds)?;
    }
    for (name, hard) in [("easy", false), ("hard", true)] {
        if wanted(name) {
            let synthetic = synthetic::Synthetic::from_chance(hard)?;
            compare::run(&synthetic, &entrants(strategies, true), trials, seeds)?;
        }
    }
    for made in made::all().iter().filter(|made| wanted(made.name)) {
        compare::run(made, &entrants(strategies, false), trials, seeds)?;
    }
    if wanted("policies") {
        policies::run()?;
    }
    if wanted("late") {
        late::run()?;
    }
    Ok(())
}
