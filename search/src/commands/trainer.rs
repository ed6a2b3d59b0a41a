//! Evaluates trials with libtorch, telling how far each is. Float networks are kept while further policies of bit widths are
//! tried on them.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Result;
use bomp_search::recipe::Quantisation;
use bomp_search::session::{Assignment, Evaluation, Evaluator};
use bomp_search::study::{ClassCount, GivenUp, Halfway, Measured, StudyConfig, Trial};
use bomp_search::train::{self, DeviceImages, Signal, TrainError, TrainedFloat};

use super::data::StudyData;
use super::event::Training;
use super::progress::{Interrupt, Listener};

/// What a worker trains on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) device: tch::Device,
    pub(super) threads: usize,
}

/// Where float networks are kept.
#[derive(Clone, Debug)]
pub(super) struct Floats {
    pub(super) folder: PathBuf,
    /// Whether all workers of the study keep theirs there: then one that is absent was lost, and can be trained again.
    pub(super) shared: bool,
}

impl Floats {
    fn file(&self, trial: u64) -> PathBuf {
        self.folder.join(format!("trial-{trial:04}.safetensors"))
    }
}

/// What a worker trains with.
pub(super) struct Trainer {
    config: StudyConfig,
    training: DeviceImages,
    validation: DeviceImages,
    training_images: usize,
    /// Validation images of each class.
    class_images: Vec<usize>,
    threads: usize,
    listener: Box<dyn Listener>,
    interrupt: Interrupt,
    floats: Floats,
    /// The float network used last, and the trial that it was trained for.
    float: Option<(u64, TrainedFloat)>,
}

impl Trainer {
    /// For a study, with the images of `loaded` on the device.
    pub(super) fn new(
        config: &StudyConfig,
        floats: Floats,
        loaded: &StudyData,
        machine: Machine,
        listener: Box<dyn Listener>,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let Machine { device, threads } = machine;
        Ok(Self {
            config: config.clone(),
            training: DeviceImages::upload(&loaded.training, device)?,
            validation: DeviceImages::upload(&loaded.validation, device)?,
            training_images: loaded.training.labels.len(),
            class_images: loaded.validation.class_counts(loaded.dataset.class_names.len()),
            threads,
            listener,
            interrupt,
            floats,
            float: None,
        })
    }

