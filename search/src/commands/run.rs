//! `bomp-search run` and `resume`: the study's loop with training behind it, in this process or in several that it leads.

use anyhow::{Error, Result, bail, ensure};
use bomp_export::data;
use bomp_export::ir::Bits;
use bomp_export::text;
use bomp_search::data::StudyData;
use bomp_search::recipe::{Mode, TrainConfig};
use bomp_search::session::{self, Ending};
use bomp_search::space::{Limits, Space, SpaceProblem};
use bomp_search::study::{
    DataConfig, Location, Objective, Preset, Storage, StrategyKind, StudyConfig, Trial,
};
use bomp_search::train::{self, FloatNetworks, Measurer};

use super::event::{Event, Events, Line};
use super::progress::{Bars, Interrupt, Listener, note};
use super::trainer::{Machine, Trainer};
use super::{CommandOutcome, crew, estimate, options, status, table};

/// Starts a study. Everything that can be wrong is found before the study's folder is made.
pub(crate) fn start(options: &options::RunOptions) -> Result<CommandOutcome> {
    let device = train::device::parse(&options.crew.machine.device)?;
    let preset = adjusted(options)?;
    let space = Space::open(&preset.space)?;
    let space = match preset.mode.bits() {
        Some(bits) => space.with_bits(bits)?,
        None => space,
    };
    let path = options.data.data.clone().unwrap_or_else(data::default_folder);
    let loaded = StudyData::load(&path, options.data.format, options.data.validation, options.seed)?;
    let dataset = &loaded.dataset;
    if preset.objective == Objective::BalancedAccuracy {
        loaded.every_class_is_scored(options.data.validation, options.seed)?;
    }
    let definition = space.definition();
    ensure!(
        preset.mode == Mode::Jasq || !definition.bits.choices.contains(&Bits::WIDE),
        "search space `{}`: bits: 16-bit weights can only be scored, in mode jasq: use 4 to 8",
        definition.name
    );
    let space = if Space::is_built_in(&preset.space) {
        // A built-in space fits any images.
        space.with_input(dataset.shape, dataset.class_names.len())?
    } else {
        dataset.expect(definition.input, definition.classes)?;
        space
    };
    let limit = |amount: Option<u64>| amount.and_then(|amount| usize::try_from(amount).ok());
    let (elements, classes) = (dataset.shape.elements(), dataset.class_names.len());
    let max_ram = options.max_ram.map(|ram| ram.arena(elements, classes)).transpose().map_err(Error::msg)?;
    let limits =
        Limits { max_size: limit(options.max_size), max_ram: limit(max_ram), max_macs: options.max_macs };
    SpaceProblem::new(space.clone(), limits)?;
    let origin = std::path::absolute(&path)?;
    let summary = loaded.summary();
    note(summary.to_string().trim_end());
    let data = DataConfig::new(origin, options.data.format, options.data.validation, dataset);
    let data = DataConfig { summary: Some(summary.clone()), ..data };
    let config = preset.config(options.seed, space, limits, data);
    let data = options.data.data.as_ref().map(|_| path.as_path());
    let job = Job { study: &options.study, trials: config.trials, crew: &options.crew, device, data };
    let interrupt = Interrupt::install()?;
    if options.dry_run {
        let crew = job.estimated_crew();
        let estimate = estimate::of(&config, &loaded, crew, true, &interrupt);
        return match estimate {
            _ if interrupt.is_set() => Ok(CommandOutcome::Interrupted),
            Ok(estimate) if options.crew.json => {
                println!("{}", bomp_export::text::json(&serde_json::to_string_pretty(&estimate)?));
                Ok(CommandOutcome::Done)
            }
            Ok(estimate) => {
                estimate::lines(&estimate, crew).iter().for_each(|line| println!("{line}"));
                Ok(CommandOutcome::Done)
            }
            Err(error) => Err(error.context("--dry-run: the measurement failed, as the trials would")),
        };
    }
    let mut store = options.study.create(&config)?;
    let _lock = options.study.lock()?;
    if options.crew.json {
        let worker = options.crew.sharing.worker().id;
        Line { worker, event: Event::Data { summary: Box::new(summary) } }.print();
    }
    let seconds = job.say_estimate(&config, &loaded, &interrupt);
    job.search(&mut *store, loaded, seconds, interrupt)
}

