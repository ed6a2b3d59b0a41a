//! Processes that are killed, cut from power, or run into a full or read-only disk at some of their write boundaries.
//! Damaged databases, two processes at once, a clock that goes back. `cargo xtask trust` takes every boundary and every page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bomp_search::proposal::Proposer;
use bomp_search::study::{Location, StrategyKind, Worker};
use bomp_tests::{databases, faults, invented, program, refuse, succeed};
use rusqlite::Connection;
use tempfile::TempDir;

const TRACER: &str = env!("CARGO_BIN_EXE_at-boundary");
const WORKER: &str = env!("CARGO_BIN_EXE_invented-worker");

#[test]
fn a_study_is_whole_wherever_its_process_stops() {
    let faults = faults::study(Path::new(TRACER), Path::new(WORKER), 27, |_, _| {});
    assert!(faults.boundaries > 50 && faults.runs >= 10, "{faults:?}");
}

#[test]
fn a_packed_model_is_the_old_one_or_the_new_one() {
    let faults = faults::pack(Path::new(TRACER), &program("bomp-export"), 3, |_, _| {});
    assert!(faults.boundaries >= 8 && faults.runs >= 12, "{faults:?}");
}

#[test]
fn a_damaged_database_is_refused_and_what_can_be_read_is_saved() {
    let found = databases::damage(4, |_, _| {});
    assert!(found.refused > 3 && found.trials[1] > found.trials[0] / 2, "{found}");
}

#[test]
fn salvage_makes_a_study_of_what_is_left() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (damaged, whole, saved) = (path("damaged"), path("whole.json"), path("saved"));
    let trials = databases::made(Path::new(&damaged));
    let status = succeed("bomp-search", &["status", "--study", &damaged, "--json"]);
    fs::write(&whole, status).unwrap();
    // Nothing is lost of a study that is whole.
    let said = succeed("bomp-search", &["salvage", "--study", &damaged, "--into", &path("copy")]);
    assert!(said.contains("60 of 60 trials") && said.contains("nothing was lost"), "{said}");
    // Of the log the first line, with the configuration, and the second half; of the database the last page, which holds some
    // of the last trials, and the second with the configuration.
    let log = Path::new(&damaged).join("trials.jsonl");
    let mut lines = fs::read(&log).unwrap();
    lines.truncate(lines.len() / 2);
    lines[100] ^= 1;
    fs::write(log, lines).unwrap();
    let file = Path::new(&damaged).join("study.sqlite");
    let mut bytes = fs::read(&file).unwrap();
    let (page, length) = (4_096, bytes.len());
    bytes[length - page..].fill(0);
    bytes[page..2 * page].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let line = refuse("bomp-search", &["status", "--study", &damaged]);
    assert!(line.contains("study.sqlite") && line.contains("`bomp-search salvage`"), "{line}");
    let line = refuse("bomp-search", &["salvage", "--study", &damaged, "--into", &saved]);
    assert!(line.contains("--config"), "{line}");
    let arguments = ["salvage", "--study", &damaged, "--config", &whole, "--into", &saved];
    let said = succeed("bomp-search", &arguments);
    assert!(said.contains("lost") || said.contains("cannot be read"), "{said}");
    let left = Location::from(PathBuf::from(&saved)).open().unwrap().trials().unwrap();
    assert!(left.len() < trials.len() && left.len() > trials.len() / 2, "{} of {}", left.len(), trials.len());
    for trial in &left {
        assert!(trials.iter().any(|one| one.genotype == trial.genotype && one.state == trial.state));
    }
    let line = refuse("bomp-search", &arguments);
    assert!(line.contains("already"), "{line}");
}

#[test]
fn a_clock_that_goes_back_loses_nothing() {
    let folder = TempDir::new().unwrap();
    let study = folder.path().join("study");
    let location = Location::from(study.clone());
    let config = invented::config(StrategyKind::Random, 3, 1);
    let mut dead = location.create(&config).unwrap();
    let worker = Worker::new(Duration::from_secs(60), 5);
    dead.enlist(&worker).unwrap();
    let proposal = Proposer::new(&config).unwrap().next(&[], None, &|_| false).unwrap().unwrap();
    let lease = dead.claim_new(0, &proposal).unwrap().unwrap();
    // A lease that ends tomorrow is what a clock that went back by a day makes of one that ends now.
    let connection = Connection::open(study.join("study.sqlite")).unwrap();
    let tomorrow = "UPDATE trials SET lease_until = unixepoch('now', 'subsec') + 86400";
    connection.execute(tomorrow, []).unwrap();
    // It is the living worker's as before, who renews it by the clock that there is.
    let mut other = location.open().unwrap();
    other.enlist(&Worker::new(Duration::from_secs(60), 5)).unwrap();
    assert_eq!(other.claim_open().unwrap(), None);
    assert!(dead.renew(lease).unwrap());
    // And when its process ends, another has the trial at once, whatever the clock says.
    connection.execute(tomorrow, []).unwrap();
    drop(dead);
    let taken = other.claim_open().unwrap().expect("it is taken over");
    assert_eq!((taken.number, taken.attempt), (0, 2));
}

#[test]
fn two_processes_share_one_study_or_are_told() {
    let folder = TempDir::new().unwrap();
    let study = folder.path().join("study");
    let start = |log: &str| {
        let mut worker = Command::new(WORKER);
        worker.args(["--create", "--trials", "12", "--grace", "60000", "--take-overs", "5", "--time", "40"]);
        worker.arg("--study").arg(&study).arg("--log").arg(folder.path().join(log));
        worker.stderr(Stdio::piped()).spawn().unwrap()
    };
    let workers = ["a", "b"].map(start).map(|worker| worker.wait_with_output().unwrap());
    for output in &workers {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let log = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let logs = log("a") + &log("b");
    let ended: BTreeSet<&str> = logs.lines().filter(|line| line.starts_with("ended ")).collect();
    assert_eq!((ended.len(), logs.matches("ended ").count()), (12, 12), "{logs}");
    assert_eq!(logs.matches("created").count(), 1, "both made the study");
    let trials = Location::from(study).open().unwrap().trials().unwrap();
    assert!(trials.len() == 12 && trials.iter().all(|trial| trial.measured().is_some()));
}
