//! How long the parts of a training take on this machine, measured on a few batches of one network: what an estimate of a
//! whole search is made of.

use std::time::{Duration, Instant};

use bomp_export::cost;
use bomp_export::ir::Network;
use tch::Tensor;

use super::error::TrainError;
use super::float::initialise;
use super::fold::fold;
use super::monitor::{Phase, Progress, Signal};
use super::objective::{FloatObjective, Objective, QaftObjective, STAGES};
use super::parameters::Start;
use super::qaft::QaftNet;
use super::quantise::quantise;
use super::trial::{Data, Pipeline, Training, alone};
use crate::recipe::{QuantisationMethod, Schedule};
use crate::stream::stream;

/// Held-out images that are scored, at most.
const SCORED: usize = 512;
/// Steps of the optimiser that are timed, at most.
const STEPS: usize = 16;

/// Seconds of the parts of a training of one network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Speed {
    /// Multiply-accumulates of the network for one image.
    pub macs: u64,
    /// For each image of float training.
    pub float: f64,
    /// For each image of QAFT; 0 without.
    pub qaft: f64,
    /// For each image scored, by the float network and by the quantised one.
    pub scoring: f64,
    /// For what does not depend on the number of images: statistics, calibration, quantisation.
    pub fixed: f64,
}

impl Training<'_> {
    /// Measures the speed of `network`; each of the two phases of training takes about `time`. The weights are thrown away.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] when `progress` says so, or whatever would keep a trial of this network from its end.
    pub fn speed(
        &self,
        network: &Network,
        quantisation: QuantisationMethod,
        time: Duration,
        progress: &mut dyn FnMut(Progress) -> Signal,
    ) -> Result<Speed, TrainError> {
        let Self { data: Data { train, held_out }, config, run } = *self;
        let mut pipeline = Pipeline::new(*self, progress);
        alone(|| {
            pipeline.check(network)?;
            let mut speed = Speed { macs: cost::macs(network), ..Speed::default() };
            let mut random = stream(run.seed, run.trial, "initial weights");
            let (net, start) = initialise(network, train.device(), &mut random);
            let loss = pipeline.loss(&config.float, network);
            let mut objective = FloatObjective::new(net.clone(), loss, train.device());
            let phase = Timed { schedule: &config.float, phase: Phase::Float, time };
            let (each, parameters) = phase.measure(&mut pipeline, train.len(), &mut objective, &start)?;
            speed.float = each;
            let folded = timed(&mut speed.fixed, || fold(&net, &parameters, train, run.threads))?;
            go_on(&mut pipeline, Phase::Float)?;
            let sample = held_out.spread(SCORED);
            let mut scoring = 0.0;
            timed(&mut scoring, || folded.correct(&sample, run.threads))?;
            go_on(&mut pipeline, Phase::Float)?;
            if quantisation != QuantisationMethod::None {
                let mut quantised = timed(&mut speed.fixed, || quantise(&folded, train))?;
                go_on(&mut pipeline, Phase::Qaft)?;
                if quantisation == QuantisationMethod::Qaft {
                    let (net, start) = QaftNet::new(&quantised, &folded);
                    let loss = pipeline.loss(&config.qaft, network);
                    let mut objective = QaftObjective::new(net, loss, train.device());
                    let phase = Timed { schedule: &config.qaft, phase: Phase::Qaft, time };
                    let (each, parameters) =
                        phase.measure(&mut pipeline, train.len(), &mut objective, &start)?;
                    speed.qaft = each;
                    // A training freezes weights so many times, however long it is.
                    let mut freezing = 0.0;
                    timed(&mut freezing, || objective.freeze(&parameters, 0.5));
                    speed.fixed += freezing * STAGES as f64;
                    quantised = timed(&mut speed.fixed, || {
                        objective.net.finish(&parameters, &quantised, train, run.threads)
                    })?;
                    go_on(&mut pipeline, Phase::Qaft)?;
                }
                timed(&mut scoring, || pipeline.score(&quantised, &sample))?;
            }
            speed.scoring = scoring / sample.len() as f64;
            Ok(speed)
        })
    }
}

/// Asks between two parts that ask nobody: with large images each of them takes seconds.
fn go_on(pipeline: &mut Pipeline<'_>, phase: Phase) -> Result<(), TrainError> {
    pipeline.monitor.report(Progress { phase, images: 0, of: 0, loss: 0.0 })
}

/// Adds the seconds that `work` takes to `seconds`.
fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += begun.elapsed().as_secs_f64();
    result
}

/// A phase of a training that is timed.
struct Timed<'a> {
    schedule: &'a Schedule,
    phase: Phase,
    time: Duration,
}

impl Timed<'_> {
    /// Seconds for each of the `images` of a training, and the parameters after some steps.
    fn measure(
        &self,
        pipeline: &mut Pipeline<'_>,
        images: usize,
        objective: &mut dyn Objective,
        start: &Start,
    ) -> Result<(f64, Tensor), TrainError> {
        let Self { schedule, phase, time } = *self;
        let (batch, _) = schedule.steps(images);
        // So slowly that no weight gets anywhere: a rate that is too large for so short a warm-up would diverge.
        let of = |steps: usize| Schedule {
            epochs: steps as f64 * batch as f64 / images as f64,
            learning_rate: schedule.learning_rate * 1e-3,
            ..*schedule
        };
        let mut descend = |objective: &mut dyn Objective, steps: usize| {
            pipeline.descend(objective, start, (&of(steps), phase), None)
        };
        // The first step also takes memory and fills caches.
        let mut first = 0.0;
        let _ = timed(&mut first, || descend(objective, 1))?;
        let steps = ((time.as_secs_f64() / first.max(1e-9)) as usize).clamp(2, STEPS);
        let mut seconds = 0.0;
        let parameters = timed(&mut seconds, || descend(objective, steps))?;
        // Each of so few steps freezes weights, which a whole training does a fixed number of times.
        let mut freezing = 0.0;
        timed(&mut freezing, || objective.freeze(&parameters, 0.5));
        let seconds = (seconds - freezing * steps as f64).max(0.1 * seconds);
        Ok((seconds / (steps * batch) as f64, parameters))
    }
}