/// Goes on with a study.
pub(crate) fn resume(options: &options::ResumeOptions) -> Result<CommandOutcome> {
    let device = train::device::parse(&options.crew.machine.device)?;
    let mut store = options.study.open()?;
    let _lock = options.study.lock()?;
    // An earlier `--trials` may have asked for more than the study was started with.
    let trials = match options.trials {
        Some(trials) => trials,
        None => store.config().trials.max(ended(&mut *store)?),
    };
    let (show, done) = (&options.study, ended(&mut *store)?);
    ensure!(
        trials >= done,
        "{show}: the study has {done} trials already, more than the {trials} asked for; name a larger number with --trials, \
         or leave it out"
    );
    let data = options.data.as_deref();
    let loaded = StudyData::of_study(store.config(), data)?;
    if let Some(summary) = &store.config().data.summary {
        note(summary.to_string().trim_end());
    }
    let job = Job { study: &options.study, trials, crew: &options.crew, device, data };
    // What its trials have taken tells more than a measurement.
    let past = store.trials()?;
    let seconds: Vec<f64> =
        past.iter().filter_map(Trial::measured).map(|measured| measured.seconds).collect();
    let mean = seconds.iter().sum::<f64>() / seconds.len().max(1) as f64;
    let seconds = (!seconds.is_empty()).then(|| mean / job.estimated_crew().abreast());
    job.search(&mut *store, loaded, seconds, Interrupt::install()?)
}

/// The preset with what the user set.
fn adjusted(options: &options::RunOptions) -> Result<Preset> {
    let mut preset = Preset::open(&options.preset)?;
    let training = &options.training;
    let adjust = |config: &mut TrainConfig, epochs: Option<f64>, qaft_epochs: Option<f64>| {
        set(&mut config.float.epochs, epochs);
        set(&mut config.qaft.epochs, qaft_epochs);
        set(&mut config.float.learning_rate, training.learning_rate);
        set(&mut config.qaft.learning_rate, training.qaft_learning_rate);
        for schedule in [&mut config.float, &mut config.qaft] {
            set(&mut schedule.batch, training.batch.map(|batch| batch as usize));
        }
        set(&mut config.augmentation.crop_padding, training.crop_padding.map(usize::from));
        set(&mut config.augmentation.flip, training.flip);
        set(&mut config.class_weights, training.class_weights);
        config.check()
    };
    adjust(&mut preset.training, training.epochs, training.qaft_epochs)?;
    adjust(&mut preset.final_training, training.final_epochs, training.final_qaft_epochs)?;
    set(&mut preset.space, options.space.clone());
    set(&mut preset.mode, options.mode);
    set(&mut preset.objective, options.objective);
    // JASQ is an evolution.
    let usual = (preset.mode == Mode::Jasq).then_some(StrategyKind::Evolution);
    set(&mut preset.strategy, options.strategy.or(usual));
    preset.initial_trials = options.initial_trials.map(usize::from).or(preset.initial_trials);
    set(&mut preset.trials, options.trials);
    set(&mut preset.policies_per_network, options.policies_per_network);
    set(&mut preset.early_stopping, options.early_stopping);
    preset.reference_accuracy = options.reference_accuracy.or(preset.reference_accuracy);
    set(&mut preset.reference_size, options.reference_size);
    Ok(preset)
}

/// Sets `field` if there is a value to set it to.
fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Trials in a study that is there, and who is to do them.
pub(super) struct Job<'a> {
    pub(super) study: &'a Location,
    pub(super) trials: u64,
    pub(super) crew: &'a options::CrewOptions,
    pub(super) device: tch::Device,
    /// Where the data are, if the study does not know.
    pub(super) data: Option<&'a std::path::Path>,
}

