//! The search with its default options on data of any difficulty: it finds where small networks are no better than a constant
//! answer, it leaves such networks alone, and it says where nothing counts. Accuracies are a formula over the real networks.

use bomp_export::data::{ClassImages, Summary};
use bomp_search::front;
use bomp_search::proposal::Proposer;
use bomp_search::report::{Finished, Report, Source};
use bomp_search::space::{Limits, Space, Usage};
use bomp_search::stream::stream;
use bomp_search::study::{
    DataConfig, Measured, Objective, Preset, Proposal, StrategyKind, StudyConfig, Trial, TrialState,
};
use rand::RngExt;

const IMAGES: u64 = 2_000;
const TRIALS: u64 = 40;

/// Of data with so many validation images of each class.
fn summary(validation: &[usize]) -> Summary {
    let class = |&validation: &usize| ClassImages {
        name: "synthetic".into(),
        training: 9 * validation,
        validation,
        test: validation,
    };
    Summary {
        name: "synthetic".into(),
        shape: [28, 28, 1],
        training: 9 * validation.iter().sum::<usize>(),
        validation: validation.iter().sum(),
        test: validation.iter().sum(),
        range: [0, 255],
        classes: validation.iter().map(class).collect(),
        constant_answer: validation.iter().copied().max().unwrap_or(0),
        commonest: "synthetic".into(),
        test_seen: 0,
        validation_seen: 0,
        contradictory: 0,
        constant: 0,
        dark: 0,
        notes: Vec::new(),
        warnings: Vec::new(),
    }
}

/// A study with the default options but for `strategy` and what `change` does.
fn config(strategy: StrategyKind, seed: u64, change: impl Fn(&mut Preset)) -> StudyConfig {
    let mut preset = Preset { trials: TRIALS, strategy, ..Preset::open("two-cores").unwrap() };
    change(&mut preset);
    let data = DataConfig {
        path: "synthetic".into(),
        format: "auto".into(),
        validation: "0.1".into(),
        name: "synthetic".into(),
        sha256: String::new(),
        summary: Some(summary(&[500; 4])),
        input: None,
    };
    let limits = Limits { max_size: Some(10_000), ..Limits::default() };
    preset.config(seed, Space::open("extended").unwrap(), limits, data)
}

/// From 25 % for the smallest networks to 65 %; it takes both bytes and MACs.
fn hard(usage: Usage) -> f64 {
    let size = ((usage.bytes as f64).log10() - 2.6) / 1.4;
    let work = ((usage.macs as f64).log10() - 4.5) / 2.0;
    0.25 + 0.4 * size.clamp(0.0, 1.0) * work.clamp(0.0, 1.0)
}

/// Trials of the study of `config`, each with the luck of counting [`IMAGES`] images after a training of its own.
fn search(config: &StudyConfig, accuracy: impl Fn(Usage) -> f64) -> Vec<Trial> {
    let proposer = Proposer::new(config).unwrap();
    let mut trials: Vec<Trial> = Vec::new();
    for number in 0..config.trials {
        let proposal = proposer.next(&trials, None, &|_| true).unwrap().unwrap();
        let luck = 0.02 * (stream(config.seed, number, "luck").random::<f64>() - 0.5);
        let correct = (((accuracy(proposal.usage) + luck) * IMAGES as f64) as u64).min(IMAGES);
        let measured = Measured {
            correct,
            float_correct: correct,
            images: IMAGES,
            trained_images: 27_000,
            seconds: 1.0,
            halfway: None,
            by_class: Vec::new(),
        };
        let Proposal { genotype, usage, weights_from } = proposal;
        trials.push(Trial {
            number,
            genotype,
            usage,
            weights_from,
            worker: None,
            state: TrialState::Finished(measured),
        });
    }
    trials
}

fn remarks(config: &StudyConfig, trials: &[Trial]) -> Vec<String> {
    let source = Source { name: "", config, trials, finished: &Finished::default() };
    Report::of(&[source]).unwrap().studies.remove(0).remarks
}

