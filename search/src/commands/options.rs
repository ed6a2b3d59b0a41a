//! What the commands can be told. Every number of a study can be set; the defaults suit two CPU cores.

use std::path::PathBuf;
use std::time::Duration;

use bomp_export::command_line::{truth, whole};
use bomp_export::data::{Format, ValidationSize};
use bomp_search::quantity::{self, Percent};
use bomp_search::recipe::{ClassWeights, Mode, Quantisation};
use bomp_search::study::{Location, Objective, StrategyKind, Worker as Terms};

use super::StudyOptions;
use super::study::{Address, Studies, Study};

/// Start a new study: search, train and measure networks under hard limits
///
/// A study is a folder, or is in a PostgreSQL database. Every finished trial is on disk before the next one starts; after
/// Ctrl-C or a crash `bomp-search resume` goes on with nothing lost. docs/workers.md tells about many workers.
#[derive(clap::Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Where every number comes from that is not set here: two-cores, paper-cifar10, paper-cifar100, or a TOML file
    /// (`bomp-search preset NAME` prints one to start from)
    #[arg(long, value_name = "PRESET", default_value = "two-cores")]
    pub(crate) preset: String,
    /// Search space: paper, paper-cifar100, extended, micro (for models of 1 to 5 kB), small (5 to 64 kB), or a TOML file [default: the preset's]
    #[arg(long, value_name = "SPACE")]
    pub(crate) space: Option<String>,
    /// Which bit widths there are, and how networks are quantised in the loop and afterwards [default: the preset's]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// What trials are scored by; balanced-accuracy for data with rare classes [default: the preset's, or else accuracy]
    #[arg(long, value_enum)]
    pub(crate) objective: Option<Objective>,
    /// Trials, the seed network included [default: the preset's]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u64))]
    pub(crate) trials: Option<u64>,
    /// Seed of every random stream
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX))]
    pub(crate) seed: u64,
    /// How networks are proposed [default: the preset's; evolution in mode jasq]
    #[arg(long, value_enum)]
    pub(crate) strategy: Option<StrategyKind>,
    /// Random trials before `ehvi` and `paper` ask their surrogate [default: the preset's, or else 4 and 2]
    #[arg(long, value_name = "N", value_parser = whole(0..=u16::MAX))]
    pub(crate) initial_trials: Option<u16>,
    /// Policies of bit widths tried on each trained float network, each a trial of its own [default: the preset's]
    #[arg(long, value_name = "K", value_parser = whole(1..=1_000u64))]
    pub(crate) policies_per_network: Option<u64>,
    /// Give up trainings halfway that can no longer improve the front [default: the preset's]
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, default_missing_value = "yes", value_parser = truth)]
    pub(crate) early_stopping: Option<bool>,
    /// Largest packed model, e.g. 10kB (1 kB = 1000 bytes, as are 10k and 10KB; 1 KiB = 1024 bytes)
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(crate) max_size: Option<u64>,
    /// Largest activation arena, e.g. 16kB, or a board (`bomp-sim boards` lists them): what its RAM leaves beside the
    /// firmware's variables and stack, one image and the logits
    #[arg(long, value_name = "SIZE|BOARD", value_parser = quantity::ram)]
    pub(crate) max_ram: Option<quantity::Ram>,
    /// Most multiply-accumulates for one image, e.g. 2M
    #[arg(long, value_name = "COUNT", value_parser = quantity::count)]
    pub(crate) max_macs: Option<u64>,
    /// Validation accuracy in percent above which a network is worth anything: the front is searched from there up
    /// [default: the preset's, or else what always answering the commonest class gets]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) reference_accuracy: Option<Percent>,
    /// Reference size of the paper's score, equation (1), in log10 of bits [default: the preset's]
    #[arg(long, value_name = "LOG10", value_parser = reference_size)]
    pub(crate) reference_size: Option<f64>,
    #[command(flatten)]
    pub(crate) data: Data,
    #[command(flatten)]
    pub(crate) training: Training,
    /// Say how long the search and what follows it would take, and what it would cost, by training a few batches; make no study.
    /// With --json as one object: images, MACs, seconds
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) crew: Crew,
}

