//! SVG, element by element.

use std::fmt::{Display, Write};

use bomp_export::text::markup;

use super::palette::INK;

/// Fonts of all text: the one that PNGs are drawn in, then one with letters as wide.
const FONTS: &str = "DejaVu Sans, Verdana, sans-serif";

/// Which part of a text its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Anchor {
    Start,
    Middle,
    End,
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

/// A drawing of a fixed size in pixels.
#[derive(Clone, Debug)]
pub(in crate::report) struct Canvas {
    width: f64,
    height: f64,
    body: String,
}

/// The attribute that dashes a line, as `stroke-dasharray` spells it; none if empty.
pub(in crate::report) fn dashed<'a>(dashes: &'a &str) -> Vec<(&'static str, &'a dyn Display)> {
    if dashes.is_empty() { Vec::new() } else { vec![("stroke-dasharray", dashes)] }
}

impl Canvas {
    pub(in crate::report) fn new(width: f64, height: f64) -> Self {
        Self { width: width.ceil(), height: height.ceil(), body: String::new() }
    }

    pub(in crate::report) fn size(&self) -> (f64, f64) {
        (self.width, self.height)
    }

    /// Adds an element; a non-empty `tip` is shown where a pointer rests on it.
    pub(in crate::report) fn element(&mut self, name: &str, attributes: &[(&str, &dyn Display)], tip: &str) {
        self.open(name, attributes);
        if tip.is_empty() {
            self.body.push_str("/>\n");
        } else {
            let _ = writeln!(self.body, "><title>{}</title></{name}>", markup(tip));
        }
    }

    /// Adds text in `colour`, of `size` pixels.
    pub(in crate::report) fn text(
        &mut self,
        (x, y): (f64, f64),
        (anchor, size, colour): (Anchor, f64, &str),
        text: &str,
    ) {
        let (x, y) = (Pixels(x), Pixels(y));
        self.open(
            "text",
            &[
                ("x", &x),
                ("y", &y),
                ("text-anchor", &anchor.name()),
                ("font-size", &Pixels(size)),
                ("fill", &colour),
            ],
        );
        let _ = writeln!(self.body, ">{}</text>", markup(text));
    }

    /// Adds text that reads upwards, its middle at the given point.
    pub(in crate::report) fn upright(&mut self, (x, y): (f64, f64), size: f64, text: &str) {
        let turn = format!("translate({} {}) rotate(-90)", Pixels(x), Pixels(y));
        self.open(
            "text",
            &[("transform", &turn), ("text-anchor", &"middle"), ("font-size", &Pixels(size)), ("fill", &INK)],
        );
        let _ = writeln!(self.body, ">{}</text>", markup(text));
    }

    /// Adds a straight line with further attributes such as `stroke-dasharray`.
    pub(in crate::report) fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        (colour, width): (&str, f64),
        more: &[(&str, &dyn Display)],
    ) {
        let ends = [Pixels(from.0), Pixels(from.1), Pixels(to.0), Pixels(to.1)];
        let mut attributes: Vec<(&str, &dyn Display)> = vec![("x1", &ends[0]), ("y1", &ends[1])];
        let width = Pixels(width);
        attributes.extend::<[(&str, &dyn Display); 4]>([
            ("x2", &ends[2]),
            ("y2", &ends[3]),
            ("stroke", &colour),
            ("stroke-width", &width),
        ]);
        attributes.extend(more);
        self.element("line", &attributes, "");
    }

    /// Adds lines through all of `points`.
    pub(in crate::report) fn polyline(
        &mut self,
        points: &[(f64, f64)],
        (colour, width): (&str, f64),
        more: &[(&str, &dyn Display)],
    ) {
        let points: Vec<String> =
            points.iter().map(|&(x, y)| format!("{},{}", Pixels(x), Pixels(y))).collect();
        let (points, width) = (points.join(" "), Pixels(width));
        let mut attributes: Vec<(&str, &dyn Display)> = vec![("points", &points), ("fill", &"none")];
        attributes.extend::<[(&str, &dyn Display); 2]>([("stroke", &colour), ("stroke-width", &width)]);
        attributes.extend(more);
        self.element("polyline", &attributes, "");
    }

    /// Adds a filled rectangle.
    pub(in crate::report) fn rectangle(
        &mut self,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        colour: &str,
        tip: &str,
    ) {
        let (x, y, width, height) = (Pixels(x), Pixels(y), Pixels(width), Pixels(height));
        self.element(
            "rect",
            &[("x", &x), ("y", &y), ("width", &width), ("height", &height), ("fill", &colour)],
            tip,
        );
    }

    /// The drawing as a file of its own, on white.
    pub(in crate::report) fn standalone(&self) -> String {
        let (width, height) = (self.width, self.height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n\
             <rect x=\"0\" y=\"0\" width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body
        )
    }

    /// The drawing as a part of a page, named `label` for those who hear it.
    pub(in crate::report) fn inline(&self, label: &str) -> String {
        let (width, height) = (self.width, self.height);
        format!(
            "<svg role=\"img\" aria-label=\"{}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n{}</svg>\n",
            markup(label),
            self.body
        )
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &dyn Display)]) {
        let _ = write!(self.body, "<{name}");
        for (attribute, value) in attributes {
            let _ = write!(self.body, " {attribute}=\"{}\"", markup(&value.to_string()));
        }
    }
}

/// A length as SVG wants it: two decimals, no more of them than needed.
#[derive(Clone, Copy, Debug)]
struct Pixels(f64);

impl Display for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", (self.0 * 100.0).round() / 100.0)
    }
}
