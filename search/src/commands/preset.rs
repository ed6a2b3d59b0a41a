//! `bomp-search preset`: the built-in presets, to be read and changed.

use anyhow::Result;
use bomp_search::study::Preset;

use super::{CommandOutcome, options};

/// Prints a preset, or the names of all.
pub(crate) fn run(options: &options::PresetOptions) -> Result<CommandOutcome> {
    match &options.name {
        Some(name) if options.json => {
            println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&Preset::open(name)?)?))
        }
        None if options.json => {
            println!(
                "{}",
                bomp_export::text::json(&serde_json::to_string_pretty(&Preset::names().collect::<Vec<_>>())?)
            );
        }
        Some(name) => print!("{}", Preset::text(name)?),
        None => Preset::names().for_each(|name| println!("{name}")),
    }
    Ok(CommandOutcome::Done)
}
