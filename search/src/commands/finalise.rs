//! `bomp-search finalise`: trains networks of the front to the end and writes them as candidates.
//!
//! A finished network is whole or absent: its folder's `network.json` is written last. The accuracy printed is that of the
//! packed network in the integer runtime, the same that `bomp-export validate` and `bomp-sim run` find.

use std::path::PathBuf;

use anyhow::{Result, anyhow, ensure};
use bomp_export::candidate::Provenance;
use bomp_export::text;
use bomp_search::data::StudyData;
use bomp_search::front;
use bomp_search::recipe::QuantisationMethod;
use bomp_search::space::Usage;
use bomp_search::study::{Location, Preset, StudyConfig, Trial, balanced_accuracy};
use bomp_search::teacher::Teacher;
use bomp_search::train::{self, DeviceImages, FinishError, Finisher, TrainError};
use serde::Serialize;

use super::event::TrainingEvent;
use super::progress::{Bars, Interrupt};
use super::recall::{self, ClassRecall};
use super::{CommandOutcome, options};

/// A finished network, as `--json` lists it. Counts are test images.
#[derive(Debug, Serialize)]
struct Finished {
    trial: u64,
    candidate: PathBuf,
    size_bytes: usize,
    ram_bytes: usize,
    macs: u64,
    test_images: usize,
    float_correct: usize,
    integer_correct: usize,
    trained_images: u64,
    /// Of each class, in the order of the logits.
    recall: Vec<ClassRecall>,
    /// Mean of the recall of the classes that have test images.
    balanced_accuracy: f64,
}

/// Finishes the networks asked for.
pub(crate) fn run(options: &options::FinaliseOptions) -> Result<CommandOutcome> {
    let device = train::device::parse(&options.machine.device)?;
    let (mut config, trials) = options.study.read()?;
    let _lock = options.study.lock()?;
    if let Some(preset) = &options.preset {
        config.final_training = Preset::open(preset)?.final_training;
    }
    let mut chosen = choose(&trials, front::worthwhile(&config, &trials), options)?;
    if options.narrow {
        for trial in &mut chosen {
            trial.genotype = trial.genotype.packable();
            trial.usage = Usage::of(&config.space.network(&trial.genotype));
        }
    }
    let quantisation = options.quantisation.unwrap_or(config.mode.afterwards());
    ensure!(quantisation != QuantisationMethod::None, "--quantisation none: a device needs ptq or qaft");
    // What is not the mode's own way does not take its place.
    let usual = quantisation == config.mode.afterwards();
    let folder = if usual { "final".to_owned() } else { format!("final-{}", quantisation.name()) };
    let out = options.out.clone().unwrap_or_else(|| options.study.files().join(folder));
    let loaded = StudyData::of_study(&config, options.data.as_deref())?;
    // Nothing is scored on the held-out images any more, so they are trained on.
    let training = DeviceImages::upload(&loaded.dataset.train, device)?;
    let (training, teacher_sha256) = with_teacher(training, &config, &loaded, options)?;
    let test = DeviceImages::upload(&loaded.dataset.test, device)?;
    let interrupt = Interrupt::install()?;
    let mut bars = Bars::new("networks", 0, chosen.len() as u64, 1, None);
    let mut finished = Vec::new();
    let finisher = Finisher {
        config: &config,
        quantisation,
        images: train::Data { train: &training, held_out: &test },
        test: &loaded.dataset.test,
        threads: options.machine.threads(),
        provenance: Provenance {
            teacher_sha256,
            ..provenance(&config, quantisation, &options.study, &loaded)
        },
    };
    for trial in &chosen {
        let folder = out.join(format!("trial-{:04}", trial.number)).join("candidate");
        let candidate = finisher.finish(trial, &folder, &mut |progress| {
            bars.show(0, &TrainingEvent::new(trial.number, &progress));
            interrupt.signal()
        });
        let candidate = match candidate {
            Ok(candidate) => candidate,
            Err(FinishError::Training(_, TrainError::Stopped { .. })) => {
                return Ok(CommandOutcome::Interrupted);
            }
            Err(error) => return Err(error.into()),
        };
        let provenance = &candidate.provenance;
        bars.line(&format!(
            "trial {}: {:.2} % of {} test images ({} correct; float {}), {} bytes -> {}",
            trial.number,
            100.0 * provenance.integer_correct as f64 / provenance.test_images.max(1) as f64,
            provenance.test_images,
            provenance.integer_correct,
            provenance.float_correct,
            trial.usage.bytes,
            folder.display()
        ));
        let recall = recall::of(&candidate, &loaded, options.machine.threads())?;
        bars.line(&format!("  {}", recall::line(&recall)));
        bars.step();
        finished.push(Finished {
            trial: trial.number,
            candidate: folder,
            size_bytes: trial.usage.bytes,
            ram_bytes: trial.usage.ram,
            macs: trial.usage.macs,
            test_images: provenance.test_images,
            float_correct: provenance.float_correct,
            integer_correct: provenance.integer_correct,
            trained_images: provenance.trained_images,
            balanced_accuracy: balanced_accuracy(
                recall.iter().map(|class| (class.correct as u64, class.images as u64)),
            ),
            recall,
        });
    }
    drop(bars);
    if options.json {
        println!("{}", text::json(&serde_json::to_string_pretty(&finished)?));
    }
    Ok(CommandOutcome::Done)
}

