//! What is gathered, against the trials it is gathered from.

use bomp_export::testing::{Limits, candidate};

use super::synthetic::Study;
use super::{all_plots, report};
use crate::report::Finished;
use crate::study::Trial;

#[test]
fn data_are_those_of_the_trials() {
    let study = Study::new("data", 3, 60, true, true).finished();
    let report = report(std::slice::from_ref(&study));
    let data = &report.studies[0];
    let measured: Vec<&Trial> = study.trials.iter().filter(|trial| trial.measured().is_some()).collect();
    assert_eq!((data.counts.asked, data.counts.running, data.counts.failed), (60, 1, 3));
    assert_eq!(data.counts.finished as usize, measured.len());
    assert_eq!(data.trained_images, 81_000 * measured.len() as u64);
    assert!(report.is_running() && !report.is_complete());

    // The front is what a comparison of all pairs finds.
    let accuracy = |trial: &Trial| trial.measured().unwrap().accuracy();
    let beaten = |trial: &Trial| {
        measured.iter().any(|other| {
            let (a, b) = (accuracy(other), accuracy(trial));
            let (size, other_size) = (trial.usage.bytes, other.usage.bytes);
            // Of equals the first one is on the front.
            let equal = a == b && other_size == size && other.number < trial.number;
            (a >= b && other_size < size) || (a > b && other_size <= size) || equal
        })
    };
    let mut expected: Vec<u64> = measured.iter().filter(|t| !beaten(t)).map(|t| t.number).collect();
    let mut found = data.front.clone();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    assert!(data.trials.iter().all(|row| row.on_front == expected.contains(&row.trial.number)));

    // One study alone is measured from its own corner, whatever the way.
    let last = data.progress.last().unwrap();
    assert!(data.hypervolume > 0.0 && (last.hypervolume - data.hypervolume).abs() < 1e-12);
    assert_eq!((last.ended, last.trained_images), (59, data.trained_images));
    assert!(data.progress.windows(2).all(|w| w[0].hypervolume <= w[1].hypervolume));

    let summary = data.surrogate.as_ref().unwrap();
    let predicted: Vec<u64> = summary.predictions.iter().map(|p| p.trial).collect();
    assert_eq!(predicted, measured.iter().map(|trial| trial.number).collect::<Vec<_>>());
    assert_eq!(summary.importance.len(), study.config.space.genes().len());
    assert!(summary.importance.windows(2).all(|w| w[0].effect >= w[1].effect));
    assert!(summary.importance[0].effect > 0.0);

    let json = serde_json::to_value(&report).unwrap();
    let trials = &json["studies"][0]["trials"];
    assert_eq!((&trials[0]["state"], &trials[59]["state"]), (&"finished".into(), &"running".into()));
    assert_eq!(trials[0]["accuracy"], serde_json::json!(accuracy(&study.trials[0])));
    assert_eq!(trials[59]["accuracy"], serde_json::Value::Null);
}

#[test]
fn the_bit_map_has_a_row_for_each_slot_and_tells_the_genotypes() {
    let study = Study::new("bits", 3, 40, true, false);
    let report = report(std::slice::from_ref(&study));
    let map = &report.studies[0].bits;
    assert_eq!(map.rows.len(), study.config.space.slots() as usize);
    assert_eq!(map.trials, report.studies[0].front);
    for (column, &number) in map.trials.iter().enumerate() {
        let genotype = &study.trials[number as usize].genotype;
        let bits = |slot: &str| map.rows.iter().find(|row| row.slot == slot).unwrap().bits[column];
        assert_eq!(bits("stem"), Some(genotype.stem.bits.get()));
        assert_eq!(bits("conv2"), genotype.conv2.map(|conv2| conv2.bits.get()));
        let block = genotype.blocks[2];
        assert_eq!(bits("block 3 project"), block.map(|block| block.project.bits.get()));
        assert_eq!(bits("block 3 expand"), block.and_then(|b| b.expand).map(|expand| expand.bits.get()));
    }
}

#[test]
fn studies_side_by_side_keep_apart_and_share_a_corner() {
    let mut small = Study::new("same", 1, 10, true, false);
    small.config.limits.max_size = Some(12_000);
    let report = report(&[Study::new("same", 2, 10, true, false), small]);
    assert_eq!(report.studies[1].name, "same (2)");
    assert!((report.common_reference.log10_bytes - 12_001f64.log10()).abs() < 1e-12);
    let own = report.studies[0].hypervolume;
    assert!(report.studies[0].progress.last().unwrap().hypervolume > own);
    let mut names: Vec<String> = all_plots(&report).into_iter().map(|plot| plot.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(report.is_complete() && !report.is_running());
}

#[test]
fn finished_networks_are_those_of_the_study_and_what_is_wrong_with_others_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::new("final", 1, 4, true, false);
    let candidate_folder = |number: u64| folder.path().join(format!("trial-{number:04}")).join("candidate");
    let load = || Finished::load(folder.path(), &study.config, &study.trials);
    assert_eq!(load(), Finished::default());

    let mut candidate = candidate(1, &Limits::SMALL);
    candidate.provenance.config_sha256 = study.config.sha256();
    candidate.provenance.trial = 2;
    (candidate.provenance.test_images, candidate.provenance.integer_correct) = (8, 6);
    candidate.save(&candidate_folder(2)).unwrap();
    // The network of another trial, and a damaged one.
    candidate.save(&candidate_folder(0)).unwrap();
    candidate.save(&candidate_folder(1)).unwrap();
    std::fs::write(candidate_folder(1).join("weights.safetensors"), "").unwrap();

    let Finished { networks, problems } = load();
    assert_eq!(networks.len(), 1);
    assert_eq!((networks[0].trial, networks[0].accuracy()), (2, 0.75));
    assert_eq!(networks[0].size_bytes, bomp_export::layout::blob_bytes(&candidate.network));
    assert_eq!(problems.len(), 2);
    assert!(problems[0].contains("trial-0000") && problems[1].contains("trial-0001"));
}
