//! Several real workers on one study, through the command line: in a folder and in a database.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bomp_tests::postgres::Server;
use bomp_tests::{program, refuse, succeed};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(240);
const SETTINGS: [&str; 10] = [
    "--max-macs",
    "150k",
    "--max-ram",
    "16kB",
    "--max-size",
    "9kB",
    "--epochs",
    "0.03",
    "--qaft-epochs",
    "0.02",
];

fn text(path: &Path) -> String {
    path.to_str().expect("temporary folders have plain names").to_owned()
}

fn status(study: &str) -> Value {
    serde_json::from_str(&succeed("bomp-search", &["status", "--study", study, "--json"])).unwrap()
}

fn trials(study: &str) -> Vec<Value> {
    status(study)["trials"].as_array().unwrap().clone()
}

fn run(study: &str, extra: &[&str]) {
    let arguments = [&["run", "--study", study][..], &SETTINGS, extra].concat();
    succeed("bomp-search", &arguments);
}

/// Starts the program and does not wait for it.
fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(program("bomp-search"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until a trial of the study is in work whose worker satisfies `is`, and returns that worker's process.
fn working(study: &str, is: impl Fn(&str) -> bool) -> Pid {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < PATIENCE, "nobody works");
        let output =
            Command::new(program("bomp-search")).args(["status", "--study", study, "--json"]).output();
        let now: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap_or_default();
        let all = now["trials"].as_array().cloned().unwrap_or_default();
        let worker = all.iter().find_map(|trial| trial["worker"].as_str().filter(|worker| is(worker)));
        if let Some(worker) = worker {
            return Pid::from_raw(worker.rsplit('-').nth(1).unwrap().parse().unwrap());
        }
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn processes_share_a_folder_and_may_die() {
    let folder = TempDir::new().unwrap();
    let study = text(&folder.path().join("study"));
    // Trials of seconds, on a fast machine too: a signal has to come while one is in work.
    let settings = SETTINGS.map(|setting| if setting == "0.03" { "4" } else { setting });
    let arguments = [&["run", "--study", &study, "--workers", "2", "--trials", "6"][..], &settings].concat();
    let leader = start(&arguments);
    kill(working(&study, |_| true), Signal::SIGKILL).unwrap();
    let output = leader.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("died (signal: 9") && said.contains("started again"), "{said}");
    let all = trials(&study);
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|trial| trial["state"] == "finished" && trial["worker"].is_null()), "{all:?}");

    // One that is asked to stop gives its trial back and says so by its exit code; another finishes it.
    let arguments = ["worker", "--study", &study, "--trials", "8", "--json"];
    let mut worker = start(&arguments);
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines().map(Result::unwrap);
    let joined: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(joined["event"], "joined");
    let begins: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!((begins["event"].as_str(), begins["trial"].as_u64()), (Some("begins"), Some(6)));
    assert_eq!(trials(&study)[6]["worker"], joined["worker"]);
    kill(Pid::from_raw(worker.id() as i32), Signal::SIGTERM).unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(worker.wait().unwrap().code(), Some(130), "{rest:?}");
    let left = &trials(&study)[6];
    assert!(left["state"] == "running" && left["worker"].is_null(), "{left}");
    let events = succeed("bomp-search", &arguments);
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = events.iter().filter(|event| event["event"] == "ended").map(|event| event["trial"].clone());
    assert_eq!(ended.collect::<Vec<_>>(), trials(&study)[6..]);
}

