//! `cargo xtask study`: sets up, builds, and hands over to the program that runs studies, `search/experiments`.

use crate::{programs, setup, workspace};
use anyhow::Result;

/// Run the experiments of the paper, or go on with them: searches, final trainings, packing, an emulated Cortex-M4
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// What `bomp-experiments` is told; --help lists it
    #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Runs the program.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    programs::build_with(&["bomp-experiments"])?;
    let root = workspace::root()?;
    let mut arguments = vec!["--repository", programs::text(&root)?];
    arguments.extend(options.options.iter().map(String::as_str));
    programs::call("bomp-experiments", &arguments)
}
