//! `cargo xtask trust`: crafted blobs, exhaustive damage, mutants, and processes stopped at every write boundary, at full counts.
//!
//! Each part counts what it tried and what failed. A failure is told with what reproduces it, and the others go on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bomp_export::files;
use bomp_runtime::{Model, arena};
use bomp_tests::attacks::{Golden, Mutants, Outcome, Refusal, attacks, damage};
use bomp_tests::{certificates, databases, faults, flips, long, program};
use clap::{Parser, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

const TRACER: &str = env!("CARGO_BIN_EXE_at-boundary");
const WORKER: &str = env!("CARGO_BIN_EXE_invented-worker");

/// Counts what corrupt models, stopped processes and long runs do; all failures must be zero
#[derive(Parser)]
struct Arguments {
    /// Mutants
    #[arg(long, default_value_t = 1_000_000)]
    mutants: u64,
    /// Of the mutants
    #[arg(long, default_value_t = 6)]
    seed: u64,
    /// Trials of the long study
    #[arg(long, default_value_t = 5_000)]
    trials: u64,
    /// Networks that one worker trains
    #[arg(long, default_value_t = 200)]
    networks: u64,
    /// Every so many write boundaries
    #[arg(long, default_value_t = 1)]
    step: usize,
    /// Only this part; may be given several times
    #[arg(long)]
    only: Vec<Part>,
    /// File to write the counts to
    #[arg(long)]
    json: Option<PathBuf>,
    /// Passed by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    Attacks,
    Damage,
    Mutants,
    Study,
    Pack,
    Finalise,
    Databases,
    Flips,
    Certificates,
    LongStudy,
    LongWorker,
}

/// What a part found.
#[derive(Serialize)]
struct Count {
    part: Part,
    /// What was tried.
    tried: u64,
    failures: u64,
    seconds: f64,
    /// What else there is to say.
    detail: String,
}

fn main() {
    let arguments = Arguments::parse();
    let mut counts = Vec::new();
    for &part in Part::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(&part) {
            continue;
        }
        let start = Instant::now();
        // A check that fails panics, with what reproduces it; it has told so by then.
        let found = catch_unwind(AssertUnwindSafe(|| run(part, &arguments)));
        let (tried, failures, detail) = found.unwrap_or((0, 1, "stopped at the failure above".into()));
        let count = Count { part, tried, failures, seconds: start.elapsed().as_secs_f64(), detail };
        println!(
            "{:<12} {:>9} tried, {} failures, {:.0} s: {}",
            format!("{part:?}").to_lowercase(),
            count.tried,
            count.failures,
            count.seconds,
            count.detail
        );
        counts.push(count);
    }
    if let Some(file) = &arguments.json {
        files::write_json(file, &counts).expect("the file is writable");
    }
    let failures: u64 = counts.iter().map(|count| count.failures).sum();
    println!("{failures} failures");
    if failures > 0 {
        std::process::exit(1);
    }
}

