//! `bomp-search worker`: one more process that works on a study, on this machine or, if the study is in a database, on any.

use anyhow::Result;
use bomp_search::data::StudyData;
use bomp_search::session::{self, Ending};
use bomp_search::train::{self, FloatNetworks, Measurer};

use super::event::Events;
use super::progress::{Bars, Interrupt, Listener, note};
use super::run::ended;
use super::trainer::Trainer;
use super::{CommandOutcome, options, table};

/// Works until the study is complete.
pub(crate) fn run(options: &options::WorkerOptions) -> Result<CommandOutcome> {
    let device = train::device::parse(&options.machine.device)?;
    let mut store = options.study.open()?;
    let trials = options.trials.unwrap_or(store.config().trials);
    let interrupt = if options.led { Interrupt::install_led()? } else { Interrupt::install()? };
    let loaded = StudyData::of_study(store.config(), options.data.as_deref())?;
    let worker = options.sharing.worker();
    let listener: Box<dyn Listener> = if options.json {
        Box::new(Events::new(&worker.id))
    } else {
        note(&format!("worker {} of {}", worker.id, options.study));
        note(&table::heading(store.config().objective));
        Box::new(Bars::new("trials", ended(&mut *store)?, trials, 1, None))
    };
    let folder = options.floats.clone().unwrap_or_else(|| options.study.files().join("float"));
    let floats = FloatNetworks::new(folder, options.study.is_folder() && options.floats.is_none());
    let measurer = Measurer::new(store.config(), &loaded, floats, device, options.machine.threads())?;
    let mut trainer = Trainer::new(measurer, listener, interrupt);
    drop(loaded);
    let ending = session::run(&mut *store, &worker, trials, &mut trainer)?;
    drop(trainer);
    match ending {
        Ending::Interrupted => Ok(CommandOutcome::Interrupted),
        Ending::Complete | Ending::Exhausted => Ok(CommandOutcome::Done),
    }
}
