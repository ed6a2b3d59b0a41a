//! Mistakes with `bomp-sim`.

use super::{Row, hold, understood};

#[test]
fn files_options_and_values() {
    const ROWS: &[Row] = &[
        ("run {signed.bomp}", &["signed.bomp", "signed model"], &["bomp-export verify"]),
        ("monitor {signed.bomp}", &["signed.bomp", "signed model"], &["bomp-export verify"]),
        ("run {candidate}", &["candidate", "is a folder"], &["bomp-export pack"]),
        ("run {absent.bomp}", &["absent.bomp", "no such file"], &["bomp-export pack"]),
        ("run {network.tflite}", &["network.tflite", "TensorFlow Lite"], &["from-onnx"]),
        ("run {noise.bomp}", &["noise.bomp"], &["bomp-export pack"]),
        ("run {model.bomp} --board STM32L072", &["STM32L072", "microbit"], &["bomp-sim boards"]),
        ("library --board uno -o {lib}", &["uno", "microbit"], &["bomp-sim boards"]),
        ("run {model.bomp} --timeout 0", &["--timeout", "0"], &["from 1 to 86400"]),
        ("run {model.bomp} --jobs -2", &["--jobs", "-2"], &["from 1 to 1024"]),
        ("run {model.bomp} --bord microbit", &["--bord"], &["--board"]),
        ("validate {model.bomp}", &["validate"], &["bomp-export"]),
        ("library", &["--output"], &["bomp-sim library"]),
        ("completions", &["SHELL"], &["bomp-sim completions"]),
    ];
    hold("bomp-sim", ROWS);
    understood("bomp-sim", &[("boards", "microbit"), ("completions fish", "complete -c bomp-sim")]);
}
