//! The arena drawn: which tensor lies where, and when. One row of text for each layer, or one rectangle for each tensor.

use std::fmt::Write;

use super::ArenaPlan;
use crate::ir::{INPUT, Network};
use crate::text;

/// Stands for scratch in the text.
const SCRATCH: char = '#';
/// Stands for bytes that no tensor has.
const FREE: char = '.';
/// Stand for tensors, in turn.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The letter that stands for a tensor in [`text()`]; every 52nd tensor has the same one.
#[must_use]
pub fn letter(tensor: usize) -> char {
    char::from(LETTERS[tensor % LETTERS.len()])
}

/// Name of a tensor: of the layer that writes it, or of the network's input.
#[must_use]
pub fn tensor_name(network: &Network, tensor: usize) -> &str {
    tensor.checked_sub(1).map_or(INPUT, |layer| &network.layers[layer].name)
}

/// What lies in the arena during a layer, from its first byte to its last in `columns` columns of equally many bytes. A
/// column shows the tensor that has its first byte; an output in place hides the input under it.
#[must_use]
pub fn text(plan: &ArenaPlan, layer: usize, columns: usize) -> String {
    let at = |column: usize| {
        let byte = column * plan.size / columns;
        let covers = |offset: usize, bytes: usize| offset <= byte && byte < offset + bytes;
        let scratch = plan.scratch[layer];
        if covers(scratch.offset, scratch.bytes) {
            return SCRATCH;
        }
        let live = |tensor: &usize| {
            let [first, last] = plan.lives[*tensor];
            first <= layer && layer <= last && covers(plan.offsets[*tensor], plan.bytes[*tensor])
        };
        (0..plan.lives.len()).rev().find(live).map_or(FREE, letter)
    };
    (0..columns).map(at).collect()
}

/// Pixels of a layer's column, and of the whole arena's height.
const COLUMN: usize = 26;
const HEIGHT: usize = 420;
/// Pixels left, above and below the arena for axes and names.
const MARGINS: [usize; 3] = [70, 40, 150];
/// Fill colours of the tensors, in turn.
const COLOURS: [&str; 8] =
    ["#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#9c755f"];

/// The plan as an SVG image: layers from left to right, bytes from bottom to top, a rectangle for each tensor, hatched ones
/// for scratch. A rectangle's title says name, bytes and offset.
#[must_use]
pub fn svg(network: &Network, plan: &ArenaPlan) -> String {
    let [left, top, bottom] = MARGINS;
    let layers = network.layers.len();
    let (width, height) = (left + layers * COLUMN + 20, top + HEIGHT + bottom);
    let y = |byte: usize| top as f64 + HEIGHT as f64 * (1.0 - byte as f64 / plan.size.max(1) as f64);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n<defs><pattern id=\"scratch\" \
         width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\"><path d=\"M0 4L4 0\" stroke=\"#333\"/></pattern></defs>\n"
    );
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    line(format_args!(
        "<text x=\"{left}\" y=\"20\" font-size=\"14\">Arena of {} B; the largest live set is {} B</text>",
        plan.size, plan.lower_bound
    ));
    let mut rectangle = |[first, last]: [usize; 2], offset: usize, bytes: usize, fill: &str, title: &str| {
        let (from, to) = (y(offset + bytes), y(offset));
        line(format_args!(
            "<rect x=\"{}\" y=\"{from:.1}\" width=\"{}\" height=\"{:.1}\" fill=\"{fill}\" fill-opacity=\"0.8\" \
             stroke=\"#222\" stroke-width=\"0.5\"><title>{}</title></rect>",
            left + first * COLUMN,
            (last + 1 - first) * COLUMN,
            to - from,
            text::markup(title)
        ));
    };
    for (tensor, (&life, (&offset, &bytes))) in plan
        .lives
        .iter()
        .zip(plan.offsets.iter().zip(&plan.bytes))
        .enumerate()
        .filter(|(_, (_, (_, b)))| **b > 0)
    {
        let name = tensor_name(network, tensor);
        let title = format!("{name}: {bytes} B at {offset}");
        rectangle(life, offset, bytes, COLOURS[tensor % COLOURS.len()], &title);
    }
    for (layer, scratch) in plan.scratch.iter().enumerate().filter(|(_, scratch)| scratch.bytes > 0) {
        let title =
            format!("scratch of {}: {} B at {}", network.layers[layer].name, scratch.bytes, scratch.offset);
        rectangle([layer; 2], scratch.offset, scratch.bytes, "url(#scratch)", &title);
    }
    for part in 0..=4 {
        let byte = plan.size * part / 4;
        line(format_args!(
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{byte} B</text>",
            left - 6,
            y(byte) + 4.0
        ));
    }
    for (index, layer) in network.layers.iter().enumerate() {
        let (x, y) = (left + index * COLUMN + COLUMN / 2 + 4, top + HEIGHT + 8);
        line(format_args!(
            "<text transform=\"translate({x} {y}) rotate(-90)\" text-anchor=\"end\">{}</text>",
            text::markup(&layer.name)
        ));
    }
    out.push_str("</svg>\n");
    out
}
