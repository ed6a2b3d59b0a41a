//! `cargo xtask bench`: the measurements behind what the project says of its speed. Ratios side by
//! side in one run, never tests: a slow machine fails nothing.

mod bo;
mod exactness;
mod host;
mod kernels;
mod kills;
mod train;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Run a benchmark
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    Bo(bo::Options),
    Exactness(exactness::Options),
    Kernels(kernels::Options),
    Kills(kills::Options),
    Host(host::Options),
    Train(train::Options),
}

/// Runs the one asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.bench {
        Bench::Bo(options) => bo::run(options),
        Bench::Exactness(options) => exactness::run(options),
        Bench::Kernels(options) => kernels::run(options),
        Bench::Kills(options) => kills::run(options),
        Bench::Host(options) => host::run(options),
        Bench::Train(options) => train::run(options),
    }
}
