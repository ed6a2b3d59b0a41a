//! Data of one's own as NumPy writes them. Features go from the archive to the device with the promised accuracy, and what the messages
//! advise, followed to the letter, gives data that are read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bomp_export::data::{self, Dataset, Format};
use bomp_tests::{refuse, succeed, workspace};
use serde_json::Value;
use tempfile::{TempDir, tempdir};

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Runs a Python program in `folder`.
#[track_caller]
fn python(folder: &Path, program: &str) {
    // Where `cargo xtask setup` puts numpy; one that is installed otherwise will do.
    let output = Command::new("python3")
        .env("PYTHONPATH", workspace().join(".toolchain/python"))
        .args(["-B", "-c", &format!("import numpy as np\n{program}")])
        .current_dir(folder)
        .output()
        .expect("python3, which `cargo xtask setup` installs");
    assert!(output.status.success(), "{program}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Arrays made by `program`, saved.
fn made(program: &str) -> TempDir {
    let folder = tempdir().unwrap();
    save(folder.path(), program);
    folder
}

#[track_caller]
fn save(folder: &Path, program: &str) {
    let save = "np.savez('set.npz', x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)";
    python(folder, &format!("{program}\n{save}"));
}

fn load(folder: &Path) -> Result<Dataset, String> {
    data::load(&folder.join("set.npz"), Format::Auto).map_err(|error| error.to_string())
}

/// The lines of Python that a message advises.
fn advice(message: &str) -> Vec<String> {
    let quoted = message.split('`').skip(1).step_by(2);
    quoted.filter(|quoted| quoted.contains(" = ")).map(str::to_owned).collect()
}

/// `lines` run after `program`; those that change an array of the training part are run for the test part too.
#[track_caller]
fn followed(program: &str, lines: &[String]) -> TempDir {
    let mut program = program.to_owned();
    for line in lines {
        program = format!("{program}\n{line}");
        let (name, _) = line.split_once(" = ").unwrap();
        if name.ends_with("_train") {
            program = format!("{program}\n{}", line.replace("_train", "_test"));
        }
    }
    made(&program)
}

/// Four kinds of noise; what each case changes comes after this.
const NOISE: &str = "
rng = np.random.default_rng(0)
def part(n):
    y = np.arange(n) % 4
    x = rng.integers(0, 60, (n, 8, 6, 3)) + (y * 60)[:, None, None, None]
    return x.astype(np.uint8), y
(x_train, y_train), (x_test, y_test) = part(40), part(20)
def both(f):
    global x_train, x_test
    x_train, x_test = f(x_train), f(x_test)
def labels(f):
    global y_train, y_test
    y_train, y_test = f(y_train), f(y_test)
def objects(a):
    o = np.empty(len(a), object)
    for i in range(len(a)): o[i] = a[i]
    return o
";

#[test]
fn advice_followed_to_the_letter_works() {
    let expected = load(made(NOISE).path()).unwrap();
    // What is done to the data, which of the advised lines are followed, whether the same pixels come out.
    let cases: [(&str, &[usize], bool); 14] = [
        ("both(lambda x: x.transpose(0, 3, 1, 2))", &[0], true),
        ("both(lambda x: (x.astype(int) - 128).astype(np.int8))", &[0], true),
        ("both(lambda x: (x.astype(int) - 128).astype(np.int8))", &[1], false),
        ("both(lambda x: x.reshape(len(x), -1))", &[0], false),
        ("both(lambda x: x[:, :, :, 0].reshape(len(x), -1)[:, :36])", &[0], false),
        ("both(np.asfortranarray)", &[0], true),
        ("both(objects)", &[0], true),
        ("both(lambda x: x * 1e30)", &[0], false),
        ("labels(lambda y: y + 1)", &[0], true),
        ("labels(lambda y: y * 2 - 3)", &[0], true),
        ("labels(lambda y: objects(y.astype(str)))", &[0], true),
        ("labels(lambda y: np.eye(4)[y] * 0.9 + 0.025)", &[0], true),
        ("labels(lambda y: y + 0.1)", &[0, 1], true),
        ("labels(lambda y: np.stack([y % 2 == 0, y % 2 == 0], 1))", &[0], false),
    ];
    for (change, which, same) in cases {
        let program = format!("{NOISE}{change}");
        let message = load(made(&program).path()).expect_err(change);
        assert_eq!(message.lines().count(), 1, "{message}");
        let advised = advice(&message);
        let lines: Vec<String> = which.iter().map(|&line| advised[line].clone()).collect();
        let data =
            load(followed(&program, &lines).path()).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
        if same {
            assert_eq!(data.train.pixels, expected.train.pixels, "{change}");
            assert_eq!(
                (&data.train.labels, &data.test.labels),
                (&expected.train.labels, &expected.test.labels),
                "{change}"
            );
        }
    }
    // Not divided into parts, and divided as is said.
    let folder = tempdir().unwrap();
    python(folder.path(), &format!("{NOISE}np.savez('set.npz', x=x_train, y=y_train)"));
    let message = load(folder.path()).unwrap_err();
    python(folder.path(), &format!("{NOISE}{}", message.split('`').nth(1).unwrap()));
    // The archive that the advice made is the one to name.
    std::fs::rename(folder.path().join("divided.npz"), folder.path().join("set.npz")).unwrap();
    let data = load(folder.path()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (32, 8));
}

#[test]
fn warnings_followed_go_away() {
    for change in [
        "both(lambda x: x / 255.0 + 40)",
        "both(lambda x: np.where(x == x.max(), 1e4, x / 100.0 + 0.001))",
        "both(lambda x: x * np.array([1e-4, 1, 1.5]))",
    ] {
        let program = format!("{NOISE}both(lambda x: x.astype(float))\n{change}");
        let warned = load(made(&program).path()).unwrap();
        let lines: Vec<String> = warned.warnings.iter().flat_map(|note| advice(note)).collect();
        assert_eq!(lines.len(), 1, "{change}: {:?}", warned.warnings);
        let data = load(followed(&program, &lines).path()).unwrap();
        assert!(data.warnings.is_empty(), "{change}: {:?}", data.warnings);
    }
}

/// A set of four spoken words in miniature: a word is a band that moves over time, in noise; 49 frames of 10 coefficients.
const WORDS: &str = "
rng = np.random.default_rng(7)
def part(n):
    y = rng.integers(0, 4, n)
    x = rng.normal(size=(n, 49, 10, 1)) * 3 - 2
    for i, k in enumerate(y):
        t = rng.integers(0, 20)
        for s in range(24):
            c = (2 * k + s // 8) % 10
            x[i, t + s, c : c + 2] += 9
    return x.astype(np.float32), y
(x_train, y_train), (x_test, y_test) = part(600), part(200)
y_train, y_test = np.array(['yes', 'no', 'up', 'down'])[y_train], np.array(['yes', 'no', 'up', 'down'])[y_test]
";

fn json(name: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(name, arguments)).expect("--json prints JSON")
}

/// Searches, finishes and packs; the packed model and the test inputs that it promises to classify correctly.
fn searched(folder: &Path) -> (PathBuf, u64) {
    let (study, set, model) = (folder.join("study"), folder.join("set.npz"), folder.join("model.bomp"));
    let settings = [
        "--space",
        "micro",
        "--trials",
        "3",
        "--max-size",
        "6kB",
        "--batch",
        "32",
        "--epochs",
        "3",
        "--qaft-epochs",
        "1",
    ];
    let last = ["--final-epochs", "6", "--final-qaft-epochs", "2"];
    let run = [&["run", "--study", text(&study), "--data", text(&set)][..], &settings, &last].concat();
    succeed("bomp-search", &run);
    let network = json("bomp-search", &["finalise", "--study", text(&study), "--best", "--json"])[0].clone();
    let candidate = network["candidate"].as_str().unwrap();
    succeed("bomp-export", &["pack", candidate, "-o", text(&model)]);
    succeed("bomp-export", &["onnx", candidate, "-o", text(&model.with_extension("onnx"))]);
    (model, network["integer_correct"].as_u64().unwrap())
}

#[test]
fn features_go_from_the_archive_to_the_device_with_the_promised_accuracy() {
    let folder = made(WORDS);
    let (model, promised) = searched(folder.path());
    let set = folder.path().join("set.npz");
    assert!(promised >= 150, "{promised} of 200: the words are easily told apart");

    // Header, search and data say one quantisation.
    let input = data::load(&set, Format::Auto).unwrap().train.input;
    let inspected = json("bomp-export", &["inspect", text(&model), "--json"]);
    assert_eq!(inspected["input_scale"].as_f64().unwrap() as f32, input.scale as f32);
    assert_eq!(inspected["input_zero_point"], input.zero_point);
    assert_eq!(
        inspected["sidecar"]["provenance"]["class_names"],
        serde_json::json!(["down", "no", "up", "yes"])
    );

    // The integer runtime, both engines on the ONNX file, and the device.
    let engines = ["--against", "onnxruntime", "--against", "tract"];
    let validate = [&["validate", text(&model), "--data", text(&set), "--json"][..], &engines].concat();
    let validated = json("bomp-export", &validate);
    assert_eq!(validated["integer"]["correct"], promised);
    for engine in validated["against"].as_array().unwrap() {
        assert_eq!(engine["passed"], true, "{engine}");
    }
    let simulated = ["run", text(&model), "--data", text(&set), "--images", "200", "--json"];
    let device = json("bomp-sim", &simulated);
    assert_eq!((&device["logits_equal"], &device["device_correct"]), (&Value::Bool(true), &promised.into()));

    // Test data alone may have another range: their elements are those of the model's step. A fifth of it is another scale.
    let test_only = tempdir().unwrap();
    let quieter = format!("{WORDS}x_train, y_train, x_test, y_test = x_test * 0.8, y_test, x_test, y_test");
    save(test_only.path(), &quieter);
    let other = test_only.path().join("set.npz");
    assert_ne!(data::load(&other, Format::Auto).unwrap().train.input, input);
    let again = json("bomp-export", &["validate", text(&model), "--data", text(&other), "--json"]);
    assert_eq!(again["integer"]["correct"], promised);
    save(test_only.path(), &format!("{WORDS}x_train, x_test = x_train * 50, x_test * 50"));
    let line = refuse("bomp-export", &["validate", text(&model), "--data", text(&other)]);
    assert!(line.contains("entry x_test") && line.contains("scale them exactly"), "{line}");

    // Pixels are none of it.
    let pixels = format!(
        "{WORDS}x_train, x_test = [np.clip(x * 9 + 90, 0, 255).astype(np.uint8) for x in (x_train, x_test)]"
    );
    save(test_only.path(), &pixels);
    for program in ["bomp-export", "bomp-sim"] {
        let command = if program == "bomp-sim" { "run" } else { "validate" };
        let line = refuse(program, &[command, text(&model), "--data", text(&other)]);
        assert!(
            line.contains("these are pixels") && line.contains(".npz of the same real numbers"),
            "{line}"
        );
    }
    c_agrees(folder.path(), &model, input.scale as f32, input.zero_point);
}

/// The C header's own quantiser of whole numbers gives the elements that the loader gives.
fn c_agrees(folder: &Path, model: &Path, scale: f32, zero_point: i8) {
    succeed("bomp-export", &["header", text(model), "-o", text(&folder.join("words"))]);
    let program = "#include <stdio.h>\n#include \"words.h\"\nint main(void) {\n  int x;\n  for (x = -400; x <= 400; x++)\n    \
                   printf(\"%d\\n\", words_quantise_input(x));\n  return WORDS_INPUT_IS_PIXEL;\n}\n";
    fs::write(folder.join("main.c"), program).unwrap();
    let compile = Command::new("cc")
        .current_dir(folder)
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o", "program", "main.c", "words.c"])
        .output()
        .unwrap();
    assert!(compile.status.success(), "{}", String::from_utf8_lossy(&compile.stderr));
    let output = Command::new(folder.join("program")).output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    for (line, x) in printed.lines().zip(-400i32..) {
        let element = ((x as f32 / scale).round_ties_even() + f32::from(zero_point)) as i8;
        assert_eq!(line, element.to_string(), "{x}");
    }
    assert_eq!(printed.lines().count(), 801);
}
