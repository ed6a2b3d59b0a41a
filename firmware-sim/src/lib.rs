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

pub mod certificate;
mod elf;
mod emulator;
mod error;
mod firmware;
pub mod kernels;
pub mod library;
pub mod monitor;
mod process;
#[allow(unreachable_pub, reason = "the firmware compiles it as a public module")]
mod toolchain;
pub mod verdict;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use bomp_export::board::{Board, Region};
use bomp_export::cost::model_macs;
use bomp_export::data::{self, Format, SampleSize};
use bomp_export::kind::{self, Needed};
use bomp_export::{evaluate, files};
use bomp_runtime::Model;
use bomp_runtime::kernels::Needs;

pub use error::SimError;
pub use firmware::KernelSet;
pub use verdict::Verdict;

use certificate::Budget;
use emulator::{Results, Run};
use firmware::Program;
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
    /// Which test images.
    pub images: SampleSize,
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
    /// The firmware's kernels.
    pub kernels: KernelSet,
    /// Whether to build it with all kernels too, to tell how many bytes are saved.
    pub compare: bool,
}

impl Config {
    /// A sample of a thousand test images of the default data on an `mps2-an386`, on all cores.
    #[must_use]
    pub fn new(model: PathBuf) -> Self {
        Self {
            model,
            board: "mps2-an386".into(),
            images: SampleSize::AtMost(1_000),
            data: data::default_folder(),
            format: Format::Auto,
            jobs: available_parallelism().map_or(1, usize::from),
            timeout: Duration::from_secs(120),
            keep: None,
            kernels: KernelSet::Needed,
            compare: false,
        }
    }

    /// What the model is called on the device: its file's name without the extension.
    fn model_name(&self) -> String {
        self.model.file_stem().unwrap_or_default().to_string_lossy().into_owned()
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
    let blob = read_model(&config.model)?;
    let model = checked(&config.model, &blob)?;
    fits(&blob, &model, board)?;
    let (sample, dataset) = test_images(config, &model, &blob)?;
    let images = &sample.images;
    let classes = model.classes();
    let host = evaluate::logits(&model, images, config.jobs, &|_| {})?;

    let folder = folder(config)?;
    let folder = folder.path();
    let image_path = folder.join("firmware.elf");
    let started = Instant::now();
    let name = config.model_name();
    let flash_of_all = if config.compare {
        let path = folder.join("firmware-all.elf");
        let program = (Program::Batch, KernelSet::All);
        firmware::build(program, (&blob, &name), board, &path, progress)?;
        Some(elf::inspect(&path, &blob, board)?.flash.used)
    } else {
        None
    };
    let program = (Program::Batch, config.kernels);
    let toolchain = firmware::build(program, (&blob, &name), board, &image_path, progress)?;
    let build_seconds = started.elapsed().as_secs_f64();
    let image = elf::inspect(&image_path, &blob, board)?;
    enough_ram(&image, board)?;

    let table = evaluate::input_table(&model, images.input)?;
    let elements: Vec<Vec<i8>> = (0..images.len())
        .map(|index| images.image(index).iter().map(|&pixel| table[usize::from(pixel)]).collect())
        .collect();
    let started = Instant::now();
    let run = Run { board, image: &image_path, folder, jobs: config.jobs, timeout: config.timeout, classes };
    let device = run.classify(&elements, progress)?;
    let run_seconds = started.elapsed().as_secs_f64();

    let (different_images, first_different_image) = verdict::differences(&device.logits, &host, classes);
    let correct = |logits: &[i32]| evaluate::correct(&evaluate::predictions(logits, classes), &images.labels);
    let macs = model_macs(&model);
    Ok(Verdict {
        model: config.model.clone(),
        board: board.name.into(),
        cpu: board.cpu.into(),
        compiler: toolchain.describe(),
        dataset,
        images: images.len(),
        of_images: sample.of,
        device_correct: correct(&device.logits),
        host_correct: correct(&host),
        logits_equal: different_images == 0,
        different_images,
        first_different_image: first_different_image.map(|position| sample.indices[position]),
        macs,
        instructions: Instructions::of(&device.instructions, macs),
        file_bytes: blob.len() as u64,
        section_bytes: image.flash.model,
        section_equals_file: image.section_equals_file,
        flash: image.flash,
        kernels_left_out: match config.kernels {
            KernelSet::Needed => {
                Needs::EVERYTHING.without(model.needs()).names().map(str::to_owned).collect()
            }
            KernelSet::All => Vec::new(),
        },
        flash_of_all_kernels: flash_of_all,
        ram: ram(&device, image.static_ram, &model, board),
        certificate: image.certificate,
        budget: Budget::of(board.cpu),
        build_seconds,
        run_seconds,
    })
}

/// Where a run keeps its files: where the user wants it, or a folder that goes with this value.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

fn folder(config: &Config) -> Result<Folder, SimError> {
    let Some(path) = &config.keep else {
        let made = tempfile::tempdir().map_err(|cause| SimError::File { path: std::env::temp_dir(), cause });
        return Ok(Folder::Temporary(made?));
    };
    let made = fs::create_dir_all(path).and_then(|()| std::path::absolute(path));
    made.map(Folder::Kept).map_err(|cause| SimError::File { path: path.clone(), cause })
}

/// The bytes of a model's file.
fn read_model(path: &Path) -> Result<Vec<u8>, SimError> {
    files::read_untrusted(path, files::limit::MODEL)
        .map_err(|error| SimError::Unreadable(kind::unreadable(path, &error, Needed::Model)))
}

/// The model in them.
fn checked<'a>(path: &Path, blob: &'a [u8]) -> Result<Model<'a>, SimError> {
    Model::new(blob)
        .map_err(|error| SimError::Model { path: path.to_owned(), problem: kind::no_model(blob, error) })
}

