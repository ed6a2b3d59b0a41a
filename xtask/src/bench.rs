//! `cargo xtask bench`: the measurements behind what the project says of its speed. Ratios side by side in one run, never
//! tests: a slow machine fails nothing.

use crate::workspace;
use anyhow::Result;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The table of `bench bo`, from the workspace's root. It is not in the repository.
const TABLE: &str = "../shared/data/nasbench201-cifar10.csv";

/// Measure instead of believing
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    Bo(Bo),
}

/// Trials to 95 % and 98 % of the best hypervolume, every strategy through ask-tell, and the time of a late proposal
#[derive(Args)]
struct Bo {
    /// NAS-Bench-201 as a table: columns op0.., val_acc_0.. [%], model_size_mb [default: where the project's own machines
    /// have it, beside the checkout; without it that part is skipped]
    #[arg(long, value_name = "CSV")]
    table: Option<PathBuf>,
    /// Studies for each strategy
    #[arg(long, value_name = "N", default_value_t = 20)]
    seeds: u64,
    /// Most trials of a study
    #[arg(long, value_name = "N", default_value_t = 300)]
    trials: u64,
}

/// Runs the one asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.bench {
        Bench::Bo(options) => bo(options),
    }
}

fn bo(options: &Bo) -> Result<()> {
    // Cargo starts the benchmark in its package's folder.
    let table = match &options.table {
        Some(table) => std::path::absolute(table)?,
        None => workspace::root()?.join(TABLE),
    };
    let (seeds, trials) = (options.seeds.to_string(), options.trials.to_string());
    let table_path = table.display().to_string();
    let mut arguments = vec!["bench", "-p", "bomp-search", "--no-default-features", "--bench", "bo", "--"];
    arguments.extend(["--seeds", &seeds, "--trials", &trials]);
    if options.table.is_some() || table.is_file() {
        arguments.extend(["--table", &table_path]);
    }
    workspace::cargo(&arguments)
}
