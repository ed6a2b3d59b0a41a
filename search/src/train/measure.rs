//! A trial of a study: obtain the float network, score its bit widths, account for what both took.
//!
//! Guarantees: what is measured depends on the study's seed and the trial alone, whichever worker measures it and wherever its
//! float network comes from; what another trial has paid for is not counted again.

use std::path::PathBuf;
use std::time::Instant;

use bomp_export::ir::Network;
use tch::Device;

use super::images::DeviceImages;
use super::trial::{Data, Judge, Run, Scored, TrainedFloat, Training};
use super::{Progress, Signal, TrainError, keep};
use crate::data::StudyData;
use crate::proposal::Hurdle;
use crate::recipe::QuantisationMethod;
use crate::session::{Assignment, Evaluation};
use crate::study::{ClassCount, GivenUp, Halfway, Measured, StudyConfig};

/// Float networks that further policies of bit widths can be tried on.
#[derive(Debug)]
pub struct FloatNetworks {
    folder: PathBuf,
    /// Whether all workers of the study keep theirs there: then one that is absent was lost, and can be trained again.
    shared: bool,
    /// The one used last, and the trial that it was trained for.
    last: Option<(u64, TrainedFloat)>,
}

/// Who is told of a trial while it is measured.
pub trait Observer {
    /// Called after each batch; the answer can stop the trial.
    fn progress(&mut self, progress: Progress) -> Signal;

    /// Called with what the user should know, and what stops nothing.
    fn note(&mut self, text: &str);
}

/// Measures the trials of a study.
#[derive(Debug)]
pub struct Measurer {
    config: StudyConfig,
    training: DeviceImages,
    validation: DeviceImages,
    threads: usize,
    floats: FloatNetworks,
}

/// A float network, or why there is none.
enum Obtained {
    Trained(Box<TrainedFloat>),
    GivenUp(GivenUp),
}

impl FloatNetworks {
    /// Kept in `folder`; `shared` if all workers of the study keep theirs there.
    #[must_use]
    pub fn new(folder: PathBuf, shared: bool) -> Self {
        Self { folder, shared, last: None }
    }

    /// Whether that of this trial can be used without training it, or trained again where it was lost.
    #[must_use]
    pub fn has(&self, trial: u64) -> bool {
        self.shared
            || self.last.as_ref().is_some_and(|(last, _)| *last == trial)
            || self.file(trial).is_file()
    }

    fn file(&self, trial: u64) -> PathBuf {
        self.folder.join(format!("trial-{trial:04}.safetensors"))
    }

    /// That of a trial, if it was the last one used; it makes room for the next in any case.
    fn take(&mut self, trial: u64) -> Option<TrainedFloat> {
        self.last.take().filter(|(last, _)| *last == trial).map(|(_, float)| float)
    }
}

