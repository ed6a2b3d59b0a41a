//! Colours that those see apart who do not see all colours, on white.
//!
//! Series: Okabe and Ito, "Color universal design", 2008. Time: viridis (van der Walt and Smith, 2015), which darkens
//! evenly and so survives grey printing; its palest end is cut off, being hard to see on white.

/// Text.
pub(in crate::report) const INK: &str = "#1c1e21";
/// Text that may be overlooked.
pub(in crate::report) const MUTED: &str = "#5a5f66";
/// Axes.
pub(super) const AXIS: &str = "#6b7076";
/// Lines behind everything.
pub(in crate::report) const GRID: &str = "#e6e8eb";
/// Lines of reference.
pub(in crate::report) const FAINT: &str = "#9aa0a6";
/// What is to be seen first: finished networks, misses.
pub(in crate::report) const ACCENT: &str = "#d55e00";

/// One for each study, then from the start again.
pub(in crate::report) const SERIES: [&str; 7] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9", "#1c1e21"];

const VIRIDIS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 45, 123],
    [59, 82, 139],
    [44, 114, 142],
    [33, 145, 140],
    [40, 174, 128],
    [94, 201, 98],
    [173, 220, 48],
    [253, 231, 37],
];

/// The colour of a time from 0 (first) to 1 (last).
pub(in crate::report) fn time_colour(time: f64) -> String {
    let position = time.clamp(0.0, 1.0) * 0.9 * (VIRIDIS.len() - 1) as f64;
    let (from, part) = (position.floor() as usize, position.fract());
    let (a, b) = (VIRIDIS[from], VIRIDIS[(from + 1).min(VIRIDIS.len() - 1)]);
    let mix = |i: usize| (f64::from(a[i]) * (1.0 - part) + f64::from(b[i]) * part).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(0), mix(1), mix(2))
}

/// The bit widths of the map, narrow to wide.
pub(in crate::report) const BITS: [u8; 5] = [4, 5, 6, 7, 8];

/// Pale for few bits, dark for many.
pub(in crate::report) fn bit_colour(bits: u8) -> &'static str {
    match bits {
        0..=4 => "#fff3b8",
        5 => "#a8dcb5",
        6 => "#4fb3bf",
        7 => "#2c78a8",
        _ => "#253a7d",
    }
}

/// The colour of text on a cell of these bits.
pub(in crate::report) fn ink_on(bits: u8) -> &'static str {
    if bits < 7 { INK } else { "#ffffff" }
}
