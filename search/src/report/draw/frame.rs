//! The rectangle that data are drawn in, with its grid, ticks and axis titles.

use super::canvas::{Anchor, Canvas};
use super::palette::{AXIS, GRID, INK, MUTED};
use super::scale::Scale;
use super::text::width;

const LABEL: f64 = 12.0;
const TITLE: f64 = 13.0;
/// Least distance between the labels of two ticks.
const GAP: f64 = 8.0;

/// Where data go, in pixels, and what the axes say.
#[derive(Clone, Debug)]
pub(in crate::report) struct Frame {
    pub(in crate::report) left: f64,
    pub(in crate::report) top: f64,
    pub(in crate::report) width: f64,
    pub(in crate::report) height: f64,
}

impl Frame {
    pub(in crate::report) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(in crate::report) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// The pixels of a horizontal axis.
    pub(in crate::report) fn across(&self) -> (f64, f64) {
        (self.left, self.right())
    }

    /// The pixels of a vertical axis, from below to above.
    pub(in crate::report) fn up(&self) -> (f64, f64) {
        (self.bottom(), self.top)
    }

    /// Draws the grid, the ticks and the titles; data come after it.
    pub(in crate::report) fn draw(
        &self,
        canvas: &mut Canvas,
        (x, x_title): (&Scale, &str),
        (y, y_title): (&Scale, &str),
    ) {
        let mut free = f64::NEG_INFINITY;
        for (figure, label) in x.ticks() {
            let (at, half) = (x.at(figure), width(&label, LABEL) / 2.0);
            canvas.line((at, self.top), (at, self.bottom()), (GRID, 1.0), &[]);
            if at - half >= free {
                let position = (at, self.bottom() + 18.0);
                canvas.text(position, (Anchor::Middle, LABEL, MUTED), &label);
                free = at + half + GAP;
            }
        }
        for (figure, label) in y.ticks() {
            let at = y.at(figure);
            canvas.line((self.left, at), (self.right(), at), (GRID, 1.0), &[]);
            canvas.text((self.left - 8.0, at + 4.0), (Anchor::End, LABEL, MUTED), &label);
        }
        canvas.polyline(
            &[(self.left, self.top), (self.left, self.bottom()), (self.right(), self.bottom())],
            (AXIS, 1.0),
            &[],
        );
        let middle = self.left + self.width / 2.0;
        canvas.text((middle, self.bottom() + 42.0), (Anchor::Middle, TITLE, INK), x_title);
        canvas.upright((16.0, self.top + self.height / 2.0), TITLE, y_title);
    }

    /// Writes `text` in the middle: why there are no data.
    pub(in crate::report) fn note(&self, canvas: &mut Canvas, text: &str) {
        let middle = (self.left + self.width / 2.0, self.top + self.height / 2.0);
        canvas.text(middle, (Anchor::Middle, TITLE, MUTED), text);
    }
}