/// Images.
#[derive(clap::Args)]
pub(crate) struct Data {
    /// Folder or file of the data [default: Fashion-MNIST as `cargo xtask setup` installs it]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Format of the data: auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder, or folder:HxWxC to bring images to one size (height,
    /// width, channels 1 or 3; what does not fit is letterboxed, with :crop behind it cut, with :stretch distorted)
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: Format,
    /// Training images held out to score trials: a fraction such as 0.1, or a number of images
    #[arg(long, value_name = "PART", default_value_t)]
    pub(crate) validation: ValidationSize,
}

/// Look at data before training on them: what they are read as, images per class, repeated images, likely mistakes
///
/// `run` prints the same in short before it starts. docs/own-data.md tells how to bring data of your own.
#[derive(clap::Args)]
pub(crate) struct Look {
    /// Folder or file of the data [default: Fashion-MNIST as `cargo xtask setup` installs it]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Format of the data: auto, idx, cifar10, cifar100, npz, folder, or folder:HxWxC to bring images to one size (height,
    /// width, channels 1 or 3; what does not fit is letterboxed, with :crop behind it cut, with :stretch distorted)
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: Format,
    /// Training images held out to score trials: a fraction such as 0.1, or a number of images
    #[arg(long, value_name = "PART", default_value_t)]
    pub(crate) validation: ValidationSize,
    /// Seed by which validation images are drawn
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Training in the loop and after it; what is not set comes from the preset. An epoch is one pass over the training images;
/// it need not be whole.
#[derive(clap::Args)]
pub(crate) struct Training {
    /// Epochs of float training of each trial
    #[arg(long, value_name = "EPOCHS", value_parser = epochs)]
    pub(crate) epochs: Option<f64>,
    /// Epochs of quantisation-aware fine-tuning of each trial
    #[arg(long, value_name = "EPOCHS", value_parser = epochs)]
    pub(crate) qaft_epochs: Option<f64>,
    /// Epochs of float training of a finished network
    #[arg(long, value_name = "EPOCHS", value_parser = epochs)]
    pub(crate) final_epochs: Option<f64>,
    /// Epochs of quantisation-aware fine-tuning of a finished network
    #[arg(long, value_name = "EPOCHS", value_parser = epochs)]
    pub(crate) final_qaft_epochs: Option<f64>,
    /// Images for one step of the optimiser
    #[arg(long, value_name = "IMAGES", value_parser = whole(2..=65_536u32))]
    pub(crate) batch: Option<u32>,
    /// Learning rate of float training at its peak, of trials and finished networks
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) learning_rate: Option<f64>,
    /// Learning rate of quantisation-aware fine-tuning at its peak
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) qaft_learning_rate: Option<f64>,
    /// Black pixels added on each side before a random crop back to size
    #[arg(long, value_name = "PIXELS", value_parser = whole(0..=64u16))]
    pub(crate) crop_padding: Option<u16>,
    /// Mirror half of the training images left to right
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, default_missing_value = "yes", value_parser = truth)]
    pub(crate) flip: Option<bool>,
    /// Weights of the classes in the loss, of trials and finished networks; balanced for data with rare classes
    /// [default: the preset's, or else none]
    #[arg(long, value_enum)]
    pub(crate) class_weights: Option<ClassWeights>,
}

