//! Accuracy over size of every candidate: the paper's Fig. 2.

use super::Plot;
use super::axes::{SIZE, accuracies, heading, kilobytes, sizes, steps};
use crate::report::data::{FinishedNetwork, StudyReport, TrialRow};
use crate::report::draw::{
    ACCENT, Anchor, Canvas, FAINT, Frame, INK, Legend, MUTED, Marker, Scale, Swatch, time_colour,
};

const FRAME: Frame = Frame { left: 64.0, top: 50.0, width: 600.0, height: 400.0 };
const TITLE: &str = "Accuracy over size";

pub(super) fn plot(study: &StudyReport) -> Plot {
    let measured: Vec<(&TrialRow, f64)> =
        study.trials.iter().filter_map(|row| Some((row, 100.0 * row.accuracy?))).collect();
    let finished = &study.finished.networks;
    let x = sizes(measured.iter().map(|(row, _)| row.trial.usage.bytes), FRAME.across());
    let final_accuracies = finished.iter().map(|network| 100.0 * network.accuracy());
    let y = accuracies(measured.iter().map(|&(_, a)| a).chain(final_accuracies), FRAME.up());
    let below = measured.iter().any(|&(_, accuracy)| !y.holds(accuracy))
        || finished.iter().any(|network| !y.holds(100.0 * network.accuracy()));

    let legend = Legend::new(FRAME.width + 110.0, legend(study, below));
    let mut canvas = Canvas::new(820.0, FRAME.bottom() + 62.0 + legend.height() + 8.0);
    heading(&mut canvas, &FRAME, &format!("{TITLE} - {}", study.name));
    FRAME.draw(&mut canvas, (&x, SIZE), (&y, &format!("{} [%]", study.config.objective.name())));
    if measured.is_empty() {
        FRAME.note(&mut canvas, "no trial has finished yet");
    } else {
        equal_scores(&mut canvas, study, &x, &y);
        front(&mut canvas, study, &x, &y);
        let last = measured.last().map_or(1, |(row, _)| row.trial.number).max(1);
        // Lines first: they may not cross out the points that they join.
        finished.iter().for_each(|network| link(&mut canvas, study, network, (&x, &y)));
        for &(row, accuracy) in &measured {
            candidate(&mut canvas, row, accuracy, last, (&x, &y));
        }
        finished.iter().for_each(|network| finished_network(&mut canvas, network, (&x, &y)));
        colour_bar(&mut canvas, last);
    }
    legend.draw(&mut canvas, (FRAME.left, FRAME.bottom() + 60.0));
    Plot { name: "scatter".into(), title: TITLE.into(), caption: caption(study), canvas }
}

fn legend(study: &StudyReport, below: bool) -> Vec<(Swatch, String)> {
    let point = |marker, fill: &str, stroke: &str| Swatch::Point(marker, fill.into(), stroke.into());
    let mut items = vec![
        (point(Marker::Circle, &time_colour(0.3), "#ffffff"), "candidate (validation)".to_owned()),
        (point(Marker::Star, "#ffffff", INK), "seed network".to_owned()),
        (Swatch::Line(INK, ""), "front".to_owned()),
        (Swatch::Line(FAINT, "2 3"), "equal score, equation (1)".to_owned()),
    ];
    if !study.finished.networks.is_empty() {
        items.push((point(Marker::Diamond, ACCENT, "#ffffff"), "finished network (test)".to_owned()));
    }
    if below {
        items.push((point(Marker::Down, "#ffffff", MUTED), "below the axis".to_owned()));
    }
    items
}

fn candidate(canvas: &mut Canvas, row: &TrialRow, accuracy: f64, last: u64, (x, y): (&Scale, &Scale)) {
    let size = kilobytes(row.trial.usage.bytes);
    let number = row.trial.number;
    let at = (x.at(size), y.at(y.clamp(accuracy)));
    let colour = time_colour(number as f64 / last as f64);
    let tip = format!("trial {number}: {accuracy:.2} % validation, {size:.3} kB");
    match () {
        () if !y.holds(accuracy) => Marker::Down.draw(canvas, at, 5.0, ("#ffffff", &colour), &tip),
        () if number == 0 => {
            Marker::Star.draw(canvas, at, 6.0, ("#ffffff", INK), &format!("seed network, {tip}"));
        }
        () => Marker::Circle.draw(canvas, at, 4.5, (&colour, "#ffffff"), &tip),
    }
}

/// The line that joins a finished network to its candidate.
fn link(canvas: &mut Canvas, study: &StudyReport, network: &FinishedNetwork, (x, y): (&Scale, &Scale)) {
    if let Some(row) = study.row(network.trial)
        && let Some(before) = row.accuracy
    {
        let from = (x.at(kilobytes(row.trial.usage.bytes)), y.at(y.clamp(100.0 * before)));
        canvas.line(from, position(network, (x, y)), (ACCENT, 1.2), &[]);
    }
}

