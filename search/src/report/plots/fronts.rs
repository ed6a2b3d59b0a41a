//! The fronts of several studies in one plot: the paper's Figs. 5 and 8.

use super::Plot;
use super::axes::{SIZE, accuracies, heading, kilobytes, sizes, steps};
use crate::front::non_dominated;
use crate::report::data::{Report, StudyReport};
use crate::report::draw::{Canvas, Frame, Legend, Marker, SERIES, Swatch, dashed};

const FRAME: Frame = Frame { left: 64.0, top: 44.0, width: 690.0, height: 400.0 };

/// A network: bytes, accuracy in percent, trial.
pub(super) type FrontPoint = (usize, f64, u64);

/// The candidates of the fronts, by validation accuracy.
pub(super) fn candidates(report: &Report) -> Plot {
    let networks = |study: &StudyReport| -> Vec<FrontPoint> {
        let network = |row: &crate::report::data::TrialRow| {
            Some((row.trial.usage.bytes, 100.0 * row.accuracy?, row.trial.number))
        };
        study.front_rows().filter_map(network).collect()
    };
    let caption = "The front of each study: at each size the best accuracy that it has found. The higher and the \
                   further left a line, the better; where two cross, each study is better on one side. Hollow \
                   points at the lower edge lie below the axis. Accuracies are those of candidates on held-out training images. After Figs. 5 and 8 of van Son et al., 2023.";
    let title = "Fronts of the studies, candidates";
    let y_title = &format!("validation {} [%]", report.objective());
    plot(report, &Titles { name: "fronts", title, y_title, caption }, &networks)
}

/// The finished networks, by test accuracy; `None` if there are none.
pub(super) fn finished(report: &Report) -> Option<Plot> {
    let caption = "The non-dominated among the finished networks of each study, by their accuracy on the test images \
                   after the long training, as the packed model has it. After Figs. 5 and 8 of van Son et al., 2023.";
    report.studies.iter().any(|study| !study.finished.networks.is_empty()).then(|| {
        let title = "Fronts of the studies, finished networks";
        let y_title = &format!("test {} [%]", report.objective());
        plot(report, &Titles { name: "fronts-finished", title, y_title, caption }, &finished_front)
    })
}

/// The non-dominated among a study's finished networks.
pub(super) fn finished_front(study: &StudyReport) -> Vec<FrontPoint> {
    let finished = study.finished.networks.iter();
    let all: Vec<FrontPoint> = finished.map(|f| (f.size_bytes, 100.0 * f.accuracy(), f.trial)).collect();
    non_dominated(all, |&(bytes, accuracy, _)| (bytes, accuracy))
}

/// The texts of a plot.
struct Titles<'a> {
    name: &'a str,
    title: &'a str,
    y_title: &'a str,
    caption: &'a str,
}

fn plot(report: &Report, titles: &Titles<'_>, networks: &dyn Fn(&StudyReport) -> Vec<FrontPoint>) -> Plot {
    let Titles { name, title, y_title, caption } = *titles;
    let fronts: Vec<Vec<FrontPoint>> = report.studies.iter().map(networks).collect();
    let x = sizes(fronts.iter().flatten().map(|n| n.0), FRAME.across());
    let y = accuracies(fronts.iter().flatten().map(|n| n.1), FRAME.up());
    let mut items = series(report);
    let empty = items.iter_mut().zip(&fronts).filter(|(_, front)| front.is_empty());
    empty.for_each(|((_, name), _)| name.push_str(" (none yet)"));
    let legend = Legend::new(FRAME.width, items);
    let mut canvas = Canvas::new(780.0, FRAME.bottom() + 62.0 + legend.height() + 8.0);
    heading(&mut canvas, &FRAME, title);
    FRAME.draw(&mut canvas, (&x, SIZE), (&y, y_title));
    if fronts.iter().all(Vec::is_empty) {
        FRAME.note(&mut canvas, "no trial has finished yet");
    }
    for (index, (study, front)) in report.studies.iter().zip(&fronts).enumerate() {
        let (colour, marker, dashes) = style(index);
        let at = |&(bytes, accuracy, _): &FrontPoint| (x.at(kilobytes(bytes)), y.at(y.clamp(accuracy)));
        canvas.polyline(&steps(front.iter().map(at)), (colour, 1.6), &dashed(&dashes));
        for network in front {
            let (bytes, accuracy, trial) = *network;
            let tip = format!("{}, trial {trial}: {accuracy:.2} %, {:.3} kB", study.name, kilobytes(bytes));
            // Hollow where it is not at its true position.
            let colours = if y.holds(accuracy) { (colour, "#ffffff") } else { ("#ffffff", colour) };
            marker.draw(&mut canvas, at(network), 4.2, colours, &tip);
        }
    }
    legend.draw(&mut canvas, (FRAME.left, FRAME.bottom() + 60.0));
    Plot { name: name.into(), title: title.into(), caption: caption.into(), canvas }
}

/// How the study of this index is drawn wherever several are.
pub(super) fn style(index: usize) -> (&'static str, Marker, &'static str) {
    // When the colours begin again, lines are dashed.
    let dashes = ["", "6 3", "2 3"][(index / SERIES.len()).min(2)];
    (SERIES[index % SERIES.len()], Marker::SERIES[index % Marker::SERIES.len()], dashes)
}

/// The legend of all studies.
pub(super) fn series(report: &Report) -> Vec<(Swatch, String)> {
    let item = |(index, study): (usize, &StudyReport)| {
        let (colour, marker, dashes) = style(index);
        (Swatch::Series(marker, colour, dashes), study.name.clone())
    };
    report.studies.iter().enumerate().map(item).collect()
}
