//! Studies as a search might leave them, without any training: the accuracy is synthetic.

use std::path::PathBuf;

use bomp_export::data::{ClassImages, Summary};
use rand::RngExt;

use crate::bo::problem::{Point, Problem};
use crate::front;
use crate::quantity::Percent;
use crate::report::data::FinishedNetwork;
use crate::report::{Finished, Source};
use crate::space::{Limits, Space, SpaceProblem, Usage};
use crate::stream::stream;
use crate::study::{DataConfig, Measured, Preset, StudyConfig, Trial, TrialState};

/// A name that is markup wherever it is not escaped.
pub(super) const NASTY: &str = "a<script>alert(\"1\")</script>&'\u{1}b";

pub(super) struct Study {
    pub(super) name: String,
    pub(super) config: StudyConfig,
    pub(super) trials: Vec<Trial>,
    pub(super) finished: Finished,
}

impl Study {
    /// A study of `count` trials, drawn at random and later mutated from the front, of a synthetic accuracy; one in
    /// seventeen fails, and the last one is running if `open`.
    pub(super) fn new(name: &str, seed: u64, count: u64, learns: bool, open: bool) -> Self {
        let config = config(seed, count);
        let problem = SpaceProblem::new(config.space.clone(), config.limits).unwrap();
        let mut trials: Vec<Trial> = Vec::new();
        for number in 0..count {
            let mut rng = stream(seed, number, "invented");
            let best: Vec<&Trial> = front::of_trials(&trials);
            let point = match number {
                0 => problem.seed(),
                20.. if learns && !best.is_empty() => {
                    let parent = best[rng.random_range(0..best.len())];
                    let parent = config.space.point(&parent.genotype).unwrap();
                    let mut mutants = std::iter::repeat_with(|| problem.mutate(&parent, &mut rng));
                    mutants.find(|point| config.limits.admit(&problem.network(point))).unwrap()
                }
                _ => problem.sample(&mut rng),
            };
            let usage = Usage::of(&problem.network(&point));
            let state = match number {
                _ if open && number + 1 == count => TrialState::Running,
                n if n % 17 == 11 => TrialState::Failed { reason: format!("loss is {NASTY}") },
                _ => TrialState::Finished(measured(&config.space, &point, usage, rng.random())),
            };
            let genotype = config.space.genotype(&point);
            trials.push(Trial { number, genotype, usage, weights_from: None, worker: None, state });
        }
        Self { name: name.into(), config, trials, finished: Finished::default() }
    }

    /// The same with the networks of the front finished, a little better than they were.
    pub(super) fn finished(mut self) -> Self {
        for (index, trial) in front::of_trials(&self.trials).into_iter().enumerate() {
            let accuracy = trial.measured().unwrap().accuracy();
            let better = accuracy + (1.0 - accuracy) * (0.25 + 0.05 * (index % 3) as f64);
            self.finished.networks.push(FinishedNetwork {
                trial: trial.number,
                folder: PathBuf::from(format!("final/trial-{:04}/candidate", trial.number)),
                size_bytes: trial.usage.bytes,
                test_images: 10_000,
                float_correct: (10_050.0 * better) as usize,
                integer_correct: (10_000.0 * better) as usize,
                class_names: vec![NASTY.to_owned(); 10],
                class_images: vec![1_000; 10],
                class_correct: vec![(1_000.0 * better) as usize; 10],
                objective: self.config.objective,
                trained_images: 702_000,
            });
        }
        self
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source { name: &self.name, config: &self.config, trials: &self.trials, finished: &self.finished }
    }
}

fn config(seed: u64, trials: u64) -> StudyConfig {
    let limits = Limits { max_size: Some(10_000), max_ram: Some(32_000), max_macs: Some(2_000_000) };
    let data = DataConfig {
        path: "data".into(),
        format: "auto".into(),
        validation: "0.1".into(),
        name: NASTY.into(),
        sha256: "0".repeat(64),
        summary: Some(summary()),
        input: None,
    };
    let preset = Preset {
        trials,
        reference_accuracy: Some(Percent::new(60.0).unwrap()),
        ..Preset::open("two-cores").unwrap()
    };
    preset.config(seed, Space::open("extended").unwrap(), limits, data)
}

/// Accuracy that rises with size and MACs and falls with few bits in the classifier and a strided stem.
fn measured(space: &Space, point: &Point, usage: Usage, chance: f64) -> Measured {
    let genotype = space.genotype(point);
    let size = (usage.bytes as f64 / 800.0).log10();
    let macs = (usage.macs as f64 / 1e5).log10();
    let few_bits = f64::from(8 - genotype.classifier.bits.get()) * 0.02;
    let stride = (genotype.stem.stride as f64 - 1.0) * 0.3;
    let error = (-1.25 - 0.75 * size - 0.25 * macs + few_bits + stride + 0.25 * (chance - 0.5)).exp();
    let correct = (6000.0 * (1.0 - error).clamp(0.1, 1.0)) as u64;
    Measured {
        correct,
        float_correct: (correct + 40).min(6000),
        images: 6000,
        trained_images: 81_000,
        seconds: 30.0 + usage.macs as f64 / 1e5,
        halfway: None,
        by_class: Vec::new(),
    }
}

/// A summary with names that are markup wherever they are not escaped.
fn summary() -> Summary {
    let class = ClassImages { name: NASTY.into(), training: 7, validation: 2, test: 3 };
    Summary {
        name: NASTY.into(),
        shape: [28, 28, 1],
        training: 14,
        validation: 4,
        test: 6,
        range: [0, 255],
        classes: vec![class.clone(), class],
        constant_answer: 2,
        commonest: NASTY.into(),
        test_seen: 1,
        validation_seen: 0,
        contradictory: 0,
        constant: 0,
        dark: 0,
        notes: vec![NASTY.into()],
        warnings: vec![NASTY.into()],
    }
}