/// Who works on the study.
#[derive(clap::Args)]
pub(crate) struct Crew {
    /// Processes that work at the same time, each on one thread unless --threads says more; with --device cuda they are
    /// spread over the GPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1..=1_024u16))]
    pub(crate) workers: u16,
    #[command(flatten)]
    pub(crate) sharing: Sharing,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Print what happens as lines of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// The terms on which a worker shares a study with others.
#[derive(clap::Args)]
pub(crate) struct Sharing {
    /// Seconds without a sign of life after which a worker counts as dead and its trial goes to another
    #[arg(long, value_name = "SECONDS", default_value_t = Terms::GRACE.as_secs_f64(), value_parser = grace)]
    pub(crate) grace: f64,
    /// How often a trial is taken over from workers that died before it counts as failed
    #[arg(long, value_name = "N", default_value_t = Terms::TAKE_OVERS, value_parser = whole(0..=u32::MAX))]
    pub(crate) take_overs: u32,
}

impl Sharing {
    /// This process, on these terms.
    pub(crate) fn worker(&self) -> Terms {
        Terms::new(Duration::from_secs_f64(self.grace), self.take_overs)
    }
}

/// Work on a study that `run` has started, beside its other workers: on this machine, or with a database on any
///
/// Ends when the study is complete. SIGTERM or Ctrl-C gives the trial back, for another worker to do; a worker that dies
/// loses it after the grace time. docs/workers.md has job files for SLURM and Kubernetes.
#[derive(clap::Args)]
pub(crate) struct Worker {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Trials in all [default: what the study was started with]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u64))]
    pub(crate) trials: Option<u64>,
    /// Where the data are on this machine, if elsewhere
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Where trained float networks are kept for --policies-per-network [default: `float` in the study's folder, or in a
    /// folder of its name]
    #[arg(long, value_name = "DIR")]
    pub(crate) floats: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sharing: Sharing,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Print what happens as lines of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    pub(crate) led: bool,
}

/// The machine that trains.
#[derive(clap::Args)]
pub(crate) struct Machine {
    /// Device: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// Threads for training and evaluation [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_024u16))]
    pub(crate) threads: Option<u16>,
}

impl Machine {
    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, Into::into), usize::from)
    }
}

/// Optimise anybody's problem: trials are asked for and told over standard input and output, in lines of JSON
///
/// `{"ask":2}` is answered with `{"trials":[{"id":0,"params":{...}},...]}`, `{"tell":[{"id":0,"values":{"accuracy":91.2}}]}`
/// with `{"ok":true}`, `{"front":true}` with the best. docs/ask-tell.md has it all.
#[derive(clap::Args)]
pub(crate) struct AskTell {
    /// The problem: parameters, objectives and limits as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) space: PathBuf,
    /// Seed of every random stream
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(0..=u64::MAX))]
    pub(crate) seed: u64,
    /// How trials are proposed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) strategy: StrategyKind,
    /// Random trials before `ehvi` and `paper` ask their surrogate [default: 4 and 2]
    #[arg(long, value_name = "N", value_parser = whole(0..=u16::MAX))]
    pub(crate) initial: Option<u16>,
}

/// Print a search space, to be changed and used with `run --space FILE`; without a name, the names
#[derive(clap::Args)]
pub(crate) struct Space {
    /// Name of a built-in search space, or a TOML file
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a preset, to be changed and used with `run --preset FILE`; without a name, the names
#[derive(clap::Args)]
pub(crate) struct Preset {
    /// Name of a built-in preset
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

/// Go on with a study: the interrupted trial is done again, then new ones follow
#[derive(clap::Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Trials in all [default: what the study was started with, or the trials that it has if they are more]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u64))]
    pub(crate) trials: Option<u64>,
    /// Where the data are now, if they have moved
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) crew: Crew,
}

/// List the trials that no other one beats in both accuracy and size
#[derive(clap::Args)]
pub(crate) struct Pareto {
    #[command(flatten)]
    pub(crate) study: StudyOptions,
    /// At most so many, spread over the sizes, the smallest and the largest included; networks below the reference accuracy, or
    /// without one little better than a constant answer, only where there are no others
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX))]
    pub(crate) at_most: Option<u16>,
}

/// Make a study from a file that one was kept in: what `status --json` printed of it, on another machine or of another store
#[derive(clap::Args)]
pub(crate) struct Import {
    /// What `bomp-search status --json` printed, or gzipped JSON lines as `cargo xtask study` keeps them
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) study: Study,
}