impl Measurer {
    /// For a study, with its images on `device`.
    ///
    /// # Errors
    /// The images do not fit there, or there are none.
    pub fn new(
        config: &StudyConfig,
        loaded: &StudyData,
        floats: FloatNetworks,
        device: Device,
        threads: usize,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            config: config.clone(),
            training: DeviceImages::upload(&loaded.training, device)?,
            validation: DeviceImages::upload(&loaded.validation, device)?,
            threads,
            floats,
        })
    }

    /// The float networks that are at hand.
    #[must_use]
    pub fn floats(&self) -> &FloatNetworks {
        &self.floats
    }

    /// Measures a trial, as far as it comes.
    pub fn evaluate(&mut self, assignment: &Assignment, observer: &mut dyn Observer) -> Evaluation {
        match self.measure(assignment, observer) {
            Ok(evaluation) => evaluation,
            Err(TrainError::Stopped { .. }) => Evaluation::Interrupted,
            Err(error) => Evaluation::Failed(error.to_string()),
        }
    }

    fn measure(
        &mut self,
        assignment: &Assignment,
        observer: &mut dyn Observer,
    ) -> Result<Evaluation, TrainError> {
        let Assignment { number, proposal, .. } = assignment;
        let network = self.config.space.network(&proposal.genotype);
        let float = match self.obtain(assignment, &network, observer)? {
            Obtained::Trained(float) => *float,
            Obtained::GivenUp(given_up) => return Ok(Evaluation::GivenUp(given_up)),
        };
        let quantisation = self.config.mode.in_the_loop();
        let mut progress = |progress| observer.progress(progress);
        let scored = self.training(*number).score(&network, &float, quantisation, &mut progress)?;
        let measured = self.account(proposal.weights_from.is_none(), &float, &scored);
        self.floats.last = Some((proposal.weights_from.unwrap_or(*number), float));
        Ok(Evaluation::Finished(measured))
    }

    /// The float network of a trial: one that is kept, or else trained. One whose file was lost is trained again, to the same
    /// weights.
    fn obtain(
        &mut self,
        Assignment { number, proposal, hurdle }: &Assignment,
        network: &Network,
        observer: &mut dyn Observer,
    ) -> Result<Obtained, TrainError> {
        let begun = Instant::now();
        let (weights_from, own) = (proposal.weights_from.unwrap_or(*number), proposal.weights_from.is_none());
        let file = self.floats.file(weights_from);
        let identity = format!("trial {weights_from} of {}", self.config.sha256());
        let mut kept = self.floats.take(weights_from);
        if kept.is_none() && !own {
            kept =
                keep::load(&identity, &file, network, self.validation.device()).unwrap_or_else(|unusable| {
                    observer.note(&unusable.to_string());
                    None
                });
        }
        if let Some(kept) = kept {
            return Ok(Obtained::Trained(Box::new(kept)));
        }
        let config = &self.config;
        let mut seen = None;
        let mut judge = |now: Halfway| {
            let now = self.halfway(now);
            seen = Some(now);
            hurdle.is_none_or(|hurdle| hurdle.clears(now.accuracy()))
        };
        let judge: Option<&mut Judge<'_>> =
            if own && config.early_stopping { Some(&mut judge) } else { None };
        let mut progress = |progress| observer.progress(progress);
        let trained = self.training(weights_from).train_float(network, judge, &mut progress);
        if let (Err(TrainError::Hopeless { trained_images }), Some(halfway), Some(hurdle)) =
            (&trained, seen, hurdle)
        {
            let seconds = begun.elapsed().as_secs_f64();
            return Ok(Obtained::GivenUp(self.give_up(halfway, hurdle, *trained_images, seconds)));
        }
        let float = trained?;
        if config.policies_per_network > 1 {
            keep::save(&float, &identity, &file).map_err(TrainError::Keep)?;
        }
        Ok(Obtained::Trained(Box::new(float)))
    }

    /// The figures of a trial; `own`: of one that trained its float network itself.
    fn account(&self, own: bool, float: &TrainedFloat, scored: &Scored) -> Measured {
        Measured {
            correct: scored.correct as u64,
            float_correct: float.correct as u64,
            images: float.images as u64,
            trained_images: scored.trained_images + if own { float.trained_images } else { 0 },
            seconds: scored.seconds + if own { float.seconds } else { 0.0 },
            halfway: float.halfway.filter(|_| own).map(|seen| self.halfway(seen)),
            by_class: if self.is_balanced() { self.by_class(float, scored) } else { Vec::new() },
        }
    }

    /// The figures of a trial that was given up after `trained_images`.
    fn give_up(&self, halfway: Halfway, hurdle: &Hurdle, trained_images: u64, seconds: f64) -> GivenUp {
        let images = self.training.len();
        let recipe = &self.config.training;
        let qaft = self.config.mode.in_the_loop() == QuantisationMethod::Qaft;
        let whole =
            recipe.float.trained_images(images) + if qaft { recipe.qaft.trained_images(images) } else { 0 };
        GivenUp {
            halfway,
            expected_accuracy: hurdle.forecast.expected(halfway.accuracy()),
            bound: hurdle.forecast.bound(halfway.accuracy()),
            level: hurdle.level,
            trained_images,
            saved_images: whole.saturating_sub(trained_images),
            seconds,
        }
    }

    fn training(&self, trial: u64) -> Training<'_> {
        Training {
            data: Data { train: &self.training, held_out: &self.validation },
            config: &self.config.training,
            run: Run { seed: self.config.seed, trial, threads: self.threads },
        }
    }

    fn is_balanced(&self) -> bool {
        !self.config.objective.is_accuracy()
    }

    /// What was seen halfway, as it is kept.
    fn halfway(&self, seen: Halfway) -> Halfway {
        Halfway { balanced_accuracy: seen.balanced_accuracy.filter(|_| self.is_balanced()), ..seen }
    }

    /// The counts of each class.
    fn by_class(&self, float: &TrainedFloat, scored: &Scored) -> Vec<ClassCount> {
        let images = self.validation.class_counts(scored.class_correct.len());
        let counts = images.iter().zip(&scored.class_correct).zip(&float.class_correct);
        counts
            .map(|((&images, &correct), &float_correct)| ClassCount {
                images: images as u64,
                correct: correct as u64,
                float_correct: float_correct as u64,
            })
            .collect()
    }
}
