//! What every store of a study promises, checked on each of them by the same suite.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use bomp_search::proposal::Proposer;
use bomp_search::session::{self, Ending};
use bomp_search::study::{
    GivenUp, Halfway, Lease, Location, Measured, Proposal, Storage, StoreError, StrategyKind, Trial,
    TrialState, Worker,
};
use bomp_tests::invented::{self, Invented};
use bomp_tests::postgres::Server;
use tempfile::TempDir;

/// Long enough for a loaded machine to get through what a check does in between.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// Where the suite's studies are, by name.
type Place<'a> = &'a dyn Fn(&str) -> Location;

fn suite(place: Place<'_>) {
    a_study_is_made_once_and_found_again(place);
    trials_are_read_as_they_were_written(place);
    numbers_are_given_once(place);
    a_lease_is_one_workers_as_long_as_it_is_renewed(place);
    who_is_late_is_refused(place);
    a_released_trial_is_free_at_once(place);
    who_has_gone_loses_its_trial(place);
    a_trial_that_is_taken_over_too_often_fails(place);
    many_workers_at_once_get_different_trials(place);
    workers_share_a_study(place);
}

#[test]
fn a_folder_keeps_the_promises() {
    let folder = TempDir::new().unwrap();
    suite(&|name| folder.path().join(name).into());
}

#[test]
fn a_database_keeps_the_promises() {
    let server = Server::start();
    suite(&|name| server.study(name).parse().unwrap());
}

/// The same seed and one worker: the same study in any store, byte for byte.
#[test]
fn one_worker_finds_the_same_in_every_store() {
    let (folder, server) = (TempDir::new().unwrap(), Server::start());
    let places = [
        Location::from(folder.path().join("first")),
        Location::from(folder.path().join("second")),
        server.study("third").parse().unwrap(),
    ];
    let [first, second, third] = places.map(|place| {
        let mut store = place.create(&invented::config(StrategyKind::Ehvi, 9, 7)).unwrap();
        let mut worker = Invented::default();
        assert_eq!(session::run(&mut *store, &worker_of(LONG), 9, &mut worker).unwrap(), Ending::Complete);
        serde_json::to_string(&store.trials().unwrap()).unwrap()
    });
    assert_eq!(first, second);
    assert_eq!(first, third);
}

#[test]
fn addresses_are_checked_and_passwords_not_shown() {
    let shown = |text: &str| match text.parse::<Location>() {
        Ok(location) => location.to_string(),
        Err(error) => error.to_string(),
    };
    let address = shown("postgres://me:secret@db.example:5433/nas?study=first&connect_timeout=3");
    assert_eq!(address, "postgres://me@db.example:5433/nas?study=first");
    assert_eq!(shown("studies/mine"), "studies/mine");
    for wrong in
        ["postgres://me:secret@db/nas?study=a/b", "postgres://me:secret@db/nas?colour=red", "postgres://"]
    {
        let text = shown(wrong);
        assert!(text.starts_with("postgres://…: ") && !text.contains("secret"), "{text}");
    }
}

/// A server that takes connections and says nothing: a stopped one, or a dead machine behind a port forward.
#[test]
fn a_silent_server_is_an_error_in_time() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("postgres://me:secret@{}/nas?study=first", listener.local_addr().unwrap());
    let location: Location = address.parse().unwrap();
    let begun = Instant::now();
    let line = location.read().unwrap_err().to_string();
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    assert!(line.contains("did not answer for 20 s") && line.contains("@127.0.0.1:"), "{line}");
    assert!(!line.contains("secret") && line.lines().count() == 1, "{line}");
}

/// A session of the server that is stopped keeps nobody waiting for ever: the worker goes on through another one.
#[test]
fn a_stopped_session_is_left_behind() {
    let server = Server::start();
    let place: Location = server.study("stopped").parse().unwrap();
    let mut store = create(&place, LONG);
    let lease = claim_new(&mut *store);
    let _stopped = server.stop_sessions();
    let begun = Instant::now();
    store.end(lease, &finished(1.0)).unwrap();
    assert!(begun.elapsed() < 2 * LONG, "{:?}", begun.elapsed());
    assert_eq!(store.trials().unwrap()[0].state, finished(1.0));
}

