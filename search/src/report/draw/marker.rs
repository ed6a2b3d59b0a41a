//! Signs for points, told apart by their shape as well.

use super::canvas::Canvas;

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Marker {
    Circle,
    Square,
    Diamond,
    Triangle,
    Down,
    Star,
}

impl Marker {
    /// One for each study, then from the start again.
    pub(in crate::report) const SERIES: [Self; 5] =
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond, Self::Down];

    /// Draws it around `(x, y)` at about this radius, filled, with an outline of `stroke`.
    pub(in crate::report) fn draw(
        self,
        canvas: &mut Canvas,
        (x, y): (f64, f64),
        radius: f64,
        (fill, stroke): (&str, &str),
        tip: &str,
    ) {
        let corners: Vec<(f64, f64)> = match self {
            Self::Circle => {
                let [x, y, radius] = [x, y, radius].map(|v| (v * 100.0).round() / 100.0);
                let shape: [(&str, &dyn std::fmt::Display); 5] =
                    [("cx", &x), ("cy", &y), ("r", &radius), ("fill", &fill), ("stroke", &stroke)];
                canvas.element("circle", &shape, tip);
                return;
            }
            Self::Square => around(4, 0.5, |_| 1.25),
            Self::Diamond => around(4, 0.0, |_| 1.3),
            Self::Triangle => around(3, 0.0, |_| 1.35),
            Self::Down => around(3, 1.5, |_| 1.35),
            Self::Star => around(10, 0.0, |i| if i % 2 == 0 { 1.6 } else { 0.68 }),
        };
        let corner = |(dx, dy): &(f64, f64)| format!("{:.2},{:.2}", x + radius * dx, y + radius * dy);
        let points: Vec<String> = corners.iter().map(corner).collect();
        canvas.element(
            "polygon",
            &[("points", &points.join(" ")), ("fill", &fill), ("stroke", &stroke)],
            tip,
        );
    }
}

/// `count` corners around the origin, the first one upwards but for `turn` steps.
fn around(count: usize, turn: f64, radius: impl Fn(usize) -> f64) -> Vec<(f64, f64)> {
    let corner = |i: usize| {
        let angle = std::f64::consts::TAU * (i as f64 + turn) / count as f64;
        (radius(i) * angle.sin(), -radius(i) * angle.cos())
    };
    (0..count).map(corner).collect()
}
