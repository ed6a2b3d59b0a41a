//! How long the parts of a training take on this machine, measured on a few batches of one network: what an estimate of a
//! whole search is made of.

use std::time::{Duration, Instant};

use bomp_export::cost;
use bomp_export::ir::{Bits, Network};
use tch::Tensor;

use super::error::TrainError;
use super::float::FloatNet;
use super::fold::fold;
use super::monitor::{Monitor, Phase, Progress, Signal};
use super::objective::{FloatObjective, Objective, QaftObjective, STAGES};
use super::parameters::Start;
use super::qaft::QaftNet;
use super::quantise::quantise;
use super::trial::{Data, Run, Trainer, alone};
use crate::recipe::{Quantisation, Schedule, TrainConfig};
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

/// Measures the speed of `network`; each of the two phases of training takes about `time`. The weights are thrown away.
///
/// # Errors
/// [`TrainError::Stopped`] when `progress` says so, or whatever would keep a trial of this network from its end.
pub fn speed(
    network: &Network,
    data: Data<'_>,
    config: &TrainConfig,
    quantisation: Quantisation,
    run: Run,
    time: Duration,
    progress: &mut dyn FnMut(Progress) -> Signal,
) -> Result<Speed, TrainError> {
    let mut trainer = Trainer { data, config, run, monitor: Monitor::new(progress) };
    let Data { train, held_out } = data;
    let threads = run.threads;
    alone(|| {
        trainer.check(network)?;
        let mut speed = Speed { macs: cost::macs(network), ..Speed::default() };
        let mut random = stream(run.seed, run.trial, "initial weights");
        let (net, start) = FloatNet::new(network, train.device(), &mut random);
        let loss = trainer.loss(&config.float, network);
        let mut objective = FloatObjective::new(net.clone(), loss, train.device());
        let (each, parameters) =
            pace(&mut trainer, &mut objective, &start, &config.float, Phase::Float, time)?;
        speed.float = each;
        let folded = timed(&mut speed.fixed, || fold(&net, &parameters, train, threads))?;
        let sample = held_out.spread(SCORED);
        let mut scoring = 0.0;
        timed(&mut scoring, || folded.correct(&sample, threads))?;
        if quantisation != Quantisation::None {
            let mut quantised = timed(&mut speed.fixed, || quantise(&folded, train))?;
            if quantisation == Quantisation::Qaft {
                let (net, start) = QaftNet::new(&quantised, &folded);
                let loss = trainer.loss(&config.qaft, network);
                let mut objective = QaftObjective::new(net, loss, train.device());
                let (each, parameters) =
                    pace(&mut trainer, &mut objective, &start, &config.qaft, Phase::Qaft, time)?;
                speed.qaft = each;
                // A training settles weights so many times, however long it is.
                let mut settling = 0.0;
                timed(&mut settling, || objective.settle(&parameters, 0.5));
                speed.fixed += settling * STAGES as f64;
                quantised = timed(&mut speed.fixed, || {
                    objective.net.finish(&parameters, &quantised, train, threads)
                })?;
            }
            let wide = network.layers.iter().any(|layer| layer.op.bits() == Some(Bits::WIDE));
            timed(&mut scoring, || {
                if wide {
                    quantised.correct(&sample, threads)
                } else {
                    trainer.correct_of(&quantised.candidate(), &sample)
                }
            })?;
        }
        speed.scoring = scoring / sample.len() as f64;
        Ok(speed)
    })
}

/// Adds the seconds that `work` takes to `seconds`.
fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    *seconds += begun.elapsed().as_secs_f64();
    result
}

/// Seconds for each image of a training, and the parameters after some steps.
fn pace(
    trainer: &mut Trainer<'_>,
    objective: &mut dyn Objective,
    start: &Start,
    schedule: &Schedule,
    phase: Phase,
    time: Duration,
) -> Result<(f64, Tensor), TrainError> {
    let images = trainer.data.train.len();
    let (batch, _) = schedule.steps(images);
    // So slowly that no weight gets anywhere: a rate that is too large for so short a warm-up would diverge.
    let of = |steps: usize| Schedule {
        epochs: steps as f64 * batch as f64 / images as f64,
        learning_rate: schedule.learning_rate * 1e-3,
        ..*schedule
    };
    // The first step also takes memory and fills caches.
    let mut first = 0.0;
    let _ = timed(&mut first, || trainer.descend(objective, start, &of(1), phase, None))?;
    let steps = ((time.as_secs_f64() / first.max(1e-9)) as usize).clamp(2, STEPS);
    let mut seconds = 0.0;
    let parameters = timed(&mut seconds, || trainer.descend(objective, start, &of(steps), phase, None))?;
    // Each of so few steps settles weights, which a whole training does a fixed number of times.
    let mut settling = 0.0;
    timed(&mut settling, || objective.settle(&parameters, 0.5));
    let seconds = (seconds - settling * steps as f64).max(0.1 * seconds);
    Ok((seconds / (steps * batch) as f64, parameters))
}