fn worker_of(grace: Duration) -> Worker {
    Worker::new(grace, 3)
}

/// A new study and a worker of it.
fn create(place: &Location, grace: Duration) -> Box<dyn Storage> {
    let mut store = place.create(&invented::config(StrategyKind::Random, 100, 1)).unwrap();
    store.enlist(&worker_of(grace)).unwrap();
    store
}

/// One more worker.
fn join(place: &Location, grace: Duration) -> Box<dyn Storage> {
    let mut store = place.open().unwrap();
    store.enlist(&worker_of(grace)).unwrap();
    store
}

/// A further proposal.
fn propose(store: &mut dyn Storage) -> (u64, Proposal) {
    static PROPOSER: OnceLock<Proposer> = OnceLock::new();
    let trials = store.trials().unwrap();
    let proposer = PROPOSER.get_or_init(|| Proposer::new(store.config()).unwrap());
    (trials.len() as u64, proposer.next(&trials, None, &|_| true).unwrap().unwrap())
}

/// Claims a further trial.
fn claim_new(store: &mut dyn Storage) -> Lease {
    let (number, proposal) = propose(store);
    store.claim_new(number, &proposal).unwrap().unwrap()
}

/// Claims an open trial as soon as there is one.
fn claim_soon(store: &mut dyn Storage) -> Lease {
    let begun = Instant::now();
    loop {
        if let Some(lease) = store.claim_open().unwrap() {
            return lease;
        }
        assert!(begun.elapsed() < LONG, "the trial is never free");
        sleep(Duration::from_millis(20));
    }
}

fn finished(seconds: f64) -> TrialState {
    TrialState::Finished(Measured {
        correct: 5_000,
        float_correct: 5_100,
        images: 6_000,
        trained_images: 81_000,
        seconds,
        halfway: Some(Halfway { correct: 1_500, images: 2_000, balanced_accuracy: None }),
        by_class: Vec::new(),
    })
}

fn is_superseded(result: Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Superseded { .. }))
}

fn a_study_is_made_once_and_found_again(place: Place<'_>) {
    let place = place("made");
    assert!(matches!(place.open(), Err(StoreError::Absent { .. })));
    let config = invented::config(StrategyKind::Ehvi, 9, 3);
    place.create(&config).unwrap();
    assert!(matches!(place.create(&config), Err(StoreError::Exists { .. })));
    assert_eq!(place.open().unwrap().config(), &config);
    assert_eq!(place.open().unwrap().trials().unwrap(), []);
    assert_eq!(place.name(), "made");
}

fn trials_are_read_as_they_were_written(place: Place<'_>) {
    let place = place("written");
    let mut store = create(&place, LONG);
    let given_up = GivenUp {
        halfway: Halfway { correct: 1, images: 3, balanced_accuracy: None },
        expected_accuracy: 1.0 / 3.0,
        bound: 0.1 + 0.2,
        level: f64::MIN_POSITIVE,
        trained_images: u64::from(u32::MAX) + 1,
        saved_images: 0,
        seconds: 1e-300,
    };
    let reason = "loss is \"NaN\";\n'; DROP TABLE trials; -- ü 网络";
    let states =
        [finished(0.1 + 0.2), TrialState::GivenUp(given_up), TrialState::Failed { reason: reason.into() }];
    for state in &states {
        let (number, proposal) = propose(&mut *store);
        let proposal = Proposal { weights_from: (number == 1).then_some(0), ..proposal };
        let lease = store.claim_new(number, &proposal).unwrap().unwrap();
        let Trial { genotype, usage, weights_from, worker, state: now, .. } =
            store.trials().unwrap().pop().unwrap();
        assert_eq!((Proposal { genotype, usage, weights_from }, now), (proposal, TrialState::Running));
        assert!(worker.is_some());
        store.end(lease, state).unwrap();
    }
    let trials = place.open().unwrap().trials().unwrap();
    assert_eq!(trials.iter().map(|trial| trial.state.clone()).collect::<Vec<_>>(), states);
    assert!(trials.iter().all(|trial| trial.worker.is_none()));
    // A character that not every database can hold does not keep a trial from ending.
    let lease = claim_new(&mut *store);
    store.end(lease, &TrialState::Failed { reason: "a\0b".into() }).unwrap();
    assert_eq!(store.trials().unwrap()[3].state, TrialState::Failed { reason: "ab".into() });
}

