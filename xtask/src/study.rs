//! `cargo xtask study`: the paper's experiments, as far as a machine reaches. A study is a folder under `tests/studies`: its
//! protocol, its rows, and what came out of them. The rows are run one after the other; whatever is finished is kept in that
//! folder at once, so that the study goes on where it was, on another machine too.
//!
//! It does nothing that a user could not do: it calls the project's programs with the options that it prints.

mod champions;
mod claims;
mod estimate;
mod front;
mod networks;
mod report;
mod results;
mod row;
mod rows;

use crate::{programs, setup, workspace};
use anyhow::{Context, Result, ensure};
use rows::Rows;
use std::path::PathBuf;

/// Run the experiments of the paper, or go on with them: searches, final trainings, packing, an emulated Cortex-M4
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which study: a folder of tests/studies
    #[arg(long, value_name = "NAME", default_value = "cpu2")]
    preset: String,
    /// Only these rows; may be given several times
    #[arg(long, value_name = "NAME")]
    row: Vec<String>,
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
    /// Write the page of results from what there is, and stop
    #[arg(long)]
    results: bool,
}

/// Where one study is, and how it is run.
struct Study<'a> {
    options: &'a Options,
    rows: Rows,
    /// Its folder under `tests/studies`.
    kept: PathBuf,
    /// Its databases and candidates.
    work: PathBuf,
}

/// Runs the rows asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let kept = workspace::root()?.join("tests/studies").join(&options.preset);
    let mut rows = Rows::read(&kept)?;
    for name in &options.row {
        ensure!(
            rows.rows.iter().any(|row| row.name == *name),
            "--row {name}: there is none in {}",
            kept.display()
        );
    }
    let everything = options.row.is_empty();
    if !everything {
        rows.rows.retain(|row| options.row.contains(&row.name));
    }
    let work = std::path::absolute(&options.out).context("--out")?.join(&options.preset);
    let mut study = Study { options, rows, kept, work };
    estimate::print(&study)?;
    if options.estimate {
        return Ok(());
    }
    setup::run(&setup::Options::default())?;
    programs::build()?;
    if options.results {
        return study.report();
    }
    if options.champions_only {
        if let Some(champions) = &study.rows.champions {
            study.finish_champions(champions)?;
        }
        return study.report();
    }
    // All searches first: every comparison needs them, and the final trainings can be added one by one.
    for row in &study.rows.rows {
        study.search(row)?;
    }
    if !options.searches_only {
        for row in &study.rows.rows {
            study.finish(row)?;
        }
        if let Some(champions) = study.rows.champions.as_ref().filter(|_| everything) {
            study.finish_champions(champions)?;
        }
    }
    if !everything {
        // The results are of all rows.
        study.rows = Rows::read(&study.kept)?;
    }
    study.report()
}

impl Study<'_> {
    /// Writes the page of results from what there is of all rows.
    fn report(&self) -> Result<()> {
        self.rows.rows.iter().try_for_each(|row| self.bring_back(row))?;
        results::write(self)
    }
}