/// Refuses what cannot fit whatever the code is; the linker and the linked image tell the rest.
fn fits(blob: &[u8], model: &Model<'_>, board: &'static Board) -> Result<(), SimError> {
    enough("flash", board, board.flash, blob.len() as u64, ", code not counted")?;
    let (arena, image) = (model.arena_size() as u64, model.input_len() as u64);
    enough("RAM", board, board.ram, arena + image, ", stack not counted")
}

/// Refuses an image whose variables and stack, at the bound that its certificate proves, are more than the board has.
fn enough_ram(image: &elf::Image, board: &'static Board) -> Result<(), SimError> {
    let stack = image.certificate.stack.as_ref().map_or(0, |bound| bound.bytes);
    enough("RAM", board, board.ram, image.static_ram + stack, ", stack counted")
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

/// Test images of the data, and its name.
fn test_images(config: &Config, model: &Model<'_>, blob: &[u8]) -> Result<(data::Sample, String), SimError> {
    let dataset = data::for_model(model, (&config.model, blob), &config.data, config.format)?;
    evaluate::check_shape(model, dataset.shape)?;
    let classes = dataset.class_names.len();
    if classes != model.classes() {
        return Err(SimError::Classes { data: dataset.name, classes, model: model.classes() });
    }
    for warning in &dataset.warnings {
        bomp_export::eprintln!("warning: {warning}");
    }
    Ok((data::test_sample(&dataset, config.images)?, dataset.name))
}

fn ram(device: &Results, static_ram: u64, model: &Model<'_>, board: &Board) -> Ram {
    let largest =
        |field: fn(&emulator::Report) -> usize| device.reports.iter().map(field).max().unwrap_or(0) as u64;
    let (arena_predicted, stack_used) = (model.arena_size() as u64, largest(|report| report.stack_used));
    Ram {
        arena_predicted,
        arena_used: largest(|report| report.arena_used),
        other_static: static_ram.saturating_sub(arena_predicted),
        image_and_logits: (model.input_len() + size_of::<i32>() * model.classes()) as u64,
        stack_used,
        used: static_ram + stack_used,
        available: board.ram.length.into(),
    }
}
