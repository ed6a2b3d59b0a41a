//! Networks for given sizes: of what the searches found, the candidate with the best validation accuracy that fits, trained
//! by a longer recipe than those of the rows. The test images have no part in the choice.

use std::fmt::Write;

use anyhow::Result;
use bomp_search::front;
use bomp_search::study::{Measured, Trial};

use crate::programs::text;
use crate::record::Record;
use crate::study::{Champions, Study, Target};

const FOLDER: &str = "champions";

impl Study {
    /// The experiment and the trial for a size; `None` while nothing fits.
    fn best(&self, target: &Target) -> Result<Option<(String, Trial)>> {
        let mut fitting: Vec<(String, Trial)> = Vec::new();
        for name in &target.experiments {
            let Some(archive) = self.searched(self.named(name)?)? else { continue };
            let front = front::of_trials(&archive.trials).into_iter();
            let small = front.filter(|trial| trial.usage.bytes <= target.bytes);
            fitting.extend(small.map(|trial| (name.clone(), trial.clone())));
        }
        let accuracy = |trial: &Trial| trial.measured().map_or(0.0, Measured::accuracy);
        Ok(fitting.into_iter().max_by(|a, b| accuracy(&a.1).total_cmp(&accuracy(&b.1))))
    }

    /// The sizes for which there is no finished network yet.
    pub(crate) fn missing_champions<'a>(&self, champions: &'a Champions) -> Result<Vec<&'a Target>> {
        let mut missing = Vec::new();
        for target in &champions.targets {
            let best = self.best(target)?;
            let record = best.map(|(experiment, trial)| format!("{experiment}-{:04}.json", trial.number));
            if record.is_none_or(|record| !self.kept.join(FOLDER).join(record).is_file()) {
                missing.push(target);
            }
        }
        Ok(missing)
    }

    /// Finishes those that are not finished yet.
    pub(crate) fn finish_champions(&self, champions: &Champions) -> Result<()> {
        for target in &champions.targets {
            let Some((name, Trial { number, .. })) = self.best(target)? else { continue };
            let model = self.kept.join(FOLDER).join(format!("{name}-{number:04}.bomp"));
            if model.with_extension("json").is_file() {
                continue;
            }
            let preset = self.kept.join(target.preset(champions));
            let teachers: Vec<_> = target.teachers.iter().map(|teacher| self.kept.join(teacher)).collect();
            let mut how = vec!["--quantisation", "qaft", "--preset", text(&preset)?];
            for teacher in &teachers {
                how.extend(["--teacher", text(teacher)?]);
            }
            self.finish_one(self.named(&name)?, number, (FOLDER, &how), &model)?;
        }
        Ok(())
    }
}

/// The section of the page of results.
pub(crate) fn write(page: &mut String, study: &Study) -> Result<()> {
    let Some(champions) = &study.definition.champions else { return Ok(()) };
    let mut presets: Vec<String> = Vec::new();
    for preset in champions.targets.iter().map(|target| target.preset(champions)) {
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
        let learned = champions.targets.iter().filter(|target| target.teachers == *teachers);
        let sizes: Vec<String> = learned.map(|target| target.bytes.to_string()).collect();
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
pub(crate) fn table(study: &Study, champions: &Champions, root: &str) -> Result<String> {
    let folder = format!("tests/studies/{}/{FOLDER}", study.options.preset);
    let mut found = Vec::new();
    for record in Record::all(&study.kept.join(FOLDER))? {
        for name in champions.experiments() {
            let model = format!("{name}-{:04}.bomp", record.trial);
            let length = std::fs::metadata(study.kept.join(FOLDER).join(&model)).map(|file| file.len());
            if length.is_ok_and(|length| length == record.size_bytes as u64) {
                found.push((model, record.clone()));
            }
        }
    }
    let mut table = String::from(
        "| at most [B] | test accuracy (95 % interval) | target | bytes | RAM [B] | MACs [M] | instructions on M4 [M] | model |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for target in &champions.targets {
        let accuracy = 100.0 * target.accuracy;
        let small = found.iter().filter(|(_, record)| record.size_bytes <= target.bytes);
        let Some((model, best)) = small.max_by_key(|(_, record)| record.size_bytes) else {
            writeln!(table, "| {} | none yet | {accuracy:.1} % | | | | | |", target.bytes)?;
            continue;
        };
        writeln!(
            table,
            "| {} | {} | {accuracy:.1} % | {} | {} | [{model}]({root}{folder}/{model}) |",
            target.bytes,
            best.shown("**"),
            best.size_bytes,
            best.costs(),
        )?;
    }
    Ok(table)
}
