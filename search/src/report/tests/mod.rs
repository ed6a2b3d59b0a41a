//! Reports of invented studies, drawn without libtorch.

mod drawn;
mod gathered;
mod invented;

use std::path::Path;

use super::Report;
use super::plots::{self, Plot};
use invented::{NASTY, Study};

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

/// For looking at: `BOMP_EXAMPLE_REPORT=FOLDER cargo test ... -- --ignored an_example_to_look_at`.
#[test]
#[ignore = "writes a report to look at into the folder that BOMP_EXAMPLE_REPORT names"]
fn an_example_to_look_at() {
    let folder = std::env::var("BOMP_EXAMPLE_REPORT").expect("BOMP_EXAMPLE_REPORT names a folder");
    let folder = Path::new(&folder);
    let learning = Study::new("fashion-10kB", 1, 62, true, true).finished();
    let begun = std::time::Instant::now();
    let one = report(std::slice::from_ref(&learning));
    println!("gathered in {:?}", begun.elapsed());
    super::write(&one, &folder.join("one"), Some(10)).unwrap();
    println!("written after {:?}", begun.elapsed());
    let others = [learning, Study::new("random search", 2, 60, false, false).finished()];
    let others = others.into_iter().chain([Study::new("fixed 4 bit", 7, 45, true, false)]);
    super::write(&report(&others.collect::<Vec<_>>()), &folder.join("several"), None).unwrap();
    super::write(&report(&[Study::new("empty", 1, 0, true, false)]), &folder.join("empty"), None).unwrap();
    let single = Study::new("single", 1, 1, true, false).finished();
    super::write(&report(&[single]), &folder.join("single"), None).unwrap();
}
