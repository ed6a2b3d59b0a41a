//! `cargo xtask trust`: what the project promises of corrupt models, stopped processes and long
//! runs, counted.

use crate::programs::text;
use crate::{setup, workspace};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// Try crafted and damaged models, a million mutants, a fault at every write of a study, of `pack`
/// and of `finalise`, damaged databases, and long runs; print the counts and fail unless all
/// failures are zero
#[derive(Args)]
pub(crate) struct Options {
    /// Number of mutants
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    mutants: u64,
    /// Seed of the mutants
    #[arg(long, value_name = "N", default_value_t = 6)]
    seed: u64,
    /// Number of trials of the long study
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    trials: u64,
    /// Number of networks that one worker trains
    #[arg(long, value_name = "N", default_value_t = 200)]
    networks: u64,
    /// A fault is injected at every N-th write; 1 is each
    #[arg(long, value_name = "N", default_value_t = 1)]
    step: u32,
    /// Only this part: attacks, damage, mutants, study, pack, finalise, databases, flips,
    /// certificates, long-study, long-worker; may be given several times
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Write the counts to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds and runs it.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    let numbers = [
        ("--mutants", options.mutants),
        ("--seed", options.seed),
        ("--trials", options.trials),
        ("--networks", options.networks),
        ("--step", options.step.into()),
    ];
    let mut arguments: Vec<String> =
        ["bench", "--workspace", "--bench", "trust", "--"].map(str::to_owned).into();
    for (name, number) in numbers {
        arguments.extend([name.to_owned(), number.to_string()]);
    }
    for part in &options.only {
        arguments.extend(["--only".to_owned(), part.clone()]);
    }
    if let Some(file) = &options.json {
        // Cargo runs it in another folder.
        arguments.extend(["--json".to_owned(), text(&std::path::absolute(file)?)?.to_owned()]);
    }
    workspace::cargo(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}
