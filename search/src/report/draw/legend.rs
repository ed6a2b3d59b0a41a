//! What signs mean: a row of them, broken into several where it is too long.

use super::canvas::{Anchor, Canvas, dashed};
use super::marker::Marker;
use super::palette::INK;
use super::text::{fitted, width};

const SIZE: f64 = 12.0;
const ROW: f64 = 20.0;
const SIGN: f64 = 26.0;
const GAP: f64 = 22.0;

/// A sign.
#[derive(Clone, Debug)]
pub(in crate::report) enum Swatch {
    /// A point: shape, fill, outline.
    Point(Marker, String, String),
    /// A line: colour and dashes, as `stroke-dasharray` spells them; none if empty.
    Line(&'static str, &'static str),
    /// A line with points on it: colour and dashes, as above.
    Series(Marker, &'static str, &'static str),
    /// A field of colour.
    Field(&'static str),
}

/// Signs and their meanings, laid out.
#[derive(Clone, Debug)]
pub(in crate::report) struct Legend {
    items: Vec<(Swatch, String, (f64, f64))>,
    rows: f64,
}

impl Legend {
    /// Lays `items` out in rows of at most `room` pixels.
    pub(in crate::report) fn new(room: f64, items: Vec<(Swatch, String)>) -> Self {
        let (mut x, mut row) = (0.0, 0.0);
        let position = |(swatch, text): (Swatch, String)| {
            let text = fitted(&text, SIZE, room - SIGN);
            let takes = SIGN + width(&text, SIZE);
            if x > 0.0 && x + takes > room {
                (x, row) = (0.0, row + 1.0);
            }
            let at = (x, row * ROW);
            x += takes + GAP;
            (swatch, text, at)
        };
        let items: Vec<_> = items.into_iter().map(position).collect();
        Self { rows: if items.is_empty() { 0.0 } else { row + 1.0 }, items }
    }

    /// Pixels that it takes downwards.
    pub(in crate::report) fn height(&self) -> f64 {
        self.rows * ROW
    }

    /// Draws it with its upper left corner at `(left, top)`.
    pub(in crate::report) fn draw(&self, canvas: &mut Canvas, (left, top): (f64, f64)) {
        for (swatch, text, (dx, dy)) in &self.items {
            let (x, y) = (left + dx, top + dy + ROW / 2.0);
            let ends = ((x, y), (x + SIGN - 8.0, y));
            let middle = (x + (SIGN - 8.0) / 2.0, y);
            match swatch {
                Swatch::Point(marker, fill, stroke) => marker.draw(canvas, middle, 5.0, (fill, stroke), ""),
                Swatch::Line(colour, dashes) => {
                    let width = if dashes.is_empty() { 1.6 } else { 1.4 };
                    canvas.line(ends.0, ends.1, (colour, width), &dashed(dashes));
                }
                Swatch::Series(marker, colour, dashes) => {
                    canvas.line(ends.0, ends.1, (colour, 1.8), &dashed(dashes));
                    marker.draw(canvas, middle, 4.0, (colour, "#ffffff"), "");
                }
                Swatch::Field(colour) => canvas.rectangle((x, y - 7.0), (SIGN - 8.0, 14.0), colour, ""),
            }
            canvas.text((x + SIGN, y + 4.0), (Anchor::Start, SIZE, INK), text);
        }
    }
}
