//! Which genes the surrogate thinks matter.

use super::Plot;
use super::axes::heading;
use crate::report::data::StudyReport;
use crate::report::draw::{Anchor, Canvas, Frame, GRID, INK, MUTED, SERIES, Scale};

const TITLE: &str = "Importance of the genes";
/// The most that are shown.
const SHOWN: usize = 20;
const BAR: f64 = 21.0;

pub(super) fn plot(study: &StudyReport) -> Plot {
    let all = study.surrogate.as_ref().map_or(&[][..], |summary| &summary.importance);
    let shown = &all[..all.len().min(SHOWN)];
    let height = (shown.len() as f64 * BAR).max(120.0);
    let frame = Frame { left: 170.0, top: 40.0, width: 460.0, height };
    let most = shown.iter().map(|gene| 100.0 * gene.effect).fold(0.0, f64::max);
    let x = Scale::linear(0.0, if most > 0.0 { 1.12 * most } else { 1.0 }, frame.across());
    let mut canvas = Canvas::new(680.0, frame.bottom() + 56.0);
    heading(&mut canvas, &Frame { left: 16.0, ..frame.clone() }, &format!("{TITLE} - {}", study.name));
    for (figure, label) in x.ticks() {
        let at = x.at(figure);
        canvas.line((at, frame.top), (at, frame.bottom()), (GRID, 1.0), &[]);
        canvas.text((at, frame.bottom() + 18.0), (Anchor::Middle, 12.0, MUTED), &label);
    }
    let middle = frame.left + frame.width / 2.0;
    let title = "typical change of the expected accuracy [percentage points]";
    canvas.text((middle, frame.bottom() + 42.0), (Anchor::Middle, 13.0, INK), title);
    for (index, gene) in shown.iter().enumerate() {
        let top = frame.top + index as f64 * BAR;
        let (percent, end) = (100.0 * gene.effect, x.at(100.0 * gene.effect));
        canvas.text((frame.left - 8.0, top + 15.0), (Anchor::End, 12.0, INK), &gene.gene);
        let tip = format!("{}: {percent:.3} percentage points", gene.gene);
        canvas.rectangle((frame.left, top + 3.0), (end - frame.left, BAR - 6.0), SERIES[0], &tip);
        canvas.text((end + 5.0, top + 15.0), (Anchor::Start, 11.0, MUTED), &format!("{percent:.2}"));
    }
    if shown.is_empty() {
        frame.note(&mut canvas, "no trial has finished yet");
    }
    let rest = all.len() - shown.len();
    let rest =
        if rest > 0 { format!(" The {rest} least important genes are not shown.") } else { String::new() };
    let caption = format!(
        "What the surrogate expects of a network already tried when only this gene is changed: the root mean square \
         change over the tried networks and all other values of the gene that keep within the limits. A gene of an \
         absent block changes nothing. It tells what the model believes after these trials, its effect through the \
         size included, not what is true: after few trials all genes look alike.{rest}"
    );
    Plot { name: "importance".into(), title: TITLE.into(), caption, canvas }
}
