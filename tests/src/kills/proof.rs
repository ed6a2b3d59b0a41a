//! Every trial is finished exactly once, none was lost or changed, and who came late was refused.

use std::collections::{BTreeMap, BTreeSet};

use bomp_search::study::{Trial, TrialState};

use super::audit::Records;
use super::crew::{Crew, Log};
use crate::invented;

/// Compares the study, what the database saw and what the workers were told; returns the number of refused writes.
pub(super) fn check(trials: &[Trial], records: &Records, crew: &Crew) -> usize {
    let logs = crew.logs();
    let processes: BTreeSet<u32> = logs.iter().map(|log| log.process).collect();

    // Each trial is finished, with the figures of its network as one of the workers measured them.
    let mut writers = BTreeMap::new();
    for (index, trial) in trials.iter().enumerate() {
        let number = trial.number;
        assert_eq!(number, index as u64);
        let TrialState::Finished(measured) = &trial.state else {
            panic!("trial {number}: {:?}", trial.state)
        };
        assert_eq!(*measured, invented::measured(number, trial.usage.bytes, measured.seconds));
        let writer = measured.seconds as u32;
        assert!(processes.contains(&writer), "trial {number}: written by nobody");
        writers.insert(number, writer);
    }
    let networks: BTreeSet<String> = trials.iter().map(|trial| format!("{:?}", trial.genotype)).collect();
    assert_eq!(networks.len(), trials.len(), "a network was tried twice");

    // The database saw each end once, and nothing after it.
    assert_eq!(records.changes, 0, "trials that had ended were changed");
    let mut seen = BTreeSet::new();
    for (number, state, measured) in &records.ends {
        assert!(seen.insert(*number), "trial {number} was finished twice");
        assert_eq!(state, "finished");
        let measured = serde_json::from_str(measured).expect("figures");
        assert_eq!(
            trials[*number as usize].state,
            TrialState::Finished(measured),
            "trial {number} was changed"
        );
    }
    assert_eq!(seen.len(), trials.len(), "a trial ended without being seen");

    // What the workers were told is true, and no two were told that they finished the same trial.
    let mut told = BTreeSet::new();
    for Log { process, ended, refused } in &logs {
        for number in ended {
            assert!(told.insert(*number), "two workers were told that they finished trial {number}");
            assert_eq!(writers[number], *process, "trial {number}: its acknowledged figures are lost");
        }
        for number in refused.iter().filter(|number| !ended.contains(number)) {
            assert_ne!(writers[number], *process, "trial {number} was written by a worker that was refused");
        }
    }
    logs.iter().map(|log| log.refused.len()).sum()
}
