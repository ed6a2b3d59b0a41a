//! A network from start to end: float training, folding, calibration, quantisation, QAFT, integer-exact accuracy.
//!
//! [`evaluate_trial`] scores a candidate of the search; [`finish`] trains a chosen one for good and counts
//! test images, once. Both are the same pipeline with other schedules. A failure is an error of this one network.

use std::time::Instant;

use bomp_export::candidate::{Candidate, Provenance};
use bomp_export::ir::Network;
use bomp_export::lower::lower;
use tch::Tensor;

use super::descent::{Descent, Objective};
use super::error::{TrainError, guard};
use super::exact::ExactNet;
use super::float::{FloatNet, FloatObjective};
use super::fold::{Folded, fold};
use super::images::DeviceImages;
use super::monitor::{Monitor, Phase, Progress, Signal};
use super::order::Order;
use super::parameters::Start;
use super::qaft::{QaftNet, QaftObjective};
use super::quantise::quantise;
use crate::recipe::{Schedule, TrainConfig};
use crate::stream::stream;

/// What identifies a training: its random numbers depend on seed and trial alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Seed of the study.
    pub seed: u64,
    /// Number of the trial.
    pub trial: u64,
    /// Threads to use; they change the time it takes and nothing else.
    pub threads: usize,
}

/// What a trial measured. Counts are images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrialResult {
    /// Validation images that the device would classify correctly.
    pub validation_correct: usize,
    /// Validation images that the float network, batch norms folded, classifies correctly.
    pub float_validation_correct: usize,
    /// Validation images.
    pub validation_images: usize,
    /// Images trained on, both phases together.
    pub trained_images: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// A network that is ready to be packed.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The network; `test_images`, `float_correct`, `integer_correct` and `trained_images` of its provenance are set.
    pub candidate: Candidate,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Trains `network` briefly on `train` and counts what it classifies correctly of `validation`.
///
/// # Errors
/// [`TrainError::Stopped`] when `progress` says so; anything else is a failed trial.
pub fn evaluate_trial(
    network: &Network,
    train: &DeviceImages,
    validation: &DeviceImages,
    config: &TrainConfig,
    run: Run,
    progress: &mut dyn FnMut(Progress) -> Signal,
) -> Result<TrialResult, TrainError> {
    let started = Instant::now();
    let mut trainer = Trainer { train, config, run, monitor: Monitor::new(progress) };
    let trained = alone(|| trainer.run(network, validation))?;
    Ok(TrialResult {
        validation_correct: trained.integer_correct,
        float_validation_correct: trained.float_correct,
        validation_images: validation.len(),
        trained_images: trainer.monitor.trained_images,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// Trains `network` for good on `train` and counts what it classifies correctly of `test`, which influences nothing.
/// `provenance` says what is known beforehand.
///
/// # Errors
/// As [`evaluate_trial`].
pub fn finish(
    network: &Network,
    train: &DeviceImages,
    test: &DeviceImages,
    config: &TrainConfig,
    run: Run,
    provenance: Provenance,
    progress: &mut dyn FnMut(Progress) -> Signal,
) -> Result<Finished, TrainError> {
    let started = Instant::now();
    let mut trainer = Trainer { train, config, run, monitor: Monitor::new(progress) };
    let trained = alone(|| trainer.run(network, test))?;
    let provenance = Provenance {
        test_images: test.len(),
        float_correct: trained.float_correct,
        integer_correct: trained.integer_correct,
        trained_images: trainer.monitor.trained_images,
        ..provenance
    };
    let candidate = Candidate { provenance, ..trained.candidate };
    Ok(Finished { candidate, seconds: started.elapsed().as_secs_f64() })
}

/// Runs `work` with libtorch's own threads off, as [`super::descent`] divides the work itself, and its panics caught.
fn alone<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    let before = tch::get_num_threads();
    tch::set_num_threads(1);
    let result = guard(work);
    tch::set_num_threads(before);
    result
}

/// A trained network and what it classifies correctly of the images that it was not trained on.
struct Trained {
    candidate: Candidate,
    float_correct: usize,
    integer_correct: usize,
}

struct Trainer<'a> {
    train: &'a DeviceImages,
    config: &'a TrainConfig,
    run: Run,
    monitor: Monitor<'a>,
}

impl Trainer<'_> {
    fn run(&mut self, network: &Network, held_out: &DeviceImages) -> Result<Trained, TrainError> {
        network.validate()?;
        self.config.check()?;
        self.train.check(network)?;
        held_out.check(network)?;
        let threads = self.run.threads;
        let folded = self.float(network)?;
        let float_correct = folded.correct(held_out, threads)?;
        let candidate = self.fine_tune(&folded)?;
        let exact = ExactNet::new(&lower(&candidate)?, held_out.device());
        Ok(Trained { candidate, float_correct, integer_correct: exact.correct(held_out, threads)? })
    }

    /// Trains the float network from scratch and folds its batch norms.
    fn float(&mut self, network: &Network) -> Result<Folded, TrainError> {
        let schedule = &self.config.float;
        let mut random = stream(self.run.seed, self.run.trial, "initial weights");
        let (net, start) = FloatNet::new(network, self.train.device(), &mut random);
        let objective = FloatObjective { net: net.clone(), label_smoothing: schedule.label_smoothing };
        let parameters = self.descend(&objective, &start, schedule, Phase::Float)?;
        fold(&net, &parameters, self.train, self.run.threads)
    }

    /// Quantises a folded network to the bit widths of its layers and fine-tunes it.
    fn fine_tune(&mut self, folded: &Folded) -> Result<Candidate, TrainError> {
        let schedule = &self.config.qaft;
        let quantised = quantise(folded, self.train)?;
        let (net, start) = QaftNet::new(&quantised);
        let part = self.config.distillation;
        let teacher = (part > 0.0).then(|| (folded.share(), part));
        let objective = QaftObjective { net, label_smoothing: schedule.label_smoothing, teacher };
        let parameters = self.descend(&objective, &start, schedule, Phase::Qaft)?;
        Ok(objective.net.finish(&parameters, &quantised).candidate())
    }

    fn descend(
        &mut self,
        objective: &dyn Objective,
        start: &Start,
        schedule: &Schedule,
        phase: Phase,
    ) -> Result<Tensor, TrainError> {
        let Self { train: images, config, run, monitor } = self;
        let purpose = match phase {
            Phase::Float => "float",
            Phase::Qaft => "qaft",
        };
        let order =
            Order::new(images.len(), images.device(), config.augmentation, run.seed, run.trial, purpose);
        let descent = Descent { images, schedule, phase, threads: run.threads, shards: config.shards };
        descent.run(objective, start, order, monitor)
    }
}
