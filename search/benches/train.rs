//! Images per second of training, in float and quantisation-aware at 4 bits, on one fixed small network: two workers with
//! one thread each, as a search on two cores runs them. `cargo xtask bench train` runs it beside the paper's own stack.
//!
//! The network: stem 3x3x8; six inverted bottlenecks without residuals; a pointwise convolution to 64; the average; ten
//! classes. 0.75 MMAC on 28x28x1.

use std::time::Instant;

use anyhow::Context;
use bomp_export::data::{self, Images};
use bomp_export::ir::{Bits, Network};
use bomp_export::testing;
use bomp_search::recipe::{Augmentation, ClassWeights, QuantisationMethod, Schedule, TrainConfig};
use bomp_search::train::{Data, DeviceImages, Phase, Progress, Run, Signal, Training};
use clap::Parser;

/// Measures training.
#[derive(Parser)]
struct Arguments {
    /// Images of an epoch
    #[arg(long, default_value_t = 20_000)]
    images: usize,
    /// Images for one step of the optimiser
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Epochs that count; one before them warms up
    #[arg(long, default_value_t = 2)]
    epochs: usize,
    /// Workers, with one thread each
    #[arg(long, default_value_t = 2)]
    workers: u64,
    /// Device to train on: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: String,
    /// Passed by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let device = bomp_search::train::device::parse(&arguments.device)?;
    let dataset = data::load(&data::default_folder(), data::Format::Auto)?;
    let indices: Vec<usize> = (0..arguments.images.min(dataset.train.labels.len())).collect();
    let (train, held_out) = (&dataset.train.subset(&indices), &dataset.test);
    let network = testing::three_quarters_mmac(Bits::MIN);
    let epochs = arguments.epochs as f64 + 1.0;
    let schedule = Schedule {
        epochs,
        batch: arguments.batch,
        learning_rate: 0.01,
        warm_up: 0.1,
        weight_decay: 0.0,
        label_smoothing: 0.0,
    };
    let config = TrainConfig {
        float: schedule,
        qaft: Schedule { learning_rate: 0.002, ..schedule },
        distillation: 0.0,
        augmentation: Augmentation { crop_padding: 0, flip: false },
        class_weights: ClassWeights::None,
        shards: 1,
    };
    let results: anyhow::Result<Vec<Rates>> = std::thread::scope(|scope| {
        let (network, config) = (&network, &config);
        let workers = (0..arguments.workers)
            .map(|worker| scope.spawn(move || measure(network, train, held_out, config, device, worker)))
            .collect::<Vec<_>>();
        workers.into_iter().map(|worker| worker.join().expect("a training does not panic")).collect()
    });
    let results = results?;
    let sum = |rate: &dyn Fn(&Rates) -> f64| results.iter().map(rate).sum::<f64>();
    let mean = |rate: &dyn Fn(&Rates) -> f64| sum(rate) / results.len() as f64;
    println!(
        "{}",
        serde_json::json!({
            "ours_float": sum(&|rates| rates.float),
            "ours_qaft": sum(&|rates| rates.qaft),
            "test_accuracy_float": mean(&|rates| rates.float_accuracy),
            "test_accuracy_qaft": mean(&|rates| rates.qaft_accuracy),
        })
    );
    Ok(())
}

/// Images per second, and what the training led to.
struct Rates {
    float: f64,
    qaft: f64,
    float_accuracy: f64,
    qaft_accuracy: f64,
}

/// Both trainings one after the other; the first epoch of each does not count.
fn measure(
    network: &Network,
    train: &Images,
    held_out: &Images,
    config: &TrainConfig,
    device: tch::Device,
    worker: u64,
) -> anyhow::Result<Rates> {
    let upload = |images| DeviceImages::upload(images, device);
    let (train, held_out) = (upload(train)?, upload(held_out)?);
    let data = Data { train: &train, held_out: &held_out };
    let run = Run { seed: 1, trial: worker, threads: 1 };
    let mut clocks = [Clock::default(), Clock::default()];
    let mut progress = |progress: Progress| {
        clocks[usize::from(progress.phase == Phase::Qaft)].see(progress, config.float.epochs);
        Signal::Continue
    };
    let training = Training { data, config, run };
    let float = training.train_float(network, None, &mut progress)?;
    let scored = training.score(network, &float, QuantisationMethod::Qaft, &mut progress)?;
    let [float_rate, qaft_rate] = clocks.map(|clock| clock.rate());
    let accuracy = |correct: usize| correct as f64 / float.images as f64;
    Ok(Rates {
        float: float_rate.context("too few images to measure")?,
        qaft: qaft_rate.context("too few images to measure")?,
        float_accuracy: accuracy(float.correct),
        qaft_accuracy: accuracy(scored.correct),
    })
}

/// From the end of the first epoch to the end of the last.
#[derive(Default)]
struct Clock {
    from: Option<(Instant, u64)>,
    to: Option<(Instant, u64)>,
}

impl Clock {
    fn see(&mut self, progress: Progress, epochs: f64) {
        let now = (Instant::now(), progress.images);
        if self.from.is_none() && progress.images as f64 >= progress.of as f64 / epochs {
            self.from = Some(now);
        }
        self.to = Some(now);
    }

    fn rate(self) -> Option<f64> {
        let ((from, first), (to, last)) = (self.from?, self.to?);
        (last > first).then(|| (last - first) as f64 / (to - from).as_secs_f64())
    }
}
