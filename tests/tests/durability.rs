//! What became of a study is read as it was or refused by name: damaged files, studies of former versions, commands that only
//! read, commands that are stopped while they make a study, names that lead elsewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bomp_search::study::{Location, StoreError, StrategyKind, Trial, salvage};
use bomp_tests::faults::{self, Fault, Subject};
use bomp_tests::{databases, flips, former, invented, program, refuse, succeed};
use tempfile::TempDir;

const TRACER: &str = env!("CARGO_BIN_EXE_at-boundary");
const WORKER: &str = env!("CARGO_BIN_EXE_invented-worker");

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// The files of a folder and what is in them.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read(&path).unwrap_or_default())).collect()
}

/// A study of a former version that was killed, and its trials.
fn former_study(folder: &Path) -> Vec<Trial> {
    let made = TempDir::new().unwrap();
    let trials = databases::made(&made.path().join("study"));
    former::make(folder, 3, &invented::config(StrategyKind::Random, 60, 1), &trials);
    assert!(fs::metadata(folder.join("study.sqlite-wal")).unwrap().len() > 100_000);
    trials
}

#[test]
fn flipped_bits_and_truncations_lose_nothing_in_silence() {
    let root = flips::scratch();
    for scene in flips::scenes(root.path(), Path::new(TRACER), Path::new(WORKER)) {
        let found = flips::damage(&scene, 997, |_, _| {});
        println!("{}: {found}", scene.name);
        assert!(found.flips > 100 && found.truncations > 15 && found.refused > 30, "{}: {found}", scene.name);
    }
}

#[test]
fn commands_that_read_write_nothing() {
    let root = flips::scratch();
    let old = root.path().join("old");
    former_study(&old);
    let scenes = flips::scenes(root.path(), Path::new(TRACER), Path::new(WORKER));
    assert_eq!(scenes.len(), 6);
    for study in ["closed", "running", "killed", "in-commit", "old"].map(|name| root.path().join(name)) {
        let before = content(&study);
        for command in
            [&["status", "--json"][..], &["pareto"], &["report", "--out", "/dev/shm/unused/report"]]
        {
            let out = TempDir::new().unwrap();
            let mut arguments: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
            if let Some(last) = arguments.iter_mut().find(|word| word.contains("unused")) {
                *last = text(&out.path().join("report")).to_owned();
            }
            arguments.splice(1..1, ["--study".to_owned(), text(&study).to_owned()]);
            let tracer = PathBuf::from(TRACER);
            let subject =
                Subject { tracer, program: program("bomp-search"), arguments, folder: study.clone() };
            let (seen, errors) = subject.run(None);
            assert_eq!(seen.code, Some(0), "{command:?} of {}:\n{errors}", study.display());
            assert!(seen.boundaries.is_empty(), "{command:?} wrote: {:?}", seen.boundaries);
        }
        assert!(before == content(&study), "{} was changed", study.display());
    }
}

#[test]
fn a_study_of_the_version_before_is_read_and_brought_up_to_date() {
    let root = TempDir::new().unwrap();
    let study = root.path().join("study");
    let trials = former_study(&study);
    let location = Location::from(study.clone());
    let (config, read) = location.read().unwrap();
    assert!(read == trials && config == invented::config(StrategyKind::Random, 60, 1));
    assert!(!study.join("trials.jsonl").exists());
    assert_eq!(location.open().unwrap().trials().unwrap(), trials);
    assert!(study.join("trials.jsonl").exists() && !study.join("study.sqlite-wal").exists());
    assert_eq!(location.read().unwrap().1, trials);
}

