//! Command-line options. Every number of a study can be set; the defaults suit two CPU cores.

use std::path::PathBuf;
use std::time::Duration;

use bomp_export::command_line::{truth, whole};
use bomp_export::data::{Format, ValidationSize};
use bomp_search::quantity::{self, Percent};
use bomp_search::recipe::{ClassWeights, Mode, QuantisationMethod};
use bomp_search::study::{Location, Objective, StrategyKind};

use super::StudyOptions;
use super::study::{Studies, Study, StudyParser};

/// Start a new study: search, train and measure networks under hard limits
///
/// A study is a folder, or is kept in a PostgreSQL database. Every finished trial is on disk before
/// the next one starts; after Ctrl-C or a crash `bomp-search resume` continues and nothing is lost.
/// docs/search.md explains the search, docs/workers.md how to use many workers.
#[derive(clap::Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Preset from which every number is taken that is not set here: two-cores, paper-cifar10,
    /// paper-cifar100, or a TOML file (`bomp-search preset NAME` prints one to start from)
    #[arg(long, value_name = "PRESET", default_value = "two-cores")]
    pub(crate) preset: String,
    /// Search space: paper, paper-cifar100, extended, micro (for models of 1 to 5 kB), small (5 to
    /// 64 kB), or a TOML file [default: the preset's]
    #[arg(long, value_name = "SPACE")]
    pub(crate) space: Option<String>,
    /// Which bit widths are allowed, and how networks are quantised in each trial and afterwards
    /// [default: the preset's]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// How trials are scored; balanced-accuracy is for data with rare classes [default: the
    /// preset's, or else accuracy]
    #[arg(long, value_enum)]
    pub(crate) objective: Option<Objective>,
    /// Number of trials, including the seed network [default: the preset's]
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
    /// Bit-width assignments (quantisation policies) tried on each trained float network, each a
    /// trial of its own [default: the preset's]
    #[arg(long, value_name = "K", value_parser = whole(1..=1_000u64))]
    pub(crate) policies_per_network: Option<u64>,
    /// Stop unpromising trials early: halfway through a training that cannot improve the front any more
    /// [default: the preset's]
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, default_missing_value = "yes", value_parser = truth)]
    pub(crate) early_stopping: Option<bool>,
    /// Largest packed model, e.g. 10kB (1 kB = 1000 bytes, as are 10k and 10KB; 1 KiB = 1024 bytes)
    #[arg(long, value_name = "SIZE", value_parser = quantity::bytes)]
    pub(crate) max_size: Option<u64>,
    /// Largest activation arena, e.g. 16kB, or the name of a board (`bomp-sim boards` lists them):
    /// its RAM less the firmware's variables and stack, one image and the logits
    #[arg(long, value_name = "SIZE|BOARD", value_parser = quantity::ram)]
    pub(crate) max_ram: Option<quantity::Ram>,
    /// Most multiply-accumulates for one image, e.g. 2M
    #[arg(long, value_name = "COUNT", value_parser = quantity::count)]
    pub(crate) max_macs: Option<u64>,
    /// Validation accuracy in percent from which the hypervolume is measured: networks below it do not count
    /// [default: the preset's, or else the accuracy of always answering the commonest class]
    #[arg(long, value_name = "PERCENT")]
    pub(crate) reference_accuracy: Option<Percent>,
    /// Reference size of the paper's score, equation (1), in log10 of bits [default: the preset's]
    #[arg(long, value_name = "LOG10", value_parser = reference_size)]
    pub(crate) reference_size: Option<f64>,
    #[command(flatten)]
    pub(crate) data: DataOptions,
    #[command(flatten)]
    pub(crate) training: TrainingOptions,
    /// Estimate the time and cost of the search and of `finalise` by training a few batches; create
    /// no study. With --json the estimate is one object: images, MACs, seconds
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) crew: CrewOptions,
}

/// Images.
#[derive(clap::Args)]
pub(crate) struct DataOptions {
    /// Folder or file of the data [default: Fashion-MNIST as `cargo xtask setup` installs it]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Format of the data: auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder, or
    /// folder:HxWxC to resize images (height, width, channels 1 or 3; the aspect ratio is kept by
    /// letterboxing, or with :crop by cropping; :stretch changes it)
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: Format,
    /// Training images held out to score trials: a fraction such as 0.1, or a number of images
    #[arg(long, value_name = "PART", default_value_t)]
    pub(crate) validation: ValidationSize,
}

