//! Every single-bit flip and every truncation of the files of a small study, in each state that a process can leave them in:
//! what had finished is read as it was, or an error names the damage.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bomp_search::session;
use bomp_search::study::{Location, StoreError, StrategyKind, Trial, Worker, salvage};
use tempfile::TempDir;

use crate::faults::{Fault, Subject};
use crate::invented::{self, Invented};

/// Trials of the study that have finished at the end.
const TRIALS: u64 = 3;
/// The files of a study that are damaged.
const FILES: [&str; 3] = ["study.sqlite", "trials.jsonl", "study.sqlite-journal"];
/// Every so many damaged studies are salvaged, and opened for writing, too.
const OTHERS: u64 = 61;

/// What a process left, whole.
#[derive(Debug)]
pub struct Scene {
    /// In words.
    pub name: &'static str,
    folder: PathBuf,
    /// The trials of whose end somebody was told.
    acknowledged: Vec<Trial>,
    /// Whether a file of it is missing, so that every reading may be refused.
    is_cut: bool,
}

/// What was done to the files of studies.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flips {
    /// Bits flipped.
    pub flips: u64,
    /// Truncations.
    pub truncations: u64,
    /// Read with everything that had finished.
    pub whole: u64,
    /// Refused with an error that names the damage.
    pub refused: u64,
    /// Finished trials of the salvaged studies, and how many of them were saved.
    pub salvaged: [u64; 2],
}

impl fmt::Display for Flips {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flips, truncations, whole, refused, salvaged: [all, saved] } = self;
        write!(
            f,
            "{flips} bits flipped, {truncations} truncations: {whole} read whole, {refused} refused by name; \
             0 finished trials lost; of {all} in refused studies {saved} were salvaged"
        )
    }
}

impl std::ops::AddAssign for Flips {
    fn add_assign(&mut self, other: Self) {
        self.flips += other.flips;
        self.truncations += other.truncations;
        self.whole += other.whole;
        self.refused += other.refused;
        self.salvaged[0] += other.salvaged[0];
        self.salvaged[1] += other.salvaged[1];
    }
}

/// A folder in memory, where there is one.
///
/// # Panics
/// If there is no temporary folder.
#[must_use]
pub fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

/// The five states, below `root`; `worker` is the program `invented-worker`.
///
/// # Panics
/// If they cannot be made.
#[must_use]
pub fn scenes(root: &Path, tracer: &Path, worker: &Path) -> Vec<Scene> {
    let place = |name: &str| root.join(name);
    let config = invented::config(StrategyKind::Random, TRIALS + 1, 1);
    let made = Location::from(place("made"));
    let mut store = made.create(&config).expect("a new study");
    session::run(&mut *store, &Worker::default(), TRIALS, &mut Invented::default()).expect("it goes on");
    let acknowledged = store.trials().expect("a whole study");
    let scene = |name, folder: &str, is_cut| Scene {
        name,
        folder: place(folder),
        acknowledged: acknowledged.clone(),
        is_cut,
    };
    copy(&place("made"), &place("closed"));
    copy(&place("made"), &place("without-log"));
    fs::remove_file(place("without-log").join("trials.jsonl")).expect("a log");
    // While a trial is in work.
    let proposer = bomp_search::proposal::Proposer::new(&config).expect("there are networks");
    let proposal =
        proposer.next(&acknowledged, None, &|_| false).expect("sound trials").expect("more to try");
    store.claim_new(TRIALS, &proposal).expect("it can be written").expect("nobody else");
    copy(&place("made"), &place("running"));
    let mut scenes = vec![scene("closed", "closed", false), scene("running", "running", false)];
    scenes.push(scene("copied without its log", "without-log", true));
    scenes.extend(killed(root, tracer, worker));
    scenes
}

/// Killed while it wrote to the log, killed in the middle of a commit, and the latter without the journal that undoes it.
fn killed(root: &Path, tracer: &Path, worker: &Path) -> Vec<Scene> {
    let watched = root.join("watched");
    let log = root.join("told");
    let study = watched.join("study");
    let text = |path: &Path| path.to_str().expect("temporary folders have plain names").to_owned();
    let trials = (TRIALS + 1).to_string();
    let arguments = ["--study", &text(&study), "--trials", &trials, "--log", &text(&log)];
    let more = ["--create", "--grace", "60000", "--take-overs", "9", "--time", "0"];
    let subject = Subject {
        tracer: tracer.to_owned(),
        program: worker.to_owned(),
        arguments: arguments.into_iter().chain(more).map(str::to_owned).collect(),
        folder: watched.clone(),
    };
    let fresh = || {
        let _ = fs::remove_dir_all(&watched);
        fs::create_dir_all(&watched).expect("a folder of this test");
        fs::write(&log, "").expect("a file of this test");
    };
    fresh();
    let (whole, errors) = subject.run(None);
    assert_eq!(whole.code, Some(0), "undisturbed it fails:\n{errors}");
    let last = |file: &str| {
        let writes = |call: &String| call.contains("write") && call.ends_with(&format!(" study/{file}"));
        whole.boundaries.iter().rposition(writes).unwrap_or_else(|| panic!("no write to {file}"))
    };
    let stop = |name, folder: &str, at: usize| {
        fresh();
        let (seen, errors) = subject.run(Some((Fault::Torn, at)));
        assert_eq!(seen.code, None, "{name}: it was not stopped:\n{errors}");
        let folder = root.join(folder);
        copy(&study, &folder);
        let (_, trials) = Location::from(folder.clone()).read().expect("what was stopped is whole");
        let told = fs::read_to_string(&log).expect("a file of this test");
        let is_told = |trial: &&Trial| told.lines().any(|line| line == format!("ended {}", trial.number));
        let acknowledged: Vec<Trial> = trials.iter().filter(is_told).cloned().collect();
        assert!(acknowledged.len() as u64 >= TRIALS && acknowledged.iter().all(|trial| !trial.is_running()));
        Scene { name, folder, acknowledged, is_cut: false }
    };
    let killed = stop("killed", "killed", last("trials.jsonl"));
    let in_commit = stop("killed in a commit", "in-commit", last("study.sqlite"));
    let journal = in_commit.folder.join(FILES[2]);
    assert!(fs::metadata(&journal).is_ok_and(|file| file.len() > 0), "the commit had not begun");
    let folder = root.join("without-journal");
    copy(&in_commit.folder, &folder);
    fs::remove_file(folder.join(FILES[2])).expect("a journal");
    let acknowledged = in_commit.acknowledged.clone();
    let cut = Scene { name: "copied without its journal", folder, acknowledged, is_cut: true };
    vec![killed, in_commit, cut]
}

