//! From figures to pixels, linear or logarithmic, and the round figures to mark.

/// Ticks aimed at.
const TICKS: f64 = 6.0;

/// A scale of an axis.
#[derive(Clone, Debug)]
pub(in crate::report) struct Scale {
    from: f64,
    to: f64,
    pixels: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// A linear scale from `from` to `to`, which may be equal.
    pub(in crate::report) fn linear(from: f64, to: f64, pixels: (f64, f64)) -> Self {
        let room = if to > from { 0.0 } else { 0.5 * from.abs().max(1.0) };
        Self { from: from - room, to: to + room, pixels, logarithmic: false }
    }

    /// A logarithmic scale over `values`, all above 0, with some room at both ends.
    pub(in crate::report) fn logarithmic(values: impl IntoIterator<Item = f64>, pixels: (f64, f64)) -> Self {
        let (least, most) = extent(values).unwrap_or((1.0, 10.0));
        let room = (most / least).powf(0.05).max(1.1);
        Self { from: least / room, to: most * room, pixels, logarithmic: true }
    }

    /// The pixel of `value`.
    pub(in crate::report) fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Whether `value` is on the axis.
    pub(in crate::report) fn holds(&self, value: f64) -> bool {
        (self.from..=self.to).contains(&value)
    }

    /// `value`, or the end of the axis beyond which it lies.
    pub(in crate::report) fn clamp(&self, value: f64) -> f64 {
        value.clamp(self.from, self.to)
    }

    /// Where the axis begins and ends.
    pub(in crate::report) fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// `count` figures along the axis, evenly spread as seen.
    pub(in crate::report) fn samples(&self, count: usize) -> impl Iterator<Item = f64> + '_ {
        (0..count).map(move |i| {
            let part = i as f64 / (count - 1).max(1) as f64;
            if self.logarithmic {
                self.from * (self.to / self.from).powf(part)
            } else {
                self.from + part * (self.to - self.from)
            }
        })
    }

    /// Round figures on the axis and how to write them.
    pub(in crate::report) fn ticks(&self) -> Vec<(f64, String)> {
        let decades = (self.to / self.from).log10();
        let steps: &[f64] = match () {
            () if !self.logarithmic || decades < 0.4 => return self.ticks_about(TICKS),
            () if decades < 1.0 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
            () if decades < 1.6 => &[1.0, 2.0, 3.0, 5.0],
            () if decades < 3.0 => &[1.0, 2.0, 5.0],
            () => &[1.0],
        };
        let (low, high) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let figures = (low..=high).flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)));
        figures.filter(|&figure| self.holds(figure)).map(|figure| (figure, plain(figure))).collect()
    }

    /// About `count` evenly spaced figures on the axis: multiples of 1, 2 or 5 times a power of ten.
    pub(in crate::report) fn ticks_about(&self, count: f64) -> Vec<(f64, String)> {
        let raw = (self.to - self.from) / count;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= raw).unwrap_or(10.0) * power;
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let first = (self.from / step).ceil() as i64;
        let figures = (first..).map(|i| i as f64 * step).take_while(|&figure| figure <= self.to);
        // A zero that rounding made negative is a zero.
        figures.map(|figure| (figure, format!("{:.decimals$}", figure + 0.0))).collect()
    }
}

/// The least and the largest of `values`, if there are any.
pub(in crate::report) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().fold(None, |range, value| {
        let (least, most) = range.unwrap_or((value, value));
        Some((least.min(value), most.max(value)))
    })
}

/// A figure without superfluous decimals.
fn plain(figure: f64) -> String {
    let decimals = (2.0 - figure.log10().floor()).clamp(0.0, 9.0) as usize;
    let text = format!("{figure:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_and_enough_over_any_range() {
        let sizes = |from: f64, to: f64| labels(&Scale::logarithmic([from, to], (0.0, 100.0)));
        assert_eq!(sizes(1.4, 30.0), ["2", "3", "5", "10", "20", "30"]);
        assert_eq!(sizes(1.0, 1000.0), ["1", "10", "100", "1000"]);
        for (from, to) in [(0.4, 0.41), (1.0, 1.0), (1.3, 1.9), (2.1, 9.0), (1.0, 80.0), (0.01, 5e6)] {
            let found = sizes(from, to);
            assert!((2..=12).contains(&found.len()), "{from} to {to}: {found:?}");
        }
        assert_eq!(labels(&Scale::linear(80.0, 91.0, (0.0, 1.0))), ["80", "82", "84", "86", "88", "90"]);
        assert_eq!(labels(&Scale::linear(-0.1, 0.1, (0.0, 1.0)))[2], "0.00");
    }

    #[test]
    fn one_figure_makes_an_axis() {
        for scale in [Scale::linear(0.0, 0.0, (0.0, 10.0)), Scale::linear(88.0, 88.0, (0.0, 10.0))] {
            let (from, to) = scale.ends();
            assert!(from < to && scale.at(from) == 0.0 && scale.at(to) == 10.0);
        }
        let scale = Scale::logarithmic([7.0], (0.0, 10.0));
        assert!((scale.at(7.0) - 5.0).abs() < 1e-9);
    }
}
