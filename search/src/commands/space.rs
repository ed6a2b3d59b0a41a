//! `bomp-search space`: the built-in search spaces, to be read and changed.

use anyhow::Result;
use bomp_export::text;
use bomp_search::space::Space;

use super::{CommandOutcome, options};

/// Prints a space, or the names of all.
pub(crate) fn run(options: &options::SpaceOptions) -> Result<CommandOutcome> {
    match &options.name {
        Some(name) if options.json => {
            println!("{}", text::json(&serde_json::to_string_pretty(Space::open(name)?.definition())?));
        }
        // Read before it is printed: what is wrong with a file is told, not shown.
        Some(name) => {
            Space::open(name)?;
            println!("{}", text::lines(Space::text(name)?.trim_end()));
        }
        None if options.json => {
            println!("{}", serde_json::to_string_pretty(&Space::names().collect::<Vec<_>>())?);
        }
        None => Space::names().for_each(|name| println!("{name}")),
    }
    Ok(CommandOutcome::Done)
}
