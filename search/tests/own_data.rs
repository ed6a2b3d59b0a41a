//! Data of the user's own on the command line: looked at before they are trained on, said in the first lines of `run`, kept in the
//! study, shown by its report.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use bomp_search::study::StudyConfig;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bomp-search")).args(arguments).output().expect("the program starts")
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("programs print UTF-8")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// A folder with `train` and `val`, `rare` images of one class and ten times as many of the other; one image is in both parts.
fn folder(rare: u32) -> TempDir {
    let folder = tempdir().unwrap();
    let save = |name: String, number: u32| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut image = b"P5 8 8 255\n".to_vec();
        image.extend((0..64u32).map(|at| (at * 3 + number * 7) as u8));
        fs::write(path, image).unwrap();
    };
    for number in 0..10 * rare {
        save(format!("data/Train/usual/{number:03}.pgm"), number);
    }
    for number in 0..rare {
        save(format!("data/Train/rare/{number:03}.pgm"), 128 + number);
        save(format!("data/val/usual/{number:03}.pgm"), number);
        save(format!("data/val/rare/{number:03}.pgm"), 200 + number);
    }
    folder
}

#[test]
fn data_are_looked_at_without_training() {
    let folder = folder(3);
    let path = text(folder.path());
    let printed = out(&run(&["data", path]));
    for part in [
        "39 images of 8x8x1",
        "2 classes",
        "30 training, 3 validation, 6 test images",
        "always answering `usual`",
        "3 test images are in the training or validation part too",
        "note: the data are those in `data` in the folder that was named",
        "note: there is no folder `test`: `val` is the test part",
        "warning: classes are unequal",
        "warning: only 3 validation images",
        "class training validation     test",
    ] {
        assert!(printed.contains(part), "`{part}` is not in:\n{printed}");
    }
    let summary: Value = serde_json::from_str(&out(&run(&["data", path, "--json"]))).unwrap();
    assert_eq!(summary["classes"][1]["name"], "usual");
    assert_eq!(summary["shape"], serde_json::json!([8, 8, 1]));
    assert_eq!(summary["test_seen"], 3);
    let resized = out(&run(&["data", path, "--format", "folder:4x6x3", "--validation", "10", "--seed", "2"]));
    assert!(resized.contains("images of 4x6x3") && resized.contains("10 validation"), "{resized}");

    let refused = run(&["data", text(&folder.path().join("data/val/rare/000.pgm"))]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2));
    assert!(error.contains("000.pgm: a single image; name a folder"), "{error}");
}

#[test]
fn a_study_says_and_keeps_what_its_data_are() {
    let folder = folder(3);
    let study = folder.path().join("study");
    let data = text(folder.path()).to_owned() + "/data";
    let output = run(&[
        "run",
        "--study",
        text(&study),
        "--data",
        &data,
        "--space",
        "micro",
        "--trials",
        "1",
        "--epochs",
        "0.5",
        "--qaft-epochs",
        "0.5",
        "--batch",
        "4",
        "--json",
    ]);
    let printed = out(&output);
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["summary"]["test"]), (&"data".into(), &6.into()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in ["39 images of 8x8x1", "`val` is the test part", "warning: classes are unequal"] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
    let status: Value =
        serde_json::from_str(&out(&run(&["status", "--study", text(&study), "--json"]))).unwrap();
    assert_eq!(status["config"]["data"]["summary"], first["summary"]);
    let report: Value =
        serde_json::from_str(&out(&run(&["report", "--study", text(&study), "--json"]))).unwrap();
    assert_eq!(report["studies"][0]["config"]["data"]["summary"], first["summary"]);
    let page = fs::read_to_string(study.join("report/report.html")).unwrap();
    assert!(page.contains("<h3>Data</h3>") && page.contains("`val` is the test part"));
    assert!(page.contains("<strong>Warning:</strong> classes are unequal"));

    // A study of an earlier version has none of it, and is read all the same.
    let mut old = status;
    old["config"]["data"].as_object_mut().unwrap().remove("summary").unwrap();
    let config: StudyConfig = serde_json::from_value(old["config"].clone()).unwrap();
    old["config_sha256"] = config.sha256().into();
    let file = folder.path().join("old.json");
    fs::write(&file, old.to_string()).unwrap();
    let imported = folder.path().join("old");
    out(&run(&["import", "--study", text(&imported), text(&file)]));
    out(&run(&["report", "--study", text(&imported)]));
    assert!(!fs::read_to_string(imported.join("report/report.html")).unwrap().contains("<h3>Data</h3>"));
}