    /// The figures of a trial, or how far it came.
    fn measure(&mut self, assignment: &Assignment, lost: &AtomicBool) -> Result<Evaluation, TrainError> {
        let Self {
            config,
            training,
            validation,
            threads,
            listener,
            interrupt,
            training_images,
            class_images,
            floats,
            float: kept,
        } = self;
        let begun = Instant::now();
        let Assignment { number, proposal, hurdle } = assignment;
        let network = config.space.network(&proposal.genotype);
        let balanced = !config.objective.is_accuracy();
        let data = train::Data { train: training, held_out: validation };
        let run = |trial| train::Run { seed: config.seed, trial, threads: *threads };
        let lead = proposal.lead.unwrap_or(*number);
        let own = proposal.lead.is_none();
        let file = floats.file(lead);
        let identity = format!("trial {lead} of {}", config.sha256());
        let kept = kept.take().filter(|(trial, _)| *trial == lead).map(|(_, float)| float);
        let kept = match kept {
            None if !own => train::keep::load(&identity, &file, &network, validation.device())
                .unwrap_or_else(|unusable| {
                    listener.note(&unusable.to_string());
                    None
                }),
            kept => kept,
        };
        let mut progress = |progress| {
            listener.training(&Training::new(*number, &progress));
            if lost.load(Ordering::Relaxed) { Signal::Stop } else { interrupt.signal() }
        };
        let float = match kept {
            Some(float) => float,
            // A new one, or one whose file was lost: then it is trained again, to the same weights.
            None => {
                let mut seen = None;
                let mut judge = |now: train::Halfway| {
                    let now = halfway(now, balanced);
                    seen = Some(now);
                    hurdle.is_none_or(|hurdle| hurdle.clears(now.accuracy()))
                };
                let judge: Option<&mut train::Judge<'_>> =
                    if own && config.early_stopping { Some(&mut judge) } else { None };
                let trained =
                    train::train_float(&network, data, &config.training, run(lead), judge, &mut progress);
                match (trained, seen, hurdle) {
                    (Err(TrainError::Hopeless { trained_images }), Some(halfway), Some(hurdle)) => {
                        let whole = [&config.training.float, &config.training.qaft]
                            .map(|schedule| schedule.trained_images(*training_images));
                        let qaft = config.mode.in_the_loop() == Quantisation::Qaft;
                        let whole = whole[0] + if qaft { whole[1] } else { 0 };
                        return Ok(Evaluation::GivenUp(GivenUp {
                            halfway,
                            expected_accuracy: hurdle.forecast.expected(halfway.accuracy()),
                            bound: hurdle.forecast.bound(halfway.accuracy()),
                            level: hurdle.level,
                            trained_images,
                            saved_images: whole.saturating_sub(trained_images),
                            seconds: begun.elapsed().as_secs_f64(),
                        }));
                    }
                    (trained, _, _) => {
                        let float = trained?;
                        if config.policies_per_network > 1 {
                            train::keep::save(&float, &identity, &file).map_err(TrainError::Keep)?;
                        }
                        float
                    }
                }
            }
        };
        let quantisation = config.mode.in_the_loop();
        let scored = train::score(
            &network,
            &float,
            data,
            &config.training,
            quantisation,
            run(*number),
            &mut progress,
        )?;
        // What another trial has paid for is not counted again.
        let measured = Measured {
            correct: scored.correct as u64,
            float_correct: float.correct as u64,
            images: float.images as u64,
            trained_images: scored.trained_images + if own { float.trained_images } else { 0 },
            seconds: scored.seconds + if own { float.seconds } else { 0.0 },
            halfway: float.halfway.filter(|_| own).map(|seen| halfway(seen, balanced)),
            by_class: if balanced { by_class(class_images, &scored, &float) } else { Vec::new() },
        };
        self.float = Some((lead, float));
        Ok(Evaluation::Finished(measured))
    }
}

impl Evaluator for Trainer {
    fn evaluate(&mut self, assignment: &Assignment, lost: &AtomicBool) -> Evaluation {
        match self.measure(assignment, lost) {
            Ok(evaluation) => evaluation,
            Err(TrainError::Stopped { .. }) => Evaluation::Interrupted,
            Err(error) => Evaluation::Failed(error.to_string()),
        }
    }

    fn begins(&mut self, number: u64, ended: u64) {
        self.listener.begins(number, ended);
    }

    fn ended(&mut self, trial: &Trial) {
        self.listener.ended(trial);
    }

    fn superseded(&mut self, number: u64) {
        self.listener.taken_over(number);
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    fn has_float(&self, lead: u64) -> bool {
        self.floats.shared
            || self.float.as_ref().is_some_and(|(trial, _)| *trial == lead)
            || self.floats.file(lead).is_file()
    }
}

/// What was seen halfway, as it is kept.
fn halfway(seen: train::Halfway, balanced: bool) -> Halfway {
    Halfway {
        correct: seen.correct as u64,
        images: seen.images as u64,
        balanced_accuracy: balanced.then_some(seen.balanced_accuracy),
    }
}

/// The counts of each class, of which class i has `class_images[i]` validation images.
fn by_class(class_images: &[usize], scored: &train::Scored, float: &TrainedFloat) -> Vec<ClassCount> {
    let counts = class_images.iter().zip(&scored.class_correct).zip(&float.class_correct);
    counts
        .map(|((&images, &correct), &float_correct)| ClassCount {
            images: images as u64,
            correct: correct as u64,
            float_correct: float_correct as u64,
        })
        .collect()
}
