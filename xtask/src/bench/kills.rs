//! `cargo xtask bench kills`: random `kill -9` of workers and of the server, and the proof that
//! nothing came of it.

use crate::{setup, workspace};
use anyhow::Result;
use clap::Args;

/// Kill workers and database servers at random, with studies in a folder and in PostgreSQL, and
/// check that every trial is finished exactly once, no finished trial is lost, and a worker that
/// comes back late is refused
#[derive(Args)]
pub(super) struct Options {
    /// Number of kills for each store
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u32,
    /// Number of workers that are stopped for longer than the grace time, for each store
    #[arg(long, value_name = "N", default_value_t = 20)]
    zombies: u32,
    /// Number of workers at the same time
    #[arg(long, value_name = "N", default_value_t = 4)]
    workers: u32,
    /// Time without a heartbeat after which a worker counts as dead
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0)]
    grace: f64,
    /// Seed of the random choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Builds and runs it.
pub(super) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    let numbers = [options.kills, options.zombies, options.workers].map(|number| number.to_string());
    let (grace, seed) = (options.grace.to_string(), options.seed.to_string());
    // With the features of the whole workspace, as its tests are built.
    workspace::cargo(&[
        "bench",
        "--workspace",
        "--bench",
        "kills",
        "--",
        "--kills",
        &numbers[0],
        "--zombies",
        &numbers[1],
        "--workers",
        &numbers[2],
        "--grace",
        &grace,
        "--seed",
        &seed,
    ])
}
