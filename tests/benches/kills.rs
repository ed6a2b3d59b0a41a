//! `cargo xtask bench kills`: 200 random `kill -9` of workers and of the server while a study runs, on both stores.

use std::path::Path;
use std::time::Duration;

use bomp_tests::kills::{self, Plan, Store};
use clap::Parser;

/// Kills workers and servers of studies, and proves that nothing came of it
#[derive(Parser)]
struct Arguments {
    /// Kills on each store
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Workers stopped for longer than the grace time, on each store
    #[arg(long, default_value_t = 20)]
    zombies: u32,
    /// Workers at a time
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Grace time in seconds
    #[arg(long, default_value_t = 3.0)]
    grace: f64,
    /// Mean time of a trial in seconds
    #[arg(long, default_value_t = 0.4)]
    time: f64,
    /// Of the random choices
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passed by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let Arguments { kills, zombies, workers, grace, time, seed, bench: _ } = Arguments::parse();
    let (grace, time) = (Duration::from_secs_f64(grace), Duration::from_secs_f64(time));
    let plan = Plan { kills, zombies, workers, grace, time, seed };
    for store in [Store::Sqlite, Store::Postgres] {
        println!("{}", kills::run(Path::new(env!("CARGO_BIN_EXE_invented-worker")), store, &plan));
    }
}
