//! What README and docs show of the studies is what their records give, to the byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bomp_search::study::Archive;
use tempfile::TempDir;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package lies two folders deep")
}

fn check(study: &str, repository: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bomp-experiments"));
    program.args(["--check", "--preset", study, "--repository"]).arg(repository).output().expect("it starts")
}

fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).expect("a folder of the checkout").map(|entry| entry.unwrap().path())
}

#[test]
fn pages_plots_and_tables_are_made_from_the_records() {
    for study in ["cpu2", "sizes"] {
        let output = check(study, checkout());
        assert!(output.status.success(), "{study}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_figure_that_was_changed_by_hand_is_found() {
    let copy = TempDir::new().unwrap();
    let at = |path: &str| copy.path().join(path);
    for folder in ["docs", "tests"] {
        fs::create_dir(at(folder)).unwrap();
    }
    let copied = Command::new("cp").arg("-r").arg(checkout().join("tests/studies")).arg(at("tests")).status();
    assert!(copied.unwrap().success());
    for file in ["README.md", "docs/sizes.md"] {
        let text = fs::read_to_string(checkout().join(file)).unwrap();
        assert!(text.contains("**93.80 %**"));
        fs::write(at(file), text.replace("**93.80 %**", "**93.81 %**")).unwrap();
    }
    fs::remove_file(at("tests/studies/sizes/report/fronts.svg")).unwrap();
    let output = check("sizes", copy.path());
    let line = String::from_utf8(output.stderr).unwrap();
    let files =
        "error: README.md, docs/sizes.md, tests/studies/sizes/report/fronts.svg: not what the records";
    assert!(output.status.code() == Some(2) && line.starts_with(files), "{line}");
}

#[test]
fn what_is_kept_of_a_search_is_written_again_as_it_was_read() {
    let (folder, mut searches) = (TempDir::new().unwrap(), 0);
    let again = folder.path().join("trials.jsonl.gz");
    for path in
        folders(&checkout().join("tests/studies")).flat_map(|study| folders(&study).collect::<Vec<_>>())
    {
        let path = path.join("trials.jsonl.gz");
        if path.is_file() {
            let archive = Archive::read(&path).unwrap();
            archive.write(&again).unwrap();
            assert_eq!(Archive::read(&again).unwrap(), archive, "{}", path.display());
            searches += 1;
        }
    }
    assert_eq!(searches, 22);
}

#[test]
fn a_damaged_archive_is_refused_by_its_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("trials.jsonl.gz");
    let whole = Archive::read(&checkout().join("tests/studies/cpu2/random/trials.jsonl.gz")).unwrap();
    let refused = |archive: &Archive| {
        archive.write(&path).unwrap();
        Archive::read(&path).unwrap_err().to_string()
    };
    let mut missing = whole.clone();
    missing.trials.remove(3);
    assert!(refused(&missing).contains("trials[3].number is 4: a trial is missing before it"));
    let mut changed = whole.clone();
    changed.trials[2].usage.bytes += 1;
    assert!(refused(&changed).contains("trials[2].usage is"));
    whole.write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(Archive::read(&path).unwrap_err().to_string().contains("damaged or cut off"));
}
