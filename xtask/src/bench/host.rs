//! `cargo xtask bench host`: 10,000 test images through a 0.75 MMAC network on one thread, beside
//! ONNX Runtime's int8 session on the same network, in one run.

use crate::{setup, workspace};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Time to evaluate the test images on one thread, compared with ONNX Runtime's int8 session on the
/// same network
#[derive(Args)]
pub(super) struct Options {
    /// Number of test images, a multiple of 250
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    images: u32,
    /// Number of runs of each side, of which the fastest counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: u32,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What the benchmark prints.
#[derive(Deserialize)]
struct Figures {
    images: u32,
    macs: u64,
    ours_seconds: f64,
    onnxruntime_seconds: f64,
    onnxruntime_batch: u32,
    same_class: u32,
}

/// Builds and runs the benchmark.
pub(super) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    let (images, rounds) = (options.images.to_string(), options.rounds.to_string());
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        // With the features of the whole workspace, as its tests are built.
        .args(["bench", "--workspace", "--bench", "host", "--"])
        .args(["--images", &images, "--rounds", &rounds])
        .current_dir(workspace::root()?)
        .stderr(Stdio::inherit())
        .output()
        .context("cargo cannot be started")?;
    ensure!(output.status.success(), "the benchmark failed ({})", output.status);
    let text = String::from_utf8(output.stdout)?;
    let line =
        text.lines().rfind(|line| line.starts_with('{')).context("the benchmark printed no figures")?;
    let figures: Figures = serde_json::from_str(line)?;
    let rate = |seconds: f64| f64::from(figures.images) / seconds;
    println!("{} images, {:.2} MMAC each, one thread", figures.images, figures.macs as f64 / 1e6);
    println!("{:>24} {:>8.3} s {:>10.0} images/s", "ours", figures.ours_seconds, rate(figures.ours_seconds));
    println!(
        "{:>24} {:>8.3} s {:>10.0} images/s, its best batch being {}",
        "ONNX Runtime int8",
        figures.onnxruntime_seconds,
        rate(figures.onnxruntime_seconds),
        figures.onnxruntime_batch
    );
    println!("{:>24} {:>8.2}x", "faster", figures.onnxruntime_seconds / figures.ours_seconds);
    println!("{:>24} {:>8} of {} images", "same class", figures.same_class, figures.images);
    if let Some(path) = &options.json {
        std::fs::write(path, format!("{line}\n")).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
