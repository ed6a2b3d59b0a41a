//! `docs/results.md`: what a study found, row by row, written from its records and from `bomp-search report --json`. No figure
//! in it is typed by hand.

use super::Study;
use super::row::{Record, finished};
use crate::programs::{json, text, write as write_file};
use crate::workspace;
use anyhow::Result;
use serde::Deserialize;
use std::fmt::Write;

/// What `bomp-search report --json` says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Report {
    studies: Vec<Searched>,
}

#[derive(Debug, Deserialize)]
struct Searched {
    name: String,
    trained_images: u64,
    seconds: f64,
    front: Vec<u64>,
    progress: Vec<Progress>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    ended: u64,
    trained_images: u64,
    hypervolume: f64,
}

impl Searched {
    fn hypervolume(&self) -> f64 {
        self.progress.last().map_or(0.0, |last| last.hypervolume)
    }

    /// Images trained on until this hypervolume was reached.
    fn images_to(&self, hypervolume: f64) -> Option<u64> {
        self.progress.iter().find(|step| step.hypervolume >= hypervolume).map(|step| step.trained_images)
    }
}

/// Writes `docs/results.md`, and the page of plots beside the databases.
pub(super) fn write(study: &Study<'_>) -> Result<()> {
    let folders: Vec<_> = study.rows.rows.iter().map(|row| study.work.join(&row.name)).collect();
    let there: Vec<_> = folders.iter().filter(|folder| folder.join("study.sqlite").is_file()).collect();
    let plots = study.work.join("report");
    let mut arguments = vec!["report", "--json", "--out", text(&plots)?];
    for folder in &there {
        arguments.extend(["--study", text(folder)?]);
    }
    let Report { studies } = json("bomp-search", &arguments)?;
    let mut page = format!(
        "# Results of the study `{0}`\n\n\
         Written by `cargo xtask study --preset {0}`, which repeats it or goes on with it. Protocol and rows:\n\
         [tests/studies/{0}](../tests/studies/{0}). 1 kB = 1000 bytes. Accuracies of finished networks are those of the packed\n\
         model in the integer runtime, on all test images, with the 95 % interval of Wilson; the test images were counted once for each.\n",
        study.options.preset
    );
    searches(&mut page, study, &studies)?;
    networks(&mut page, study)?;
    let path = workspace::root()?.join("docs/results.md");
    write_file(&path, page.as_bytes())?;
    println!("{}\n{}", path.display(), plots.join("report.html").display());
    Ok(())
}

fn searches(page: &mut String, study: &Study<'_>, studies: &[Searched]) -> Result<()> {
    let of = |name: &str| studies.iter().find(|searched| searched.name == name);
    let yardsticks = ["paper", "evolution"].map(|name| (name, of(name)));
    page.push_str("\n## Searches\n\nHypervolume: validation accuracy above the reference times decades of size below the largest, from one corner for all.\n\n");
    page.push_str(
        "| row | question | trials | trained images [M] | hours of one core | front | hypervolume |",
    );
    yardsticks.iter().for_each(|(name, _)| _ = write!(page, " images to `{name}`'s [M] |"));
    page.push_str("\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for row in &study.rows.rows {
        let Some(searched) = of(&row.name) else { continue };
        write!(
            page,
            "| {} | {} | {} | {:.2} | {:.2} | {} | {:.4} |",
            row.name,
            row.question,
            searched.progress.last().map_or(0, |last| last.ended),
            searched.trained_images as f64 / 1e6,
            searched.seconds / 3600.0,
            searched.front.len(),
            searched.hypervolume()
        )?;
        for (_, yardstick) in &yardsticks {
            let images = yardstick.and_then(|yardstick| {
                let all = yardstick.progress.last()?.trained_images as f64;
                let images = searched.images_to(yardstick.hypervolume())? as f64;
                Some(format!("{:.2} ({:.0} %)", images / 1e6, 100.0 * images / all))
            });
            write!(page, " {} |", images.unwrap_or_else(|| "never".into()))?;
        }
        page.push('\n');
    }
    Ok(())
}

fn networks(page: &mut String, study: &Study<'_>) -> Result<()> {
    page.push_str("\n## Finished networks\n");
    for row in &study.rows.rows {
        for &variant in &row.finals {
            let mut records = finished(study, row, variant)?;
            if records.is_empty() {
                continue;
            }
            records.sort_by_key(|record| record.size_bytes);
            let folder = format!("tests/studies/{}/{}/{}", study.options.preset, row.name, variant.name());
            write!(
                page,
                "\n### {}: {}{}\n\n| trial | bytes | accuracy | float | RAM [B] | MACs [M] | instructions on M4 [M] | trained images [M] |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
                row.name,
                row.question,
                if variant == super::rows::Final::Qaft { ", fine-tuned afterwards" } else { "" }
            )?;
            for record in &records {
                line(page, &folder, record)?;
            }
        }
    }
    Ok(())
}

fn line(page: &mut String, folder: &str, record: &Record) -> Result<()> {
    let percent = |correct: u64| 100.0 * correct as f64 / record.test_images as f64;
    let [low, high] = record.interval95;
    writeln!(
        page,
        "| [{trial}](../{folder}/trial-{trial:04}.bomp) | {} | {:.2} % ({:.2} to {:.2}) | {:.2} % | {} | {:.3} | {:.2} | {:.2} |",
        record.size_bytes,
        percent(record.integer_correct),
        100.0 * low,
        100.0 * high,
        percent(record.float_correct),
        record.ram_bytes,
        record.macs as f64 / 1e6,
        record.m4_instructions as f64 / 1e6,
        record.trained_images as f64 / 1e6,
        trial = record.trial,
    )?;
    Ok(())
}
