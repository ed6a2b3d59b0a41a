//! What a search will cost, told before it begins: a few batches of the seed network and of random networks are trained and
//! thrown away. Nothing of a study depends on it.

use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use bomp_export::cost;
use bomp_export::data::{self, Images};
use bomp_search::bo::problem::{Point, Problem};
use bomp_search::data::StudyData;
use bomp_search::estimate::{Estimate, Known, Seconds};
use bomp_search::proposal::Proposer;
use bomp_search::space::{SpaceProblem, Usage};
use bomp_search::stream::stream;
use bomp_search::study::{Measured, StudyConfig, Trial, TrialState};
use bomp_search::train::{self, DeviceImages, Speed};

use super::pace;
use super::progress::{Interrupt, note};
use super::trainer::Machine;

/// Networks that are measured, the seed network among them, unless that would take too large a part of the search.
const MEASURED: usize = 4;
/// Networks whose mean size stands for all that will be tried.
const SAMPLED: usize = 32;
/// Time for each phase of the training of each of them.
const TIME: Duration = Duration::from_millis(150);
/// The part of the search that measuring may take, but for the first network.
const PART: f64 = 0.02;
/// Images that are uploaded for it.
const IMAGES: usize = 4_096;
/// Trials before a proposal that is timed, at most; it hardly takes longer with more.
const HISTORY: u64 = 64;

/// Who will work on the study.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerPool {
    pub(super) workers: usize,
    /// What each of them trains on.
    pub(super) machine: Machine,
}

impl WorkerPool {
    /// Workers that are not in each other's way on this machine.
    pub(super) fn abreast(self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let room = if self.machine.device == tch::Device::Cpu {
            cores / self.machine.threads.max(1)
        } else {
            usize::MAX
        };
        self.workers.min(room.max(1)) as f64
    }
}

/// Measures and adds up. With `thorough` it takes what time it needs, else a small part of the search's.
pub(super) fn of(
    config: &StudyConfig,
    loaded: &StudyData,
    pool: WorkerPool,
    thorough: bool,
    interrupt: &Interrupt,
) -> Result<Estimate> {
    let Machine { device, threads } = pool.machine;
    note("a few batches are timed, to tell what the search will cost");
    let problem = SpaceProblem::new(config.space.clone(), config.limits)?;
    let mut random = stream(config.seed, 0, "estimate");
    let points: Vec<Point> = (0..SAMPLED).map(|_| problem.sample(&mut random)).collect();
    let macs = |point: &Point| cost::macs(&problem.network(point)) as f64;
    let mean = points.iter().map(macs).sum::<f64>() / points.len() as f64;
    let seed = problem.seed();
    let mean_macs = mean + (macs(&seed) - mean) / config.trials as f64;

    let classes = loaded.dataset.class_names.len();
    let upload = |images: &Images| {
        let some = images.subset(&data::stratified(&images.labels, classes, IMAGES));
        DeviceImages::upload(&some, device)
    };
    let (train, held_out) = (upload(&loaded.training)?, upload(&loaded.validation)?);
    let images = train::Data { train: &train, held_out: &held_out };
    let mut known = Known {
        measured: Vec::new(),
        mean_macs,
        training_images: loaded.training.len(),
        validation_images: loaded.validation.len(),
        all_images: loaded.dataset.train.len(),
        test_images: loaded.dataset.test.len(),
        proposal: 0.0,
        workers: pool.abreast(),
    };
    let begun = Instant::now();
    for (number, point) in std::iter::once(&seed).chain(&points).take(MEASURED).enumerate() {
        let run = train::Run { seed: config.seed, trial: number as u64, threads };
        let training = train::Training { data: images, config: &config.training, run };
        let Speed { macs, float, qaft, scoring, fixed } =
            training.speed(&problem.network(point), config.mode.in_the_loop(), TIME, &mut |_| {
                interrupt.signal()
            })?;
        known.measured.push((macs, Seconds { float, qaft, scoring, fixed }));
        let one_more = begun.elapsed().as_secs_f64() * (1.0 + 1.0 / known.measured.len() as f64);
        if !thorough && one_more > PART * Estimate::of(config, &known).search.seconds {
            break;
        }
    }
    // On small data the optimiser takes longer than the training, and one proposal is a small part of so many.
    if thorough || config.trials >= 20 {
        known.proposal = proposal(config, &problem, &points)?;
    }
    Ok(Estimate::of(config, &known))
}

