//! Studies with an invented accuracy: the real store, session and optimiser, with nothing trained.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bomp_search::session::{Assignment, Evaluation, Evaluator};
use bomp_search::space::{Limits, Space};
use bomp_search::stream::stream;
use bomp_search::study::{DataConfig, Measured, Preset, StrategyKind, StudyConfig, Trial};
use rand::RngExt;

const IMAGES: u64 = 6_000;

/// A study of the space `extended` under tight limits.
///
/// # Panics
/// Never: preset and space are built in.
#[must_use]
pub fn config(strategy: StrategyKind, trials: u64, seed: u64) -> StudyConfig {
    let preset = Preset::open("two-cores").expect("built in");
    let preset = Preset { trials, strategy, ..preset };
    let data = DataConfig {
        path: "invented".into(),
        format: "auto".into(),
        validation: "0.1".into(),
        name: "invented".into(),
        sha256: String::new(),
        summary: None,
        input: None,
    };
    let limits = Limits { max_size: Some(9_000), max_ram: Some(16_000), max_macs: Some(1_000_000) };
    preset.config(seed, Space::open("extended").expect("built in"), limits, data)
}

/// What trial `number` of a network of this many bytes measures: larger is better, with some luck. `seconds` is said by whoever
/// measures.
#[must_use]
pub fn measured(number: u64, bytes: usize, seconds: f64) -> Measured {
    let luck: f64 = stream(9, number, "luck").random();
    let accuracy = 0.95 - 0.12 * (4.0 - (bytes as f64).log10()) - 0.1 * luck * luck;
    let correct = (accuracy * IMAGES as f64) as u64;
    Measured {
        correct,
        float_correct: correct + 10,
        images: IMAGES,
        trained_images: 81_000,
        seconds,
        halfway: None,
        by_class: Vec::new(),
    }
}

/// Measures after a while, without listening to anybody in between.
#[derive(Debug, Default)]
pub struct Invented {
    /// Mean time of a trial.
    pub time: Duration,
    /// What each trial says that it took.
    pub seconds: f64,
    /// Trials that this worker has ended.
    pub ended: Vec<Trial>,
    /// Trials that others took over from this worker.
    pub refused: Vec<u64>,
}

impl Evaluator for Invented {
    fn evaluate(&mut self, assignment: &Assignment, _lost: &AtomicBool) -> Evaluation {
        let share: f64 = stream(9, assignment.number, "time").random_range(0.5..1.5);
        std::thread::sleep(self.time.mul_f64(share));
        Evaluation::Finished(measured(assignment.number, assignment.proposal.usage.bytes, self.seconds))
    }

    fn begins(&mut self, _number: u64, _ended: u64) {}

    fn ended(&mut self, trial: &Trial) {
        self.ended.push(trial.clone());
    }

    fn superseded(&mut self, number: u64) {
        self.refused.push(number);
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn has_float(&self, _lead: u64) -> bool {
        true
    }
}
