//! One experiment: its search, and the networks of its front trained to the end, packed and run on an emulated Cortex-M4.
//!
//! What is kept of it in its folder under `tests/studies`: `trials.jsonl.gz`, from which the search goes on anywhere; and for
//! each finished network the packed model and a record of what it reached.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bomp_export::candidate::Candidate;
use bomp_export::files;
use bomp_export::report::Accuracy;
use bomp_search::front;
use bomp_search::report::Finished;
use bomp_search::report::data::FinishedNetwork;
use bomp_search::space::Usage;
use bomp_search::study::{Archive, Location, StudyConfig};
use bomp_sim::Verdict;
use serde::Deserialize;

use crate::programs::{call, json, text};
use crate::record::Record;
use crate::study::{Experiment, Final, Study};

/// What `bomp-export validate --json` says, as far as it is used here.
#[derive(Deserialize)]
struct Validation {
    integer: Accuracy,
}

impl Study {
    /// Runs what was asked for, or goes on with it.
    pub(crate) fn run(&self) -> Result<()> {
        let champions = self.definition.champions.as_ref();
        if self.options.champions_only {
            return champions.map_or(Ok(()), |champions| self.finish_champions(champions));
        }
        // All searches first: every comparison needs them, and the final trainings can be added one by one.
        self.chosen().try_for_each(|experiment| self.search(experiment))?;
        if self.options.searches_only {
            return Ok(());
        }
        self.chosen().try_for_each(|experiment| self.finish(experiment))?;
        let champions = champions.filter(|_| self.options.experiment.is_empty());
        champions.map_or(Ok(()), |champions| self.finish_champions(champions))
    }

    /// The search of an experiment as it is kept; `None` while there is none.
    pub(crate) fn searched(&self, experiment: &Experiment) -> Result<Option<Archive>> {
        let path = self.archive(experiment);
        Ok(if path.is_file() { Some(Archive::read(&path)?) } else { None })
    }

    /// The records of its finished networks, by trial.
    pub(crate) fn records(&self, experiment: &Experiment, variant: Final) -> Result<Vec<Record>> {
        Record::all(&self.kept.join(&experiment.name).join(variant.name()))
    }

    /// Its finished networks, as the report shows them.
    pub(crate) fn finished(&self, experiment: &Experiment, config: &StudyConfig) -> Result<Finished> {
        let mut networks = Vec::new();
        for &variant in experiment.finals.iter().filter(|variant| variant.is_the_modes()) {
            let folder = Path::new(&experiment.name).join(variant.name());
            networks.extend(self.records(experiment, variant)?.into_iter().map(|record| FinishedNetwork {
                trial: record.trial,
                folder: folder.join(format!("trial-{:04}.bomp", record.trial)),
                size_bytes: record.size_bytes,
                test_images: record.test_images,
                float_correct: record.float_correct,
                integer_correct: record.integer_correct,
                class_names: Vec::new(),
                class_images: Vec::new(),
                class_correct: Vec::new(),
                objective: config.objective,
                trained_images: record.trained_images,
            }));
        }
        Ok(Finished { networks, problems: Vec::new() })
    }

    fn archive(&self, experiment: &Experiment) -> PathBuf {
        self.kept.join(&experiment.name).join("trials.jsonl.gz")
    }

    /// Starts the search of an experiment, or goes on with it, and keeps its trials.
    fn search(&self, experiment: &Experiment) -> Result<()> {
        let folder = self.work.join(&experiment.name);
        let workers = self.options.workers.to_string();
        if self.bring_back(experiment)? {
            call("bomp-search", &["resume", "--study", text(&folder)?, "--workers", &workers])?;
        } else {
            let preset = self.kept.join("preset.toml");
            let mut arguments = vec!["run", "--study", text(&folder)?, "--preset", text(&preset)?];
            arguments.extend(["--workers", &workers]);
            arguments.extend(self.limits(experiment).iter().chain(&experiment.arguments).map(String::as_str));
            call("bomp-search", &arguments)?;
        }
        let (config, trials) = Location::from(folder).read()?;
        Ok(Archive { config, trials }.write(&self.archive(experiment))?)
    }