/// Seconds that a proposal takes halfway through the search, after trials whose figures are made up.
fn proposal(config: &StudyConfig, problem: &SpaceProblem, points: &[Point]) -> Result<f64> {
    let proposer = Proposer::new(config)?;
    let count = (config.trials / 2).min(HISTORY);
    let mut random = stream(config.seed, 1, "estimate");
    let trials = (0..count).map(|number| {
        let point = points.get(number as usize).cloned().unwrap_or_else(|| problem.sample(&mut random));
        let usage = Usage::of(&problem.network(&point));
        let correct = 500 + 40 * (usage.macs.max(2).ilog2() as u64).min(12) - number % 7;
        Trial {
            number,
            genotype: config.space.genotype(&point),
            usage,
            weights_from: None,
            worker: None,
            state: TrialState::Finished(Measured {
                correct,
                float_correct: correct,
                images: 1_000,
                trained_images: 1_000,
                seconds: 1.0,
                halfway: None,
                by_class: Vec::new(),
            }),
        }
    });
    let trials: Vec<Trial> = trials.collect();
    let begun = Instant::now();
    proposer.next(&trials, None, &|_| true).map_err(Error::from)?;
    Ok(begun.elapsed().as_secs_f64())
}

/// The estimate in two lines.
pub(super) fn lines(estimate: &Estimate, pool: WorkerPool) -> [String; 2] {
    let Estimate { trials, search, at_most, front, finishing, measured_networks, .. } = estimate;
    let time = |seconds: f64| pace::words(Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
    let (about, who) = match (at_most, pool.workers) {
        (false, 1) => ("about", "one worker".to_owned()),
        (true, 1) => ("at most", "one worker".to_owned()),
        (false, workers) => ("about", format!("{workers} workers")),
        (true, workers) => ("at most", format!("{workers} workers")),
    };
    let plural = if *measured_networks == 1 { "network" } else { "networks" };
    [
        format!(
            "search: {trials} trials, {} images trained, {} MACs; {about} {} on this machine with {who}, by a few batches of \
             {measured_networks} {plural}",
            short(search.trained_images as f64),
            short(search.macs),
            time(search.seconds)
        ),
        format!(
            "finalise adds about {} for each network of the front ({} images trained), {} for {front} networks",
            time(finishing.seconds),
            short(finishing.trained_images as f64),
            time(finishing.seconds * *front as f64)
        ),
    ]
}

/// A large number to three digits: `4.05 M`.
fn short(number: f64) -> String {
    let (divided, unit) = match () {
        () if number < 1e4 => return format!("{number:.0}"),
        () if number < 1e6 => (number / 1e3, "k"),
        () if number < 1e9 => (number / 1e6, "M"),
        () if number < 1e12 => (number / 1e9, "G"),
        () if number < 1e15 => (number / 1e12, "T"),
        () => (number / 1e15, "P"),
    };
    let digits = if divided < 10.0 { 2 } else { usize::from(divided < 100.0) };
    format!("{divided:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_have_three_digits() {
        for (number, expected) in [
            (0.0, "0"),
            (9_999.0, "9999"),
            (81_024.0, "81.0 k"),
            (4_051_200.0, "4.05 M"),
            (1.234e13, "12.3 T"),
            (5e17, "500 P"),
        ] {
            assert_eq!(short(number), expected);
        }
    }
}
