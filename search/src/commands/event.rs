//! What a worker tells other programs while it works: one JSON object in each line of its standard output.

use std::io::Write;
use std::time::{Duration, Instant};

use bomp_export::data::Summary;
use bomp_search::study::Trial;
use bomp_search::train::Progress;
use serde::{Deserialize, Serialize};

use super::progress::Listener;

/// Between two reports of the same training.
const PAUSE: Duration = Duration::from_millis(500);

/// Where the training of a trial is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainingEvent {
    pub(crate) trial: u64,
    /// What is being trained.
    pub(crate) phase: String,
    /// Images trained on in this phase.
    pub(crate) images: u64,
    /// Images of the whole phase.
    pub(crate) of: u64,
    /// Loss of the last batch.
    pub(crate) loss: f64,
}

impl TrainingEvent {
    /// Of the trial of this number.
    pub(crate) fn new(trial: u64, progress: &Progress) -> Self {
        let Progress { phase, images, of, loss } = *progress;
        Self { trial, phase: phase.to_string(), images, of, loss }
    }
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The worker's name in the study.
    pub(crate) worker: String,
    /// What happened.
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// What can happen to a worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(crate) enum Event {
    /// What the data of a new study are, before any worker joins it.
    Data {
        /// As `bomp-search data --json` prints it.
        summary: Box<Summary>,
    },
    /// It has joined the study.
    Joined,
    /// A trial begins.
    Begins {
        /// The trial.
        trial: u64,
        /// Trials of the study that have ended.
        ended: u64,
    },
    /// Where its training is, about twice a second.
    Training(TrainingEvent),
    /// This worker has ended a trial.
    Ended {
        /// The trial, as `status --json` shows it.
        trial: Box<Trial>,
    },
    /// Another worker has taken a trial over from this one.
    TakenOver {
        /// The trial.
        trial: u64,
    },
}

impl Line {
    /// Prints it. Nobody may be listening any more; that is no reason to stop.
    pub(crate) fn print(&self) {
        let mut line = serde_json::to_string(self).expect("an event has no keys that are not strings");
        line.push('\n');
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// Tells all of it to the reader of standard output.
#[derive(Debug)]
pub(crate) struct Events {
    worker: String,
    /// What was said last of a training, and when.
    last: Option<(u64, String, Instant)>,
}

impl Events {
    /// The worker of this name has joined.
    pub(crate) fn new(worker: &str) -> Self {
        let events = Self { worker: worker.to_owned(), last: None };
        events.print(Event::Joined);
        events
    }

    fn print(&self, event: Event) {
        Line { worker: self.worker.clone(), event }.print();
    }
}

impl Listener for Events {
    fn begins(&mut self, trial: u64, ended: u64) {
        self.print(Event::Begins { trial, ended });
    }

    fn training(&mut self, training: &TrainingEvent) {
        let again = self.last.as_ref().is_some_and(|(trial, phase, at)| {
            *trial == training.trial && *phase == training.phase && at.elapsed() < PAUSE
        });
        if !again {
            self.last = Some((training.trial, training.phase.clone(), Instant::now()));
            self.print(Event::Training(training.clone()));
        }
    }

    fn ended(&mut self, trial: &Trial) {
        self.print(Event::Ended { trial: Box::new(trial.clone()) });
    }

    fn taken_over(&mut self, trial: u64) {
        self.print(Event::TakenOver { trial });
    }

    fn note(&mut self, text: &str) {
        eprintln!("{text}");
    }
}