/// Check data before training on them: how they are read, images per class, repeated images, likely mistakes
///
/// Trains nothing. `run` prints the same in short before it starts. docs/own-data.md explains how
/// to use your own data.
#[derive(clap::Args)]
pub(crate) struct LookOptions {
    /// Folder or file of the data [default: Fashion-MNIST as `cargo xtask setup` installs it]
    #[arg(value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Format of the data: auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder, or
    /// folder:HxWxC to resize images (height, width, channels 1 or 3; the aspect ratio is kept by
    /// letterboxing, or with :crop by cropping; :stretch changes it)
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    pub(crate) format: Format,
    /// Training images held out to score trials: a fraction such as 0.1, or a number of images
    #[arg(long, value_name = "PART", default_value_t)]
    pub(crate) validation: ValidationSize,
    /// Seed of the selection of validation images
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Training in the loop and after it; what is not set comes from the preset. An epoch is one pass
/// over the training images; it need not be whole.
#[derive(clap::Args)]
pub(crate) struct TrainingOptions {
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
    /// Batch size
    #[arg(long, value_name = "IMAGES", value_parser = whole(2..=65_536u32))]
    pub(crate) batch: Option<u32>,
    /// Peak learning rate of float training, of trials and finished networks
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) learning_rate: Option<f64>,
    /// Peak learning rate of quantisation-aware fine-tuning, of trials and finished networks
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub(crate) qaft_learning_rate: Option<f64>,
    /// Black pixels added on each side before a random crop back to size
    #[arg(long, value_name = "PIXELS", value_parser = whole(0..=64u16))]
    pub(crate) crop_padding: Option<u16>,
    /// Mirror half of the training images left to right
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, default_missing_value = "yes", value_parser = truth)]
    pub(crate) flip: Option<bool>,
    /// Weights of the classes in the loss, of trials and finished networks; balanced is for data
    /// with rare classes [default: the preset's, or else none]
    #[arg(long, value_enum)]
    pub(crate) class_weights: Option<ClassWeights>,
}

/// Who works on the study.
#[derive(clap::Args)]
pub(crate) struct CrewOptions {
    /// Number of worker processes, each on one thread unless --threads sets more; with --device
    /// cuda they are spread over the GPUs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = whole(1..=1_024u16))]
    pub(crate) workers: u16,
    #[command(flatten)]
    pub(crate) sharing: Sharing,
    #[command(flatten)]
    pub(crate) machine: MachineOptions,
    /// Print events as lines of JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
}

/// The terms on which a worker shares a study with others.
#[derive(clap::Args)]
pub(crate) struct Sharing {
    /// Seconds without a heartbeat after which a worker counts as dead and its trial goes to another
    #[arg(long, value_name = "SECONDS", default_value_t = bomp_search::study::Worker::GRACE.as_secs_f64(), value_parser = grace)]
    pub(crate) grace: f64,
    /// How many times a trial is taken over from dead workers before it is recorded as failed
    #[arg(long, value_name = "N", default_value_t = bomp_search::study::Worker::TAKE_OVERS, value_parser = whole(0..=u32::MAX))]
    pub(crate) take_overs: u32,
}

impl Sharing {
    /// This process, on these terms.
    pub(crate) fn worker(&self) -> bomp_search::study::Worker {
        bomp_search::study::Worker::new(Duration::from_secs_f64(self.grace), self.take_overs)
    }
}

/// Add a worker to a study that `run` has started: on the same machine, or on any machine if the
/// study is in a database
///
/// Ends when the study is complete. SIGTERM or Ctrl-C releases the trial for another worker; a
/// worker that dies loses it after the grace time. docs/workers.md has job files for SLURM and
/// Kubernetes.
#[derive(clap::Args)]
pub(crate) struct WorkerOptions {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Total number of trials [default: that with which the study was started]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u64))]
    pub(crate) trials: Option<u64>,
    /// Folder or file of the data, if it is elsewhere on this machine
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    /// Folder in which trained float networks are kept for --policies-per-network [default: `float`
    /// in the study's folder, or in a folder of its name]
    #[arg(long, value_name = "DIR")]
    pub(crate) floats: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sharing: Sharing,
    #[command(flatten)]
    pub(crate) machine: MachineOptions,
    /// Print events as lines of JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Stop when standard input ends
    #[arg(long, hide = true)]
    pub(crate) led: bool,
}

/// The machine that trains.
#[derive(clap::Args)]
pub(crate) struct MachineOptions {
    /// Device: cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub(crate) device: String,
    /// Threads for training and evaluation [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_024u16))]
    pub(crate) threads: Option<u16>,
}

impl MachineOptions {
    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, Into::into), usize::from)
    }
}

