//! `cargo xtask coverage`: lines and branches of the runtime's format, plan and arithmetic that the checked-in tests reach.
//!
//! The compiler's own instrumentation counts them; Debian's LLVM of the same version reads the counts.

use crate::programs::{text, write};
use crate::{setup, workspace};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is promised of, and the least of their branches; of their lines it is all.
const FILES: [&str; 3] = ["blob.rs", "plan.rs", "quant.rs"];
const LEAST_BRANCHES: f64 = 95.0;

/// The version of LLVM that the compiler has: counters of another one cannot be read.
const LLVM: &str = "22";
const TOOLS: setup::Need = setup::Need {
    what: "LLVM's readers of counters",
    packages: &["llvm-22"],
    otherwise: None,
    met: |machine| machine.has_program("llvm-cov-22"),
};

/// Count the lines and branches of the runtime's blob, plan and quant that its tests reach; fail below 100 % and 95 %
#[derive(Args)]
pub(crate) struct Options {
    /// Write the counts to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What `llvm-cov export` says, as far as it is used here.
#[derive(Deserialize)]
struct Export {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<Covered>,
}

#[derive(Deserialize)]
struct Covered {
    filename: PathBuf,
    summary: Summary,
}

#[derive(Deserialize, Serialize)]
struct Summary {
    lines: Part,
    branches: Part,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Part {
    count: u64,
    covered: u64,
}

impl Part {
    fn percent(self) -> f64 {
        if self.count == 0 { 100.0 } else { 100.0 * self.covered as f64 / self.count as f64 }
    }
}

/// A line of `cargo test --message-format json`, as far as it is used here.
#[derive(Deserialize)]
struct Built {
    executable: Option<PathBuf>,
}

/// Builds the runtime's tests with counters, runs them, and reads the counters.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::also(&TOOLS)?;
    let root = workspace::root()?;
    let folder = root.join("target/coverage");
    let profiles = folder.join("profiles");
    if profiles.is_dir() {
        fs::remove_dir_all(&profiles).with_context(|| profiles.display().to_string())?;
    }
    let pattern = profiles.join("%p-%m.profraw");
    let variables = [
        ("CARGO_TARGET_DIR", text(&folder)?),
        ("LLVM_PROFILE_FILE", text(&pattern)?),
        ("RUSTFLAGS", "-Cinstrument-coverage -Zcoverage-options=branch"),
        // Branches are counted by an option that stable compilers have but do not promise.
        ("RUSTC_BOOTSTRAP", "1"),
    ];
    let tests = ["test", "--release", "--package", "bomp-runtime", "--lib", "--tests"];
    workspace::cargo_with(&tests, &variables)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut list = Command::new(cargo);
    list.args(tests).args(["--no-run", "--message-format", "json"]).envs(variables).current_dir(&root);
    let programs: Vec<PathBuf> = workspace::printed(&mut list, "cargo")?
        .lines()
        .filter_map(|line| serde_json::from_str::<Built>(line).ok()?.executable)
        .collect();
    let covered = read(&root, &profiles, &programs)?;
    println!("{:>10} {:>16} {:>16}", "", "lines", "branches");
    let mut short = Vec::new();
    for Covered { filename, summary: Summary { lines, branches } } in &covered {
        let name = filename.file_name().unwrap_or_default().to_string_lossy();
        let part = |part: Part| format!("{}/{} {:.1} %", part.covered, part.count, part.percent());
        println!("{name:>10} {:>16} {:>16}", part(*lines), part(*branches));
        if lines.covered < lines.count || branches.percent() < LEAST_BRANCHES {
            short.push(name.into_owned());
        }
    }
    if let Some(file) = &options.json {
        let summaries: Vec<_> =
            covered.iter().map(|covered| (covered.filename.file_name(), &covered.summary)).collect();
        write(file, &serde_json::to_vec_pretty(&summaries)?)?;
    }
    ensure!(
        short.is_empty(),
        "{}: below 100 % of the lines or {LEAST_BRANCHES} % of the branches; see which with `llvm-cov-{} show`",
        short.join(", "),
        LLVM
    );
    Ok(())
}

/// The files of the promise, as the counters tell.
fn read(root: &Path, profiles: &Path, programs: &[PathBuf]) -> Result<Vec<Covered>> {
    let raw: Vec<PathBuf> = fs::read_dir(profiles)
        .with_context(|| profiles.display().to_string())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    let merged = profiles.join("all.profdata");
    let mut merge = Command::new(format!("llvm-profdata-{LLVM}"));
    workspace::printed(merge.args(["merge", "--sparse", "-o"]).arg(&merged).args(&raw), "llvm-profdata")?;
    let mut export = Command::new(format!("llvm-cov-{LLVM}"));
    export.args(["export", "--summary-only", "--instr-profile"]).arg(&merged);
    for (index, program) in programs.iter().enumerate() {
        if index > 0 {
            export.arg("--object");
        }
        export.arg(program);
    }
    let source = root.join("runtime/src");
    export.args(FILES.map(|file| source.join(file)));
    let Export { data } =
        serde_json::from_str(&workspace::printed(&mut export, "llvm-cov")?).context("llvm-cov's answer")?;
    let covered: Vec<Covered> = data.into_iter().flat_map(|data| data.files).collect();
    ensure!(covered.len() == FILES.len(), "llvm-cov knows only {} of {}", covered.len(), FILES.join(", "));
    Ok(covered)
}
