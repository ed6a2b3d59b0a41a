//! A packed model on an emulated Cortex-M: builds the firmware around it, runs it under QEMU, gives the verdict.
//!
//! Guarantees: the model is checked before anything is built; what the device computes is compared with the host's logits
//! bit for bit on every image; figures are measured on the device or read from the linked image, never assumed. No child
//! process outlives a call.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! let config = bomp_sim::Config::new("model.bomp".into());
//! let verdict = bomp_sim::run(&config, &mut |_| ControlFlow::Continue(()))?;
//! assert!(verdict.passed());
//! # Ok::<(), bomp_sim::SimError>(())
//! ```

pub mod board;
mod elf;
mod emulator;
mod error;
mod firmware;
mod process;
#[path = "../firmware/src/protocol.rs"]
mod protocol;
mod toolchain;
pub mod verdict;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use bomp_export::data::{self, Format};
use bomp_export::evaluate;
use bomp_runtime::Model;

pub use board::Board;
pub use error::SimError;
pub use verdict::Verdict;

use board::Region;
use emulator::{Results, Run};
use protocol::STACK_BYTES;
use toolchain::Toolchain;
use verdict::{Instructions, Ram};

/// How often children are looked at and progress is told.
const POLL: Duration = Duration::from_millis(50);

/// What to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The packed model.
    pub model: PathBuf,
    /// Name of the board.
    pub board: String,
    /// Number of test images, the first ones of the data; at least 1.
    pub images: usize,
    /// The data, a folder or an `.npz` file.
    pub data: PathBuf,
    /// What the data's files are.
    pub format: Format,
    /// Emulators and threads at once, at least 1.
    pub jobs: usize,
    /// Longest wait for one image.
    pub timeout: Duration,
    /// Folder that keeps the image and the device's files.
    pub keep: Option<PathBuf>,
}

impl Config {
    /// A thousand test images of the default data on an `mps2-an386`, on all cores.
    #[must_use]
    pub fn new(model: PathBuf) -> Self {
        Self {
            model,
            board: "mps2-an386".into(),
            images: 1_000,
            data: data::default_folder(),
            format: Format::Auto,
            jobs: available_parallelism().map_or(1, usize::from),
            timeout: Duration::from_secs(120),
            keep: None,
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The firmware is being built.
    Building,
    /// The device is at work.
    Images {
        /// Images that it has classified.
        done: usize,
        /// All images.
        total: usize,
    },
}

/// Called about twenty times a second; [`ControlFlow::Break`] stops the run.
pub type Progress<'a> = dyn FnMut(Stage) -> ControlFlow<()> + 'a;

/// Builds, runs and judges.
///
/// # Errors
/// Whatever keeps a verdict from being reached; see [`SimError`]. A verdict that does not pass is not an error.
pub fn run(config: &Config, progress: &mut Progress<'_>) -> Result<Verdict, SimError> {
    let board = Board::find(&config.board)?;
    let blob = read(&config.model)?;
    let model = Model::new(&blob).map_err(|cause| SimError::Model { path: config.model.clone(), cause })?;
    fits(&blob, &model, board)?;
    let (images, dataset) = test_images(config, &model)?;
    let classes = model.classes();
    let host = evaluate::logits(&model, &images, config.jobs, &|_| {})?;
    let toolchain = Toolchain::find(board)?;

    let temporary;
    let folder = match &config.keep {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|cause| SimError::File { path: folder.clone(), cause })?;
            std::path::absolute(folder).map_err(|cause| SimError::File { path: folder.clone(), cause })?
        }
        None => {
            let made = tempfile::tempdir();
            temporary = made.map_err(|cause| SimError::File { path: std::env::temp_dir(), cause })?;
            temporary.path().to_owned()
        }
    };
    let image_path = folder.join("firmware.elf");
    let started = Instant::now();
    firmware::build(&blob, board, &toolchain, &image_path, progress)?;
    let build_seconds = started.elapsed().as_secs_f64();
    let image = elf::inspect(&image_path, &blob, board)?;
    enough("RAM", board, board.ram, image.static_ram + u64::from(STACK_BYTES), ", stack counted")?;

