//! One row of a study: its search, and the networks of its front trained to the end, packed and run on an emulated Cortex-M4.
//!
//! What is kept of it in its folder under `tests/studies`: `study.json`, from which the search goes on anywhere; and for each
//! finished network the packed model and a record of what it reached.

use super::Study;
use super::rows::{Final, Row};
use crate::programs::{call, json, output, text, write};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A trial as `bomp-search status --json` lists it, as far as it is used here.
#[derive(Debug, Deserialize)]
pub(super) struct Trial {
    state: String,
    #[serde(default)]
    trained_images: u64,
    #[serde(default)]
    seconds: f64,
}

impl Trial {
    /// Whether nothing more is to be done for it.
    pub(super) fn ended(&self) -> bool {
        self.state != "running"
    }

    /// Images trained on.
    pub(super) fn trained_images(&self) -> f64 {
        self.trained_images as f64
    }

    /// Wall-clock seconds of its worker.
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }
}

/// `study.json`, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Kept {
    trials: Vec<Trial>,
}

/// A network trained to the end. Counts are images.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Record {
    /// Its trial.
    pub(super) trial: u64,
    /// Length of the packed model, in bytes.
    pub(super) size_bytes: u64,
    /// Arena for its activations, in bytes.
    pub(super) ram_bytes: u64,
    /// Multiply-accumulates of one image.
    pub(super) macs: u64,
    /// All test images.
    pub(super) test_images: u64,
    /// Classified correctly by the float network.
    pub(super) float_correct: u64,
    /// Classified correctly by the packed model.
    pub(super) integer_correct: u64,
    /// 95 % confidence interval of the packed model's accuracy, fractions 0 to 1.
    pub(super) interval95: [f64; 2],
    /// Trained on for the finished network.
    pub(super) trained_images: u64,
    /// Instructions of one image on the emulated Cortex-M4.
    pub(super) m4_instructions: u64,
    /// Images that the Cortex-M4 classified, each with the host's logits.
    pub(super) m4_images: u64,
}

impl Record {
    /// Test accuracy of the packed model, 0 to 1.
    pub(super) fn accuracy(&self) -> f64 {
        self.integer_correct as f64 / self.test_images as f64
    }
}

/// One line of `bomp-search finalise --json`.
#[derive(Debug, Deserialize)]
struct Finished {
    candidate: PathBuf,
    size_bytes: u64,
    ram_bytes: u64,
    macs: u64,
    test_images: u64,
    float_correct: u64,
    integer_correct: u64,
    trained_images: u64,
}

/// What `bomp-export validate --json` says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Validation {
    integer: Accuracy,
}

#[derive(Debug, Deserialize)]
struct Accuracy {
    correct: u64,
    interval95: [f64; 2],
}

/// What `bomp-sim run --json` says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Verdict {
    images: u64,
    logits_equal: bool,
    section_equals_file: bool,
    instructions: Instructions,
}

#[derive(Debug, Deserialize)]
struct Instructions {
    mean: f64,
}

/// A line of `bomp-search pareto --json`.
#[derive(Debug, Deserialize)]
struct OnFront {
    number: u64,
}

/// The trials of a row that are kept.
pub(super) fn trials(study: &Study<'_>, row: &Row) -> Result<Vec<Trial>> {
    let path = study.kept.join(&row.name).join("study.json");
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let kept: Kept = serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
    Ok(kept.trials)
}

/// The records of the finished networks that are kept, by trial.
pub(super) fn finished(study: &Study<'_>, row: &Row, variant: Final) -> Result<Vec<Record>> {
    records(&study.kept.join(&row.name).join(variant.name()))
}

/// The records in a folder, by trial.
pub(super) fn records(folder: &Path) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(records) };
    for entry in entries {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        // Beside a model lie its record and, as NAME.bomp.json, its provenance.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".json") && !name.ends_with(".bomp.json") {
            let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
            records
                .push(serde_json::from_slice::<Record>(&bytes).with_context(|| path.display().to_string())?);
        }
    }
    records.sort_by_key(|record| record.trial);
    Ok(records)
}

