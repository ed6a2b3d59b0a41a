//! `bomp-search report`: studies as a page of plots and tables. Works while they run, and with `--watch` follows them.

use std::time::Duration;

use anyhow::Result;
use bomp_export::text;
use bomp_search::report::{self, Finished, Report, Source};
use bomp_search::study::{Location, StudyConfig, Trial};
use bomp_search::train::Signal;

use super::progress::Interrupt;
use super::{CommandOutcome, options};

/// Seconds after which a page that is still changing loads itself again.
const REFRESH: u32 = 10;
/// How often `--watch` looks at the studies.
const LOOK: Duration = Duration::from_secs(5);

/// A study as it is on disk.
#[derive(PartialEq)]
struct Loaded {
    name: String,
    config: StudyConfig,
    trials: Vec<Trial>,
    finished: Finished,
}

/// Writes the report, once or until the studies are complete.
pub(crate) fn run(options: &options::ReportOptions) -> Result<CommandOutcome> {
    let interrupt = if options.watch { Interrupt::install()? } else { Interrupt::default() };
    let out = options.out.clone().unwrap_or_else(|| options.study[0].files().join("report"));
    let mut written: Option<Vec<Loaded>> = None;
    loop {
        let studies = options.study.iter().map(load).collect::<Result<Vec<_>>>()?;
        if written.as_ref() != Some(&studies) {
            let report = Report::of(&studies.iter().map(source).collect::<Vec<_>>())?;
            let follow = options.watch && !report.is_complete();
            let page = report::write(&report, &out, (follow || report.is_running()).then_some(REFRESH))?;
            if options.json {
                println!("{}", text::json(&serde_json::to_string_pretty(&report)?));
            } else if written.is_none() {
                println!("{}", page.display());
            }
            if !follow {
                return Ok(CommandOutcome::Done);
            }
            written = Some(studies);
        }
        if interrupt.signal() == Signal::Stop {
            return Ok(CommandOutcome::Interrupted);
        }
        std::thread::sleep(LOOK);
    }
}

fn load(study: &Location) -> Result<Loaded> {
    let (config, trials) = study.read()?;
    let finished = Finished::load(&study.files().join("final"), &config, &trials);
    Ok(Loaded { name: study.name(), config, trials, finished })
}

fn source(study: &Loaded) -> Source<'_> {
    Source { name: &study.name, config: &study.config, trials: &study.trials, finished: &study.finished }
}