fn run(part: Part, arguments: &Arguments) -> (u64, u64, String) {
    let bar = bar();
    let tell = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let of_faults = |faults: faults::Faults| {
        (faults.runs as u64, 0, format!("each of {} write boundaries", faults.boundaries))
    };
    let (tracer, step) = (Path::new(TRACER), arguments.step);
    match part {
        Part::Attacks => crafted(),
        Part::Damage => exhaustive(&bar),
        Part::Mutants => mutants(arguments, &bar),
        Part::Study => of_faults(faults::study(tracer, Path::new(WORKER), step, tell)),
        Part::Pack => of_faults(faults::pack(tracer, &program("bomp-export"), step, tell)),
        Part::Finalise => of_faults(faults::finalise(tracer, &program("bomp-search"), step, tell)),
        Part::Databases => {
            let found = databases::damage(1, tell);
            (found.tried, 0, found.to_string())
        }
        Part::Flips => all_flips(tell),
        Part::Certificates => {
            let found = certificates::certify(&certificates::BOARDS, tell);
            (found.firmwares, 0, found.to_string())
        }
        Part::LongStudy => {
            let found = long::study(arguments.trials, |done| tell(done as usize, arguments.trials as usize));
            (found.trials, u64::from(!found.is_flat()), found.to_string())
        }
        Part::LongWorker => {
            let found =
                long::worker(arguments.networks, |done| tell(done as usize, arguments.networks as usize));
            (found.networks, u64::from(!found.is_flat()), found.to_string())
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {eta}");
    let bar = ProgressBar::new(0);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Damages the files of a study in each state that a process can leave them in, on as many threads.
fn all_flips(tell: impl Fn(usize, usize) + Sync) -> (u64, u64, String) {
    let root = flips::scratch();
    let scenes = flips::scenes(root.path(), Path::new(TRACER), Path::new(WORKER));
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            scenes.iter().map(|scene| scope.spawn(|| flips::damage(scene, 1, &tell))).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut all = flips::Flips::default();
    let mut failures = 0;
    for (scene, result) in scenes.iter().zip(results) {
        match result {
            Ok(found) => {
                println!("{:<28} {found}", scene.name);
                all += found;
            }
            Err(_) => failures += 1,
        }
    }
    (all.flips + all.truncations, failures, all.to_string())
}

fn crafted() -> (u64, u64, String) {
    let attacks = attacks();
    let wrong = |attack: &&bomp_tests::attacks::Attack| {
        let found = Model::new(&attack.blob).map_or_else(
            |error| Some(Refusal::Load(error)),
            |model| {
                let mut words = vec![0; 1 << 14];
                let mut logits = vec![0; model.classes()];
                let run = model.run(&vec![0; model.input_len()], arena::from_words(&mut words), &mut logits);
                run.err().map(Refusal::Run)
            },
        );
        if found != Some(attack.refusal) {
            eprintln!("{}: {found:?} instead of {:?}", attack.name, attack.refusal);
        }
        found != Some(attack.refusal)
    };
    let failures = attacks.iter().filter(wrong).count() as u64;
    (attacks.len() as u64, failures, "crafted blobs, each with its error".into())
}

fn exhaustive(bar: &ProgressBar) -> (u64, u64, String) {
    let mut done = bomp_tests::attacks::Damage::default();
    let goldens = Golden::all();
    bar.set_length(goldens.iter().map(|golden| golden.blob.len() as u64).sum());
    for golden in &goldens {
        for at in 0..golden.blob.len() {
            done += damage(golden, at..at + 1);
            bar.inc(1);
        }
    }
    let tried = done.flips + done.truncations + done.sealed_truncations;
    let detail = format!(
        "{} bit flips, {} truncations, {} with length and checksum made right, all refused",
        done.flips, done.truncations, done.sealed_truncations
    );
    (tried, done.accepted, detail)
}

fn mutants(arguments: &Arguments, bar: &ProgressBar) -> (u64, u64, String) {
    let mutants = Mutants::new(arguments.seed);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let [next, failures, refused, too_large, ran, most] = [const { AtomicU64::new(0) }; 6];
    bar.set_length(arguments.mutants);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= arguments.mutants {
                        break;
                    }
                    let counter = match catch_unwind(AssertUnwindSafe(|| mutants.try_one(index))) {
                        Ok(Outcome::Refused) => &refused,
                        Ok(Outcome::TooLarge) => &too_large,
                        Ok(Outcome::Ran { steps, bound }) => {
                            most.fetch_max(steps * 1_000_000 / bound, Ordering::Relaxed);
                            &ran
                        }
                        Err(_) => &failures,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                    if index.is_multiple_of(256) {
                        bar.set_position(index);
                    }
                }
            });
        }
    });
    let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let detail = format!(
        "seed {}: {} refused, {} want more RAM than their device has, {} ran, of the allowed steps {:.1} % at most",
        arguments.seed,
        value(&refused),
        value(&too_large),
        value(&ran),
        value(&most) as f64 / 1e4
    );
    (arguments.mutants, value(&failures), detail)
}
