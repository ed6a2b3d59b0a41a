//! The project's own commands, `cargo xtask COMMAND`: each works on a fresh clone with no step beforehand.
//! One file for each command; this one only dispatches.

mod bench;
mod book;
mod check;
mod coverage;
mod fuzz;
mod gpu_check;
mod machine;
mod programs;
mod quickstart;
mod setup;
mod sizes;
mod study;
mod test;
mod trust;
mod wheel;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// BOMP-NAS: the project's own commands
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Options),
    Quickstart(quickstart::Options),
    Bench(bench::Options),
    /// Build the documentation as a book of HTML pages in target/book
    Book,
    Coverage(coverage::Options),
    Fuzz(fuzz::Options),
    GpuCheck(gpu_check::Options),
    Sizes(sizes::Options),
    Study(study::Options),
    Trust(trust::Options),
    /// Set up, then run every test of the workspace
    Test,
    /// Check the formatting, set up, check licences with cargo-deny, build the book, run clippy and
    /// rustdoc with warnings denied, package the crates for firmware; print how long each took
    Check,
    /// Check the dependencies for known vulnerabilities in RustSec's database, which is downloaded;
    /// needs git and a network
    Advisories,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Setup(options) => setup::run(&options),
        Command::Quickstart(options) => quickstart::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Book => book::run(),
        Command::Coverage(options) => coverage::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::GpuCheck(options) => gpu_check::run(&options),
        Command::Sizes(options) => sizes::run(&options),
        Command::Study(options) => study::run(&options),
        Command::Trust(options) => trust::run(&options),
        Command::Test => test::run(),
        Command::Check => check::run(),
        Command::Advisories => check::licences::advisories(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
