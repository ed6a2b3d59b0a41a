//! The study's loop with a synthetic evaluator: policies that share a network, trainings given up, interruption and
//! resumption, whatever the strategy.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bomp_search::front;
use bomp_search::quantity::Percent;
use bomp_search::session::{Assignment, Ending, Evaluation, Evaluator, run};
use bomp_search::space::genotype::Genotype;
use bomp_search::space::{Limits, Space};
use bomp_search::stream::stream;
use bomp_search::study::{
    DataConfig, GivenUp, Halfway, Location, Measured, Preset, StrategyKind, StudyConfig, Trial, TrialState,
    Worker,
};
use clap::ValueEnum;
use rand::RngExt;

const IMAGES: u64 = 10_000;

fn config(strategy: StrategyKind, policies_per_network: u64, early_stopping: bool) -> StudyConfig {
    let preset = Preset {
        trials: 40,
        strategy,
        policies_per_network,
        early_stopping,
        reference_accuracy: Some(Percent::new(60.0).unwrap()),
        ..Preset::open("two-cores").unwrap()
    };
    let data = DataConfig {
        path: "synthetic".into(),
        format: "auto".into(),
        validation: "0.1".into(),
        name: "synthetic".into(),
        sha256: String::new(),
        summary: None,
        input: None,
    };
    let limits = Limits { max_size: Some(9_000), max_ram: Some(16_000), max_macs: Some(1_000_000) };
    preset.config(5, Space::open("extended").unwrap(), limits, data)
}

/// Accuracy grows with the size; halfway is most of the way, with some chance.
struct Synthetic {
    /// Stops before the trial of this number.
    interrupt_before: Option<u64>,
    trials: Vec<Trial>,
}

impl Synthetic {
    fn new(interrupt_before: Option<u64>) -> Self {
        Self { interrupt_before, trials: Vec::new() }
    }
}

fn synthetic_accuracy(number: u64, bytes: usize) -> (f64, f64) {
    let mut random = stream(9, number, "accuracy");
    let quality: f64 = random.random();
    let end = 0.95 - 0.12 * (4.0 - (bytes as f64).log10()) - 0.25 * quality * quality;
    (end - 0.15 * (1.0 - end) - 0.01 * random.random::<f64>(), end)
}

impl Evaluator for Synthetic {
    fn evaluate(&mut self, assignment: &Assignment, _lost: &AtomicBool) -> Evaluation {
        if self.interrupt_before == Some(assignment.number) {
            return Evaluation::Interrupted;
        }
        let weights_from = assignment.proposal.weights_from.unwrap_or(assignment.number);
        let (halfway, end) = synthetic_accuracy(weights_from, assignment.proposal.usage.bytes);
        let seen = Halfway { correct: (halfway * 2_000.0) as u64, images: 2_000, balanced_accuracy: None };
        if let Some(hurdle) = &assignment.hurdle
            && !hurdle.clears(seen.accuracy())
        {
            return Evaluation::GivenUp(GivenUp {
                halfway: seen,
                expected_accuracy: hurdle.forecast.expected(seen.accuracy()),
                bound: hurdle.forecast.bound(seen.accuracy()),
                level: hurdle.level,
                trained_images: 27_000,
                saved_images: 54_000,
                seconds: 1.0,
            });
        }
        Evaluation::Finished(Measured {
            correct: (end * IMAGES as f64) as u64,
            float_correct: (end * IMAGES as f64) as u64,
            images: IMAGES,
            trained_images: 81_000,
            seconds: 1.0,
            halfway: assignment.proposal.weights_from.is_none().then_some(seen),
            by_class: Vec::new(),
        })
    }

    fn begins(&mut self, _number: u64, _ended: u64) {}

    fn ended(&mut self, trial: &Trial) {
        self.trials.push(trial.clone());
    }

    fn superseded(&mut self, number: u64) {
        panic!("there is no other worker that could take trial {number}");
    }

    fn is_interrupted(&self) -> bool {
        false
    }

    fn has_float(&self, _lead: u64) -> bool {
        true
    }
}