    /// Makes its database from what is kept, if it is not there. Whether there is one.
    fn bring_back(&self, experiment: &Experiment) -> Result<bool> {
        let folder = self.work.join(&experiment.name);
        if folder.join("study.sqlite").is_file() {
            return Ok(true);
        }
        let Some(Archive { config, trials }) = self.searched(experiment)? else { return Ok(false) };
        Location::from(folder).create_with(&config, &trials)?;
        Ok(true)
    }

    /// Finishes networks of its front that are not finished yet, each kept before the next begins.
    fn finish(&self, experiment: &Experiment) -> Result<()> {
        let Archive { config, trials } = self.searched(experiment)?.context("its search comes first")?;
        let worthwhile = front::worthwhile(&config, &trials);
        let count = self.definition.final_networks;
        let networks =
            if count == 0 { Vec::new() } else { front::spread(front::of_trials(&trials), worthwhile, count) };
        for &variant in &experiment.finals {
            let done = self.records(experiment, variant)?;
            for trial in &networks {
                if done.iter().all(|record| record.trial != trial.number) {
                    let model =
                        format!("{}/{}/trial-{:04}.bomp", experiment.name, variant.name(), trial.number);
                    let model = self.kept.join(model);
                    self.finish_one(experiment, trial.number, (variant.name(), variant.arguments()), &model)?;
                }
            }
        }
        Ok(())
    }

    /// Trains the network of a trial to the end in the folder `out` of its study, by these arguments; packs it as `model`, and
    /// writes its record beside that.
    pub(crate) fn finish_one(
        &self,
        experiment: &Experiment,
        trial: u64,
        (out, how): (&str, &[&str]),
        model: &Path,
    ) -> Result<()> {
        self.bring_back(experiment)?;
        let folder = self.work.join(&experiment.name);
        let out = folder.join(out);
        let (number, threads) = (trial.to_string(), self.options.workers.to_string());
        let mut arguments = vec!["finalise", "--study", text(&folder)?, "--trial", &number];
        arguments.extend(["--threads", &threads, "--out", text(&out)?]);
        arguments.extend(how);
        call("bomp-search", &arguments)?;
        let candidate = out.join(format!("trial-{trial:04}/candidate"));
        let Candidate { network, provenance, .. } = Candidate::load(&candidate)?;
        let Usage { bytes, ram, macs } = Usage::of(&network);
        if let Some(folder) = model.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        call("bomp-export", &["pack", text(&candidate)?, "-o", text(model)?])?;
        let length = std::fs::metadata(model).with_context(|| model.display().to_string())?.len();
        ensure!(length == bytes as u64, "{}: {length} bytes, promised were {bytes}", model.display());
        let Validation { integer } = json("bomp-export", &["validate", text(model)?, "--json"])?;
        ensure!(
            integer.correct == provenance.integer_correct,
            "{}: `finalise` counted {} correct images, `validate` {}",
            model.display(),
            provenance.integer_correct,
            integer.correct
        );
        let images = self.options.m4_images.to_string();
        let verdict: Verdict =
            json("bomp-sim", &["run", text(model)?, "--board", "mps2-an386", "--images", &images, "--json"])?;
        ensure!(verdict.passed(), "{}: {}", model.display(), verdict.failures().join("; "));
        let record = Record {
            trial,
            size_bytes: bytes,
            ram_bytes: ram,
            macs,
            test_images: provenance.test_images,
            float_correct: provenance.float_correct,
            integer_correct: provenance.integer_correct,
            interval95: integer.interval95,
            trained_images: provenance.trained_images,
            m4_instructions: verdict.instructions.mean.round() as u64,
            m4_images: verdict.images,
        };
        Ok(files::write_json(&model.with_extension("json"), &record)?)
    }
}
