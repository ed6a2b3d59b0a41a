//! The page of results: what a study found, experiment by experiment, with its plots and, of networks for given sizes, the table
//! of the README; all of it from what is kept of the study.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use bomp_export::files;
use bomp_search::report::{self, Report, Source};
use bomp_search::study::Archive;

use crate::study::Study;
use crate::{champions, claims, finished, searches};

/// The plots that the page shows, kept beside the study's records.
const PLOTS: [(&str, &str); 5] = [
    ("fronts-finished", "Fronts of the finished networks"),
    ("hypervolume-images", "Hypervolume against trained images, all searches from one corner"),
    ("fronts", "Fronts of the candidates, as the searches saw them"),
    ("study1-scatter", "The first experiment: every candidate, and the finished networks"),
    ("study1-bits", "The first experiment: bit widths of the networks of its front"),
];

/// Files of the repository, by their paths from its root.
type Files = BTreeMap<PathBuf, String>;

/// Writes page and plots; the report that has all plots goes to the study's databases.
pub(crate) fn write(study: &Study) -> Result<()> {
    let report = report(study)?;
    for (path, text) in made(study, &report)? {
        let path = study.options.repository.join(path);
        files::write(&path, text.as_bytes())?;
        println!("{}", path.display());
    }
    println!("{}", report::write(&report, &study.work.join("report"), None)?.display());
    Ok(())
}

/// Compares page and plots with those that are there.
pub(crate) fn check(study: &Study) -> Result<()> {
    let mut different = Vec::new();
    for (path, text) in made(study, &report(study)?)? {
        if std::fs::read(study.options.repository.join(&path)).ok().as_deref() != Some(text.as_bytes()) {
            different.push(path.display().to_string());
        }
    }
    ensure!(
        different.is_empty(),
        "{}: not what the records of the study give; `cargo xtask study --preset {} --results` writes it again",
        different.join(", "),
        study.options.preset
    );
    Ok(())
}

/// The searches side by side.
fn report(study: &Study) -> Result<Report> {
    // Experiments with limits of their own have another corner, from which the others would look alike.
    let all = &study.definition.experiments;
    let some_alike = all.iter().any(|experiment| experiment.limits.is_none());
    let mut kept = Vec::new();
    for experiment in all.iter().filter(|experiment| !some_alike || experiment.limits.is_none()) {
        if let Some(archive) = study.searched(experiment)? {
            let finished = study.finished(experiment, &archive.config)?;
            kept.push((&experiment.name, archive, finished));
        }
    }
    let sources: Vec<Source<'_>> = kept
        .iter()
        .map(|(name, Archive { config, trials }, finished)| Source { name, config, trials, finished })
        .collect();
    Ok(Report::of(&sources)?)
}

/// Everything that is shown in the repository.
fn made(study: &Study, report: &Report) -> Result<Files> {
    let (name, definition) = (&study.options.preset, &study.definition);
    let mut made = Files::new();
    let mut page = format!(
        "# {1}\n\n\
         Written by `cargo xtask study --preset {0}`, which repeats it or goes on with it. Protocol and experiments:\n\
         [tests/studies/{0}](../tests/studies/{0}). 1 kB = 1000 bytes. Accuracies of finished networks are those of the packed\n\
         model in the integer runtime, on all test images, with the 95 % interval of Wilson; the test images were counted once for\n\
         each, after everything about it was settled. Every network has run on an emulated Cortex-M4 with the host's logits.\n",
        name, definition.title
    );
    if !definition.note.is_empty() {
        write!(page, "\n{}\n", definition.note.trim())?;
    }
    champions::write(&mut page, study)?;
    let mut drawn: BTreeMap<String, String> = report::drawings(report).collect();
    for (plot, title) in PLOTS {
        if let Some(svg) = drawn.remove(plot) {
            let path = format!("tests/studies/{name}/report/{plot}.svg");
            write!(page, "\n![{title}](../{path})\n")?;
            made.insert(path.into(), svg);
        }
    }
    if !definition.overview.is_empty() {
        made.insert(format!("tests/studies/{name}/report/overview.svg").into(), overview(study, report)?);
    }
    write!(
        page,
        "\nAll plots, the bit widths of each front among them: `cargo xtask study --preset {name} --results` writes them to\n\
         `studies/{name}/report/report.html`.\n"
    )?;
    claims::write(&mut page, study, &report.studies)?;
    searches::write(&mut page, study, &report.studies)?;
    finished::write(&mut page, study)?;
    made.insert(definition.page.clone().into(), page);
    made.extend(readme(study)?);
    Ok(made)
}

/// The README's picture.
fn overview(study: &Study, report: &Report) -> Result<String> {
    let lines: Vec<(&str, &str)> = study
        .definition
        .overview
        .iter()
        .map(|line| (line.experiment.as_str(), line.label.as_str()))
        .collect();
    ensure!(
        lines.len() <= 5,
        "overview: {} experiments, but a picture of more than 5 is not read",
        lines.len()
    );
    for (experiment, _) in &lines {
        let is_here = report.studies.iter().any(|searched| searched.name == *experiment);
        ensure!(
            is_here,
            "overview: experiment `{experiment}` has not been searched, or has limits of its own"
        );
    }
    Ok(report::overview(report, &lines))
}

/// The README with the table of this study renewed, if it has one.
fn readme(study: &Study) -> Result<Option<(PathBuf, String)>> {
    let Some(champions) = &study.definition.champions else { return Ok(None) };
    let path = study.options.repository.join("README.md");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let [begin, end] = [
        format!("<!-- cargo xtask study --preset {} -->\n", study.options.preset),
        "<!-- end of the study's table -->\n".to_owned(),
    ];
    let Some((before, rest)) = text.split_once(&begin) else { return Ok(None) };
    let (_, after) = rest.split_once(&end).with_context(|| format!("{}: no {end}", path.display()))?;
    let table = champions::table(study, champions, "")?;
    Ok(Some(("README.md".into(), format!("{before}{begin}{table}{end}{after}"))))
}