fn finished_network(canvas: &mut Canvas, network: &FinishedNetwork, (x, y): (&Scale, &Scale)) {
    let (size, accuracy) = (kilobytes(network.size_bytes), 100.0 * network.accuracy());
    let tip = format!("trial {}, finished: {accuracy:.2} % test, {size:.3} kB", network.trial);
    let at = position(network, (x, y));
    if y.holds(accuracy) {
        Marker::Diamond.draw(canvas, at, 5.0, (ACCENT, "#ffffff"), &tip);
    } else {
        Marker::Down.draw(canvas, at, 5.0, ("#ffffff", ACCENT), &tip);
    }
}

/// Where a finished network is drawn.
fn position(network: &FinishedNetwork, (x, y): (&Scale, &Scale)) -> (f64, f64) {
    let (size, accuracy) = (kilobytes(network.size_bytes), 100.0 * network.accuracy());
    (x.at(x.clamp(size)), y.at(y.clamp(accuracy)))
}

/// The front of the candidates.
fn front(canvas: &mut Canvas, study: &StudyReport, x: &Scale, y: &Scale) {
    let at = |row: &TrialRow| {
        let accuracy = y.clamp(100.0 * row.accuracy.unwrap_or_default());
        (x.at(kilobytes(row.trial.usage.bytes)), y.at(accuracy))
    };
    canvas.polyline(&steps(study.front_rows().map(at)), (INK, 1.1), &[("stroke-opacity", &0.55)]);
}

/// Lines along which the paper's score is the same, each with its score where it leaves the frame.
fn equal_scores(canvas: &mut Canvas, study: &StudyReport, x: &Scale, y: &Scale) {
    let score = |size: f64, percent: f64| study.score.of_network(percent / 100.0, (1000.0 * size) as usize);
    let ((left, right), (low, high)) = (x.ends(), y.ends());
    // Few bytes and much accuracy score most.
    let scores = Scale::linear(score(right, low), score(left, high), (0.0, 1.0));
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (value, text) in scores.ticks_about(12.0) {
        let at = |size: f64| 100.0 * study.score.accuracy_at(value, 1000.0 * size);
        let inside: Vec<(f64, f64)> = x
            .samples(241)
            .map(|size| (size, at(size)))
            .filter(|&(_, accuracy)| y.holds(accuracy))
            .map(|(size, accuracy)| (x.at(size), y.at(accuracy)))
            .collect();
        let [_, .., end] = inside[..] else { continue };
        canvas.polyline(&inside, (FAINT, 1.1), &[("stroke-dasharray", &"2 3")]);
        let leaves_right = FRAME.right() - end.0 < 1.0;
        let (position, anchor) = if leaves_right {
            ((FRAME.right() + 5.0, end.1 + 4.0), Anchor::Start)
        } else {
            ((end.0, FRAME.top - 5.0), Anchor::Middle)
        };
        if taken.iter().all(|t| (t.0 - position.0).abs() > 30.0 || (t.1 - position.1).abs() > 13.0) {
            canvas.text(position, (anchor, 11.0, MUTED), &text);
            taken.push(position);
        }
    }
}

/// Which colour is which trial.
fn colour_bar(canvas: &mut Canvas, last: u64) {
    const STEPS: usize = 60;
    let (left, height) = (FRAME.right() + 56.0, 240.0);
    let top = FRAME.top + 50.0;
    for step in 0..STEPS {
        let part = step as f64 / (STEPS - 1) as f64;
        let step_height = height / STEPS as f64;
        let from = top + height - (step + 1) as f64 * step_height;
        // A little taller than a step, so that no seams show.
        canvas.rectangle((left, from), (14.0, step_height + 0.6), &time_colour(part), "");
    }
    let pixels = Scale::linear(0.0, last as f64, (top + height, top));
    let ticks = pixels.ticks().into_iter().map(|(figure, _)| figure);
    for figure in ticks.filter(|figure| figure.fract() == 0.0) {
        let at = pixels.at(figure);
        canvas.line((left + 14.0, at), (left + 18.0, at), (MUTED, 1.0), &[]);
        canvas.text((left + 22.0, at + 4.0), (Anchor::Start, 12.0, MUTED), &figure.to_string());
    }
    canvas.text((left - 4.0, top - 14.0), (Anchor::Start, 12.0, INK), "trial");
}

fn caption(study: &StudyReport) -> String {
    format!(
        "Each point is a candidate network: further up is more accurate, further left is smaller. Dark points were \
         sampled early, bright ones late; a search that learns moves up and to the left. Candidates are scored on \
         held-out training images after a short training; finished networks on the test images after the long one, \
         and a line joins each to its candidate. Along a dotted line the paper's score (equation 1: accuracy / {} + \
         {} / log10 of the size in bits) is the same; its number stands where it leaves the frame, and more is \
         better. After Fig. 2 of van Son et al., 2023.",
        study.score.reference_accuracy, study.score.reference_size
    )
}
