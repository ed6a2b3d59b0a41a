//! Reports of synthetic studies, drawn without libtorch.

mod drawn;
mod gathered;
mod synthetic;

use super::Report;
use super::plots::{self, Plot};
use synthetic::{NASTY, Study};

fn report(studies: &[Study]) -> Report {
    Report::of(&studies.iter().map(Study::source).collect::<Vec<_>>()).unwrap()
}

fn all_plots(report: &Report) -> Vec<Plot> {
    let of_studies = report.studies.iter().flat_map(|study| plots::of_study(report, study));
    plots::common(report).into_iter().chain(of_studies).collect()
}

/// Studies as they come: new, begun, running, long ended, and several side by side.
fn all_sorts() -> Vec<Vec<Study>> {
    let empty = || Study::new("empty", 1, 0, true, false);
    let running = || Study::new("first trial runs", 1, 1, true, true);
    let one = || Study::new("one", 1, 1, true, false).finished();
    let many = || Study::new(NASTY, 1, 60, true, true).finished();
    vec![
        vec![],
        vec![empty()],
        vec![running()],
        vec![one()],
        vec![many()],
        vec![many(), empty(), one(), Study::new(&"long name ".repeat(30), 2, 40, false, false)],
    ]
}
