//! `bomp-search preset`: the built-in presets, to be read and changed.

use anyhow::Result;
use bomp_search::study::Preset;

use super::{Outcome, options};

/// Prints a preset, or the names of all.
pub(crate) fn run(options: &options::Preset) -> Result<Outcome> {
    match &options.name {
        Some(name) => print!("{}", Preset::text(name)?),
        None => Preset::names().for_each(|name| println!("{name}")),
    }
    Ok(Outcome::Done)
}