#[test]
fn a_damaged_frame_of_a_write_ahead_log_is_named_and_the_others_are_saved() {
    let root = TempDir::new().unwrap();
    let study = root.path().join("study");
    let trials = former_study(&study);
    let file = study.join("study.sqlite-wal");
    let log = fs::read(&file).unwrap();
    let frames = (log.len() - 32) / 4_120;
    let mut least = trials.len();
    // A bit of the header's salt, of its checksum, and of the page, the salt and the checksum of frames.
    let in_frames = (0..frames).step_by(frames / 6).chain([frames - 1]);
    let in_frames = in_frames.flat_map(|frame| [8, 16, 24 + 100].map(|at| 32 + frame * 4_120 + at));
    for at in [20, 28].into_iter().chain(in_frames) {
        let mut bytes = log.clone();
        bytes[at] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let before = content(&study);
        let location = Location::from(study.clone());
        for error in [location.read().map(drop), location.open().map(drop)].map(Result::unwrap_err) {
            let line = error.to_string();
            assert!(line.contains("study.sqlite-wal: ") && line.contains("salvage"), "byte {at}: {line}");
        }
        assert!(before == content(&study), "byte {at}: the study was changed");
        let saved = salvage(&study, None).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        let same = saved.trials.iter().filter(|trial| trials.contains(trial)).count();
        least = least.min(same);
        assert!(saved.lost.is_empty() == (saved.trials.len() == trials.len()), "byte {at}: {:?}", saved.lost);
        assert!(saved.after.is_some(), "byte {at}: nothing is said");
    }
    assert!(least + 1 >= trials.len(), "{least} of {} trials", trials.len());
}

#[test]
fn a_study_of_another_version_is_refused_with_a_way_out() {
    let root = TempDir::new().unwrap();
    for (schema, way) in [(1, "an earlier version"), (2, "run --study NEW"), (9, "a later version")] {
        let study = root.path().join(schema.to_string());
        former::make(&study, schema, &invented::config(StrategyKind::Random, 3, 1), &[]);
        for command in ["status", "resume", "salvage"] {
            let mut arguments = vec![command, "--study", text(&study)];
            let into = root.path().join("into");
            if command == "salvage" {
                arguments.extend(["--into", text(&into)]);
            }
            let line = refuse("bomp-search", &arguments);
            assert!(line.contains(way), "{command}: {line}");
        }
    }
}

#[test]
fn an_import_is_there_as_a_whole_or_not_at_all() {
    let root = TempDir::new().unwrap();
    let (made, file, folder) =
        (root.path().join("made"), root.path().join("study.json"), root.path().join("new"));
    let trials = databases::made(&made);
    fs::write(&file, succeed("bomp-search", &["status", "--study", text(&made), "--json"])).unwrap();
    let study = folder.join("study");
    let arguments = ["import", "--study", text(&study), text(&file)].map(str::to_owned).into();
    let (tracer, program) = (PathBuf::from(TRACER), program("bomp-search"));
    let subject = Subject { tracer, program, arguments, folder: folder.clone() };
    let prepare = || {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
    };
    let check = |run: &faults::Disturbed<'_>| {
        let location = Location::from(study.clone());
        match location.read() {
            Ok((_, read)) => assert!(read == trials, "{}: {} trials", run.shown, read.len()),
            Err(StoreError::Absent { .. }) => {
                succeed("bomp-search", &["import", "--study", text(&study), text(&file)]);
                assert!(location.read().unwrap().1 == trials, "{}", run.shown);
            }
            Err(error) => panic!("{}: {error}", run.shown),
        }
    };
    let faults =
        subject.disturb(&[Fault::Kill, Fault::Torn, Fault::Power], |_| true, prepare, check, |_, _| {});
    assert!(faults.boundaries >= 8 && faults.runs >= 24, "{faults:?}");
}

#[test]
fn names_of_studies_do_not_leave_their_folder() {
    for name in ["..", ".", ".hidden", "", "a/b", "-x"] {
        for command in ["status", "report", "run"] {
            let address = format!("postgres://nobody@127.0.0.1:1/none?study={name}");
            let line = refuse("bomp-search", &[command, "--study", &address]);
            assert!(line.contains("a name"), "{command} {name}: {line}");
        }
    }
    for folder in ["", "/"] {
        let line = refuse("bomp-search", &["status", "--study", folder]);
        assert!(line.contains("name a folder"), "{folder:?}: {line}");
    }
}

/// An archive can hold them, and opening one would wait without end.
#[test]
fn pipes_in_the_place_of_a_studys_files_are_refused() {
    let folder = TempDir::new().unwrap();
    for name in ["study.sqlite", "trials.jsonl"] {
        let study = folder.path().join(name.replace('.', "-"));
        assert!(!databases::made(&study).is_empty());
        fs::remove_file(study.join(name)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(study.join(name)).status().unwrap().success());
        for command in [&["status", text(&study)][..], &["resume", text(&study)]] {
            let line = refuse("bomp-search", command);
            assert!(line.contains("named pipe") && line.contains(name), "{line}");
        }
    }
}
