//! The command line: what is refused, how it says so, and what Ctrl-C leaves behind.

#[allow(dead_code, reason = "each test file uses its part")]
mod network;

use std::path::Path;
use std::process::{Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bomp_export::ir::{Activation, Shape};
use bomp_sim::Verdict;
use network::Builder;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bomp-sim"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Asserts one line on standard error with all `words`, nothing on standard output, and exit code `code`.
#[track_caller]
fn refused(arguments: &[&str], code: i32, words: &[&str]) {
    let output = run(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.starts_with("error: ") && message.trim_end().lines().count() == 1, "{message}");
    assert!(output.stdout.is_empty());
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn bad_input_is_one_line_and_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = network::pack(network::small(), folder.path());
    let model = text(&path);
    refused(&["run", model, "--board", "arduino"], 2, &["`arduino`", "mps2-an386", "microbit"]);
    refused(&["run", "nowhere.bomp"], 2, &["nowhere.bomp", "no such file"]);
    refused(&["run", model, "--images", "10001"], 2, &["10001", "1 to 10000"]);
    refused(&["run", model, "--data", "nowhere"], 2, &["nowhere", "cargo xtask setup"]);
    for arguments in
        [["--images", "0"], ["--images", "-3"], ["--timeout", "0"], ["--jobs", "0"], ["--format", "tar"]]
    {
        let output = run(&["run", model, arguments[0], arguments[1]]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }

    let damaged = folder.path().join("damaged.bomp");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    std::fs::write(&damaged, &bytes).unwrap();
    refused(&["run", text(&damaged)], 2, &["damaged.bomp", "checksum"]);
    std::fs::write(&damaged, &bytes[..middle]).unwrap();
    refused(&["run", text(&damaged)], 2, &["damaged.bomp", "truncated"]);
}

#[test]
fn images_of_another_shape_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let network = Builder::new(Shape::new(32, 32, 3)).convolution(3, 2, 4, Activation::Relu6).classifier();
    let (_, path) = network::pack(network, folder.path());
    refused(&["run", text(&path)], 2, &["28x28x1", "32x32x3"]);
}

/// As [`refused`], for a board whose target rustup has not installed on every machine.
#[track_caller]
fn refused_if_built(model: &Path, words: &str) {
    let output = run(&["run", text(model), "--board", "stm32vldiscovery", "--images", "1"]);
    let message = String::from_utf8_lossy(&output.stderr);
    if message.contains("no Rust toolchain") {
        eprintln!("not run: {message}");
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(words), "{message}");
}

#[test]
fn what_does_not_fit_is_told_with_the_bytes_missing() {
    let folder = tempfile::tempdir().unwrap();
    // 784 + 28 * 28 * 12 + 696 = 10,888 bytes of arena and 784 of image for 8,192 bytes: told before anything is built.
    let network = Builder::new(Shape::new(28, 28, 1)).convolution(3, 1, 12, Activation::Relu6).classifier();
    let (_, path) = network::pack(network, folder.path());
    let board = ["--board", "stm32vldiscovery"];
    refused(
        &["run", text(&path), board[0], board[1]],
        2,
        &["stm32vldiscovery", "3480 bytes too many", "RAM of 8192"],
    );

    // 784 + 14 * 14 * 26 + 1,204 = 7,084 bytes of arena leave 324 bytes beside the image: it links, without a stack.
    let network = Builder::new(Shape::new(28, 28, 1)).convolution(3, 2, 26, Activation::Relu6).classifier();
    let (_, path) = network::pack(network, folder.path());
    refused_if_built(&path, "bytes too many for its RAM of 8192 bytes, stack counted");

    // 784 + 7 * 7 * 112 + 1,120 = 7,392 bytes of arena fit together with the image, but not with the logits: the linker tells.
    let network = Builder::new(Shape::new(28, 28, 1)).convolution(3, 4, 112, Activation::Relu6).classifier();
    let (_, path) = network::pack(network, folder.path());
    refused_if_built(&path, "bytes too many for its RAM of 8192 bytes\n");
}

#[test]
fn a_device_that_takes_too_long_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = Builder::new(Shape::new(28, 28, 1)).convolution(3, 1, 64, Activation::Relu6);
    for _ in 0..12 {
        builder = builder.convolution(3, 1, 64, Activation::Relu6);
    }
    let (_, path) = network::pack(builder.classifier(), folder.path());
    refused(&["run", text(&path), "--images", "1", "--timeout", "1"], 3, &["no image in 1 s", "--timeout"]);
}

/// Holds what a command printed against its schema.
#[track_caller]
fn fits(command: &str, printed: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(command).with_extension("json");
    let schema: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(schema["title"], format!("bomp-sim {command} --json"));
    bomp_export::testing::schema::check(&schema, &serde_json::from_slice(printed).unwrap(), command);
}

#[test]
fn the_verdict_comes_as_json_and_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = network::pack(network::small(), folder.path());
    let output = run(&["run", text(&path), "--images", "3", "--jobs", "2", "--json"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{message}");
    let verdict: Verdict = serde_json::from_slice(&output.stdout).unwrap();
    fits("run", &output.stdout);
    assert!(verdict.passed() && verdict.images == 3);
    let output = run(&["run", text(&path), "--images", "3"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("bit-identical to the host's on all 3 images"), "{table}");

    let output = run(&["boards", "--json"]);
    let boards: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    fits("boards", &output.stdout);
    let built = folder.path().join("built");
    fits("library", &run(&["library", "-o", text(&built), "--json"]).stdout);
    fits("monitor", &run(&["monitor", text(&path), "--images", "2", "--json"]).stdout);
    let default = boards.as_array().unwrap().iter().find(|board| board["name"] == "mps2-an386").unwrap();
    assert_eq!((&default["cpu"], &default["ram"]["length"]), (&"cortex-m4".into(), &4_194_304.into()));
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_the_emulators() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = network::pack(network::about_one_mmac(), folder.path());
    let kept = folder.path().join("kept");
    let arguments = ["run", text(&path), "--images", "10000", "--jobs", "2", "--keep", text(&kept)];
    let mut child = command(&arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    let length = |part: usize| {
        std::fs::metadata(kept.join(format!("part-{part}/ticks.bin"))).map_or(0, |file| file.len())
    };
    let started = Instant::now();
    while length(0) == 0 || length(1) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was interrupted");
        assert!(started.elapsed() < Duration::from_secs(600), "no image was classified");
        sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let lengths = [length(0), length(1)];
    sleep(Duration::from_millis(500));
    assert_eq!([length(0), length(1)], lengths, "an emulator is still running");
}