fn choose(trials: &[Trial], least: f64, options: &options::FinaliseOptions) -> Result<Vec<Trial>> {
    let study = &options.study;
    if !options.trial.is_empty() {
        let named = |&number: &u64| {
            let trial = trials.iter().find(|trial| trial.number == number);
            trial
                .filter(|trial| trial.measured().is_some())
                .cloned()
                .ok_or_else(|| anyhow!("{study}: trial {number} does not exist or has not finished"))
        };
        return options.trial.iter().map(named).collect();
    }
    let front = front::of_trials(trials);
    ensure!(
        !front.is_empty(),
        "{study}: no trial has finished yet; `bomp-search resume --study {}` goes on",
        text::argument(&study.to_string())
    );
    // The front rises in accuracy with size, so the largest one is the best.
    let at_most = if options.best { Some(1) } else { options.at_most.map(usize::from) };
    let chosen = match at_most {
        Some(count) => front::spread(front, least, count),
        None => front,
    };
    Ok(chosen.into_iter().cloned().collect())
}

/// The training images with the teacher's logits, and the SHA-256 of its models.
fn with_teacher(
    training: DeviceImages,
    config: &StudyConfig,
    loaded: &StudyData,
    options: &options::FinaliseOptions,
) -> Result<(DeviceImages, Vec<String>)> {
    let part = config.final_training.distillation;
    if options.teacher.is_empty() {
        ensure!(part == 0.0, "final_training.distillation is {part}: name the teacher with --teacher MODEL");
        return Ok((training, Vec::new()));
    }
    ensure!(
        part > 0.0,
        "--teacher: final_training.distillation is 0, so there is nothing to learn from it; \
         give a --preset in which it is for example 0.9"
    );
    let teacher = Teacher::of(&options.teacher, &loaded.dataset.train, options.machine.threads())?;
    Ok((training.with_teacher(&teacher.plain, &teacher.mirrored)?, teacher.sha256))
}

/// Where finished networks come from; trial and figures are added to each.
fn provenance(
    config: &StudyConfig,
    quantisation: QuantisationMethod,
    study: &Location,
    loaded: &StudyData,
) -> Provenance {
    Provenance {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        study: study.name(),
        quantisation: quantisation.name().to_owned(),
        seed: config.seed,
        config_sha256: config.sha256(),
        data_sha256: loaded.dataset.sha256.clone(),
        dataset: loaded.dataset.name.clone(),
        class_names: loaded.dataset.class_names.clone(),
        ..Provenance::default()
    }
}