fn study(folder: &Path, config: &StudyConfig) -> Vec<Trial> {
    let mut store = Location::from(folder.to_owned()).create(config).unwrap();
    let mut evaluator = Synthetic::new(None);
    assert_eq!(
        run(&mut *store, &Worker::default(), config.trials, &mut evaluator).unwrap(),
        Ending::Complete
    );
    assert_eq!(evaluator.trials, store.trials().unwrap());
    evaluator.trials
}

/// Everything of a network but its bit widths.
fn architecture(genotype: &Genotype) -> String {
    let mut json = serde_json::to_value(genotype).unwrap();
    fn strip(value: &mut serde_json::Value) {
        if let Some(object) = value.as_object_mut() {
            object.remove("bits");
            object.values_mut().for_each(strip);
        }
        value.as_array_mut().into_iter().flatten().for_each(strip);
    }
    strip(&mut json);
    json.to_string()
}

#[test]
fn every_strategy_interrupted_anywhere_goes_on_as_if_it_had_not_been() {
    for &strategy in StrategyKind::value_variants() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(strategy, 3, true);
        config.trials = 16;
        let whole = study(&folder.path().join("whole"), &config);
        let parts = Location::from(folder.path().join("parts"));
        parts.create(&config).unwrap();
        for interrupt_before in [Some(1), Some(5), Some(6), Some(11), None] {
            let mut store = parts.open().unwrap();
            run(&mut *store, &Worker::default(), config.trials, &mut Synthetic::new(interrupt_before))
                .unwrap();
        }
        assert_eq!(parts.open().unwrap().trials().unwrap(), whole, "{strategy:?}");
    }
}

#[test]
fn policies_share_an_architecture_and_differ_in_widths() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(StrategyKind::Ehvi, 4, false);
    let trials = study(folder.path(), &config);
    let mut networks: BTreeMap<u64, Vec<&Trial>> = BTreeMap::new();
    for trial in &trials {
        networks.entry(trial.weights_from.unwrap_or(trial.number)).or_default().push(trial);
        assert!(config.limits.admit(&config.space.network(&trial.genotype)));
    }
    // New networks and further policies, each where it promises more for its cost.
    assert!((10..=30).contains(&networks.len()), "{} networks in 40 trials", networks.len());
    assert!(
        trials
            .iter()
            .any(|trial| trial.weights_from.is_some_and(|weights_from| weights_from + 4 < trial.number))
    );
    for (weights_from, policies) in &networks {
        assert!(policies.len() <= 4, "trial {weights_from}");
        assert!(policies.iter().all(|trial| trial.number >= *weights_from));
        let expected = architecture(&trials[*weights_from as usize].genotype);
        assert!(policies.iter().all(|trial| architecture(&trial.genotype) == expected));
        for (i, a) in policies.iter().enumerate() {
            assert!(policies[i + 1..].iter().all(|b| a.genotype != b.genotype));
        }
    }
    let mut architectures: Vec<String> =
        networks.keys().map(|&weights_from| architecture(&trials[weights_from as usize].genotype)).collect();
    architectures.sort();
    architectures.dedup();
    assert_eq!(architectures.len(), networks.len(), "a network was trained twice");
}

#[test]
fn what_is_given_up_would_hardly_have_been_on_the_front() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(StrategyKind::Random, 1, true);
    config.trials = 200;
    let trials = study(folder.path(), &config);
    let (mut given_up, mut lost) = (0, 0);
    for trial in &trials {
        let TrialState::GivenUp(figures) = &trial.state else { continue };
        given_up += 1;
        assert!(figures.bound <= figures.level);
        let cost = (trial.usage.bytes as f64).log10();
        let before = front::of_study(&config, &trials[..trial.number as usize]);
        lost += u64::from(synthetic_accuracy(trial.number, trial.usage.bytes).1 > before.level(cost));
    }
    assert!(given_up >= 100, "{given_up} of 200 were given up");
    assert!(lost <= 2, "{lost} of {given_up} would have improved the front");
    // Without the option nothing is.
    config.early_stopping = false;
    let trials = study(&folder.path().join("without"), &config);
    assert!(trials.iter().all(|trial| trial.measured().is_some()));
}