impl Study<'_> {
    /// Where a row's finished networks are kept, from the page of results.
    pub(super) fn folder_of(&self, row: &Row, variant: Final) -> String {
        format!("../tests/studies/{}/{}/{}", self.options.preset, row.name, variant.name())
    }

    /// Starts the search of a row, or goes on with it, and keeps its trials.
    pub(super) fn search(&self, row: &Row) -> Result<()> {
        let (folder, kept) = (self.work.join(&row.name), self.kept.join(&row.name));
        let workers = self.options.workers.to_string();
        self.bring_back(row)?;
        if folder.join("study.sqlite").is_file() {
            call("bomp-search", &["resume", "--study", text(&folder)?, "--workers", &workers])?;
        } else {
            let preset = self.kept.join("preset.toml");
            let mut arguments = vec!["run", "--study", text(&folder)?, "--preset", text(&preset)?];
            arguments.extend(["--workers", &workers]);
            arguments.extend(self.rows.limits(row).iter().chain(&row.arguments).map(String::as_str));
            call("bomp-search", &arguments)?;
        }
        std::fs::create_dir_all(&kept).with_context(|| kept.display().to_string())?;
        write(
            &kept.join("study.json"),
            &output("bomp-search", &["status", "--study", text(&folder)?, "--json"])?,
        )
    }

    /// Makes the row's database from what is kept, if it is not there.
    pub(super) fn bring_back(&self, row: &Row) -> Result<()> {
        let (folder, file) = (self.work.join(&row.name), self.kept.join(&row.name).join("study.json"));
        if folder.join("study.sqlite").is_file() || !file.is_file() {
            return Ok(());
        }
        call("bomp-search", &["import", "--study", text(&folder)?, text(&file)?])
    }

    /// Finishes networks of a row's front that are not finished yet, each kept before the next begins.
    pub(super) fn finish(&self, row: &Row) -> Result<()> {
        if self.rows.final_networks == 0 {
            return Ok(());
        }
        self.bring_back(row)?;
        let folder = self.work.join(&row.name);
        let at_most = self.rows.final_networks.to_string();
        let front: Vec<OnFront> =
            json("bomp-search", &["pareto", "--study", text(&folder)?, "--at-most", &at_most, "--json"])?;
        for &variant in &row.finals {
            let kept = self.kept.join(&row.name).join(variant.name());
            std::fs::create_dir_all(&kept).with_context(|| kept.display().to_string())?;
            let done = finished(self, row, variant)?;
            for &OnFront { number } in &front {
                if done.iter().all(|record| record.trial != number) {
                    let model = kept.join(format!("trial-{number:04}.bomp"));
                    self.finish_one(&folder, number, variant.arguments(), &model)?;
                }
            }
        }
        Ok(())
    }

    /// Trains the network of a trial to the end, packs it as `model`, and writes its record beside that.
    pub(super) fn finish_one(&self, folder: &Path, number: u64, how: &[&str], model: &Path) -> Result<()> {
        let (trial, threads) = (number.to_string(), self.options.workers.to_string());
        let mut arguments = vec!["finalise", "--study", text(folder)?, "--trial", &trial];
        arguments.extend(["--threads", &threads, "--json"]);
        arguments.extend(how);
        let finished: Vec<Finished> = json("bomp-search", &arguments)?;
        let Finished {
            candidate,
            size_bytes,
            ram_bytes,
            macs,
            test_images,
            float_correct,
            integer_correct,
            trained_images,
        } = finished.into_iter().next().context("`bomp-search finalise` finished no network")?;
        call("bomp-export", &["pack", text(&candidate)?, "-o", text(model)?])?;
        let length = std::fs::metadata(model).with_context(|| model.display().to_string())?.len();
        ensure!(length == size_bytes, "{}: {length} bytes, promised were {size_bytes}", model.display());
        let Validation { integer } = json("bomp-export", &["validate", text(model)?, "--json"])?;
        ensure!(
            integer.correct == integer_correct,
            "{}: `finalise` counted {integer_correct} correct images, `validate` {}",
            model.display(),
            integer.correct
        );
        let images = self.options.m4_images.to_string();
        let verdict: Verdict =
            json("bomp-sim", &["run", text(model)?, "--board", "mps2-an386", "--images", &images, "--json"])?;
        ensure!(verdict.logits_equal, "{}: the Cortex-M4's logits are not the host's", model.display());
        ensure!(verdict.section_equals_file, "{}: not what the ELF holds", model.display());
        let record = Record {
            trial: number,
            size_bytes,
            ram_bytes,
            macs,
            test_images,
            float_correct,
            integer_correct,
            interval95: integer.interval95,
            trained_images,
            m4_instructions: verdict.instructions.mean.round() as u64,
            m4_images: verdict.images,
        };
        write(&model.with_extension("json"), &serde_json::to_vec_pretty(&record)?)
    }
}
