//! The plots, one file each: from [`Report`] to drawings that say what they show and how to read it.

mod axes;
mod bits;
mod fronts;
mod hypervolume;
mod importance;
mod overview;
mod scatter;
mod surrogate;

use super::data::{Report, StudyReport};
use super::draw::Canvas;

pub(super) use overview::overview;

/// A drawing.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    /// Name of its files, without the extension.
    pub(super) name: String,
    pub(super) title: String,
    /// How to read it.
    pub(super) caption: String,
    pub(super) canvas: Canvas,
}

/// The plots of all studies together: fronts, where there are several, and how the hypervolume grew.
pub(super) fn common(report: &Report) -> Vec<Plot> {
    let mut plots = Vec::new();
    if report.studies.len() > 1 {
        plots.push(fronts::candidates(report));
        plots.extend(fronts::finished(report));
    }
    plots.extend([hypervolume::over_trials(report), hypervolume::over_images(report)]);
    plots
}

/// The plots of one study.
pub(super) fn of_study(report: &Report, study: &StudyReport) -> Vec<Plot> {
    let mut plots =
        vec![scatter::plot(study), bits::plot(study), surrogate::plot(study), importance::plot(study)];
    if report.studies.len() > 1 {
        let number = 1 + report.studies.iter().position(|other| other.name == study.name).unwrap_or(0);
        for plot in &mut plots {
            plot.name = format!("study{number}-{}", plot.name);
            plot.title = format!("{} - {}", plot.title, study.name);
        }
    }
    plots
}
