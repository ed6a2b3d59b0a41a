//! The command line: arguments in, progress on standard error, the verdict on standard output.

mod table;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use bomp_export::board::{BOARDS, Board};
use bomp_export::command_line::{self, Completions, whole};
use bomp_export::data::{self, Format, SampleSize};
use bomp_sim::{Config, KernelSet, Progress, SimError, Stage, library, monitor};
use clap::{CommandFactory, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// Run a packed model on an emulated microcontroller and compare it with the host, bit for bit.
#[derive(Debug, Parser)]
#[command(name = "bomp-sim", version, propagate_version = true)]
pub(crate) struct Arguments {
    /// Do not show progress.
    #[arg(short, long, global = true)]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the boards with their processor and memories.
    Boards {
        /// Print JSON: a list of {name, cpu, target, flash: {origin, length}, ram: {origin,
        /// length}}, in bytes.
        #[arg(long)]
        json: bool,
    },
    /// Build the runtime as a static C library: libbomp.a for a board's processor, and bomp.h.
    ///
    /// Exit code 0: both files were written; 2: wrong usage; 3: the toolchain is missing or failed.
    /// `bomp-export header` writes a model as C source; firmware-sim/samples/c is a project that
    /// uses both.
    Library {
        /// Board with the processor for which to build; `bomp-sim boards` lists them.
        #[arg(long, default_value = "mps2-an386")]
        board: String,
        /// Folder to write to.
        #[arg(short, long, value_name = "DIR")]
        output: PathBuf,
        /// Include bomp_model_check_signed, for models that `bomp-export sign` has signed.
        #[arg(long)]
        signed: bool,
        /// Print JSON: {library, header, target, cpu}.
        #[arg(long)]
        json: bool,
    },
    /// Build firmware around a model, run it on test images under QEMU, and compare it with the host.
    ///
    /// Exit code 0: all logits equal the host's, and flash and RAM are as predicted; 1: they are
    /// not; 2: wrong usage or input; 3: the toolchain is missing or the emulated device failed;
    /// 130: interrupted.
    Run(RunArguments),
    /// Run a model on the emulated device with the commands of the MLPerf Tiny runner, and compare
    /// it with the host.
    ///
    /// Exit code 0: all logits equal the host's; 1: they do not; the others are those of `run`.
    Monitor(MonitorArguments),
    /// Count the instructions of each kernel at each bit width, and compare all of them with the
    /// reference on the emulated device.
    ///
    /// Exit code 0: every case equals the reference bit for bit; 1: one does not; the others are
    /// those of `run`.
    Kernels(KernelsArguments),
    Completions(Completions),
}

#[derive(Debug, clap::Args)]
struct KernelsArguments {
    /// Name of a board with at least 512 KB of RAM; `bomp-sim boards` lists them.
    #[arg(long, default_value = "mps2-an386")]
    board: String,
    /// Print JSON: {board, instructions_per_tick, kernel_bytes, counts: [{board, layer, bits, macs,
    /// instructions}], checks: [{kernel, cases, different}]}.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct MonitorArguments {
    #[command(flatten)]
    run: RunArguments,
    /// Connect the device to standard input and output, for another runner, instead of sending it commands.
    #[arg(long, conflicts_with = "json")]
    stdio: bool,
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// The packed model (`model.bomp`).
    model: PathBuf,
    /// Name of the board; `bomp-sim boards` lists them.
    #[arg(long, default_value = "mps2-an386")]
    board: String,
    /// Use a sample of this many test images, stratified by class and the same in every call
    /// [default: 1000, or all if there are fewer]
    #[arg(long, value_name = "N", value_parser = data::image_count)]
    images: Option<NonZeroUsize>,
    /// Folder or `.npz` file of the data [default: BOMP_DATA, else Debian's Fashion-MNIST].
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Format of the data: auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder or folder:HxWxC[:crop|:stretch].
    #[arg(long, default_value_t = Format::Auto)]
    format: Format,
    /// Number of emulators that run at the same time [default: the number of cores].
    #[arg(long, value_name = "N", value_parser = whole(1..=1_024usize))]
    jobs: Option<usize>,
    /// Time limit for one image, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = whole(1..=86_400u64))]
    timeout: u64,
    /// Print the verdict as JSON.
    #[arg(long)]
    json: bool,
    /// Keep the linked image and the files of the device in this folder.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Build the firmware with all kernels instead of only those that the model needs.
    #[arg(long)]
    all_kernels: bool,
    /// Also build the firmware with all kernels, and print how many bytes are saved by leaving some out.
    #[arg(long, conflicts_with = "all_kernels")]
    compare: bool,
}

impl Arguments {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Boards { json: true } => {
                println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&BOARDS)?))
            }
            Command::Boards { json: false } => print!("{}", table::boards()),
            Command::Library { board, output, signed, json } => {
                let built = library::build(&board, signed, &output)?;
                if json {
                    println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&built)?));
                } else {
                    let (library, header) = (built.library.display(), built.header.display());
                    println!("{library}, {header}: for {} ({})", built.cpu, built.target);
                }
            }
            Command::Run(arguments) => return arguments.run(self.quiet),
            Command::Kernels(arguments) => return arguments.run(),
            Command::Monitor(arguments) => return arguments.run(self.quiet),
            Command::Completions(completions) => {
                completions.write(Self::command(), &mut bomp_export::output::Output)?
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Calls `task` with a progress that is shown on standard error and that Ctrl-C stops.
fn watched<T>(quiet: bool, task: impl FnOnce(&mut Progress<'_>) -> Result<T, SimError>) -> Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("Ctrl-C cannot be caught")?;
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let bar = bar.with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    let counting = ProgressStyle::with_template("{bar:40} {pos}/{len} images, {eta} left")?;
    let outcome = task(&mut |stage| {
        match stage {
            Stage::Building => bar.set_message("building the firmware"),
            Stage::Images { done, total } => {
                if bar.length().is_none() {
                    bar.set_style(counting.clone());
                    bar.set_length(total as u64);
                    bar.reset_eta();
                }
                bar.set_position(done as u64);
            }
        }
        bar.tick();
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    Ok(outcome?)
}

impl MonitorArguments {
    fn run(self, quiet: bool) -> Result<ExitCode> {
        let (json, config) = (self.run.json, self.run.config());
        if self.stdio {
            return watched(quiet, |progress| monitor::connect(&config, progress));
        }
        let session = watched(quiet, |progress| monitor::drive(&config, progress))?;
        if json {
            println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&session)?));
        } else {
            print!("{}", table::session(&session));
        }
        if session.different_images > 0 {
            let (different, images) = (session.different_images, session.images);
            eprintln!("error: logits of {different} of {images} images differ from the host's");
            return Ok(ExitCode::from(1));
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl KernelsArguments {
    fn run(self) -> Result<ExitCode> {
        let report = bomp_sim::kernels::measure(Board::find(&self.board).map_err(SimError::from)?)?;
        if self.json {
            println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&report)?));
        } else {
            print!("{}", table::kernels(&report));
        }
        let equal = report.checks.iter().all(|check| check.different == 0);
        Ok(if equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl RunArguments {
    fn config(self) -> Config {
        let defaults = Config::new(self.model);
        Config {
            board: self.board,
            images: SampleSize::new(self.images, defaults.images),
            data: self.data.unwrap_or(defaults.data),
            format: self.format,
            jobs: self.jobs.unwrap_or(defaults.jobs),
            timeout: Duration::from_secs(self.timeout),
            keep: self.keep,
            kernels: if self.all_kernels { KernelSet::All } else { KernelSet::Needed },
            compare: self.compare,
            ..defaults
        }
    }

    fn run(self, quiet: bool) -> Result<ExitCode> {
        let json = self.json;
        let config = self.config();
        let verdict = watched(quiet, |progress| bomp_sim::run(&config, progress))?;
        if json {
            println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&verdict)?));
        } else {
            print!("{}", table::verdict(&verdict));
        }
        for failure in verdict.failures() {
            eprintln!("error: {failure}");
        }
        Ok(if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

/// An error as it is told: in one line, but for what a compiler said.
pub(crate) fn line(error: &anyhow::Error) -> String {
    match error.downcast_ref::<SimError>() {
        Some(SimError::Build { .. }) => bomp_export::text::lines(&error.to_string()),
        _ => command_line::of_error(error),
    }
}

/// The exit code that an error stands for.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<SimError>() {
        Some(SimError::Cancelled) => ExitCode::from(130),
        Some(error) if error.is_usage() => ExitCode::from(2),
        _ => ExitCode::from(3),
    }
}
