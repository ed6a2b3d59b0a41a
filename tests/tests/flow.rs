//! The whole flow at tiny settings: a study that is killed and resumed, a finished network, and the same numbers from every
//! program that reports them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bomp_tests::{program, refuse, succeed};
use serde_json::Value;
use tempfile::TempDir;

const TRIALS: u64 = 5;
const SETTINGS: [&str; 16] = [
    "--trials",
    "5",
    "--max-size",
    "9kB",
    "--max-ram",
    "16kB",
    "--max-macs",
    "250k",
    "--epochs",
    "0.05",
    "--qaft-epochs",
    "0.02",
    "--final-epochs",
    "0.3",
    "--final-qaft-epochs",
    "0.1",
];

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

fn json(name: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(name, arguments)).expect("--json prints JSON")
}

fn status(study: &Path) -> Value {
    json("bomp-search", &["status", "--study", text(study), "--json"])
}

fn finished(status: &Value) -> Vec<Value> {
    let trials = status["trials"].as_array().unwrap();
    trials.iter().filter(|trial| trial["state"] == "finished").cloned().collect()
}

/// Starts a study and kills the process while a trial runs that is not the first.
fn killed_study(folder: &Path) -> PathBuf {
    let study = folder.join("study");
    let mut search = Command::new(program("bomp-search"))
        .args(["run", "--study", text(&study)])
        .args(SETTINGS)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(240);
    loop {
        assert!(Instant::now() < deadline, "no trial was running after the first had finished");
        assert!(search.try_wait().unwrap().is_none(), "the search ended before it was killed");
        if study.join("study.sqlite").is_file() {
            let output = Command::new(program("bomp-search"))
                .args(["status", "--study", text(&study), "--json"])
                .output();
            let now: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap_or_default();
            if now["finished"].as_u64() >= Some(1) && now["running"] == 1 {
                break;
            }
        }
        sleep(Duration::from_millis(50));
    }
    // SIGKILL: the process gets no chance to tidy up.
    search.kill().unwrap();
    search.wait().unwrap();
    study
}

#[test]
fn killed_resumed_finished_and_proven() {
    let folder = TempDir::new().unwrap();
    let study = killed_study(folder.path());
    let before = status(&study);
    let kept = finished(&before);
    assert!(!kept.is_empty());
    assert_eq!(before["running"], 1, "the interrupted trial is still claimed");

    succeed("bomp-search", &["resume", "--study", text(&study)]);
    let after = status(&study);
    assert_eq!(after["trials"].as_array().unwrap().len() as u64, TRIALS);
    assert_eq!(after["running"], 0);
    assert_eq!(&finished(&after)[..kept.len()], &kept[..], "a finished trial changed");
    let mut genotypes: Vec<String> =
        after["trials"].as_array().unwrap().iter().map(|trial| trial["genotype"].to_string()).collect();
    genotypes.sort();
    genotypes.dedup();
    assert_eq!(genotypes.len() as u64, TRIALS, "a network was tried twice");
    for trial in after["trials"].as_array().unwrap() {
        let usage = &trial["usage"];
        assert!(usage["bytes"].as_u64().unwrap() <= 9_000, "{usage}");
        assert!(usage["ram"].as_u64().unwrap() <= 16_000, "{usage}");
        assert!(usage["macs"].as_u64().unwrap() <= 250_000, "{usage}");
    }

    // Finishing twice trains once and says the same.
    let finalise = ["finalise", "--study", text(&study), "--best", "--json"];
    let network = json("bomp-search", &finalise)[0].clone();
    assert_eq!(json("bomp-search", &finalise)[0], network);
    let candidate = network["candidate"].as_str().unwrap();

    // One size, wherever it is asked for.
    let model = folder.path().join("model.bomp");
    succeed("bomp-export", &["pack", candidate, "-o", text(&model)]);
    let bytes = std::fs::metadata(&model).unwrap().len();
    assert_eq!(network["size_bytes"], bytes);
    let size = json("bomp-export", &["size", candidate, "--json"]);
    assert_eq!(size["total_bytes"], bytes);

    // One accuracy on all test images, from the search and from the exporter; and on a part of them, host and device.
    let whole = json("bomp-export", &["validate", text(&model), "--json"]);
    assert_eq!(whole["images"], 10_000);
    assert_eq!(whole["integer"]["correct"], network["integer_correct"]);
    let part = json("bomp-export", &["validate", text(&model), "--images", "1000", "--json"]);
    let device = json("bomp-sim", &["run", text(&model), "--images", "1000", "--json"]);
    assert_eq!(device["device_correct"], part["integer"]["correct"]);
    assert_eq!(device["logits_equal"], true);
    assert_eq!(device["section_equals_file"], true);
    assert_eq!(device["section_bytes"], bytes);
    assert_eq!(device["ram"]["arena_predicted"], size["arena_bytes"]);
    assert!(device["ram"]["arena_used"].as_u64() <= size["arena_bytes"].as_u64());

    // A study is not overwritten, and its data are checked.
    let line = refuse("bomp-search", &["run", "--study", text(&study)]);
    assert!(line.contains("resume"), "{line}");
}
