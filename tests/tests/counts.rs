//! What commands say of a study that was taken further than it was asked for at first, and to a reader who leaves early.

use std::path::Path;
use std::process::{Command, Stdio};

use bomp_search::session;
use bomp_search::study::{Location, StrategyKind, Worker};
use bomp_tests::invented::{self, Invented};
use bomp_tests::{program, refuse, succeed};
use tempfile::TempDir;

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// A study of `asked` trials that has `ended` of them, none of them trained.
fn study(folder: &Path, asked: u64, ended: u64) -> String {
    let path = folder.join("study");
    let location = Location::from(path.clone());
    let mut store = location.create(&invented::config(StrategyKind::Random, asked, 1)).unwrap();
    session::run(&mut *store, &Worker::default(), ended, &mut Invented::default()).unwrap();
    text(&path).to_owned()
}

#[test]
fn no_count_is_larger_than_its_total() {
    let folder = TempDir::new().unwrap();
    let study = study(folder.path(), 10, 20);
    let status = succeed("bomp-search", &["status", "--study", &study]);
    assert!(status.contains("20 of 20 trials finished (10 were asked for at first)"), "{status}");
    let out = folder.path().join("report");
    succeed("bomp-search", &["report", "--study", &study, "--out", text(&out)]);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains(">20 of 20<") && !page.contains("20 of 10"));
}

#[test]
fn fewer_trials_than_there_are_cannot_be_asked_for() {
    let folder = TempDir::new().unwrap();
    let study = study(folder.path(), 10, 4);
    let status = succeed("bomp-search", &["status", "--study", &study]);
    assert!(status.contains("4 of 10 trials finished,"), "{status}");
    let line = refuse("bomp-search", &["resume", "--study", &study, "--trials", "3"]);
    assert!(
        line.contains("has 4 trials already, more than the 3 asked for") && line.contains("--trials"),
        "{line}"
    );
}

/// As in `bomp-search status | head`: nothing is said on standard error, and the exit code is 0.
#[test]
fn a_reader_that_leaves_early_ends_every_command_quietly() {
    let folder = TempDir::new().unwrap();
    let study = study(folder.path(), 3, 3);
    let out = folder.path().join("report");
    let out = text(&out);
    let kept = folder.path().join("status.json");
    std::fs::write(&kept, succeed("bomp-search", &["status", "--study", &study, "--json"])).unwrap();
    let copies = ["a", "b"].map(|name| folder.path().join(name));
    let commands: [(&str, &[&str]); 20] = [
        ("bomp-search", &["--help"]),
        ("bomp-search", &["--version"]),
        ("bomp-search", &["run", "--help"]),
        ("bomp-search", &["status", "--study", &study]),
        ("bomp-search", &["status", "--study", &study, "--json"]),
        ("bomp-search", &["pareto", "--study", &study]),
        ("bomp-search", &["pareto", "--study", &study, "--json"]),
        ("bomp-search", &["report", "--study", &study, "--out", out]),
        ("bomp-search", &["report", "--study", &study, "--out", out, "--json"]),
        ("bomp-search", &["import", "--study", text(&copies[0]), text(&kept)]),
        ("bomp-search", &["salvage", "--study", &study, "--into", text(&copies[1])]),
        ("bomp-search", &["preset"]),
        ("bomp-search", &["preset", "two-cores"]),
        ("bomp-search", &["preset", "two-cores", "--json"]),
        ("bomp-sim", &["--help"]),
        ("bomp-sim", &["run", "--help"]),
        ("bomp-sim", &["boards"]),
        ("bomp-sim", &["boards", "--json"]),
        ("bomp-export", &["--help"]),
        ("bomp-export", &["--version"]),
    ];
    for (name, arguments) in commands {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(program(name));
        let output = command.args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {arguments:?}: {}: {error}", output.status);
        assert!(!error.contains("panicked") && !error.contains("error"), "{name} {arguments:?}: {error}");
    }
    // Nobody reads the errors either: an error is still an error.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(program("bomp-search"));
    let status =
        command.args(["status", "--study", out]).stderr(writer).stdout(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let line = refuse("bomp-search", &["status", "--study", out]);
    assert!(line.contains("no study here"), "{line}");
}
