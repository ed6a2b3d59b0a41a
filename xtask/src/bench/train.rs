//! `cargo xtask bench train`: training speed beside the paper's own stack, Keras with QKeras, on
//! one network and in one run.

use crate::{setup, workspace};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The peer's script, from the workspace's root. It is not in the repository.
const SCRIPT: &str = "../shared/bench/qkeras_train.py";
/// Where the peer is installed, from the workspace's root.
const PEER: &str = ".toolchain/qkeras";
const PACKAGES: [&str; 4] = ["tensorflow-cpu==2.15.1", "qkeras==0.9.0", "keras-tuner<1.4.8", "pyparsing"];

/// Measure images per second of float and quantisation-aware training, compared with Keras and
/// QKeras on the same network
#[derive(Args)]
pub(super) struct Options {
    /// The peer's script: arguments BATCH IMAGES fp|qat EPOCHS, prints `epoch N ... R img/s`
    /// [default: where the project's own machines have it, beside the checkout; without it only our
    /// side is measured]
    #[arg(long, value_name = "SCRIPT")]
    peer: Option<PathBuf>,
    /// Images in an epoch
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    images: u32,
    /// Batch size of both sides
    #[arg(long, value_name = "N", default_value_t = 64)]
    batch: u32,
    /// Number of measured epochs, after one that warms up
    #[arg(long, value_name = "N", default_value_t = 2)]
    epochs: u32,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Images per second.
#[derive(Serialize)]
struct Figures {
    ours_float: f64,
    ours_qaft: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    qkeras_float: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    qkeras_qat: Option<f64>,
}

/// What our benchmark prints.
#[derive(Deserialize)]
struct Ours {
    ours_float: f64,
    ours_qaft: f64,
}

/// Measures both sides, one after the other.
pub(super) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    let root = workspace::root()?;
    let script = match &options.peer {
        Some(script) => std::path::absolute(script)?,
        None => root.join(SCRIPT),
    };
    let peer =
        if options.peer.is_some() || script.is_file() { Some(install(&root.join(PEER))?) } else { None };
    let ours = ours(options)?;
    let rate = |python: &PathBuf, kind| theirs(python, &script, options, kind);
    let qkeras_float = peer.as_ref().map(|python| rate(python, "fp")).transpose()?;
    let qkeras_qat = peer.as_ref().map(|python| rate(python, "qat")).transpose()?;
    let figures =
        Figures { ours_float: ours.ours_float, ours_qaft: ours.ours_qaft, qkeras_float, qkeras_qat };
    let row = |what: &str, ours: f64, theirs: Option<f64>| match theirs {
        Some(theirs) => {
            println!("{what:>24} {ours:>8.0} {theirs:>8.0} images/s  {:.2}x", ours / theirs);
        }
        None => println!("{what:>24} {ours:>8.0}  SKIPPED images/s"),
    };
    println!("{:>24} {:>8} {:>8}", "batch of", "ours", "QKeras");
    row("float", figures.ours_float, figures.qkeras_float);
    row("quantisation-aware", figures.ours_qaft, figures.qkeras_qat);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&figures)?;
        std::fs::write(path, text + "\n").with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn ours(options: &Options) -> Result<Ours> {
    let numbers = [options.images, options.batch, options.epochs].map(|number| number.to_string());
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        // With the features of the whole workspace, as its tests are built.
        .args(["bench", "--workspace", "--bench", "train", "--"])
        .args(["--images", &numbers[0], "--batch", &numbers[1], "--epochs", &numbers[2]])
        .current_dir(workspace::root()?);
    let output = workspace::printed(&mut command, "our benchmark")?;
    let line =
        output.lines().rfind(|line| line.starts_with('{')).context("our benchmark printed no figures")?;
    Ok(serde_json::from_str(line)?)
}

/// The mean rate of all epochs but the first.
fn theirs(python: &Path, script: &Path, options: &Options, kind: &str) -> Result<f64> {
    println!("{:>12} QKeras, {kind}", "Measuring");
    let mut command = Command::new(python);
    command
        .arg(script)
        .args([options.batch.to_string(), options.images.to_string(), kind.to_owned()])
        .arg((options.epochs + 1).to_string());
    let output = workspace::printed(&mut command, "the peer")?;
    let rates: Vec<f64> = output
        .lines()
        .filter_map(|line| {
            line.strip_prefix("epoch ")?.strip_suffix(" img/s")?.split(' ').next_back()?.parse().ok()
        })
        .skip(1)
        .collect();
    ensure!(rates.len() == options.epochs as usize, "{}: it printed no rates", script.display());
    Ok(rates.iter().sum::<f64>() / rates.len() as f64)
}

/// Installs the peer into a virtual environment of its own and returns its interpreter.
fn install(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    let works = |python: &Path| {
        let import = Command::new(python).args(["-c", "import qkeras"]).output();
        import.is_ok_and(|output| output.status.success())
    };
    if works(&python) {
        return Ok(python);
    }
    println!("{:>12} QKeras and its TensorFlow into {PEER} (500 MB)", "Installing");
    let run = |command: &mut Command| -> Result<()> {
        let status = command.status().with_context(|| format!("{command:?} cannot be started"))?;
        if !status.success() {
            bail!("{command:?} failed ({status}); what it says above is the reason");
        }
        Ok(())
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    ensure!(works(&python), "{PEER}: QKeras was installed but does not load");
    Ok(python)
}
