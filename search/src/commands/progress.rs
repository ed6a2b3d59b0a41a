//! What a person sees while a study runs: the trials on one bar with the time left for all of them, what each worker does on
//! another, and one line for each trial that has ended, also with the time left. Without a terminal only the lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bomp_search::report::data::remarks;
use bomp_search::study::{StudyConfig, Trial};
use bomp_search::train::Signal;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::event::TrainingEvent;
use super::pace::{self, Pace};
use super::table;

/// Whether `--quiet` was given.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on nothing is shown but results and errors.
pub(crate) fn be_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Tells a person what happens, on standard error.
pub(crate) fn note(line: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        eprintln!("{}", bomp_export::text::lines(line));
    }
}

/// Set by Ctrl-C, or by the end of the command that leads this worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C and SIGTERM set the flag instead of ending the process; a second one ends it.
    pub(crate) fn install() -> anyhow::Result<Self> {
        Self::with(|| note("stopping; finished trials are kept (Ctrl-C again to stop at once)"))
    }

    /// The same for a worker that another command has started: it also stops when that command closes its standard input,
    /// which it does at the latest when it dies.
    pub(crate) fn install_led() -> anyhow::Result<Self> {
        let interrupt = Self::with(|| ())?;
        let flag = Arc::clone(&interrupt.0);
        std::thread::spawn(move || {
            // Nothing is ever written: this ends when the other end has gone.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            flag.store(true, Ordering::Relaxed);
        });
        Ok(interrupt)
    }

    fn with(say: impl Fn() + Send + 'static) -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let flag = Arc::clone(&interrupt.0);
        ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::Relaxed) {
                // An exit would take libtorch down beneath the threads that are training. What is kept is kept by then.
                std::process::abort();
            }
            say();
        })?;
        Ok(interrupt)
    }

    /// Whether it was set.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The answer to a training's progress.
    pub(crate) fn signal(&self) -> Signal {
        if self.is_set() { Signal::Stop } else { Signal::Continue }
    }
}

/// Whom a worker tells what it does.
pub(crate) trait Listener {
    /// A trial begins; `ended` trials of the study have ended by now, whoever ended them.
    fn begins(&mut self, trial: u64, ended: u64);
    /// Where its training is.
    fn training(&mut self, training: &TrainingEvent);
    /// This worker has ended a trial.
    fn ended(&mut self, trial: &Trial);
    /// Another worker has taken a trial over from this one.
    fn taken_over(&mut self, trial: u64);
    /// Something that the user should know, and that stops nothing.
    fn note(&mut self, text: &str);
}

/// Finished trials after which it is said if none of them counts: early enough to start again.
const EARLY: usize = 10;

/// One bar for the work as a whole, and one for each worker.
pub(crate) struct Bars {
    whole: ProgressBar,
    pace: Pace,
    lanes: Vec<Lane>,
    /// The study, until enough of its trials have finished to say whether they count.
    watched: Option<(StudyConfig, Vec<Trial>)>,
}

/// What one worker does.
struct Lane {
    bar: ProgressBar,
    shown: Option<String>,
}

