//! `cargo xtask quickstart`: the whole flow on real data, from a fresh machine to a network proven
//! on an emulated Cortex-M4.
//!
//! It does nothing that a user could not do: it calls the project's programs with the options that
//! it prints, reads the JSON that they write, and puts their figures side by side. A figure that
//! should equal another and does not is an error. What the search found is held against the network
//! that every search starts from, at no more bytes.

mod answers;
mod phases;
mod summary;

use crate::programs::{call, folder, json, text, write};
use crate::{programs, setup};
use anyhow::{Context, Result, bail, ensure};
use std::path::PathBuf;

use answers::{Finished, Size, Status, Validation, Verdict};
use phases::Phases;
use summary::{Correct, Network, Summary};

/// Set up, search Fashion-MNIST below 3 kB, train the best network and the seed network to the end,
/// pack the best one, validate it on the host and on an emulated Cortex-M4
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder for the study, the model and the summary; an interrupted study in it is continued
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    out: PathBuf,
    /// Trials of the search
    #[arg(long, value_name = "N", default_value_t = 36)]
    trials: u64,
    /// Seed of the search; another one finds other networks
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Largest packed model (1 kB = 1000 bytes)
    #[arg(long, value_name = "SIZE", default_value = "3kB")]
    max_size: String,
    /// Test images that the emulated Cortex-M4 classifies
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    m4_images: usize,
}

/// Settings that let two cores finish in minutes; a real study takes the defaults of `bomp-search run`.
const SEARCH: [&str; 14] = [
    "--space",
    "extended",
    "--max-ram",
    "32kB",
    "--max-macs",
    "1M",
    "--epochs",
    "0.7",
    "--qaft-epochs",
    "0.1",
    "--final-epochs",
    "3",
    "--final-qaft-epochs",
    "0.75",
];

/// Test images for tract, a sample: it is much slower than ONNX Runtime.
const TRACT_IMAGES: u32 = 500;

/// Runs the flow.
pub(crate) fn run(options: &Options) -> Result<()> {
    println!(
        "{:>12} 6 to 10 minutes on two idle cores of a fresh machine, most of them to compile. Downloads what is missing: {} MB of \
         libraries, at most 300 MB of Debian packages, Rust targets and data, 70 MB of crates",
        "Quickstart",
        setup::library_megabytes()
    );
    let mut phases = Phases::default();
    phases.begin("set up");
    setup::run(&setup::Options::default())?;
    phases.begin("compile");
    programs::build()?;

    let out = std::path::absolute(&options.out).context("--out")?;
    std::fs::create_dir_all(&out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let study = out.join("study");
    phases.begin("search");
    let (trials, seed) = (options.trials.to_string(), options.seed.to_string());
    if study.join("study.sqlite").is_file() {
        call("bomp-search", &["resume", "--study", text(&study)?, "--trials", &trials])?;
    } else {
        let mut arguments = vec!["run", "--study", text(&study)?, "--trials", &trials, "--seed", &seed];
        arguments.extend(["--max-size", &options.max_size]);
        arguments.extend(SEARCH);
        call("bomp-search", &arguments)?;
    }
    let status: Status = json("bomp-search", &["status", "--study", text(&study)?, "--json"])?;
    let (seed, found) = status.seed_and_best()?;

    phases.begin("finish");
    let [seed_number, found_number] = [seed, found].map(|trial| trial.number.to_string());
    let finalise =
        ["finalise", "--study", text(&study)?, "--trial", &seed_number, "--trial", &found_number, "--json"];
    let finished: Vec<Finished> = json("bomp-search", &finalise)?;
    let network = |trial| Network::new(trial, &finished);
    let (seed, (found, finished)) = (network(seed)?.0, network(found)?);
    let candidate = text(&finished.candidate)?;

    phases.begin("pack and validate");
    let (model, onnx) = (out.join("model.bomp"), out.join("model.onnx"));
    let size: Size = json("bomp-export", &["size", candidate, "--json"])?;
    call("bomp-export", &["pack", candidate, "-o", text(&model)?])?;
    call("bomp-export", &["onnx", candidate, "-o", text(&onnx)?])?;
    let validate = |engine, more: &[&str]| -> Result<Validation> {
        let first = ["validate", text(&model)?, "--onnx", text(&onnx)?, "--json", "--against", engine];
        json("bomp-export", &[&first[..], more].concat())
    };
    let validation = validate("onnxruntime", &[])?;
    let tract_images = TRACT_IMAGES.to_string();
    let tract = validate("tract", &["--images", &tract_images])?;
    let ([onnxruntime], [tract_engine]) = (&validation.against[..], &tract.against[..]) else {
        bail!("`bomp-export validate` reported on another number of engines than one");
    };

    phases.begin("run on a Cortex-M4");
    let images = options.m4_images.to_string();
    let m4: Verdict =
        json("bomp-sim", &["run", text(&model)?, "--board", "mps2-an386", "--images", &images, "--json"])?;

    let file_bytes = std::fs::metadata(&model).with_context(|| model.display().to_string())?.len();
    let summary = Summary {
        predicted_bytes: size.total_bytes,
        file_bytes,
        elf_bytes: m4.section_bytes,
        arena_predicted: size.arena_bytes,
        arena_used: m4.ram.arena_used,
        macs: size.macs,
        m4_instructions: m4.instructions.mean.round() as u64,
        test_images: finished.test_images,
        m4_images: m4.images,
        tract_images: tract.images,
        logits_equal: m4.logits_equal,
        correct: Correct {
            float: finished.float_correct,
            integer: validation.integer.correct,
            m4: m4.device_correct,
            onnxruntime: onnxruntime.accuracy.correct,
            tract: tract_engine.accuracy.correct,
        },
        seed,
        found,
        seconds: phases.end(),
    };
    let summary_path = out.join("summary.json");
    write(&summary_path, &serde_json::to_vec_pretty(&summary)?)?;
    summary.print(onnxruntime, tract_engine, &m4);
    println!("\nThe figures: {}", summary_path.display());
    println!("The model:   {} ({} for other tools)", model.display(), onnx.display());
    println!("The network: {candidate} (trial {} of {})", finished.trial, study.display());
    println!("\nWhat to try next:");
    println!("  bomp-search status --study {}            every trial", study.display());
    println!("  bomp-search resume --study {} --trials 100  search on", study.display());
    println!("  bomp-search finalise --study {}          finish the whole Pareto front", study.display());
    println!("  bomp-export inspect {}", model.display());
    println!("(the programs are in {})", folder()?.display());

    ensure!(
        summary.predicted_bytes == file_bytes && m4.section_equals_file && m4.section_bytes == file_bytes,
        "the sizes above differ: predicted, file and ELF section must be equal"
    );
    ensure!(
        summary.arena_used <= summary.arena_predicted,
        "more of the arena was used than predicted, see above"
    );
    ensure!(m4.logits_equal, "the Cortex-M4's logits are not the host's");
    ensure!(
        finished.integer_correct == validation.integer.correct && validation.images == finished.test_images,
        "`finalise` reported {} correct images, `validate` {}",
        finished.integer_correct,
        validation.integer.correct
    );
    Ok(())
}