fn numbers_are_given_once(place: Place<'_>) {
    let place = place("numbers");
    let (mut one, mut other) = (create(&place, LONG), join(&place, LONG));
    let (number, proposal) = propose(&mut *one);
    let lease = one.claim_new(number, &proposal).unwrap().unwrap();
    assert_eq!(other.claim_new(number, &proposal).unwrap(), None);
    // A worker that never heard the answer asks again.
    assert_eq!(one.claim_new(number, &proposal).unwrap(), Some(lease));
    one.end(lease, &finished(1.0)).unwrap();
    assert_eq!(one.claim_new(number, &proposal).unwrap(), None);
    assert_eq!(one.trials().unwrap().len(), 1);
}

fn a_lease_is_one_workers_as_long_as_it_is_renewed(place: Place<'_>) {
    let place = place("renewed");
    let grace = Duration::from_secs(1);
    let (mut one, mut other) = (create(&place, grace), join(&place, grace));
    let lease = claim_new(&mut *one);
    // Renewed through another connection, as the heartbeat does it.
    let mut heart = one.another().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < 3 * grace {
        assert!(heart.renew(lease).unwrap());
        assert_eq!(other.claim_open().unwrap(), None);
        sleep(grace / 10);
    }
    one.end(lease, &finished(1.0)).unwrap();
    assert!(!heart.renew(lease).unwrap());
}

fn who_is_late_is_refused(place: Place<'_>) {
    let place = place("late");
    let (mut one, mut other) = (create(&place, SHORT), join(&place, LONG));
    let late = claim_new(&mut *one);
    let begun = Instant::now();
    let lease = claim_soon(&mut *other);
    assert!(begun.elapsed() > SHORT / 2, "taken over from a worker that lives within its grace time");
    assert_eq!(lease.number, late.number);
    assert!(lease.attempt > late.attempt);
    // The former worker comes back: it can do nothing.
    assert!(!one.renew(late).unwrap());
    one.release(late).unwrap();
    assert!(is_superseded(one.end(late, &finished(1.0))));
    assert!(one.trials().unwrap()[0].is_running());
    other.end(lease, &finished(2.0)).unwrap();
    assert!(is_superseded(one.end(late, &finished(1.0))));
    // Nor can anybody change it any more; but an acknowledgement that was lost is given again.
    other.end(lease, &finished(2.0)).unwrap();
    assert!(is_superseded(other.end(lease, &finished(3.0))));
    assert!(is_superseded(other.end(lease, &TrialState::Failed { reason: String::new() })));
    assert_eq!(one.trials().unwrap()[0].state, finished(2.0));
}

fn a_released_trial_is_free_at_once(place: Place<'_>) {
    let place = place("released");
    let (mut one, mut other) = (create(&place, LONG), join(&place, LONG));
    let mut lease = claim_new(&mut *one);
    // Giving back is no death: it may happen any number of times.
    for _ in 0..5 {
        one.release(lease).unwrap();
        assert_eq!(one.trials().unwrap()[0].worker, None);
        let next = other.claim_open().unwrap().unwrap();
        assert!(next.attempt > lease.attempt);
        assert!(is_superseded(one.end(lease, &finished(1.0))));
        lease = next;
        std::mem::swap(&mut one, &mut other);
    }
    one.end(lease, &finished(1.0)).unwrap();
    assert_eq!(other.claim_open().unwrap(), None);
}

