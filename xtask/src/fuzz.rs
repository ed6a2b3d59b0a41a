//! `cargo xtask fuzz`: coverage-guided fuzzing of everything that reads untrusted bytes.
//! `tests/fuzz/` has the targets, in the layout of cargo-fuzz; libFuzzer comes with a crate and is
//! built by the C++ compiler that setup installs, so stable Rust is enough.
//!
//! What is committed under `tests/fuzz/corpus` is where each target begins. What a run finds is
//! kept in `tests/fuzz/target/corpus`, a crash in `tests/fuzz/artifacts`.

use crate::{setup, workspace};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Counts edges and comparisons, as libFuzzer wants them; one unit of code for each crate, or the
/// linker drops tables.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

/// A target and the size of its inputs.
struct Target {
    name: &'static str,
    max_len: u32,
    /// What it checks, for people.
    what: &'static str,
}

const TARGETS: [Target; 9] = [
    Target { name: "model_load", max_len: 2_048, what: "loading a model" },
    Target { name: "model_run", max_len: 2_048, what: "loading and running a model on an image" },
    Target { name: "network_json", max_len: 4_096, what: "network.json" },
    Target { name: "weights", max_len: 4_096, what: "weights.safetensors" },
    Target { name: "onnx_import", max_len: 16_384, what: "ONNX import" },
    Target { name: "onnx_structure", max_len: 256, what: "ONNX import of files with another structure" },
    Target { name: "data_files", max_len: 8_192, what: "IDX, CIFAR and npz files" },
    Target { name: "device_protocol", max_len: 512, what: "commands of the device" },
    Target { name: "ask_tell", max_len: 1_024, what: "lines of ask-tell" },
];

/// Run coverage-guided fuzzing of everything that reads untrusted bytes; fail on a crash and name
/// the file that causes it
#[derive(Args)]
pub(crate) struct Options {
    /// Time for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Only this target; may be given several times
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Run one target on these inputs only, once
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Vec<PathBuf>,
    /// Write the counts to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What came of a target.
#[derive(Serialize)]
struct Outcome {
    target: &'static str,
    executions: u64,
    seconds: f64,
    /// Edges of the code that were reached.
    edges: u64,
    /// The input that crashed it.
    crash: Option<PathBuf>,
}

/// Builds the targets and runs them one after another.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| options.target.is_empty() || options.target.iter().any(|name| name == target.name))
        .collect();
    let known = TARGETS.map(|target| target.name).join(", ");
    ensure!(options.target.len() <= chosen.len(), "--target: the targets are {known}");
    let folder = workspace::root()?.join("tests/fuzz");
    let programs = build(&folder, &chosen)?;
    if !options.replay.is_empty() {
        ensure!(chosen.len() == 1, "--replay: an input belongs to one --target");
        let status = Command::new(programs.join(chosen[0].name)).args(&options.replay).status()?;
        ensure!(status.success(), "{} crashed ({status}); what it says above is the reason", chosen[0].name);
        return Ok(());
    }
    let mut outcomes = Vec::new();
    for target in chosen {
        println!("{:>12} {} ({}) for {} s", "Fuzzing", target.name, target.what, options.seconds);
        outcomes.push(fuzz(&folder, &programs, target, options.seconds)?);
    }
    println!("{:<16} {:>14} {:>9} {:>7}   crash", "target", "executions", "seconds", "edges");
    for Outcome { target, executions, seconds, edges, crash } in &outcomes {
        let crash = crash.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
        println!("{target:<16} {executions:>14} {seconds:>9.1} {edges:>7}   {crash}");
    }
    if let Some(file) = &options.json {
        crate::programs::write(file, (serde_json::to_string_pretty(&outcomes)? + "\n").as_bytes())?;
    }
    let crashes: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| {
            let path = outcome.crash.as_ref()?.display();
            Some(format!("`cargo xtask fuzz --target {} --replay {path}` shows it again", outcome.target))
        })
        .collect();
    if crashes.is_empty() {
        Ok(())
    } else {
        bail!("{} of the targets crashed; {}", crashes.len(), crashes.join("; "))
    }
}

/// Builds with counters, in a folder of its own; returns where the programs are.
fn build(folder: &Path, targets: &[&Target]) -> Result<PathBuf> {
    // With a target named, the flags do not reach build scripts and macros.
    let version = Command::new("rustc").arg("-vV").output().context("rustc cannot be started")?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("`rustc -vV` names no host")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(folder).env("RUSTFLAGS", FLAGS).env_remove("CARGO_TARGET_DIR");
    command.args(["build", "--release", "--locked", "--features", "export,search", "--target", host]);
    for target in targets {
        command.args(["--bin", target.name]);
    }
    println!("{:>12} the targets in {}", "Building", folder.display());
    let status = command.status().context("cargo cannot be started")?;
    ensure!(status.success(), "the targets do not build ({status}); what cargo says above is the reason");
    Ok(folder.join("target").join(host).join("release"))
}

/// Runs one target, its report on the terminal only if it crashes.
fn fuzz(folder: &Path, programs: &Path, target: &Target, seconds: u32) -> Result<Outcome> {
    let name = target.name;
    let found = folder.join("target/corpus").join(name);
    let artifacts = folder.join("artifacts").join(name);
    for needed in [&found, &artifacts] {
        fs::create_dir_all(needed).with_context(|| format!("{} cannot be made", needed.display()))?;
    }
    let mut command = Command::new(programs.join(name));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={}", target.max_len));
    // An input that takes longer, or more memory, is a failure like a crash: inputs are a few kB.
    command.args(["-timeout=10", "-rss_limit_mb=1024", "-malloc_limit_mb=512", "-print_final_stats=1"]);
    command.arg(format!("-artifact_prefix={}/", artifacts.display())).arg(&found);
    command.arg(folder.join("corpus").join(name)).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    let report = String::from_utf8_lossy(&output.stderr).into_owned();
    let figure = |mark: &str| {
        let word = report.lines().rev().find_map(|line| line.split_once(mark)?.1.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    let crash = (!output.status.success()).then(|| {
        let path =
            report.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
        path.map_or_else(|| artifacts.clone(), |path| PathBuf::from(path.trim()))
    });
    if crash.is_some() {
        eprintln!("{report}");
    }
    Ok(Outcome {
        target: name,
        executions: figure("stat::number_of_executed_units:"),
        seconds: start.elapsed().as_secs_f64(),
        edges: figure("cov: "),
        crash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_declared_and_has_somewhere_to_begin() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("tests/fuzz");
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
        for Target { name, .. } in TARGETS {
            assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
            assert!(folder.join("targets").join(name).with_extension("rs").is_file(), "{name}");
            assert!(fs::read_dir(folder.join("corpus").join(name)).unwrap().count() > 0, "{name}");
        }
    }
}
