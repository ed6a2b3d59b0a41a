//! `bomp-search status`: what a study is, how far it is and every trial of it. Works while the study runs.

use anyhow::Result;
use bomp_export::text;
use bomp_search::report::data::{Corner, Importance, SurrogateSummary};
use bomp_search::report::{Finished, Report, Source};
use bomp_search::study::{Storage, StudyConfig, Trial};
use serde::Serialize;

use super::{CommandOutcome, StudyOptions, csv, table};

/// Genes that the terminal names.
const GENES: usize = 5;

#[derive(Serialize)]
struct Status<'a> {
    config: &'a StudyConfig,
    config_sha256: String,
    finished: u64,
    given_up: u64,
    failed: u64,
    running: u64,
    trained_images: u64,
    /// Images that were not trained on because trials were given up.
    saved_images: u64,
    hypervolume: f64,
    /// Accuracy, 0 to 1, and log10 of bytes from which the hypervolume is measured.
    reference: Corner,
    /// What is bad about these figures, and what to do about it.
    remarks: &'a [String],
    front: &'a [u64],
    importance: &'a [Importance],
    trials: &'a [Trial],
}

/// Prints the state of a study.
pub(crate) fn run(options: &StudyOptions) -> Result<CommandOutcome> {
    let (config, trials) = options.study.read()?;
    if options.csv {
        print!("{}", csv::of(&trials));
        return Ok(CommandOutcome::Done);
    }
    let config = &config;
    let source = Source { name: "", config, trials: &trials, finished: &Finished::default() };
    let report = Report::of(&[source])?;
    let study = &report.studies[0];
    let counts = study.counts;
    let status = Status {
        config,
        config_sha256: config.sha256(),
        finished: counts.finished,
        given_up: counts.given_up,
        failed: counts.failed,
        running: counts.running,
        trained_images: study.trained_images,
        saved_images: study.saved_images,
        hypervolume: study.hypervolume,
        reference: study.reference,
        remarks: &study.remarks,
        front: &study.front,
        importance: study.surrogate.as_ref().map_or(&[][..], |summary| &summary.importance),
        trials: &trials,
    };
    if options.json {
        println!("{}", text::json(&serde_json::to_string_pretty(&status)?));
        return Ok(CommandOutcome::Done);
    }
    let Status { given_up, failed, running, trained_images, saved_images, hypervolume, .. } = status;
    println!(
        "{}: space {}, data {}",
        options.study,
        text::line(&config.space.definition().name),
        text::line(&config.data.name)
    );
    println!(
        "{}, {given_up} given up, {failed} failed, {running} running; {:.2} M images trained, {:.2} M saved; hypervolume {hypervolume:.6} (from {})",
        table::finished(&counts, trials.len() as u64),
        trained_images as f64 / 1e6,
        saved_images as f64 / 1e6,
        corner(config)
    );
    println!("{}", table::heading(config.objective));
    trials.iter().for_each(|trial| println!("{}", table::line(trial)));
    if let Some(summary) = &study.surrogate {
        println!("front by rising size: trials {}", join(study.front.iter().map(u64::to_string)));
        println!("{}", surrogate(summary));
    }
    study.remarks.iter().for_each(|remark| println!("note: {remark}"));
    Ok(CommandOutcome::Done)
}

/// What is bad about the figures of a study, and what to do about it.
pub(super) fn remarks(store: &mut dyn Storage) -> Result<Vec<String>> {
    let trials = store.trials()?;
    let source = Source { name: "", config: store.config(), trials: &trials, finished: &Finished::default() };
    Ok(Report::of(&[source])?.studies.into_iter().flat_map(|study| study.remarks).collect())
}

/// From which accuracy the hypervolume of a study is measured, and why.
pub(super) fn corner(config: &StudyConfig) -> String {
    let percent = 100.0 * config.least_accuracy();
    match config.reference_accuracy() {
        Some(_) => format!("{percent:.2} % up, the reference accuracy"),
        None => format!("{percent:.2} % up, what always answering the same class gets"),
    }
}

/// How far the surrogate can be trusted, and what it thinks matters.
fn surrogate(summary: &SurrogateSummary) -> String {
    let gene = |gene: &Importance| format!("{} {:.2}", gene.gene, 100.0 * gene.effect);
    format!(
        "surrogate: leave-one-out error {:.2} points, {} of {} trials within their 95 % interval; changing one gene moves \
         the accuracy it expects by, in points: {}",
        100.0 * summary.error,
        summary.held,
        summary.predictions.len(),
        join(summary.importance.iter().take(GENES).map(gene))
    )
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}