fn who_has_gone_loses_its_trial(place: Place<'_>) {
    let place = place("gone");
    let mut one = create(&place, SHORT);
    let lease = claim_new(&mut *one);
    drop(one);
    let mut other = join(&place, LONG);
    assert_eq!(claim_soon(&mut *other).number, lease.number);
}

fn a_trial_that_is_taken_over_too_often_fails(place: Place<'_>) {
    let place = place("often");
    let mut workers: Vec<_> =
        (0..5).map(|index| if index == 0 { create(&place, SHORT) } else { join(&place, SHORT) }).collect();
    let mut lease = claim_new(&mut *workers[0]);
    for worker in &mut workers[1..4] {
        lease = claim_soon(&mut **worker);
    }
    sleep(2 * SHORT);
    assert_eq!(workers[4].claim_open().unwrap(), None);
    let trials = workers[4].trials().unwrap();
    let TrialState::Failed { reason } = &trials[0].state else { panic!("{:?}", trials[0]) };
    assert!(reason.starts_with("4 workers died or stopped answering"), "{reason}");
    assert!(is_superseded(workers[3].end(lease, &finished(1.0))));
    assert_eq!(workers[0].trials().unwrap(), trials);
}

fn many_workers_at_once_get_different_trials(place: Place<'_>) {
    let place = &place("many");
    let mut first = create(place, LONG);
    let (_, proposal) = propose(&mut *first);
    let proposal = &proposal;
    let together = |work: &(dyn Fn(&mut dyn Storage) -> Vec<Lease> + Sync)| -> Vec<Lease> {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| work(&mut *join(place, LONG)))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    };
    // New ones: every number once, none left out.
    let new = together(&|store| {
        let mut leases = Vec::new();
        while leases.len() < 10 {
            let number = store.trials().unwrap().len() as u64;
            leases.extend(store.claim_new(number, proposal).unwrap());
        }
        leases.iter().for_each(|&lease| store.release(lease).unwrap());
        leases
    });
    let numbers: BTreeSet<u64> = new.iter().map(|lease| lease.number).collect();
    assert_eq!((new.len(), numbers), (60, (0..60).collect()));
    // Those that are free: each to one worker.
    let finish_all = |store: &mut dyn Storage| {
        let claims = std::iter::from_fn(|| {
            let lease = store.claim_open().unwrap()?;
            store.end(lease, &finished(1.0)).unwrap();
            Some(lease)
        });
        claims.collect()
    };
    let open = together(&finish_all);
    let rest: Vec<Lease> = finish_all(&mut *first);
    let numbers: BTreeSet<u64> = open.iter().chain(&rest).map(|lease| lease.number).collect();
    assert_eq!((open.len() + rest.len(), numbers.len()), (60, 60));
}

fn workers_share_a_study(place: Place<'_>) {
    let place = &place("shared");
    place.create(&invented::config(StrategyKind::Ehvi, 16, 1)).unwrap();
    let work = || {
        let mut worker = Invented { time: Duration::from_millis(40), ..Invented::default() };
        let ending = session::run(&mut *place.open().unwrap(), &worker_of(LONG), 16, &mut worker).unwrap();
        assert_eq!(ending, Ending::Complete);
        assert!(worker.refused.is_empty());
        worker.ended
    };
    let ended: Vec<Vec<Trial>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ended.iter().filter(|trials| !trials.is_empty()).count() >= 2, "one worker did everything");
    let mut all: Vec<Trial> = ended.into_iter().flatten().collect();
    all.sort_by_key(|trial| trial.number);
    assert_eq!(all, place.open().unwrap().trials().unwrap());
    let networks: BTreeSet<String> = all.iter().map(|trial| format!("{:?}", trial.genotype)).collect();
    assert_eq!(networks.len(), 16, "what another worker was trying was proposed again");
}