impl Bars {
    /// For `total` pieces of work called `what` of which `done` are done, by this many workers. `estimate`: seconds from the end
    /// of one to that of the next, if known beforehand.
    pub(crate) fn new(what: &str, done: u64, total: u64, workers: usize, estimate: Option<f64>) -> Self {
        // Another command may have asked for more than this one.
        let total = total.max(done);
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let all = MultiProgress::new();
        if QUIET.load(Ordering::Relaxed) {
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        let whole = all.add(ProgressBar::new(total).with_position(done));
        whole.set_style(style("{prefix:>24} {bar:40} {pos}/{len} {elapsed_precise}{msg}"));
        whole.set_prefix(what.to_owned());
        let lane = |_| {
            let bar = all.add(ProgressBar::new(1));
            bar.set_style(style("{prefix:>24} {bar:40} {pos}/{len} images {per_sec} {eta} {msg}"));
            Lane { bar, shown: None }
        };
        let lanes = (0..workers).map(lane).collect();
        let pace = Pace::new(done, total, workers, estimate, Instant::now());
        let bars = Self { whole, pace, lanes, watched: None };
        bars.show_left();
        bars
    }

    /// Says once, after the first trials of the study of `config`, if none of them counts. `trials`: those that there are.
    pub(crate) fn watching(mut self, config: &StudyConfig, trials: Vec<Trial>) -> Self {
        let finished: Vec<Trial> = trials.into_iter().filter(|trial| trial.measured().is_some()).collect();
        self.watched = (finished.len() < EARLY).then(|| (config.clone(), finished));
        self
    }

    /// Shows where the training of a worker is.
    pub(crate) fn show(&mut self, worker: usize, training: &TrainingEvent) {
        let Lane { bar, shown } = &mut self.lanes[worker];
        let prefix = format!("trial {}, {}", training.trial, training.phase);
        if shown.as_ref() != Some(&prefix) {
            bar.reset();
            bar.set_length(training.of);
            bar.set_prefix(prefix.clone());
            *shown = Some(prefix);
        }
        bar.set_position(training.images);
        bar.set_message(format!("loss {:.3}", training.loss));
        self.show_left();
    }

    /// Shows that a trial has ended, also where there is no terminal.
    pub(crate) fn show_ended(&mut self, trial: &Trial) {
        self.step();
        self.line(&format!("{}   {}", table::line(trial), self.state()));
        let Some((_, finished)) = &mut self.watched else { return };
        finished.extend(trial.measured().is_some().then(|| trial.clone()));
        if finished.len() >= EARLY
            && let Some((config, finished)) = self.watched.take()
            && let Some(remark) = remarks::of_accuracies(&config, &finished)
        {
            self.line(&format!("note: after {EARLY} trials {remark}"));
        }
    }

    /// One piece of work is done.
    pub(crate) fn step(&mut self) {
        self.set_done(self.whole.position() + 1);
    }

    /// This many pieces of work are done.
    pub(crate) fn set_done(&mut self, done: u64) {
        if self.whole.length().is_some_and(|length| done > length) {
            self.whole.set_length(done);
        }
        if done > self.whole.position() {
            self.pace.ended(done, Instant::now());
        }
        self.whole.set_position(done);
        self.show_left();
    }

    /// `12 of 50, about 38 min left`.
    fn state(&self) -> String {
        let (done, total) = (self.whole.position(), self.whole.length().unwrap_or_default());
        let left = self.pace.left(Instant::now()).filter(|_| done < total);
        let left = left.map_or_else(String::new, |left| format!(", about {} left", pace::words(left)));
        format!("{done} of {total}{left}")
    }

    fn show_left(&self) {
        let left =
            self.pace.left(Instant::now()).filter(|_| Some(self.whole.position()) < self.whole.length());
        let left = left.map_or_else(String::new, |left| format!(", about {} left", pace::words(left)));
        self.whole.set_message(left);
    }

    /// Prints a line above the bars.
    pub(crate) fn line(&self, line: &str) {
        self.whole.suspend(|| note(line));
    }
}

impl Listener for Bars {
    fn begins(&mut self, _trial: u64, ended: u64) {
        self.set_done(ended);
    }

    fn training(&mut self, training: &TrainingEvent) {
        self.show(0, training);
    }

    fn ended(&mut self, trial: &Trial) {
        self.show_ended(trial);
    }

    fn taken_over(&mut self, trial: u64) {
        self.line(&format!(
            "{trial:>5} taken over by another worker: this one was silent for longer than the grace time"
        ));
    }

    fn note(&mut self, text: &str) {
        self.line(text);
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        for Lane { bar, .. } in &self.lanes {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
    }
}
