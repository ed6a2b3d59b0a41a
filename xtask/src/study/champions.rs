//! Networks for given sizes: of what the searches found, the candidate with the best validation accuracy that fits, trained
//! by a longer recipe than those of the rows. The test images have no part in the choice.

use super::Study;
use super::row::records;
use super::rows::{Champions, Target};
use crate::programs::{json, text};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::fmt::Write;

/// Their folder.
const FOLDER: &str = "champions";

/// A line of `bomp-search pareto --json`, as far as it is used here.
#[derive(Debug, Deserialize)]
struct OnFront {
    number: u64,
    correct: u64,
    images: u64,
    usage: Usage,
}

#[derive(Debug, Deserialize)]
struct Usage {
    bytes: u64,
}

impl Study<'_> {
    /// The row and the trial for a size; `None` while nothing fits.
    fn best(&self, target: &Target) -> Result<Option<(String, OnFront)>> {
        let mut candidates: Vec<(String, OnFront)> = Vec::new();
        for name in &target.rows {
            self.bring_back(self.rows.named(name)?)?;
            let folder = self.work.join(name);
            if folder.join("study.sqlite").is_file() {
                let front: Vec<OnFront> =
                    json("bomp-search", &["pareto", "--study", text(&folder)?, "--json"])?;
                candidates.extend(front.into_iter().map(|trial| (name.clone(), trial)));
            }
        }
        let fitting = candidates.into_iter().filter(|(_, trial)| trial.usage.bytes <= target.bytes);
        let accuracy = |trial: &OnFront| trial.correct as f64 / trial.images as f64;
        Ok(fitting.max_by(|a, b| accuracy(&a.1).total_cmp(&accuracy(&b.1))))
    }

    /// The sizes for which there is no finished network yet.
    pub(super) fn missing_champions<'a>(&self, champions: &'a Champions) -> Result<Vec<&'a Target>> {
        let mut missing = Vec::new();
        for target in &champions.targets {
            let record = |(row, trial): (String, OnFront)| format!("{row}-{:04}.json", trial.number);
            let record = self.best(target)?.map(record);
            if record.is_none_or(|record| !self.kept.join(FOLDER).join(record).is_file()) {
                missing.push(target);
            }
        }
        Ok(missing)
    }

    /// Finishes those that are not finished yet.
    pub(super) fn finish_champions(&self, champions: &Champions) -> Result<()> {
        let kept = self.kept.join(FOLDER);
        std::fs::create_dir_all(&kept).with_context(|| kept.display().to_string())?;
        for target in &champions.targets {
            let Some((row, trial)) = self.best(target)? else { continue };
            let model = kept.join(format!("{row}-{:04}.bomp", trial.number));
            if model.with_extension("json").is_file() {
                continue;
            }
            let folder = self.work.join(&row);
            let out = folder.join(FOLDER);
            let preset = self.kept.join(target.preset.as_ref().unwrap_or(&champions.preset));
            let teachers: Vec<_> = target.teachers.iter().map(|teacher| self.kept.join(teacher)).collect();
            let mut how = vec!["--quantisation", "qaft", "--preset", text(&preset)?, "--out", text(&out)?];
            for teacher in &teachers {
                how.extend(["--teacher", text(teacher)?]);
            }
            self.finish_one(&folder, trial.number, &how, &model)?;
        }
        Ok(())
    }
}

/// The section of the page of results.
pub(super) fn write(page: &mut String, study: &Study<'_>) -> Result<()> {
    let Some(champions) = &study.rows.champions else { return Ok(()) };
    let mut presets: Vec<String> = Vec::new();
    for preset in champions.targets.iter().map(|target| target.preset.as_ref().unwrap_or(&champions.preset)) {
        let link = format!("[{preset}](../tests/studies/{}/{preset})", study.options.preset);
        if !presets.contains(&link) {
            presets.push(link);
        }
    }
    write!(
        page,
        "\n## Networks for given sizes\n\n\
         Of what the searches found, the candidate of the best validation accuracy that fits, trained by\n\
         {}: ready to use.\n",
        presets.join(" or "),
    )?;
    let mut told: Vec<&[String]> = Vec::new();
    for Target { teachers, .. } in &champions.targets {
        if teachers.is_empty() || told.contains(&&teachers[..]) {
            continue;
        }
        told.push(teachers);
        let taught = champions.targets.iter().filter(|target| target.teachers == *teachers);
        let sizes: Vec<String> = taught.map(|target| target.bytes.to_string()).collect();
        let link = |teacher| format!("[{teacher}](../tests/studies/{}/{teacher})", study.options.preset);
        let links: Vec<String> = teachers.iter().map(link).collect();
        writeln!(
            page,
            "Those of at most {} bytes learned from {}, too.",
            sizes.join(", "),
            links.join(" and ")
        )?;
    }
    page.push('\n');
    page.push_str(&table(study, champions, "../")?);
    Ok(())
}

/// What was asked for and what came of it, for a page from which `root` leads to the repository's.
pub(super) fn table(study: &Study<'_>, champions: &Champions, root: &str) -> Result<String> {
    let folder = format!("tests/studies/{}/{FOLDER}", study.options.preset);
    let mut found = Vec::new();
    for record in records(&study.kept.join(FOLDER))? {
        for name in champions.rows() {
            let model = format!("{name}-{:04}.bomp", record.trial);
            let length = std::fs::metadata(study.kept.join(FOLDER).join(&model)).map(|file| file.len());
            if length.is_ok_and(|length| length == record.size_bytes) {
                found.push((model, record.clone()));
            }
        }
    }
    let mut table = String::from(
        "| at most [B] | test accuracy (95 % interval) | asked | bytes | RAM [B] | MACs [M] | instructions on M4 [M] | model |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for target in &champions.targets {
        let asked = 100.0 * target.accuracy;
        let small = found.iter().filter(|(_, record)| record.size_bytes <= target.bytes);
        let Some((model, best)) = small.max_by_key(|(_, record)| record.size_bytes) else {
            writeln!(table, "| {} | none yet | {asked:.1} % | | | | | |", target.bytes)?;
            continue;
        };
        let [low, high] = best.interval95;
        writeln!(
            table,
            "| {} | **{:.2} %** ({:.2} to {:.2}) | {asked:.1} % | {} | {} | {:.3} | {:.2} | [{model}]({root}{folder}/{model}) |",
            target.bytes,
            100.0 * best.accuracy(),
            100.0 * low,
            100.0 * high,
            best.size_bytes,
            best.ram_bytes,
            best.macs as f64 / 1e6,
            best.m4_instructions as f64 / 1e6,
        )?;
    }
    Ok(table)
}
