//! The plot for newcomers: the finished networks of a few studies, each named at the end of its line, so that no legend has to be
//! looked up. The first study is drawn bold; labels never overlap.

use super::axes::{accuracies, kilobytes, sizes, steps};
use super::fronts::{FrontPoint, finished_front};
use crate::report::data::Report;
use crate::report::draw::{Anchor, Canvas, Frame, Marker, SERIES};

const FRAME: Frame = Frame { left: 64.0, top: 16.0, width: 500.0, height: 330.0 };
/// Room for the labels, right of the frame.
const LABELS: f64 = 216.0;
const TEXT: f64 = 13.0;
/// Least distance between two labels.
const LINE_HEIGHT: f64 = 18.0;

/// Draws the studies named in `lines`, each with its label.
pub(in crate::report) fn overview(report: &Report, lines: &[(&str, &str)]) -> Canvas {
    let drawn: Vec<(Vec<FrontPoint>, &str)> = lines
        .iter()
        .filter_map(|(name, label)| {
            let study = report.studies.iter().find(|study| study.name == *name)?;
            Some((finished_front(study), *label)).filter(|(front, _)| !front.is_empty())
        })
        .collect();
    let networks = || drawn.iter().flat_map(|(front, _)| front);
    let x = sizes(networks().map(|network| network.0), FRAME.across());
    let y = accuracies(networks().map(|network| network.1), FRAME.up());
    let mut canvas = Canvas::new(FRAME.right() + LABELS, FRAME.bottom() + 56.0);
    let x_title = "size of the packed model [kB], logarithmic";
    FRAME.draw(&mut canvas, (&x, x_title), (&y, "accuracy on the test images [%]"));

    let ends = drawn.iter().map(|(front, _)| front.last().map_or(0.0, |network| y.at(y.clamp(network.1))));
    let labels = apart(&ends.collect::<Vec<_>>());
    // The most important last: nothing covers it.
    for (index, (front, label)) in drawn.iter().enumerate().rev() {
        let (colour, width) = (SERIES[index % SERIES.len()], if index == 0 { 3.0 } else { 1.5 });
        let points: Vec<(f64, f64)> = front
            .iter()
            .map(|&(bytes, accuracy, _)| (x.at(kilobytes(bytes)), y.at(y.clamp(accuracy))))
            .collect();
        // Where there is room for more bytes, the best network is still the last.
        let end = points.last().map(|&(_, last)| (FRAME.right(), last));
        canvas.polyline(&steps(points.iter().copied().chain(end)), (colour, width), &[]);
        for (point, network) in points.iter().zip(front).filter(|(_, network)| y.holds(network.1)) {
            let tip = format!("{label}: {:.2} %, {:.3} kB", network.1, kilobytes(network.0));
            Marker::Circle.draw(
                &mut canvas,
                *point,
                if index == 0 { 5.0 } else { 3.5 },
                (colour, "#ffffff"),
                &tip,
            );
        }
        if let Some(end) = end {
            let at = (FRAME.right() + 16.0, labels[index]);
            canvas.line(end, at, (colour, 1.0), &[]);
            canvas.text((at.0 + 4.0, at.1 + 4.5), (Anchor::Start, TEXT, colour), label);
        }
    }
    canvas
}

/// Heights near `wanted`, in the same order from top to bottom, that are at least a line apart.
fn apart(wanted: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    let mut heights = wanted.to_vec();
    let mut free = f64::NEG_INFINITY;
    for index in order {
        heights[index] = wanted[index].max(free);
        free = heights[index] + LINE_HEIGHT;
    }
    heights
}

#[test]
fn labels_keep_their_distance_and_order() {
    assert_eq!(apart(&[50.0, 10.0, 12.0]), [50.0, 10.0, 28.0]);
    assert_eq!(apart(&[10.0, 10.0, 20.0]), [10.0, 28.0, 46.0]);
}