/// Damages every `step`-th bit of each file, and cuts each file off after every `step`-th byte.
///
/// # Panics
/// If a finished trial is lost or changed without an error that names a file of the study and the remedy.
pub fn damage(scene: &Scene, step: usize, mut tell: impl FnMut(usize, usize)) -> Flips {
    let mut found = Flips::default();
    let folder = &scene.folder;
    if !scene.is_cut {
        assert!(judge(scene, "undamaged", &mut Flips::default()), "{}: undamaged", scene.name);
    }
    let files: Vec<(PathBuf, Vec<u8>)> = FILES
        .into_iter()
        .filter_map(|name| Some((folder.join(name), fs::read(folder.join(name)).ok()?)))
        .collect();
    let all = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let mut done = 0;
    for (path, bytes) in &files {
        let name = path.file_name().expect("a file").display();
        let file = File::options().write(true).open(path).expect("a file of this test");
        for bit in (0..8 * bytes.len()).step_by(step) {
            let at = bit / 8;
            file.write_all_at(&[bytes[at] ^ 1 << (bit % 8)], at as u64).expect("a file of this test");
            found.flips += 1;
            judge(scene, &format!("bit {} of byte {at} of {name}", bit % 8), &mut found);
            file.write_all_at(&bytes[at..=at], at as u64).expect("a file of this test");
            if bit % 4_096 < step {
                tell(done + at, all);
            }
        }
        for length in (0..bytes.len()).rev().step_by(step) {
            file.set_len(length as u64).expect("a file of this test");
            found.truncations += 1;
            judge(scene, &format!("{name} cut off after {length} of {} bytes", bytes.len()), &mut found);
        }
        file.write_all_at(bytes, 0).expect("a file of this test");
        done += bytes.len();
    }
    found
}

/// Whether the study is read with everything that had finished; an error names what is wrong.
fn judge(scene: &Scene, shown: &str, found: &mut Flips) -> bool {
    let shown = format!("{}, {shown}", scene.name);
    let is_whole = match Location::from(scene.folder.clone()).read() {
        Ok((_, trials)) => {
            expect(scene, &trials, &shown);
            found.whole += 1;
            true
        }
        Err(error) => {
            named(&error, &shown);
            found.refused += 1;
            false
        }
    };
    if (found.flips + found.truncations).is_multiple_of(OTHERS) {
        others(scene, is_whole, &shown, found);
    }
    is_whole
}

/// What is there of what had finished is as it was, and nothing is missing.
fn expect(scene: &Scene, trials: &[Trial], shown: &str) {
    let trials: BTreeMap<u64, &Trial> = trials.iter().map(|trial| (trial.number, trial)).collect();
    for trial in &scene.acknowledged {
        assert_eq!(trials.get(&trial.number), Some(&trial), "{shown}: trial {} is lost", trial.number);
    }
}

fn named(error: &StoreError, shown: &str) {
    let text = error.to_string();
    let names = FILES.iter().any(|name| text.contains(name));
    assert!(names && text.contains("salvage") && text.lines().count() == 1, "{shown}: {text}");
}

/// Opens a copy to work on it, and salvages what is refused.
fn others(scene: &Scene, is_whole: bool, shown: &str, found: &mut Flips) {
    let copied = scratch();
    let folder = copied.path().join("study");
    copy(&scene.folder, &folder);
    match Location::from(folder).open().and_then(|mut store| store.trials()) {
        Ok(trials) => expect(scene, &trials, &format!("{shown}, opened to work on it")),
        Err(error) => named(&error, shown),
    }
    if is_whole {
        return;
    }
    let config = invented::config(StrategyKind::Random, TRIALS + 1, 1);
    let salvaged = salvage(&scene.folder, Some(config)).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let saved: BTreeMap<u64, &Trial> = salvaged.trials.iter().map(|trial| (trial.number, trial)).collect();
    for trial in &scene.acknowledged {
        let same = saved.get(&trial.number) == Some(&trial);
        // One file is damaged: the other one has everything, unless it is the one that is not there.
        assert!(same || scene.is_cut, "{shown}: trial {} was not salvaged", trial.number);
        found.salvaged[1] += u64::from(same);
    }
    found.salvaged[0] += scene.acknowledged.len() as u64;
}

/// Copies the files of a study.
///
/// # Panics
/// If it cannot.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder of this test");
    for entry in fs::read_dir(from).expect("a folder of this test").flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a file of this test");
        }
    }
}