impl Job<'_> {
    /// Who will work, as an estimate needs it.
    fn estimated_crew(&self) -> estimate::WorkerPool {
        let (workers, machine) = (usize::from(self.crew.workers), &self.crew.machine);
        // Of several workers each has one thread, unless told otherwise.
        let threads = if workers == 1 { machine.threads() } else { machine.threads.map_or(1, usize::from) };
        estimate::WorkerPool { workers, machine: Machine { device: self.device, threads } }
    }

    /// Says what the search will cost, and returns the seconds from the end of one trial to that of the next. That nothing can
    /// be said keeps no search from beginning: its trials will tell why.
    fn say_estimate(&self, config: &StudyConfig, loaded: &StudyData, interrupt: &Interrupt) -> Option<f64> {
        let crew = self.estimated_crew();
        match estimate::of(config, loaded, crew, false, interrupt) {
            _ if interrupt.is_set() => None,
            Ok(estimate) => {
                estimate::lines(&estimate, crew).iter().for_each(|line| note(line));
                Some(estimate.search.seconds / config.trials as f64)
            }
            Err(error) => {
                note(&format!(
                    "search: {} trials; how long they take is not known: {error:#}",
                    config.trials
                ));
                None
            }
        }
    }

    /// `seconds`: from the end of one trial to that of the next, as far as is known.
    fn search(
        &self,
        store: &mut dyn Storage,
        loaded: StudyData,
        seconds: Option<f64>,
        interrupt: Interrupt,
    ) -> Result<CommandOutcome> {
        let show = self.study;
        let named = text::argument(&show.to_string());
        let done = ended(store)?;
        note(&format!("the hypervolume counts from {}", status::corner(store.config())));
        note(&table::heading(store.config().objective));
        let ending = if self.crew.workers == 1 {
            self.alone(store, loaded, (done, seconds), interrupt)?
        } else {
            // Each worker loads them itself.
            drop(loaded);
            crew::run(self, store, seconds, &interrupt)?
        };
        let finished = store.trials()?.iter().filter(|trial| trial.measured().is_some()).count();
        match ending {
            Ending::Interrupted => {
                note(&format!(
                    "stopped after {finished} finished trials; `bomp-search resume --study {named}` goes on"
                ));
                return Ok(CommandOutcome::Interrupted);
            }
            Ending::Exhausted => note("every network within the limits has been tried"),
            Ending::Complete => {}
        }
        if finished == 0 {
            bail!("{show}: no trial succeeded; `bomp-search status --study {named}` lists the reasons");
        }
        for remark in status::remarks(store)? {
            note(&format!("note: {remark}"));
        }
        note(&format!(
            "{finished} finished trials; `bomp-search pareto --study {named}` shows the best, `finalise` finishes them"
        ));
        Ok(CommandOutcome::Done)
    }

    fn alone(
        &self,
        store: &mut dyn Storage,
        loaded: StudyData,
        (done, seconds): (u64, Option<f64>),
        interrupt: Interrupt,
    ) -> Result<Ending> {
        let floats = FloatNetworks::new(self.study.files().join("float"), self.study.is_folder());
        let threads = self.crew.machine.threads();
        let worker = self.crew.sharing.worker();
        let trials = store.trials()?;
        let listener: Box<dyn Listener> = if self.crew.json {
            Box::new(Events::new(&worker.id))
        } else {
            Box::new(Bars::new("trials", done, self.trials, 1, seconds).watching(store.config(), trials))
        };
        let measurer = Measurer::new(store.config(), &loaded, floats, self.device, threads)?;
        let mut trainer = Trainer::new(measurer, listener, interrupt);
        drop(loaded);
        Ok(session::run(store, &worker, self.trials, &mut trainer)?)
    }
}

/// Trials of the study that have ended.
pub(super) fn ended(store: &mut dyn Storage) -> Result<u64> {
    Ok(store.trials()?.iter().filter(|trial| !trial.is_running()).count() as u64)
}
