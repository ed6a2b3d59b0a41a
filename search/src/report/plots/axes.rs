//! The two axes that several plots share, and how their figures are written.

use crate::report::draw::{Anchor, Canvas, Frame, INK, Scale, extent, fitted};

/// Title of the axis of sizes.
pub(super) const SIZE: &str = "size of the packed model [kB], logarithmic (1 kB = 1000 B)";

/// Bytes as kB.
pub(super) fn kilobytes(bytes: usize) -> f64 {
    bytes as f64 / 1000.0
}

/// A logarithmic axis for sizes in bytes.
pub(super) fn sizes(bytes: impl IntoIterator<Item = usize>, pixels: (f64, f64)) -> Scale {
    Scale::logarithmic(bytes.into_iter().map(|bytes| kilobytes(bytes).max(1e-3)), pixels)
}

/// An axis for accuracies in percent that a few hopeless ones do not stretch: it ends one and a half times the distance
/// between the best and the lower quartile below that quartile. What lies below is for the plot to mark at its edge.
pub(super) fn accuracies(percent: impl IntoIterator<Item = f64>, pixels: (f64, f64)) -> Scale {
    let mut sorted: Vec<f64> = percent.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let Some((least, most)) = extent(sorted.iter().copied()) else {
        return Scale::linear(0.0, 100.0, pixels);
    };
    let quartile = sorted[sorted.len() / 4];
    let from = least.max(quartile - 1.5 * (most - quartile));
    let room = if most > from { 0.06 * (most - from) } else { 1.0 };
    Scale::linear((from - room).max(0.0), (most + room).min(100.0), pixels)
}

/// The title over a plot, beginning where the frame does.
pub(super) fn heading(canvas: &mut Canvas, frame: &Frame, title: &str) {
    let title = fitted(title, 15.0, canvas.size().0 - frame.left - 8.0);
    canvas.text((frame.left, 22.0), (Anchor::Start, 15.0, INK), &title);
}

/// The points of a front joined by steps: at each size the best accuracy that is to be had.
pub(super) fn steps(points: impl IntoIterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for point in points {
        steps.extend(steps.last().map(|&(_, before)| (point.0, before)));
        steps.push(point);
    }
    steps
}