#[test]
fn workers_end_with_the_command_that_started_them() {
    let folder = TempDir::new().unwrap();
    let study = text(&folder.path().join("study"));
    let arguments =
        [&["run", "--study", &study, "--workers", "2", "--trials", "1000"][..], &SETTINGS].concat();
    let mut leader = start(&arguments);
    let worker = working(&study, |_| true);
    leader.kill().unwrap();
    leader.wait().unwrap();
    let begun = Instant::now();
    while Path::new(&format!("/proc/{worker}")).exists() {
        assert!(begun.elapsed() < PATIENCE, "a worker goes on without its leader");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_database_serves_every_command() {
    let (folder, server) = (TempDir::new().unwrap(), Server::start());
    let study = &server.study("first");
    let out = |name: &str| text(&folder.path().join(name));
    let line = refuse("bomp-search", &["status", "--study", study]);
    assert!(line.contains("no study here") && !line.contains(bomp_tests::postgres::PASSWORD), "{line}");
    run(study, &["--trials", "2"]);
    let line = refuse("bomp-search", &[&["run", "--study", study][..], &SETTINGS].concat());
    assert!(
        line.contains("there is a study already") && !line.contains(bomp_tests::postgres::PASSWORD),
        "{line}"
    );
    let before = trials(study);

    let mut helper = start(&["worker", "--study", study, "--trials", "6", "--threads", "1"]);
    succeed("bomp-search", &["resume", "--study", study, "--trials", "6", "--workers", "2"]);
    assert!(helper.wait().unwrap().success());
    let now = status(study);
    assert_eq!((now["finished"].as_u64(), now["running"].as_u64()), (Some(6), Some(0)));
    assert_eq!(trials(study)[..2], before);
    // Nothing is left to do, although the study was started with fewer trials.
    succeed("bomp-search", &["resume", "--study", study]);
    assert_eq!(status(study)["finished"].as_u64(), Some(6));

    let front: Value =
        serde_json::from_str(&succeed("bomp-search", &["pareto", "--study", study, "--json"])).unwrap();
    assert!(!front.as_array().unwrap().is_empty());
    let most = succeed("bomp-search", &["pareto", "--study", study, "--at-most", "1", "--json"]);
    let most: Value = serde_json::from_str(&most).unwrap();
    assert_eq!(
        most.as_array().unwrap()[..],
        front.as_array().unwrap()[front.as_array().unwrap().len() - 1..]
    );

    // What it says of itself makes the same study elsewhere.
    let (file, copy) = (out("study.json"), out("copy"));
    let said = succeed("bomp-search", &["status", "--study", study, "--json"]);
    std::fs::write(&file, &said).unwrap();
    succeed("bomp-search", &["import", "--study", &copy, &file]);
    assert_eq!(succeed("bomp-search", &["status", "--study", &copy, "--json"]), said);
    assert!(refuse("bomp-search", &["import", "--study", &copy, &file]).contains("there is a study already"));
    std::fs::write(&file, said.replacen("\"bytes\": ", "\"bytes\": 1", 1)).unwrap();
    let line = refuse("bomp-search", &["import", "--study", &out("never"), &file]);
    assert!(line.contains("trials[0].usage is") && !Path::new(&out("never")).exists(), "{line}");
    let finals = out("final");
    let finalise = ["finalise", "--study", study, "--best", "--json", "--out", &finals];
    let networks: Value = serde_json::from_str(&succeed("bomp-search", &finalise)).unwrap();
    let candidate = networks[0]["candidate"].as_str().unwrap();
    let size: Value = serde_json::from_str(&succeed("bomp-export", &["size", candidate, "--json"])).unwrap();
    assert_eq!(size["total_bytes"], networks[0]["size_bytes"]);
    let page = out("report");
    let report = succeed("bomp-search", &["report", "--study", study, "--out", &page, "--json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["studies"][0]["name"], "first");
    assert!(Path::new(&page).join("report.html").is_file());
}

/// Everything that a study says of itself, without the only figures that a clock gave.
fn timeless(study: &str) -> String {
    let text = succeed("bomp-search", &["status", "--study", study, "--json"]);
    text.lines()
        .filter(|line| !line.trim_start().starts_with("\"seconds\":"))
        .fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn one_worker_with_the_same_seed_gives_the_same_study_byte_for_byte() {
    let folder = TempDir::new().unwrap();
    let [first, second] = ["first", "second"].map(|name| text(&folder.path().join(name)));
    let settings = ["--seed", "5", "--initial-trials", "2", "--policies-per-network", "2"];
    run(&first, &[&settings[..], &["--trials", "5", "--threads", "2"]].concat());
    // The other one is made by a worker that is killed, and by another command, on another number of threads.
    let arguments =
        [&["run", "--study", &second, "--trials", "5", "--threads", "1"][..], &SETTINGS, &settings].concat();
    let mut killed = start(&arguments);
    working(&second, |_| true);
    killed.kill().unwrap();
    killed.wait().unwrap();
    succeed("bomp-search", &["worker", "--study", &second, "--threads", "1"]);
    let (first, second) = (timeless(&first), timeless(&second));
    assert!(first.contains("\"correct\":") && first.contains("\"lead\":"), "{first}");
    assert_eq!(first, second);
}
