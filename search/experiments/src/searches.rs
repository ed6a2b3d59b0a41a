//! The table of the searches, and what it and the claims take from their reports.

use std::fmt::Write;

use anyhow::Result;
use bomp_search::report::data::{Progress, StudyReport};

use crate::study::Study;

/// Where a search ended, from the corner that all searches of the study have.
fn last(search: &StudyReport) -> Progress {
    search.progress.last().copied().unwrap_or(Progress { ended: 0, trained_images: 0, hypervolume: 0.0 })
}

/// The hypervolume of a search at its end, from the corner that all searches of the study have.
pub(crate) fn hypervolume(search: &StudyReport) -> f64 {
    last(search).hypervolume
}

/// Images trained on until this hypervolume was reached; `None` if it never was.
pub(crate) fn images_to(search: &StudyReport, hypervolume: f64) -> Option<u64> {
    search.progress.iter().find(|step| step.hypervolume >= hypervolume).map(|step| step.trained_images)
}

/// Part of the networks of the front that have a layer below 8 bits; `None` without a front.
pub(crate) fn below_8_bits(search: &StudyReport) -> Option<f64> {
    let low = |network: usize| {
        search.bits.rows.iter().filter_map(|row| *row.bits.get(network)?).any(|bits| bits < 8)
    };
    let networks = search.front.len();
    let count = (0..networks).filter(|&network| low(network)).count();
    (networks > 0).then(|| count as f64 / networks as f64)
}

pub(crate) fn write(page: &mut String, study: &Study, searches: &[StudyReport]) -> Result<()> {
    let of = |name: &str| searches.iter().find(|search| search.name == name);
    let yardsticks = study.definition.yardsticks.iter().map(|name| (name, of(name))).collect::<Vec<_>>();
    page.push_str("\n## Searches\n\nHypervolume: validation accuracy above the reference times decades of size below the largest, from one corner for all.\n\n");
    page.push_str(
        "| experiment | question | trials | trained images [M] | hours of one core | front | hypervolume |",
    );
    yardsticks.iter().for_each(|(name, _)| _ = write!(page, " images to `{name}`'s [M] |"));
    page.push_str("\n| --- | --- | --- | --- | --- | --- | --- |");
    yardsticks.iter().for_each(|_| page.push_str(" --- |"));
    page.push('\n');
    for experiment in &study.definition.experiments {
        let Some(search) = of(&experiment.name) else { continue };
        let Progress { ended, hypervolume: reached, .. } = last(search);
        write!(
            page,
            "| {} | {} | {ended} | {:.2} | {:.2} | {} | {reached:.4} |",
            experiment.name,
            experiment.question,
            search.trained_images as f64 / 1e6,
            search.seconds / 3600.0,
            search.front.len(),
        )?;
        for (_, yardstick) in &yardsticks {
            let images = yardstick.and_then(|yardstick| {
                let images = images_to(search, hypervolume(yardstick))? as f64;
                let all = yardstick.trained_images as f64;
                Some(format!("{:.2} ({:.0} %)", images / 1e6, 100.0 * images / all))
            });
            write!(page, " {} |", images.unwrap_or_else(|| "never".into()))?;
        }
        page.push('\n');
    }
    Ok(())
}
