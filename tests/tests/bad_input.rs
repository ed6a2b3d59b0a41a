//! Bad input of every kind gives one clear line, exit code 2, no panic, and leaves no file behind.

use std::fs;
use std::path::{Path, PathBuf};

use bomp_tests::{fashion_mnist, refuse, workspace};
use tempfile::TempDir;

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// `bomp-search run` with `extra` must be refused, name `expected` and not make the study's folder.
fn search_refuses(extra: &[&str], expected: &[&str]) {
    let folder = TempDir::new().unwrap();
    let study = folder.path().join("study");
    let mut arguments = vec!["run", "--study", text(&study)];
    arguments.extend(extra);
    let line = refuse("bomp-search", &arguments);
    for word in expected {
        assert!(line.contains(word), "{extra:?}: `{word}` is not in: {line}");
    }
    assert!(!study.exists(), "{extra:?} left a study behind");
}

/// A valid packed model for 28x28x1 images and 10 classes.
fn model(folder: &Path) -> PathBuf {
    let path = folder.join("model.bomp");
    fs::write(&path, bomp_tests::random_blob(28, 10)).unwrap();
    path
}

#[test]
fn missing_data() {
    search_refuses(&["--data", "no/such/folder"], &["no/such/folder"]);
}

#[test]
fn truncated_idx() {
    let folder = TempDir::new().unwrap();
    for entry in fs::read_dir(fashion_mnist()).unwrap() {
        let entry = entry.unwrap();
        let mut bytes = fs::read(entry.path()).unwrap();
        if entry.file_name().to_str().unwrap().starts_with("train-images") {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(folder.path().join(entry.file_name()), bytes).unwrap();
    }
    search_refuses(&["--data", text(folder.path())], &["train-images", "byte"]);
}

#[test]
fn wrong_class_count() {
    let folder = TempDir::new().unwrap();
    let space = folder.path().join("seven.toml");
    let definition = fs::read_to_string(workspace().join("search/src/space/builtin/extended.toml")).unwrap();
    assert!(definition.contains("classes = 10"), "the built-in space names its classes");
    fs::write(&space, definition.replace("classes = 10", "classes = 7")).unwrap();
    search_refuses(&["--space", text(&space)], &["10", "7"]);
}

#[test]
fn broken_space() {
    let folder = TempDir::new().unwrap();
    let space = folder.path().join("broken.toml");
    fs::write(&space, "name = \"broken\"\nclasses = \"ten\"\n").unwrap();
    search_refuses(&["--space", text(&space)], &["broken.toml"]);
    search_refuses(&["--space", "no-such-space"], &["no-such-space", "extended"]);
}

#[test]
fn budget_below_the_minimum() {
    search_refuses(&["--max-size", "300B"], &["300", "at least 331"]);
    search_refuses(&["--space", "paper", "--max-size", "1kB"], &["1000", "at least"]);
    search_refuses(&["--max-ram", "100B"], &["100", "at least"]);
    search_refuses(&["--max-macs", "1k"], &["1000", "at least"]);
}

#[test]
fn absent_cuda() {
    if tch::Cuda::is_available() {
        eprintln!("skipped: this machine has CUDA");
        return;
    }
    search_refuses(&["--device", "cuda"], &["CUDA"]);
    search_refuses(&["--device", "abacus"], &["abacus", "cpu"]);
}

#[test]
fn corrupt_blob() {
    let folder = TempDir::new().unwrap();
    let path = model(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&path, &bytes).unwrap();
    for (program, arguments) in [
        ("bomp-export", vec!["inspect", text(&path)]),
        ("bomp-export", vec!["validate", text(&path)]),
        ("bomp-sim", vec!["run", text(&path)]),
    ] {
        let line = refuse(program, &arguments);
        assert!(line.contains("model.bomp") && line.contains("checksum"), "{line}");
    }
}

#[test]
fn images_of_the_wrong_shape() {
    let folder = TempDir::new().unwrap();
    let path = model(folder.path());
    // CIFAR-10's layout: a label and 32 x 32 x 3 bytes.
    let cifar = folder.path().join("cifar");
    fs::create_dir(&cifar).unwrap();
    let records: Vec<u8> = (0..10u8).flat_map(|label| std::iter::once(label).chain([label; 3_072])).collect();
    for batch in 1..=5 {
        fs::write(cifar.join(format!("data_batch_{batch}.bin")), &records).unwrap();
    }
    fs::write(cifar.join("test_batch.bin"), &records).unwrap();
    for program in ["bomp-export", "bomp-sim"] {
        let command = if program == "bomp-sim" { "run" } else { "validate" };
        let line = refuse(program, &[command, text(&path), "--data", text(&cifar)]);
        assert!(line.contains("32") && line.contains("28"), "{line}");
    }
}

#[test]
fn output_that_cannot_be_written() {
    let folder = TempDir::new().unwrap();
    let candidate = folder.path().join("candidate");
    bomp_tests::random_candidate(28, 10).save(&candidate).unwrap();
    // Nobody can make a file there, not even root.
    for command in ["pack", "onnx"] {
        let line = refuse("bomp-export", &[command, text(&candidate), "-o", "/proc/bomp/out"]);
        assert!(line.contains("/proc/bomp"), "{line}");
    }
    let line = refuse("bomp-search", &["run", "--study", "/proc/bomp"]);
    assert!(line.contains("/proc/bomp"), "{line}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a file was left behind");
}

#[test]
fn unknown_board() {
    let folder = TempDir::new().unwrap();
    let line = refuse("bomp-sim", &["run", text(&model(folder.path())), "--board", "arduino-uno"]);
    assert!(line.contains("arduino-uno") && line.contains("mps2-an386"), "{line}");
}

#[test]
fn a_fraction_for_a_percentage() {
    search_refuses(&["--reference-accuracy", "0.8"], &["--reference-accuracy", "0.8 % or 80 %"]);
    let folder = TempDir::new().unwrap();
    let preset = folder.path().join("mine.toml");
    let text_of = fs::read_to_string(workspace().join("search/src/study/presets/two-cores.toml")).unwrap();
    fs::write(&preset, text_of.replace("reference_size", "reference_accuracy = 0.8\nreference_size"))
        .unwrap();
    search_refuses(&["--preset", text(&preset)], &["mine.toml", "reference_accuracy", "0.8 % or 80 %"]);
}

#[test]
fn negative_and_absurd_numbers() {
    for (option, values) in [
        ("--trials", &["-3", "0", "1e9", "many"][..]),
        ("--max-size", &["-5kB", "0", "ten", "1e400"]),
        ("--max-macs", &["-1M", "NaN"]),
        ("--epochs", &["-1", "NaN", "inf", "0"]),
        ("--learning-rate", &["0", "-0.1", "NaN", "11"]),
        ("--batch", &["0", "-64", "99999999999"]),
        ("--threads", &["0", "-2"]),
        ("--reference-accuracy", &["-1", "100", "NaN", "0.8"]),
        ("--validation", &["0", "1.5", "-0.1", "60000"]),
        ("--seed", &["-1", "x"]),
    ] {
        for value in values {
            search_refuses(&[&format!("{option}={value}")], &[value]);
        }
    }
    let folder = TempDir::new().unwrap();
    let path = model(folder.path());
    for arguments in [["--images", "0"], ["--images", "-4"], ["--images", "10001"]] {
        refuse("bomp-sim", &["run", text(&path), arguments[0], arguments[1]]);
        refuse("bomp-export", &["validate", text(&path), arguments[0], arguments[1]]);
    }
}

#[test]
fn studies_that_are_not_there_or_there_already() {
    let folder = TempDir::new().unwrap();
    for command in ["status", "pareto", "report", "resume", "finalise"] {
        let line = refuse("bomp-search", &[command, "--study", text(folder.path())]);
        assert!(line.contains("no study here"), "{line}");
    }
    fs::write(folder.path().join("study.sqlite"), b"not a database").unwrap();
    let line = refuse("bomp-search", &["run", "--study", text(folder.path())]);
    assert!(line.contains("study.sqlite: it was cut off after 14 bytes"), "{line}");
    refuse("bomp-search", &["status", "--study", text(folder.path())]);
    assert_eq!(fs::read(folder.path().join("study.sqlite")).unwrap(), b"not a database");
}
