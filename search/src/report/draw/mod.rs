//! What plots are drawn with: a canvas of SVG elements, scales with ticks, a frame, legends, colours, and measured text.

mod canvas;
mod frame;
mod legend;
mod marker;
mod palette;
mod png;
mod scale;
mod text;

pub(super) use canvas::{Anchor, Canvas, dashed};
pub(super) use frame::Frame;
pub(super) use legend::{Legend, Swatch};
pub(super) use marker::Marker;
pub(super) use palette::{ACCENT, BITS, FAINT, GRID, INK, MUTED, SERIES, bit_colour, ink_on, time_colour};
pub(super) use png::png;
pub(super) use scale::{Scale, extent};
pub(super) use text::fitted;
#[cfg(test)]
pub(super) use text::width;
