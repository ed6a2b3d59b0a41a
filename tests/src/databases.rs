//! Studies whose database is damaged: an error in one line or the truth, never a panic, and what can be read is saved.

use std::fmt;
use std::fs;
use std::path::Path;

use bomp_search::session;
use bomp_search::stream::stream;
use bomp_search::study::{Location, Salvaged, StrategyKind, Trial, Worker};
use rand::Rng;

use crate::invented::{self, Invented};

/// Trials of the study.
const TRIALS: u64 = 60;
/// Bytes of a page of the database.
const PAGE: usize = 4_096;

/// What was done to databases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Damaged {
    /// Databases damaged.
    pub tried: u64,
    /// Of them still read whole and true.
    pub whole: u64,
    /// Refused with an error.
    pub refused: u64,
    /// Trials of the refused ones, and how many of them were saved.
    pub trials: [u64; 2],
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, refused, trials: [all, saved], .. } = self;
        write!(f, "{whole} read whole, {refused} refused; of the {all} trials of those, {saved} were saved")
    }
}

/// A kind of damage to one page.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Zeros,
    Noise,
    Cut,
}

/// Damages every `step`-th page of a study's database in every way.
///
/// # Panics
/// If a wrong figure is read, a salvage invents something, or an error says nothing of the remedy.
pub fn damage(step: usize, mut tell: impl FnMut(usize, usize)) -> Damaged {
    let place = tempfile::tempdir().expect("a temporary folder");
    let folder = place.path().join("study");
    let trials = made(&folder);
    let file = fs::read(folder.join("study.sqlite")).expect("the study's file");
    let pages = file.len() / PAGE;
    assert!(pages > 5, "the study has {pages} pages");
    let mut found = Damaged::default();
    let cases: Vec<(usize, Kind)> = (0..pages)
        .step_by(step)
        .flat_map(|page| [Kind::Zeros, Kind::Noise, Kind::Cut].map(|kind| (page, kind)))
        .collect();
    for (index, &(page, kind)) in cases.iter().enumerate() {
        let mut bytes = file.clone();
        let range = page * PAGE..(page + 1) * PAGE;
        match kind {
            Kind::Zeros => bytes[range].fill(0),
            Kind::Noise => stream(1, page as u64, "noise").fill_bytes(&mut bytes[range]),
            Kind::Cut => bytes.truncate(range.start),
        }
        let target = place.path().join(format!("damaged-{index}"));
        fs::create_dir(&target).expect("a folder of this test");
        fs::write(target.join("study.sqlite"), &bytes).expect("a file of this test");
        fs::copy(folder.join("trials.jsonl"), target.join("trials.jsonl")).expect("a file of this test");
        one(&target, &trials, &mut found, &format!("page {page} of {pages}, {kind:?}"));
        fs::remove_dir_all(&target).expect("a folder of this test");
        tell(index + 1, cases.len());
    }
    found
}

/// Makes a study, and says what its trials are.
///
/// # Panics
/// If it cannot be made.
#[must_use]
pub fn made(folder: &Path) -> Vec<Trial> {
    let config = invented::config(StrategyKind::Random, TRIALS, 1);
    let mut store = Location::from(folder.to_owned()).create(&config).expect("a new study");
    session::run(&mut *store, &Worker::default(), TRIALS, &mut Invented::default()).expect("it goes on");
    store.trials().expect("a whole study")
}

fn one(folder: &Path, truth: &[Trial], found: &mut Damaged, shown: &str) {
    found.tried += 1;
    let refused_before = found.refused;
    let read = Location::from(folder.to_owned()).read();
    match read {
        Ok((_, trials)) => {
            assert_eq!(trials, truth, "{shown}: other figures were read");
            found.whole += 1;
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.lines().count() == 1 && text.contains("salvage"), "{shown}: {text}");
            found.refused += 1;
            found.trials[0] += truth.len() as u64;
        }
    }
    // What is saved is true, wherever the damage is; a configuration that is gone is said to be.
    if let Ok(Salvaged { trials, .. }) = bomp_search::study::salvage(folder, None) {
        for trial in &trials {
            assert!(truth.contains(trial), "{shown}: trial {} is not the study's", trial.number);
        }
        if found.refused > refused_before {
            found.trials[1] += trials.len() as u64;
        }
    }
}
