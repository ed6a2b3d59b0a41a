//! `bomp-export pack` and `bomp-search finalise`, disturbed at their write boundaries: each file is the old one or the new one,
//! never a part, and the command can be given again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Fault, Faults, Subject, fresh};

/// Files of a folder by their names, with their bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

fn text(path: &Path) -> String {
    path.to_str().expect("temporary folders have plain names").to_owned()
}

/// Every file below a folder, but temporary ones, which a killed process leaves.
fn files(folder: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).expect("it is below");
            if !entry.file_name().to_string_lossy().starts_with(".tmp") {
                found.insert(name.display().to_string(), fs::read(&path).expect("a file of this test"));
            }
        }
    }
    found
}

/// Packs over an older model. `export` is the program `bomp-export`.
///
/// # Panics
/// If a part of a file is left, with the fault and the boundary.
pub fn pack(tracer: &Path, export: &Path, step: usize, tell: impl FnMut(usize, usize)) -> Faults {
    let place = tempfile::tempdir().expect("a temporary folder");
    let candidate = |side: usize| {
        let folder = place.path().join(format!("candidate-{side}"));
        crate::random_candidate(side, 10).save(&folder).expect("a temporary folder is writable");
        folder
    };
    let (older, newer) = (candidate(16), candidate(28));
    let folder = place.path().join("watched");
    let subject = |candidate: &Path| Subject {
        tracer: tracer.to_owned(),
        program: export.to_owned(),
        arguments: ["pack", &text(candidate), "-o", &text(&folder.join("model.bomp"))]
            .map(str::to_owned)
            .into(),
        folder: folder.clone(),
    };
    replaced(&subject(&older), &subject(&newer), step, tell)
}

/// Finalises a trial over a network that another study finished. `search` is the program `bomp-search`.
///
/// # Panics
/// As [`pack`].
pub fn finalise(tracer: &Path, search: &Path, step: usize, tell: impl FnMut(usize, usize)) -> Faults {
    let place = tempfile::tempdir().expect("a temporary folder");
    let folder = place.path().join("watched");
    let subject = |seed: &str| {
        let study = text(&place.path().join(format!("study-{seed}")));
        let made = Command::new(search)
            .args([
                "run",
                "--study",
                &study,
                "--seed",
                seed,
                "--trials",
                "1",
                "--threads",
                "1",
                "--max-macs",
                "100k",
            ])
            .args([
                "--epochs",
                "0.02",
                "--qaft-epochs",
                "0.02",
                "--final-epochs",
                "0.02",
                "--final-qaft-epochs",
                "0.02",
            ])
            .output()
            .expect("it starts");
        assert!(made.status.success(), "no study:\n{}", String::from_utf8_lossy(&made.stderr));
        Subject {
            tracer: tracer.to_owned(),
            program: search.to_owned(),
            arguments: [
                "finalise",
                "--study",
                &study,
                "--trial",
                "0",
                "--threads",
                "1",
                "--out",
                &text(&folder),
            ]
            .map(str::to_owned)
            .into(),
            folder: folder.clone(),
        }
    };
    replaced(&subject("1"), &subject("2"), step, tell)
}

/// Disturbs `newer`, which replaces the files of `older`, both of the same names.
fn replaced(older: &Subject, newer: &Subject, step: usize, tell: impl FnMut(usize, usize)) -> Faults {
    let folder = &newer.folder;
    let made = |subject: &Subject| {
        let (seen, errors) = subject.run(None);
        assert_eq!(seen.code, Some(0), "undisturbed it fails:\n{errors}");
        files(folder)
    };
    fresh(folder);
    let old = made(older);
    fresh(folder);
    let new = made(newer);
    assert!(old.keys().eq(new.keys()) && old.iter().all(|(name, bytes)| new[name] != *bytes), "alike");
    let faults = [Fault::Kill, Fault::Torn, Fault::Full, Fault::ReadOnly];
    let prepare = || {
        fresh(folder);
        for (name, bytes) in &old {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of this test");
            fs::write(path, bytes).expect("a file of this test");
        }
    };
    newer.disturb(
        &faults,
        |at| at.is_multiple_of(step),
        prepare,
        |run| {
            let left = files(folder);
            assert!(left.keys().eq(new.keys()), "{}: {:?}", run.shown, left.keys());
            for (name, bytes) in &left {
                assert!(*bytes == old[name] || *bytes == new[name], "{}: a part of {name}", run.shown);
            }
            if run.fault.is_survived() {
                run.expect_one_line();
            }
            assert_eq!(made(newer), new, "{}: the command cannot be given again", run.shown);
        },
        tell,
    )
}
