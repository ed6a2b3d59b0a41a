//! `bomp-experiments`: the paper's experiments, as far as a machine reaches. A study is a folder under `tests/studies`: its
//! protocol, its experiments, and what came out of them. Each experiment is a search, and the networks of its front trained to
//! the end. Whatever is finished is kept in that folder at once, so that the study goes on where it was, on another machine too.
//!
//! Data flow: `study` (what is asked) -> `experiment`, `champions` (what is run and kept) -> `searches`, `claims`, `finished`
//! (what follows) -> `page`. It runs nothing that a user could not run: the project's programs, with the options that it prints.
//! No figure of a page is typed by hand.

#[macro_use(println, eprintln)]
extern crate bomp_export;

mod champions;
mod claims;
mod compare;
mod estimate;
mod experiment;
mod finished;
mod page;
mod programs;
mod record;
mod searches;
mod study;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bomp_export::command_line;
use clap::Parser;

use study::Study;

/// Run the experiments of the paper, or go on with them: searches, final trainings, packing, an emulated Cortex-M4
#[derive(Parser)]
#[command(name = "bomp-experiments", version)]
struct Options {
    /// Which study: a folder of tests/studies
    #[arg(long, value_name = "NAME", default_value = "cpu2")]
    preset: String,
    /// Only these experiments; may be given several times
    #[arg(long, alias = "row", value_name = "NAME")]
    experiment: Vec<String>,
    /// Folder for databases and candidates
    #[arg(long, value_name = "DIR", default_value = "studies")]
    out: PathBuf,
    /// Workers of the searches, and threads of the final trainings
    #[arg(long, value_name = "N", default_value_t = 2)]
    workers: usize,
    /// Test images that the emulated Cortex-M4 classifies for each finished network
    #[arg(long, value_name = "N", default_value_t = 100)]
    m4_images: usize,
    /// Search only; leave the final trainings for later
    #[arg(long)]
    searches_only: bool,
    /// Train only the networks for given sizes, from the searches that there are
    #[arg(long, conflicts_with = "searches_only")]
    champions_only: bool,
    /// Print the estimated time and stop
    #[arg(long)]
    estimate: bool,
    /// Write the page of results and its plots from what is kept, and stop
    #[arg(long)]
    results: bool,
    /// Compare the page of results and its plots with what is kept, write nothing, and fail where they differ
    #[arg(long, conflicts_with_all = ["results", "estimate"])]
    check: bool,
    /// The checkout whose studies these are
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
}

fn main() -> ExitCode {
    let outcome = match command_line::parse::<Options>() {
        Ok(options) => run(options).map_err(|error| command_line::of_error(&error)),
        Err(line) => Err(line),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(line) => {
            eprintln!("error: {line}");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<()> {
    let kept = options.repository.join("tests/studies").join(&options.preset);
    let work = std::path::absolute(&options.out).context("--out")?.join(&options.preset);
    let study = Study::read(options, kept, work)?;
    for name in &study.options.experiment {
        study.named(name).with_context(|| format!("--experiment {name}"))?;
    }
    if study.options.check {
        return page::check(&study);
    }
    if !study.options.results {
        estimate::print(&study)?;
        if study.options.estimate {
            return Ok(());
        }
        study.run()?;
    }
    page::write(&study)
}
