//! Studies where the machine around them fails: no locks, a wall clock that jumps, a server whose disk is full.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bomp_search::study::{Location, StrategyKind, TrialState};
use bomp_tests::invented;
use bomp_tests::postgres::Server;
use bomp_tests::program;
use bomp_tests::surroundings::Shim;
use tempfile::TempDir;

/// For what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn worker(study: &str, trials: u64, log: &Path, environment: &[(OsString, OsString)]) -> Child {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_invented-worker"));
    worker.args(["--study", study, "--trials", &trials.to_string(), "--grace", "3000", "--take-overs", "0"]);
    worker.args(["--time", "100", "--log"]).arg(log).envs(environment.iter().cloned());
    worker.stderr(Stdio::piped()).spawn().unwrap()
}

fn status(study: &str, environment: &[(OsString, OsString)]) -> (bool, String) {
    let mut status = Command::new(program("bomp-search"));
    let output = status.args(["status", study]).envs(environment.iter().cloned()).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// A network file system that locks nothing would let two workers do one trial: it is refused before anything is written.
#[test]
fn a_folder_that_cannot_be_locked_is_refused_and_only_read() {
    let (folder, shim) = (TempDir::new().unwrap(), Shim::new());
    let study = folder.path().join("study");
    let location = Location::from(study.clone());
    location.create(&invented::config(StrategyKind::Random, 5, 1)).unwrap();
    let before = std::fs::read(study.join("study.sqlite")).unwrap();
    let text = study.to_str().unwrap();
    let output =
        worker(text, 5, &folder.path().join("log"), &shim.without_locks()).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("no working locks") && said.lines().count() == 1, "{said}");
    assert_eq!(std::fs::read(study.join("study.sqlite")).unwrap(), before);
    let (good, said) = status(text, &shim.without_locks());
    assert!(good && said.contains("0 of 5 trials finished"), "{said}");
    assert!(location.open().is_ok());
}

/// Neither leases nor figures hang on the wall clock.
#[test]
fn a_wall_clock_that_jumps_costs_no_trial() {
    let (folder, shim) = (TempDir::new().unwrap(), Shim::new());
    let study = folder.path().join("study");
    let location = Location::from(study.clone());
    location.create(&invented::config(StrategyKind::Random, 24, 1)).unwrap();
    let log = folder.path().join("log");
    let crew = [(); 3].map(|()| worker(study.to_str().unwrap(), 24, &log, &shim.jumping_clock()));
    for member in crew {
        let output = member.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (_, trials) = location.read().unwrap();
    assert_eq!(trials.len(), 24);
    // A trial that was taken over once would have failed.
    assert!(trials.iter().all(|trial| matches!(trial.state, TrialState::Finished(_))), "{trials:?}");
    assert_eq!(std::fs::read_to_string(&log).unwrap().matches("ended").count(), 24);
    let (good, said) = status(study.to_str().unwrap(), &shim.jumping_clock());
    assert!(good && said.contains("24 of 24 trials finished"), "{said}");
}

/// Workers wait for the server's disk as they wait for the server, and nothing that was acknowledged is lost.
#[test]
fn a_server_whose_disk_is_full_is_waited_for() {
    let (folder, shim) = (TempDir::new().unwrap(), Shim::new());
    let mut server = Server::start_in(shim.full_disk());
    let address = server.study("full");
    let location: Location = address.parse().unwrap();
    location.create(&invented::config(StrategyKind::Random, 40, 1)).unwrap();
    let log = folder.path().join("log");
    let ended = || std::fs::read_to_string(&log).unwrap_or_default().matches("ended").count();
    let mut worker = worker(&address, 40, &log, &[]);
    let begun = Instant::now();
    while ended() < 5 {
        assert!(begun.elapsed() < PATIENCE, "the worker ends no trial");
        sleep(Duration::from_millis(20));
    }
    std::fs::write(shim.full_flag(), "").unwrap();
    // Longer than any trial: it is stuck, and lives.
    sleep(Duration::from_secs(3));
    let stuck = ended();
    sleep(Duration::from_secs(2));
    assert_eq!(ended(), stuck, "a trial ended on a disk that is full");
    assert!(worker.try_wait().unwrap().is_none(), "the worker gave up");
    std::fs::remove_file(shim.full_flag()).unwrap();
    // It ends where it cannot write its log, and whoever made room starts it again.
    if server.has_ended() {
        server.restart();
    }
    let output = worker.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (_, trials) = location.read().unwrap();
    assert_eq!((trials.len(), ended()), (40, 40));
    assert!(trials.iter().all(|trial| matches!(trial.state, TrialState::Finished(_))), "{trials:?}");
}
