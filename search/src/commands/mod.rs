//! The command line of `bomp-search`: one file for each command. Only this folder prints.
//!
//! Exit codes: 0 done; 2 an error, told in one line; 130 stopped by Ctrl-C or SIGTERM, everything finished is kept.

mod ask_tell;
mod crew;
mod data;
mod estimate;
mod event;
mod finalise;
mod front;
mod import;
mod look;
mod options;
mod pace;
mod preset;
mod progress;
mod recall;
mod report;
mod run;
mod salvage;
mod status;
mod table;
mod teacher;
mod trainer;
mod worker;

use std::process::ExitCode;

use bomp_export::text;
use bomp_search::study::Location;
use clap::{Parser, Subcommand};

/// Find MobileNetV2-style networks and a 4-8 bit width for every layer, jointly, under a size budget
#[derive(Parser)]
#[command(name = "bomp-search", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<options::Run>),
    Data(options::Look),
    Resume(options::Resume),
    Worker(options::Worker),
    Status(StudyOptions),
    Pareto(options::Pareto),
    Import(options::Import),
    Salvage(options::Salvage),
    Finalise(options::Finalise),
    Report(options::Report),
    AskTell(options::AskTell),
    Preset(options::Preset),
}

/// A study, and how to print.
#[derive(clap::Args)]
pub(crate) struct StudyOptions {
    /// Folder of the study, or postgres://USER:PASSWORD@HOST/DATABASE?study=NAME
    #[arg(long, value_name = "STUDY")]
    pub(crate) study: Location,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a command ended that did not fail.
pub(crate) enum Outcome {
    /// It did what it was asked to do.
    Done,
    /// The user stopped it.
    Interrupted,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(options) => run::start(&options),
        Command::Data(options) => look::run(&options),
        Command::Resume(options) => run::resume(&options),
        Command::Worker(options) => worker::run(&options),
        Command::Status(options) => status::run(&options),
        Command::Pareto(options) => front::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Salvage(options) => salvage::run(&options),
        Command::Finalise(options) => finalise::run(&options),
        Command::Report(options) => report::run(&options),
        Command::AskTell(options) => ask_tell::run(&options),
        Command::Preset(options) => preset::run(&options),
    };
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {}", text::line(&format!("{error:#}")));
            ExitCode::from(2)
        }
    }
}
