//! `bomp-search data`: what a data set is, before anything is trained on it.

use anyhow::Result;
use bomp_export::data;
use bomp_search::data::StudyData;

use super::{CommandOutcome, options};

/// Prints the summary of the data, with one line for each class.
pub(crate) fn run(options: &options::LookOptions) -> Result<CommandOutcome> {
    let path = options.path.clone().unwrap_or_else(data::default_folder);
    let summary = StudyData::load(&path, options.format, options.validation, options.seed)?.summary();
    if options.json {
        println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&summary)?));
        return Ok(CommandOutcome::Done);
    }
    print!("{summary}");
    let name = |name: &str| name.chars().count();
    let width = summary.classes.iter().map(|class| name(&class.name)).max().unwrap_or_default().max(5);
    println!("{:width$} {:>8} {:>10} {:>8}", "class", "training", "validation", "test");
    for class in &summary.classes {
        println!("{:width$} {:>8} {:>10} {:>8}", class.name, class.training, class.validation, class.test);
    }
    Ok(CommandOutcome::Done)
}