/// Make a study of what can still be read of one whose database is damaged
///
/// The damaged study is not touched. Where trials are lost the others move up, so float networks that were kept for further
/// policies are left behind.
#[derive(clap::Args)]
pub(crate) struct Salvage {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Folder of the new study, or postgres://USER@HOST/DATABASE?study=NAME
    #[arg(long, value_name = "STUDY", value_parser = Address)]
    pub(crate) into: Location,
    /// Take the configuration from what `bomp-search status --json` printed earlier, if the study's own is damaged
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Train the networks of the Pareto front to the end and write them for `bomp-export pack`
///
/// The test images are touched here and nowhere else. A network that is finished already is not trained again.
#[derive(clap::Args)]
pub(crate) struct Finalise {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Only these trials instead of the whole front: --trial 3,4 or --trial 3 --trial 4
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', value_parser = trial_number, conflicts_with = "best")]
    pub(crate) trial: Vec<u64>,
    /// Only the trial with the best validation accuracy
    #[arg(long)]
    pub(crate) best: bool,
    /// At most so many of the front, chosen as `bomp-search pareto --at-most` does
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX), conflicts_with_all = ["best", "trial"])]
    pub(crate) at_most: Option<u16>,
    /// How the networks are quantised: ptq, or qaft to fine-tune them [default: qaft in the modes qaft-*, else ptq]
    #[arg(long, value_enum)]
    pub(crate) quantisation: Option<Quantisation>,
    /// Bring weights of 16 bits (--mode jasq), which no device runs, down to 8
    #[arg(long)]
    pub(crate) narrow: bool,
    /// Train by the final training of this preset instead of the study's own (a name or a TOML file)
    #[arg(long, requires = "out")]
    pub(crate) preset: Option<String>,
    /// Packed model from which the networks learn beside the labels; several together are one teacher. The preset's
    /// final_training.distillation says which part of the loss is the distance from its logits
    #[arg(long, value_name = "MODEL")]
    pub(crate) teacher: Vec<PathBuf>,
    /// Folder for the finished networks [default: `final` in the study's folder (or in a folder of its name), or
    /// `final-ptq`, `final-qaft` with a --quantisation that is not the mode's]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Where the data are now, if they have moved
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: Machine,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write plots and tables of studies: one HTML page that needs nothing else, and each plot as SVG and PNG
///
/// Several studies are compared. Works while they run; with --watch the page follows them. docs/report.md tells how to
/// read it.
#[derive(clap::Args)]
pub(crate) struct Report {
    #[command(flatten)]
    pub(crate) study: Studies,
    /// Folder for the report [default: `report` in the first study's folder, or in a folder of its name]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print what the plots and tables show as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on writing it until every study is complete; Ctrl-C stops
    #[arg(long, conflicts_with = "json")]
    pub(crate) watch: bool,
}

fn grace(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.1..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "it must be from 0.1 to 86400 seconds".into())
}

fn reference_size(text: &str) -> Result<f64, String> {
    let size = text.parse::<f64>().ok().filter(|size| (0.0..=100.0).contains(size));
    size.ok_or_else(|| "it must be from 0 to 100, for example 8".into())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (1e-9..=10.0).contains(rate));
    rate.ok_or_else(|| "it must be from 0.000000001 to 10, for example 0.01".into())
}

fn epochs(text: &str) -> Result<f64, String> {
    let epochs = text.parse::<f64>().ok().filter(|epochs| (0.001..=100_000.0).contains(epochs));
    epochs.ok_or_else(|| "it must be from 0.001 to 100000 epochs, for example 20 or 0.5".into())
}

fn trial_number(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let number = text.strip_prefix("trial-").unwrap_or(text).parse();
    number.map_err(|_| "it must be the number of a trial, or several separated by commas, such as 3,4".into())
}
