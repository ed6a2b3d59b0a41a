//! The command line of `bomp-search`: one file for each command. Only this folder prints.
//!
//! Exit codes: 0 done; 2 an error, told in one line; 130 stopped by Ctrl-C or SIGTERM, everything
//! finished is kept.

mod ask_tell;
mod crew;
mod csv;
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
mod space;
mod status;
mod study;
mod table;
mod trainer;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use bomp_export::command_line::{self, Completions};
use clap::{CommandFactory, Parser, Subcommand};
use study::Study;

/// Search for MobileNetV2-style networks and a 4 to 8 bit width for every layer, together, within
/// limits of size, RAM and MACs
#[derive(Parser)]
#[command(name = "bomp-search", version)]
struct Arguments {
    /// Print results and errors only: no progress, no notes
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(Box<options::RunOptions>),
    Data(options::LookOptions),
    Resume(options::ResumeOptions),
    Worker(options::WorkerOptions),
    /// List the trials of a study, the Pareto front, and the genes that matter most
    Status(StudyOptions),
    Pareto(options::ParetoOptions),
    Import(options::ImportOptions),
    Salvage(options::SalvageOptions),
    #[command(alias = "finalize")]
    Finalise(options::FinaliseOptions),
    Report(options::ReportOptions),
    AskTell(options::AskTellOptions),
    Preset(options::PresetOptions),
    Space(options::SpaceOptions),
    Completions(Completions),
}

// No doc comment: it would become the help of `status`.
#[derive(clap::Args)]
pub(crate) struct StudyOptions {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// Print trials as CSV with a header line: accuracies in percent of the validation images, sizes in bytes
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// How a command ended that did not fail.
pub(crate) enum CommandOutcome {
    /// It did what it was asked to do.
    Done,
    /// The user stopped it.
    Interrupted,
}

pub(crate) fn main() -> ExitCode {
    hide_password();
    let arguments: Arguments = match command_line::parse() {
        Ok(arguments) => arguments,
        Err(line) => {
            eprintln!("error: {line}");
            return ExitCode::from(2);
        }
    };
    progress::be_quiet(arguments.quiet);
    let result = match arguments.command {
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
        Command::Space(options) => space::run(&options),
        Command::Completions(completions) => completions
            .write(Arguments::command(), &mut bomp_export::output::Output)
            .map(|()| CommandOutcome::Done)
            .map_err(Into::into),
    };
    match result {
        Ok(CommandOutcome::Done) => ExitCode::SUCCESS,
        Ok(CommandOutcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            eprintln!("error: {}", command_line::of_error(&error));
            ExitCode::from(2)
        }
    }
}

/// Starts the program anew without the password of an address, which every user of the machine
/// could read in the list of processes; PGPASSWORD, which they cannot, takes it there. Addresses
/// with different passwords stay as they are.
fn hide_password() {
    use std::os::unix::process::CommandExt;
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let hidden: Vec<_> = arguments.iter().map(command_line::without_password).collect();
    let mut passwords = hidden.iter().flatten().map(|hidden| &hidden.password);
    let Some(password) = passwords.next().filter(|first| passwords.all(|other| other == *first)) else {
        return;
    };
    let Ok(program) = std::env::current_exe() else { return };
    let shown = arguments.iter().zip(&hidden).skip(1).map(|(argument, hidden)| match hidden {
        Some(hidden) => hidden.address.clone().into(),
        None => argument.clone(),
    });
    // If this fails the password is seen, and everything else is as before.
    let _ = std::process::Command::new(program).args(shown).env("PGPASSWORD", password).exec();
}
