//! `bomp-search run` and `resume`: the study's loop with training behind it.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use bomp_export::data;
use bomp_export::ir::Bits;
use bomp_search::recipe::{Mode, TrainConfig};
use bomp_search::session::{self, Ending};
use bomp_search::space::{Limits, Space, SpaceProblem};
use bomp_search::study::{DataConfig, Preset, Store, StrategyKind, StudyConfig, StudyLock};
use bomp_search::train;

use super::data::StudyData;
use super::trainer::Trainer;
use super::{Outcome, options, table};

/// Starts a study. Everything that can be wrong is found before the study's folder is made.
pub(crate) fn start(options: &options::Run) -> Result<Outcome> {
    let device = train::device::parse(&options.machine.device)?;
    let preset = Preset::open(&options.preset)?;
    let mode = options.mode.unwrap_or(preset.mode);
    let space_name = options.space.as_deref().unwrap_or(&preset.space);
    let space = Space::open(space_name)?;
    let space = match mode.bits() {
        Some(bits) => space.with_bits(bits)?,
        None => space,
    };
    let path = options.data.data.clone().unwrap_or_else(data::default_folder);
    let loaded = StudyData::load(&path, options.data.format, options.data.validation, options.seed)?;
    let dataset = &loaded.dataset;
    let definition = space.definition();
    ensure!(
        mode == Mode::Jasq || !definition.bits.choices.contains(&Bits::WIDE),
        "search space `{}`: bits: 16-bit weights can only be scored, in mode jasq: use 4 to 8",
        definition.name
    );
    let built_in = Space::is_built_in(space_name);
    let space = if built_in {
        // A built-in space fits any images.
        space.with_input(dataset.shape, dataset.class_names.len())?
    } else {
        dataset.expect(definition.input, definition.classes)?;
        space
    };
    let limit = |amount: Option<u64>| amount.and_then(|amount| usize::try_from(amount).ok());
    let limits = Limits {
        max_size: limit(options.max_size),
        max_ram: limit(options.max_ram),
        max_macs: options.max_macs,
    };
    SpaceProblem::new(space.clone(), limits)?;
    let (training, final_training) = training(&options.training, &preset)?;
    let trials = options.trials.unwrap_or(preset.trials);
    let usual = if mode == Mode::Jasq { StrategyKind::Evolution } else { preset.strategy };
    let config = StudyConfig {
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: options.seed,
        trials,
        mode,
        strategy: options.strategy.unwrap_or(usual),
        initial_trials: options.initial_trials.map(usize::from).or(preset.initial_trials),
        policies_per_network: options.policies_per_network.unwrap_or(preset.policies_per_network),
        early_stopping: options.early_stopping.unwrap_or(preset.early_stopping),
        reference_accuracy: options
            .reference_accuracy
            .map_or(preset.reference_accuracy, |percent| percent / 100.0),
        reference_size: options.reference_size.unwrap_or(preset.reference_size),
        space,
        limits,
        data: DataConfig::new(
            std::path::absolute(&path)?,
            options.data.format,
            options.data.validation,
            dataset,
        ),
        training,
        final_training,
    };
    let mut store = Store::create(&options.study, &config)?;
    let _lock = StudyLock::take(&options.study)?;
    search(&mut store, &options.study, trials, &loaded, device, options.machine.threads())
}

/// Goes on with a study.
pub(crate) fn resume(options: &options::Resume) -> Result<Outcome> {
    let device = train::device::parse(&options.machine.device)?;
    let mut store = Store::open(&options.study)?;
    let _lock = StudyLock::take(&options.study)?;
    let trials = options.trials.unwrap_or(store.config().trials);
    let loaded = StudyData::of_study(store.config(), options.data.as_deref())?;
    search(&mut store, &options.study, trials, &loaded, device, options.machine.threads())
}

/// The training of a study, of trials and of finished networks: the preset's with what the user set.
fn training(options: &options::Training, preset: &Preset) -> Result<(TrainConfig, TrainConfig)> {
    let configured = |mut config: TrainConfig, epochs: Option<f64>, qaft_epochs: Option<f64>| {
        config.float.epochs = epochs.unwrap_or(config.float.epochs);
        config.qaft.epochs = qaft_epochs.unwrap_or(config.qaft.epochs);
        config.float.learning_rate = options.learning_rate.unwrap_or(config.float.learning_rate);
        config.qaft.learning_rate = options.qaft_learning_rate.unwrap_or(config.qaft.learning_rate);
        for schedule in [&mut config.float, &mut config.qaft] {
            schedule.batch = options.batch.map_or(schedule.batch, |batch| batch as usize);
        }
        let augmentation = &mut config.augmentation;
        augmentation.crop_padding = options.crop_padding.map_or(augmentation.crop_padding, usize::from);
        augmentation.flip = options.flip.unwrap_or(augmentation.flip);
        config.check().map(|()| config)
    };
    let trial = configured(preset.training, options.epochs, options.qaft_epochs)?;
    Ok((trial, configured(preset.final_training, options.final_epochs, options.final_qaft_epochs)?))
}

fn search(
    store: &mut Store,
    folder: &Path,
    trials: u64,
    loaded: &StudyData,
    device: tch::Device,
    threads: usize,
) -> Result<Outcome> {
    let done = store.trials()?.iter().filter(|trial| !trial.is_running()).count() as u64;
    ensure!(
        trials >= done,
        "{}: the study has {done} trials already, more than the {trials} asked for",
        folder.display()
    );
    eprintln!("{}", table::HEADING);
    let mut trainer = Trainer::new(store.config(), loaded, device, threads, done, trials)?;
    let ending = session::run(store, trials, &mut trainer)?;
    drop(trainer);
    let finished = store.trials()?.iter().filter(|trial| trial.measured().is_some()).count();
    let show = folder.display();
    match ending {
        Ending::Interrupted => {
            eprintln!(
                "stopped after {finished} finished trials; `bomp-search resume --study {show}` goes on"
            );
            return Ok(Outcome::Interrupted);
        }
        Ending::Exhausted => eprintln!("every network within the limits has been tried"),
        Ending::Complete => {}
    }
    if finished == 0 {
        bail!("{show}: no trial succeeded; `bomp-search status --study {show}` lists the reasons");
    }
    eprintln!(
        "{finished} finished trials; `bomp-search pareto --study {show}` shows the best, `finalise` finishes them"
    );
    Ok(Outcome::Done)
}