/// Use the optimiser for another problem: ask for trials and tell their results in lines of JSON,
/// over standard input and output
///
/// `{"ask":2}` is answered with `{"trials":[{"id":0,"params":{...}},...]}`,
/// `{"tell":[{"id":0,"values":{"accuracy":91.2}}]}` with `{"ok":true}`, `{"front":true}` with the
/// Pareto front. docs/ask-tell.md describes the protocol.
#[derive(clap::Args)]
pub(crate) struct AskTellOptions {
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

/// Print a search space as TOML, to be edited and used with `run --space FILE`; without a name,
/// list the names
#[derive(clap::Args)]
pub(crate) struct SpaceOptions {
    /// Name of a built-in search space, or a TOML file
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print a preset as TOML, to be edited and used with `run --preset FILE`; without a name, list the names
#[derive(clap::Args)]
pub(crate) struct PresetOptions {
    /// Name of a built-in preset
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Print JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

/// Continue a study: the interrupted trial is repeated, then new ones follow
#[derive(clap::Args)]
pub(crate) struct ResumeOptions {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Total number of trials [default: that with which the study was started, or the number that
    /// it has if that is larger]
    #[arg(long, value_name = "N", value_parser = whole(1..=1_000_000u64))]
    pub(crate) trials: Option<u64>,
    /// Folder or file of the data, if it has moved
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) crew: CrewOptions,
}

/// List the Pareto front: the trials that no other one beats in both accuracy and size
#[derive(clap::Args)]
pub(crate) struct ParetoOptions {
    #[command(flatten)]
    pub(crate) study: StudyOptions,
    /// List at most N trials, spread over the sizes, including the smallest and the largest.
    /// Networks below the reference accuracy, or without one those little better than a constant
    /// answer, are left out unless there are no others
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX))]
    pub(crate) at_most: Option<u16>,
}

/// Create a study from an export of one, for example from another machine or another store
#[derive(clap::Args)]
pub(crate) struct ImportOptions {
    /// Output of `bomp-search status --json`, or gzipped JSON lines as `cargo xtask study` keeps them
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) study: Study,
}

/// Create a study from what can still be read of a damaged one
///
/// The damaged study is not changed. If trials are lost, the others are renumbered, so float
/// networks that were kept for further policies are not taken over.
#[derive(clap::Args)]
pub(crate) struct SalvageOptions {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Folder of the new study, or postgres://USER@HOST/DATABASE?study=NAME
    #[arg(long, value_name = "STUDY", value_parser = StudyParser)]
    pub(crate) into: Location,
    /// Take the configuration from an earlier output of `bomp-search status --json`, if the study's
    /// own is damaged
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Train the networks of the Pareto front to the end and write them for `bomp-export pack`
///
/// Test images are used here and nowhere else. A network that is already finished is not trained again.
#[derive(clap::Args)]
pub(crate) struct FinaliseOptions {
    #[command(flatten)]
    pub(crate) study: Study,
    /// Only these trials instead of the whole front: --trial 3,4 or --trial 3 --trial 4
    #[arg(long, value_name = "NUMBER", value_delimiter = ',', value_parser = trial_number, conflicts_with = "best")]
    pub(crate) trial: Vec<u64>,
    /// Only the trial with the best validation accuracy
    #[arg(long)]
    pub(crate) best: bool,
    /// Train at most N networks of the front, selected as by `bomp-search pareto --at-most`
    #[arg(long, value_name = "N", value_parser = whole(1..=u16::MAX), conflicts_with_all = ["best", "trial"])]
    pub(crate) at_most: Option<u16>,
    /// How the networks are quantised: ptq, or qaft to fine-tune them [default: qaft in the modes
    /// qaft-*, else ptq]
    #[arg(long, value_enum)]
    pub(crate) quantisation: Option<QuantisationMethod>,
    /// Reduce 16-bit weights (--mode jasq), which no device runs, to 8 bits
    #[arg(long)]
    pub(crate) narrow: bool,
    /// Use the final training of this preset (a name or a TOML file) instead of the study's own
    #[arg(long, requires = "out")]
    pub(crate) preset: Option<String>,
    /// Packed model whose logits the networks learn in addition to the labels (distillation);
    /// several are averaged. The preset's final_training.distillation is the share of the loss
    #[arg(long, value_name = "MODEL")]
    pub(crate) teacher: Vec<PathBuf>,
    /// Folder for the finished networks [default: `final` in the study's folder (or in a folder of
    /// its name), or `final-ptq`, `final-qaft` with a --quantisation that is not the mode's]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Folder or file of the data, if it has moved
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) machine: MachineOptions,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write plots and tables of studies: one self-contained HTML page, and each plot as SVG and PNG
///
/// Several studies are compared. Works while they run; with --watch the page is kept up to date.
/// docs/report.md explains how to read it.
#[derive(clap::Args)]
pub(crate) struct ReportOptions {
    #[command(flatten)]
    pub(crate) study: Studies,
    /// Folder for the report [default: `report` in the first study's folder, or in a folder of its name]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the figures of the plots and tables as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Update it until every study is complete; Ctrl-C stops
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
