//! A study, or several side by side, as plots and tables: one HTML page, and each plot as SVG and PNG.
//!
//! Data flow, one way: [`Source`] (configurations and trials) -> [`data`] (everything that is shown, as plain values) ->
//! `plots` (drawn with `draw`) -> `html`, `files`. The plots are those of van Son et al., "BOMP-NAS: Bayesian
//! Optimization Mixed Precision NAS", 2023, Figs. 2, 3, 5 and 8, and three that show how the search went.
//!
//! Guarantees: the page loads nothing from anywhere and runs no script; names from outside are escaped; a PNG is the very
//! SVG beside it, in a font that is part of the program; every file is whole or not there.

pub mod data;
mod draw;
mod files;
mod html;
mod plots;
#[cfg(test)]
mod tests;

pub use data::{Finished, Report, ReportError, Source};
pub use files::{drawings, overview, write};
pub use html::page;
