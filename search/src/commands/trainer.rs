//! Evaluates trials with libtorch, showing how far each is. Float networks are kept while further policies of bit widths are
//! tried on them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use bomp_search::recipe::Quantisation;
use bomp_search::session::{Assignment, Evaluation, Evaluator};
use bomp_search::study::{GivenUp, Halfway, Measured, StudyConfig, Trial};
use bomp_search::train::{self, DeviceImages, TrainError, TrainedFloat};

use super::data::StudyData;
use super::progress::{Bars, Interrupt};

/// What a worker trains with.
pub(super) struct Trainer {
    config: StudyConfig,
    training: DeviceImages,
    validation: DeviceImages,
    training_images: usize,
    threads: usize,
    bars: Bars,
    interrupt: Interrupt,
    /// Where float networks are kept.
    folder: PathBuf,
    /// The float network used last, and the trial that it was trained for.
    float: Option<(u64, TrainedFloat)>,
}

impl Trainer {
    /// For the study in `folder`, with the images of `loaded` on `device`; `done` of `trials` are behind us.
    pub(super) fn new(
        config: &StudyConfig,
        folder: &Path,
        loaded: &StudyData,
        device: tch::Device,
        threads: usize,
        done: u64,
        trials: u64,
    ) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            training: DeviceImages::upload(&loaded.training, device)?,
            validation: DeviceImages::upload(&loaded.validation, device)?,
            training_images: loaded.training.labels.len(),
            threads,
            bars: Bars::new("trials", done, trials),
            interrupt: Interrupt::install()?,
            folder: folder.join("float"),
            float: None,
        })
    }

    /// The figures of a trial, or how far it came.
    fn measure(&mut self, assignment: &Assignment) -> Result<Evaluation, TrainError> {
        let Self {
            config,
            training,
            validation,
            threads,
            bars,
            interrupt,
            training_images,
            folder,
            float: kept,
        } = self;
        let begun = Instant::now();
        let Assignment { number, proposal, hurdle } = assignment;
        let network = config.space.network(&proposal.genotype);
        let data = train::Data { train: training, held_out: validation };
        let run = |trial| train::Run { seed: config.seed, trial, threads: *threads };
        let mut progress = |progress| {
            bars.training(&progress);
            interrupt.signal()
        };
        let lead = proposal.lead.unwrap_or(*number);
        let own = proposal.lead.is_none();
        let file = folder.join(format!("trial-{lead:04}.safetensors"));
        let identity = format!("trial {lead} of {}", config.sha256());
        let kept = kept.take().filter(|(trial, _)| *trial == lead).map(|(_, float)| float);
        let kept = kept.or_else(|| {
            if own { None } else { train::keep::load(&identity, &file, &network, validation.device()) }
        });
        let float = match kept {
            Some(float) => float,
            // A new one, or one whose file was lost: then it is trained again, to the same weights.
            None => {
                let mut seen = None;
                let mut judge = |now: train::Halfway| {
                    let now = halfway(now);
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
            halfway: float.halfway.filter(|_| own).map(halfway),
        };
        self.float = Some((lead, float));
        Ok(Evaluation::Finished(measured))
    }
}

impl Evaluator for Trainer {
    fn evaluate(&mut self, assignment: &Assignment) -> Evaluation {
        match self.measure(assignment) {
            Ok(evaluation) => evaluation,
            Err(TrainError::Stopped { .. }) => Evaluation::Interrupted,
            Err(error) => Evaluation::Failed(error.to_string()),
        }
    }

    fn ended(&mut self, trial: &Trial) {
        self.bars.ended(trial);
    }
}

/// What was seen halfway, as it is kept.
fn halfway(seen: train::Halfway) -> Halfway {
    Halfway { correct: seen.correct as u64, images: seen.images as u64 }
}
