//! A report on disk: `report.html`, and each plot as `NAME.svg` and `NAME.png`.

use std::path::{Path, PathBuf};

use bomp_export::files::{self, WriteError};

use super::data::Report;
use super::draw::png;
use super::html;
use super::plots::{self, Plot};

/// All plots, by the names of their files without the extension: SVG.
pub fn drawings(report: &Report) -> impl Iterator<Item = (String, String)> {
    all(report).map(|plot| (plot.name, plot.canvas.standalone()))
}

/// A plot for newcomers as SVG: the finished networks of a few studies, each named at its line. `lines` are names of
/// studies and what is written beside them, the most important first; studies without finished networks are left out.
pub fn overview(report: &Report, lines: &[(&str, &str)]) -> String {
    plots::overview(report, lines).standalone()
}

fn all(report: &Report) -> impl Iterator<Item = Plot> {
    let of_studies = report.studies.iter().flat_map(|study| plots::of_study(report, study));
    plots::common(report).into_iter().chain(of_studies)
}

/// Writes the report into `folder`, which is made if it is absent; the page last. The page loads itself again after
/// `refresh` seconds, if that is given. Returns the path of the page.
///
/// # Errors
/// The file that could not be written; what was there before is whole.
pub fn write(report: &Report, folder: &Path, refresh: Option<u32>) -> Result<PathBuf, WriteError> {
    for plot in all(report) {
        files::write(&folder.join(format!("{}.svg", plot.name)), plot.canvas.standalone().as_bytes())?;
        files::write(&folder.join(format!("{}.png", plot.name)), &png(&plot.canvas))?;
    }
    let page = folder.join("report.html");
    files::write(&page, html::page(report, refresh).as_bytes())?;
    Ok(page)
}
