//! How the hypervolume grew, over trials and over the images that were trained on.

use super::Plot;
use super::axes::{heading, steps};
use super::fronts::{series, style};
use crate::report::data::{Progress, Report};
use crate::report::draw::{Canvas, Frame, Legend, Scale, dashed};

const FRAME: Frame = Frame { left: 74.0, top: 44.0, width: 680.0, height: 300.0 };

pub(super) fn over_trials(report: &Report) -> Plot {
    let how = "Flat stretches are trials that did not improve the front.";
    let ended = |step: &Progress| step.ended as f64;
    let axis = ("trials ended, failed ones included", &ended as &dyn Fn(&Progress) -> f64);
    plot(report, "hypervolume-trials", "Hypervolume over trials", how, axis)
}

pub(super) fn over_images(report: &Report) -> Plot {
    let how = "Images trained on are the cost of a search that does not depend on the machine.";
    let millions = |step: &Progress| step.trained_images as f64 / 1e6;
    let axis = ("images trained on [millions]", &millions as &dyn Fn(&Progress) -> f64);
    plot(report, "hypervolume-images", "Hypervolume over images trained on", how, axis)
}

fn plot(
    report: &Report,
    name: &str,
    title: &str,
    how: &str,
    (x_title, figure): (&str, &dyn Fn(&Progress) -> f64),
) -> Plot {
    let all = || report.studies.iter().flat_map(|study| &study.progress);
    let x = Scale::linear(0.0, all().map(figure).fold(0.0, f64::max) * 1.02, FRAME.across());
    let top = all().map(|step| step.hypervolume).fold(0.0, f64::max);
    // From 0 up: the area is a figure with a meaning of its own.
    let y = Scale::linear(0.0, if top > 0.0 { 1.06 * top } else { 1.0 }, FRAME.up());
    let legend = Legend::new(FRAME.width, if report.studies.len() > 1 { series(report) } else { Vec::new() });
    let mut canvas = Canvas::new(780.0, FRAME.bottom() + 58.0 + legend.height());
    heading(&mut canvas, &FRAME, title);
    FRAME.draw(&mut canvas, (&x, x_title), (&y, "hypervolume"));
    if top == 0.0 {
        FRAME.note(&mut canvas, "no network better than the reference yet");
    }
    for (index, study) in report.studies.iter().enumerate() {
        let (colour, marker, dashes) = style(index);
        let at = |step: &Progress| (x.at(figure(step)), y.at(step.hypervolume));
        canvas.polyline(&steps(study.progress.iter().map(at)), (colour, 1.8), &dashed(&dashes));
        if let Some(step) = study.progress.last() {
            let tip = format!("{}: {:.5} after {} trials", study.name, step.hypervolume, step.ended);
            marker.draw(&mut canvas, at(step), 4.2, (colour, "#ffffff"), &tip);
        }
    }
    legend.draw(&mut canvas, (FRAME.left, FRAME.bottom() + 56.0));
    let corner = report.common_reference;
    let compare = if report.studies.len() > 1 {
        " All studies are measured from the same corner, so the lines compare."
    } else {
        ""
    };
    let caption = format!(
        "The hypervolume is the area between the front and the corner of {:.1} % accuracy and {:.2} kB, in parts of \
         accuracy times decades of size: it grows when a network is more accurate at its size than all before. \
         {how}{compare}",
        100.0 * corner.accuracy,
        10f64.powf(corner.log10_bytes - 3.0)
    );
    Plot { name: name.into(), title: title.into(), caption, canvas }
}