#[test]
fn with_half_of_the_trials_it_finds_what_random_networks_find_and_wastes_none_on_tiny_ones() {
    for seed in 1..=3 {
        let default = |strategy| config(strategy, seed, |_| ());
        let random = search(&default(StrategyKind::Random), hard);
        let found = search(&default(StrategyKind::Ehvi), hard);
        let config = default(StrategyKind::Ehvi);
        let half = front::hypervolume(&config, &found[..TRIALS as usize / 2]);
        let all = front::hypervolume(&config, &random);
        assert!(half >= all, "seed {seed}: {half} after half of the trials, random networks have {all}");
        // Better than a constant answer, and by little: less than a third of the way to the best.
        let low = |trial: &&Trial| trial.measured().unwrap().accuracy() < 0.25 + 0.4 / 3.0;
        let wasted = found[4..].iter().filter(low).count();
        // Without a preference it is three in five.
        assert!(wasted * 5 <= 2 * found.len(), "seed {seed}: {wasted} of {TRIALS} trials");
    }
}

#[test]
fn a_reference_that_no_network_reaches_is_told_with_one_that_the_search_can_use() {
    let unreachable = |preset: &mut Preset| preset.reference_accuracy = Some("80".parse().unwrap());
    let config = config(StrategyKind::Ehvi, 1, unreachable);
    let trials = search(&config, hard);
    assert_eq!(front::hypervolume(&config, &trials), 0.0);
    let remarks = remarks(&config, &trials);
    let line = remarks.iter().find(|remark| remark.contains("hypervolume 0")).expect("it is said");
    let (_, rest) = line.split_once("--reference-accuracy ").expect("a remedy");
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    // The remedy, to the letter.
    let mut lower = config.clone();
    lower.reference_percent = Some(number.parse().unwrap());
    assert!(lower.least_accuracy() > 0.25 && front::hypervolume(&lower, &trials) > 0.0, "{line}");
}

#[test]
fn networks_no_better_than_a_constant_answer_are_told() {
    let config = config(StrategyKind::Ehvi, 1, |preset| preset.trials = 12);
    let trials = search(&config, |_| 0.25);
    let said = remarks(&config, &trials);
    assert!(
        said.iter().any(|remark| remark.contains("constant answer") && remark.contains("--epochs")),
        "{said:?}"
    );
    let clear = search(&config, hard);
    assert!(remarks(&config, &clear).iter().all(|remark| !remark.contains("constant answer")));
}

#[test]
fn a_surrogate_that_explains_hardly_anything_is_told_and_one_that_explains_is_not() {
    // What no quantity of a network explains.
    let luck = |usage: Usage| stream(usage.macs, usage.bytes as u64, "luck of a network").random::<f64>();
    for seed in 1..=6 {
        let config = config(StrategyKind::Random, seed, |_| ());
        let said = remarks(&config, &search(&config, |usage| 0.3 + 0.4 * luck(usage)));
        assert!(
            said.iter().any(|remark| remark.contains("explains hardly anything")),
            "seed {seed}: {said:?}"
        );
        assert_eq!(remarks(&config, &search(&config, hard)), Vec::<String>::new());
    }
}

#[test]
fn a_study_of_before_keeps_its_reference_as_the_fraction_that_it_was() {
    let mut json = serde_json::to_value(config(StrategyKind::Ehvi, 1, |_| ())).unwrap();
    json["reference_accuracy"] = 0.6.into();
    json["data"].as_object_mut().unwrap().remove("summary");
    let old: StudyConfig = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((old.reference_accuracy(), old.least_accuracy()), (Some(0.6), 0.6));
    assert_eq!(serde_json::to_value(&old).unwrap(), json, "its SHA-256 stays");
    let new = config(StrategyKind::Ehvi, 1, |preset| preset.reference_accuracy = Some("60".parse().unwrap()));
    assert_eq!((new.least_accuracy(), front::reference(&new)), (0.6, front::reference(&old)));
    assert!(serde_json::to_value(&new).unwrap().get("reference_accuracy").is_none());
}

#[test]
fn without_a_reference_the_hypervolume_counts_from_the_constant_answer() {
    let mut config = config(StrategyKind::Ehvi, 1, |_| ());
    assert_eq!(config.least_accuracy(), 0.25);
    config.data.summary = Some(summary(&[300, 1_400, 200, 100]));
    assert_eq!(config.least_accuracy(), 0.7);
    config.objective = Objective::BalancedAccuracy;
    assert_eq!(config.least_accuracy(), 0.25, "every class counts alike");
    config.data.summary = None;
    assert_eq!(config.least_accuracy(), 0.1, "as many images of each of ten classes");
    assert_eq!(config.score().reference_accuracy, Some(0.8), "the paper's score keeps the paper's reference");
}
