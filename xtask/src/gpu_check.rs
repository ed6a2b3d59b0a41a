//! `cargo xtask gpu-check`: what can only be proven on a machine with an NVIDIA GPU.
//!
//! The tests that depend on the device; one network trained on the processor and on the GPU; trials
//! per hour of a search with several workers on one GPU. Each part ends the command where it fails.

use crate::{programs, setup, workspace};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Largest difference of the accuracies that the same training may reach on the two devices.
/// Rounding differs, so the paths do; two seeds on one device differ by about 0.01.
const ACCURACY_TOLERANCE: f64 = 0.03;

/// On a machine with an NVIDIA GPU: run the tests that need one, compare it with the processor,
/// measure trials per hour
#[derive(Args)]
pub(crate) struct Options {
    /// Numbers of workers on the GPU for which trials per hour are measured
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 2, 4])]
    workers: Vec<u32>,
    /// Trials of each worker in each measurement
    #[arg(long, value_name = "N", default_value_t = 3)]
    trials: u32,
    /// Preset of the measured trials
    #[arg(long, value_name = "NAME", default_value = "paper-cifar10")]
    preset: String,
    /// Images to train on, as for `bomp-search run --data` [default: Fashion-MNIST]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is printed and written.
#[derive(Serialize)]
struct Figures {
    cpu: Training,
    gpu: Training,
    trials_per_hour: Vec<Rate>,
}

/// What the benchmark `train` prints: images per second and test accuracies of one network.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Training {
    ours_float: f64,
    ours_qaft: f64,
    test_accuracy_float: f64,
    test_accuracy_qaft: f64,
}

#[derive(Serialize)]
struct Rate {
    workers: u32,
    trials: u32,
    seconds: f64,
    trials_per_hour: f64,
}

/// Runs the parts one after the other.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::with_cuda())?;
    tests()?;
    let [cpu, gpu] = ["cpu", "cuda"].map(training);
    let (cpu, gpu) = (cpu?, gpu?);
    for (what, cpu, gpu) in [
        ("float", cpu.test_accuracy_float, gpu.test_accuracy_float),
        ("QAFT", cpu.test_accuracy_qaft, gpu.test_accuracy_qaft),
    ] {
        println!("{what:>12} test accuracy: {cpu:.4} on the processor, {gpu:.4} on the GPU");
        let same = (cpu - gpu).abs() <= ACCURACY_TOLERANCE;
        ensure!(same, "the accuracies after {what} training differ by more than {ACCURACY_TOLERANCE}");
    }
    programs::build()?;
    let rates: Result<Vec<Rate>> = options.workers.iter().map(|&workers| rate(options, workers)).collect();
    let figures = Figures { cpu, gpu, trials_per_hour: rates? };
    println!("{:>12} {:>10} {:>14} {:>16}", "workers", "trials", "seconds", "trials per hour");
    for Rate { workers, trials, seconds, trials_per_hour } in &figures.trials_per_hour {
        println!("{workers:>12} {trials:>10} {seconds:>14.1} {trials_per_hour:>16.1}");
    }
    if let Some(path) = &options.json {
        programs::write(path, (serde_json::to_string_pretty(&figures)? + "\n").as_bytes())?;
    }
    Ok(())
}

fn cargo() -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()?);
    Ok(command)
}

/// The tests whose names begin with `gpu`; without a GPU they fail.
fn tests() -> Result<()> {
    let mut command = cargo()?;
    command.args(["test", "--release", "--workspace", "--lib", "--", "gpu_tests"]);
    let status = command.env("BOMP_GPU", "required").status().context("cargo cannot be started")?;
    ensure!(status.success(), "the tests on the GPU failed ({status}); what they say above is the reason");
    Ok(())
}

/// Trains the benchmark's network on a device.
fn training(device: &str) -> Result<Training> {
    println!("{:>12} one network on {device}", "Training");
    let mut command = cargo()?;
    // With the features of the whole workspace, as its tests are built.
    command.args(["bench", "--workspace", "--bench", "train", "--", "--workers", "1", "--device", device]);
    let output = command.stderr(Stdio::inherit()).output().context("cargo cannot be started")?;
    ensure!(output.status.success(), "the training on {device} failed ({})", output.status);
    let text = String::from_utf8(output.stdout)?;
    let line =
        text.lines().rfind(|line| line.starts_with('{')).context("the benchmark printed no figures")?;
    Ok(serde_json::from_str(line)?)
}

/// Trials per hour of a search with `workers` on one GPU.
fn rate(options: &Options, workers: u32) -> Result<Rate> {
    let study = std::env::temp_dir().join(format!("bomp-gpu-check-{}-{workers}", std::process::id()));
    let trials = options.trials * workers;
    let (count, of) = (trials.to_string(), workers.to_string());
    let mut arguments = vec!["run", "--study", programs::text(&study)?, "--preset", &options.preset];
    arguments.extend(["--trials", &count, "--workers", &of, "--device", "cuda"]);
    let data = options.data.as_ref().map(|data| programs::text(data)).transpose()?;
    if let Some(data) = data {
        arguments.extend(["--data", data]);
    }
    let start = Instant::now();
    programs::call("bomp-search", &arguments)?;
    let seconds = start.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&study).with_context(|| study.display().to_string())?;
    Ok(Rate { workers, trials, seconds, trials_per_hour: f64::from(trials) * 3600.0 / seconds })
}
