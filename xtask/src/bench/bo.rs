//! `cargo xtask bench bo`: how many trials the strategies need, on a table of real trainings and on
//! a synthetic accuracy.

use crate::workspace;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// The table, from the workspace's root. It is not in the repository.
const TABLE: &str = "../shared/data/nasbench201-cifar10.csv";

/// Count the trials that each strategy needs to reach 95 % and 98 % of the best hypervolume,
/// through ask-tell, and time a proposal late in a study
#[derive(Args)]
pub(super) struct Options {
    /// NAS-Bench-201 as a table: columns op0.., val_acc_0.. [%], model_size_mb [default: where the
    /// project's own machines have it, beside the checkout; without it that part is skipped]
    #[arg(long, value_name = "CSV")]
    table: Option<PathBuf>,
    /// Number of studies for each strategy
    #[arg(long, value_name = "N", default_value_t = 20)]
    seeds: u64,
    /// Most trials of a study
    #[arg(long, value_name = "N", default_value_t = 300)]
    trials: u64,
}

/// Builds and runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
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
