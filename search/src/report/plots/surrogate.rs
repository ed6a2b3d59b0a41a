//! How well the surrogate predicts: what it says of each trial from all the others, against what was seen.

use super::Plot;
use super::axes::{accuracies, heading};
use crate::report::data::{StudyReport, SurrogateSummary, TrialPrediction};
use crate::report::draw::{ACCENT, Canvas, FAINT, Frame, Legend, Marker, SERIES, Scale, Swatch};

const FRAME: Frame = Frame { left: 64.0, top: 44.0, width: 420.0, height: 420.0 };
const TITLE: &str = "Surrogate: predicted against seen";
const SEEN: &str = SERIES[0];

pub(super) fn plot(study: &StudyReport) -> Plot {
    let predictions = study.surrogate.as_ref().map_or(&[][..], |summary| &summary.predictions);
    let percents = |of: fn(&TrialPrediction) -> f64| predictions.iter().map(move |p| 100.0 * of(p));
    // One range for both axes, so that the diagonal is one.
    let both = || percents(|p| p.prediction.seen).chain(percents(|p| p.prediction.predicted));
    let (x, y) = (accuracies(both(), FRAME.across()), accuracies(both(), FRAME.up()));
    let items = vec![
        (Swatch::Series(Marker::Circle, SEEN, ""), "seen within the 95 % interval".to_owned()),
        (Swatch::Series(Marker::Square, ACCENT, ""), "outside".to_owned()),
        (Swatch::Line(FAINT, "5 4"), "perfect".to_owned()),
    ];
    let legend = Legend::new(FRAME.width + 60.0, items);
    let mut canvas = Canvas::new(560.0, FRAME.bottom() + 62.0 + legend.height() + 8.0);
    heading(&mut canvas, &FRAME, &format!("{TITLE} - {}", study.name));
    FRAME.draw(&mut canvas, (&x, "seen: accuracy as modelled [%]"), (&y, "predicted [%]"));
    if predictions.is_empty() {
        FRAME.note(&mut canvas, "no trial has finished yet");
    } else {
        let (from, to) = x.ends();
        let ends = ((x.at(from), y.at(from)), (x.at(to), y.at(to)));
        canvas.line(ends.0, ends.1, (FAINT, 1.3), &[("stroke-dasharray", &"5 4")]);
        // Intervals first: no point may hide behind another's.
        predictions.iter().for_each(|p| interval(&mut canvas, p, &x, &y));
        predictions.iter().for_each(|p| point(&mut canvas, p, &x, &y));
    }
    legend.draw(&mut canvas, (FRAME.left, FRAME.bottom() + 60.0));
    let caption = caption(study.surrogate.as_ref());
    Plot { name: "surrogate".into(), title: TITLE.into(), caption, canvas }
}

fn colour(prediction: &TrialPrediction) -> &'static str {
    if prediction.prediction.holds() { SEEN } else { ACCENT }
}

fn interval(canvas: &mut Canvas, prediction: &TrialPrediction, x: &Scale, y: &Scale) {
    let p = &prediction.prediction;
    let at = x.at(x.clamp(100.0 * p.seen));
    let end = |accuracy: f64| (at, y.at(y.clamp(100.0 * accuracy)));
    canvas.line(end(p.low), end(p.high), (colour(prediction), 1.1), &[("stroke-opacity", &0.4)]);
}

fn point(canvas: &mut Canvas, prediction: &TrialPrediction, x: &Scale, y: &Scale) {
    let p = &prediction.prediction;
    let percent = |accuracy: f64| 100.0 * accuracy;
    let at = (x.at(x.clamp(percent(p.seen))), y.at(y.clamp(percent(p.predicted))));
    let tip = format!(
        "trial {}: seen {:.2} %, predicted {:.2} % ({:.2} to {:.2})",
        prediction.trial,
        percent(p.seen),
        percent(p.predicted),
        percent(p.low),
        percent(p.high)
    );
    let marker = if p.holds() { Marker::Circle } else { Marker::Square };
    marker.draw(canvas, at, 4.0, (colour(prediction), "#ffffff"), &tip);
}

fn caption(summary: Option<&SurrogateSummary>) -> String {
    let figures = summary.map_or_else(String::new, |summary| {
        format!(
            " Here the root mean square error is {:.2} percentage points, and {} of {} intervals hold what was seen.",
            100.0 * summary.error,
            summary.held,
            summary.predictions.len()
        )
    });
    format!(
        "For each finished trial, what the Gaussian process predicts from all the others (leave-one-out, at the \
         parameters fitted to all), with the interval that holds 95 % of its belief: bars end at the frame. Points near \
         the diagonal mean a good prediction; if it is honest, about one interval in twenty misses the diagonal. \
         Accuracies are as the optimiser models them: those below the front at their size are drawn up towards it, \
         because how far a trial fell behind says little about where to look.{figures}"
    )
}