    let table = evaluate::input_table(&model)?;
    let elements: Vec<Vec<i8>> = (0..images.len())
        .map(|index| images.image(index).iter().map(|&pixel| table[usize::from(pixel)]).collect())
        .collect();
    let started = Instant::now();
    let run = Run {
        board,
        image: &image_path,
        folder: &folder,
        jobs: config.jobs,
        timeout: config.timeout,
        classes,
    };
    let device = run.classify(&elements, progress)?;
    let run_seconds = started.elapsed().as_secs_f64();

    let (different_images, first_different_image) = verdict::differences(&device.logits, &host, classes);
    let correct = |logits: &[i32]| evaluate::correct(&evaluate::predictions(logits, classes), &images.labels);
    let macs = verdict::macs(&model);
    Ok(Verdict {
        model: config.model.clone(),
        board: board.name.into(),
        cpu: board.cpu.into(),
        compiler: toolchain.describe(),
        dataset,
        images: images.len(),
        device_correct: correct(&device.logits),
        host_correct: correct(&host),
        logits_equal: different_images == 0,
        different_images,
        first_different_image,
        macs,
        instructions: Instructions::of(&device.instructions, macs),
        file_bytes: blob.len() as u64,
        section_bytes: image.flash.model,
        section_equals_file: image.section_equals_file,
        flash: image.flash,
        ram: ram(&device, image.static_ram, &model, board),
        forbidden_symbols: image.forbidden_symbols,
        build_seconds,
        run_seconds,
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SimError> {
    fs::read(path).map_err(|cause| SimError::File { path: path.to_owned(), cause })
}

/// Refuses what cannot fit whatever the code is; the linker and the linked image tell the rest.
fn fits(blob: &[u8], model: &Model<'_>, board: &'static Board) -> Result<(), SimError> {
    enough("flash", board, board.flash, blob.len() as u64, ", code not counted")?;
    let (arena, image) = (model.arena_size() as u64, model.input_len() as u64);
    enough("RAM", board, board.ram, arena + image, ", stack not counted")
}

fn enough(
    memory: &'static str,
    board: &'static Board,
    region: Region,
    needed: u64,
    note: &'static str,
) -> Result<(), SimError> {
    match needed.checked_sub(region.length.into()) {
        None | Some(0) => Ok(()),
        Some(by) => Err(SimError::TooLarge { board: board.name, memory, length: region.length, by, note }),
    }
}

/// The first test images of the data, and its name.
fn test_images(config: &Config, model: &Model<'_>) -> Result<(data::Images, String), SimError> {
    let dataset = data::load(&config.data, config.format)?;
    evaluate::check_shape(model, dataset.shape)?;
    let classes = dataset.class_names.len();
    if classes != model.classes() {
        return Err(SimError::Classes { data: dataset.name, classes, model: model.classes() });
    }
    let available = dataset.test.len();
    if !(1..=available).contains(&config.images) {
        return Err(SimError::ImageCount { asked: config.images, data: dataset.name, available });
    }
    let indices: Vec<usize> = (0..config.images).collect();
    Ok((dataset.test.subset(&indices), dataset.name))
}

fn ram(device: &Results, static_ram: u64, model: &Model<'_>, board: &Board) -> Ram {
    let largest =
        |field: fn(&emulator::Report) -> usize| device.reports.iter().map(field).max().unwrap_or(0) as u64;
    let (arena_predicted, stack_used) = (model.arena_size() as u64, largest(|report| report.stack_used));
    Ram {
        arena_predicted,
        arena_used: largest(|report| report.arena_used),
        other_static: static_ram.saturating_sub(arena_predicted),
        stack_used,
        used: static_ram + stack_used,
        available: board.ram.length.into(),
    }
}
