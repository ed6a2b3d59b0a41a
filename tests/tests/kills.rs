//! `kill -9` of workers and of the server at random, on both stores; `cargo xtask bench kills` is the long form.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bomp_search::study::{Location, StrategyKind, TrialState};
use bomp_tests::invented;
use bomp_tests::kills::{Outcome, Plan, Store, run};
use bomp_tests::postgres::Server;
use tempfile::TempDir;

const WORKER: &str = env!("CARGO_BIN_EXE_invented-worker");

fn short(store: Store) -> Outcome {
    let plan = Plan {
        kills: 16,
        zombies: 2,
        workers: 3,
        grace: Duration::from_secs(2),
        time: Duration::from_millis(200),
        seed: 1,
    };
    let outcome = run(Path::new(WORKER), store, &plan);
    println!("{outcome}");
    assert!(outcome.workers_killed + outcome.servers_killed + outcome.sessions_killed >= plan.kills);
    assert!(outcome.zombies >= 1 && outcome.refused >= outcome.zombies as usize, "{outcome}");
    assert!(outcome.after_stop.iter().any(|&time| time >= plan.grace / 2), "{outcome}");
    outcome
}

#[test]
fn nothing_is_lost_or_done_twice_in_a_folder() {
    let outcome = short(Store::Sqlite);
    assert_eq!(outcome.servers_killed, 0);
}

#[test]
fn nothing_is_lost_or_done_twice_in_a_database() {
    let outcome = short(Store::Postgres);
    assert!(outcome.servers_killed + outcome.sessions_killed >= 1, "{outcome}");
}

#[test]
fn a_trial_that_kills_its_workers_fails_and_the_study_goes_on() {
    let folder = TempDir::new().unwrap();
    let server = Server::start();
    for address in [folder.path().join("study").display().to_string(), server.study("deadly")] {
        let location: Location = address.parse().unwrap();
        let mut store = location.create(&invented::config(StrategyKind::Random, 5, 1)).unwrap();
        let mut deaths = 0;
        loop {
            let mut worker = Command::new(WORKER);
            worker.args(["--study", &address, "--trials", "5", "--grace", "300", "--take-overs", "2"]);
            worker.args(["--time", "1", "--deadly", "2", "--log"]).arg(folder.path().join("log"));
            if worker.stderr(Stdio::null()).status().unwrap().success() {
                break;
            }
            deaths += 1;
            assert!(deaths <= 3, "the trial is tried for ever");
        }
        assert_eq!(deaths, 3, "the first worker and two that took over");
        let trials = store.trials().unwrap();
        assert_eq!(trials.len(), 5);
        for trial in trials {
            match &trial.state {
                TrialState::Finished(_) => assert_ne!(trial.number, 2),
                TrialState::Failed { reason } => {
                    assert_eq!(trial.number, 2);
                    assert!(reason.starts_with("3 workers died"), "{reason}");
                }
                state => panic!("trial {}: {state:?}", trial.number),
            }
        }
    }
}
