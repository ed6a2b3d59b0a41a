//! What a person sees while a study runs: the trials on one bar, the phase of the present trial on another, and one line
//! for each trial that has ended. Without a terminal only the lines.

use bomp_search::study::Trial;
use bomp_search::train::{Phase, Progress, Signal};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::table;

/// Set by Ctrl-C.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C sets the flag instead of ending the process; a second one ends it.
    pub(crate) fn install() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let flag = Arc::clone(&interrupt.0);
        ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("stopping; finished trials are kept (Ctrl-C again to stop at once)");
        })?;
        Ok(interrupt)
    }

    /// The answer to a training's progress.
    pub(crate) fn signal(&self) -> Signal {
        if self.0.load(Ordering::Relaxed) { Signal::Stop } else { Signal::Continue }
    }
}

/// The two bars.
pub(crate) struct Bars {
    trials: ProgressBar,
    phase: ProgressBar,
    shown: Option<Phase>,
}

impl Bars {
    /// For `total` pieces of work called `what` of which `done` are done.
    pub(crate) fn new(what: &str, done: u64, total: u64) -> Self {
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let both = MultiProgress::new();
        let trials = both.add(ProgressBar::new(total).with_position(done));
        trials.set_style(style("{prefix:>14} {bar:40} {pos}/{len} {elapsed_precise}"));
        trials.set_prefix(what.to_owned());
        let phase = both.add(ProgressBar::new(1));
        phase.set_style(style("{prefix:>14} {bar:40} {pos}/{len} images {per_sec} {eta} {msg}"));
        trials.tick();
        Self { trials, phase, shown: None }
    }

    /// Shows where a training is.
    pub(crate) fn training(&mut self, progress: &Progress) {
        if self.shown != Some(progress.phase) {
            self.shown = Some(progress.phase);
            self.phase.reset();
            self.phase.set_length(progress.of);
            self.phase.set_prefix(progress.phase.to_string());
        }
        self.phase.set_position(progress.images);
        self.phase.set_message(format!("loss {:.3}", progress.loss));
    }

    /// Shows that a trial has ended, also where there is no terminal.
    pub(crate) fn ended(&mut self, trial: &Trial) {
        self.line(&table::line(trial));
        self.step();
    }

    /// One piece of work is done.
    pub(crate) fn step(&mut self) {
        self.trials.inc(1);
        self.shown = None;
    }

    /// Prints a line above the bars.
    pub(crate) fn line(&self, line: &str) {
        self.trials.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.phase.finish_and_clear();
        self.trials.finish_and_clear();
    }
}
