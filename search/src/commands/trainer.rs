//! Evaluates trials with libtorch, telling how far each is.

use std::sync::atomic::{AtomicBool, Ordering};

use bomp_search::session::{Assignment, Evaluation, Evaluator};
use bomp_search::study::Trial;
use bomp_search::train::{Measurer, Observer, Progress, Signal};

use super::event::TrainingEvent;
use super::progress::{Interrupt, Listener};

/// What a worker trains on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) device: tch::Device,
    pub(super) threads: usize,
}

/// What a worker trains with, and whom it tells.
pub(super) struct Trainer {
    measurer: Measurer,
    listener: Box<dyn Listener>,
    interrupt: Interrupt,
}

impl Trainer {
    /// Measures with `measurer`.
    pub(super) fn new(measurer: Measurer, listener: Box<dyn Listener>, interrupt: Interrupt) -> Self {
        Self { measurer, listener, interrupt }
    }
}

/// Tells of one trial.
struct Watched<'a> {
    trial: u64,
    lost: &'a AtomicBool,
    listener: &'a mut dyn Listener,
    interrupt: &'a Interrupt,
}

impl Observer for Watched<'_> {
    fn progress(&mut self, progress: Progress) -> Signal {
        self.listener.training(&TrainingEvent::new(self.trial, &progress));
        if self.lost.load(Ordering::Relaxed) { Signal::Stop } else { self.interrupt.signal() }
    }

    fn note(&mut self, text: &str) {
        self.listener.note(text);
    }
}

impl Evaluator for Trainer {
    fn evaluate(&mut self, assignment: &Assignment, lost: &AtomicBool) -> Evaluation {
        let Self { measurer, listener, interrupt } = self;
        let mut watched = Watched { trial: assignment.number, lost, listener: &mut **listener, interrupt };
        measurer.evaluate(assignment, &mut watched)
    }

    fn begins(&mut self, number: u64, ended: u64) {
        self.listener.begins(number, ended);
    }

    fn ended(&mut self, trial: &Trial) {
        self.listener.ended(trial);
    }

    fn superseded(&mut self, number: u64) {
        self.listener.taken_over(number);
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    fn has_float(&self, trial: u64) -> bool {
        self.measurer.floats().has(trial)
    }
}
