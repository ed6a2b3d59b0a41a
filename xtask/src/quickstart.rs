//! `cargo xtask quickstart`: the whole flow on real data, from a fresh machine to a network proven on an emulated Cortex-M4.
//!
//! It does nothing that a user could not do: it calls the project's programs with the options that it prints, reads the
//! JSON that they write, and puts their figures side by side. A figure that should equal another and does not is an error.

use crate::programs::{call, folder, json, text, write};
use crate::{programs, setup};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;

/// Set up, search Fashion-MNIST under 10 kB, finish the best network, pack it, validate it on the host and on an emulated
/// Cortex-M4
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Folder for the study, the model and the summary; an interrupted study in it is continued
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    out: PathBuf,
    /// Trials of the search
    #[arg(long, value_name = "N", default_value_t = 8)]
    trials: u64,
    /// Largest packed model (1 kB = 1000 bytes)
    #[arg(long, value_name = "SIZE", default_value = "10kB")]
    max_size: String,
    /// Test images that the emulated Cortex-M4 classifies
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    m4_images: usize,
}

/// `summary.json`. Counts are images, sizes bytes.
#[derive(Debug, Serialize)]
struct Summary {
    predicted_bytes: u64,
    file_bytes: u64,
    elf_bytes: u64,
    arena_predicted: u64,
    arena_used: u64,
    macs: u64,
    m4_instructions: u64,
    test_images: u64,
    m4_images: u64,
    logits_equal: bool,
    correct: Correct,
    seconds: f64,
}

/// Images classified correctly; `m4` of `m4_images`, the others of `test_images`.
#[derive(Debug, Serialize)]
struct Correct {
    float: u64,
    integer: u64,
    m4: u64,
    onnxruntime: u64,
    tract: u64,
}

/// One line of `bomp-search finalise --json`.
#[derive(Debug, Deserialize)]
struct Finished {
    trial: u64,
    candidate: PathBuf,
    test_images: u64,
    float_correct: u64,
    integer_correct: u64,
}

/// What `bomp-export size --json` says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Size {
    total_bytes: u64,
    arena_bytes: u64,
    macs: u64,
}

/// What `bomp-export validate --json` says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Validation {
    images: u64,
    integer: Accuracy,
    against: Vec<Engine>,
}

/// One engine beside the integer runtime.
#[derive(Debug, Deserialize)]
struct Engine {
    accuracy: Accuracy,
    agreement: f64,
    agreeing: u64,
    layers: Layers,
}

/// int8 elements of all layers, each computed from equal inputs.
#[derive(Debug, Deserialize)]
struct Layers {
    elements: u64,
    differing: u64,
}

#[derive(Debug, Deserialize)]
struct Accuracy {
    correct: u64,
}

/// What `bomp-sim run --json` says, as far as it is used here.
#[derive(Debug, Deserialize)]
struct Verdict {
    images: u64,
    device_correct: u64,
    logits_equal: bool,
    section_bytes: u64,
    section_equals_file: bool,
    instructions: Instructions,
    ram: Ram,
}

#[derive(Debug, Deserialize)]
struct Instructions {
    mean: f64,
    per_mac: f64,
}

#[derive(Debug, Deserialize)]
struct Ram {
    arena_used: u64,
    stack_used: u64,
}

/// Settings that let two cores finish in minutes; a real study takes the defaults of `bomp-search run`.
const SEARCH: [&str; 16] = [
    "--space",
    "extended",
    "--max-ram",
    "32kB",
    "--max-macs",
    "0.5M",
    "--reference-accuracy",
    "80",
    "--epochs",
    "1",
    "--qaft-epochs",
    "0.25",
    "--final-epochs",
    "5",
    "--final-qaft-epochs",
    "1",
];

/// Runs the flow.
pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    setup::run(&setup::Options::default())?;
    programs::build()?;
    let out = std::path::absolute(&options.out).context("--out")?;
    std::fs::create_dir_all(&out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let study = out.join("study");
    let trials = options.trials.to_string();
    if study.join("study.sqlite").is_file() {
        call("bomp-search", &["resume", "--study", text(&study)?, "--trials", &trials])?;
    } else {
        let mut arguments = vec!["run", "--study", text(&study)?, "--trials", &trials];
        arguments.extend(["--max-size", &options.max_size]);
        arguments.extend(SEARCH);
        call("bomp-search", &arguments)?;
    }
    let finished: Vec<Finished> =
        json("bomp-search", &["finalise", "--study", text(&study)?, "--best", "--json"])?;
    let finished = finished.into_iter().next().context("`bomp-search finalise` finished no network")?;
    let candidate = text(&finished.candidate)?;

    let (model, onnx) = (out.join("model.bomp"), out.join("model.onnx"));
    let size: Size = json("bomp-export", &["size", candidate, "--json"])?;
    call("bomp-export", &["pack", candidate, "-o", text(&model)?])?;
    call("bomp-export", &["onnx", candidate, "-o", text(&onnx)?])?;
    let validate = [
        "validate",
        text(&model)?,
        "--against",
        "onnxruntime",
        "--against",
        "tract",
        "--json",
        "--onnx",
        text(&onnx)?,
    ];
    let validation: Validation = json("bomp-export", &validate)?;
    let [onnxruntime, tract] = &validation.against[..] else {
        bail!("`bomp-export validate` reported on {} engines instead of 2", validation.against.len());
    };
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
        logits_equal: m4.logits_equal,
        correct: Correct {
            float: finished.float_correct,
            integer: validation.integer.correct,
            m4: m4.device_correct,
            onnxruntime: onnxruntime.accuracy.correct,
            tract: tract.accuracy.correct,
        },
        seconds: start.elapsed().as_secs_f64(),
    };
    let summary_path = out.join("summary.json");
    write(&summary_path, &serde_json::to_vec_pretty(&summary)?)?;
    print_table(&summary, &finished, onnxruntime, tract, &m4);
    println!("\nThe figures: {}", summary_path.display());
    println!("The model:   {} ({} for other tools)", model.display(), onnx.display());
    println!("The network: {candidate} (trial {} of {})", finished.trial, study.display());
    println!("\nWhat to try next:");
    println!("  bomp-search status --study {}            every trial", study.display());
    println!("  bomp-search resume --study {} --trials 40  search on", study.display());
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

fn print_table(summary: &Summary, finished: &Finished, onnxruntime: &Engine, tract: &Engine, m4: &Verdict) {
    let accuracy = |correct: u64, images: u64| {
        format!("{:.2} % ({correct} of {images})", 100.0 * correct as f64 / images.max(1) as f64)
    };
    let ties = |engine: &Engine| {
        format!(
            "{} of {} classes equal ({:.3} %); {} of {} activations rounded the other way",
            engine.agreeing,
            summary.test_images,
            100.0 * engine.agreement,
            engine.layers.differing,
            engine.layers.elements
        )
    };
    let rows = [
        (
            "size predicted / file / ELF section",
            format!("{} / {} / {} bytes", summary.predicted_bytes, summary.file_bytes, summary.elf_bytes),
        ),
        (
            "RAM (arena) predicted / used",
            format!("{} / {} bytes", summary.arena_predicted, summary.arena_used),
        ),
        ("stack used on the Cortex-M4", format!("{} bytes", m4.ram.stack_used)),
        ("test accuracy, float network", accuracy(summary.correct.float, finished.test_images)),
        ("test accuracy, integer runtime", accuracy(summary.correct.integer, summary.test_images)),
        ("test accuracy, Cortex-M4", accuracy(summary.correct.m4, summary.m4_images)),
        ("test accuracy, ONNX Runtime", accuracy(summary.correct.onnxruntime, summary.test_images)),
        ("test accuracy, tract", accuracy(summary.correct.tract, summary.test_images)),
        (
            "logits of Cortex-M4 and host",
            if summary.logits_equal { "bit-identical".into() } else { "DIFFERENT".into() },
        ),
        ("ONNX Runtime and integer runtime", ties(onnxruntime)),
        ("tract and integer runtime", ties(tract)),
        ("multiply-accumulates", format!("{} per image", summary.macs)),
        (
            "Cortex-M4 instructions",
            format!("{} per image, {:.2} per MAC", summary.m4_instructions, m4.instructions.per_mac),
        ),
        ("time, everything included", format!("{:.0} s", summary.seconds)),
    ];
    println!();
    for (name, value) in rows {
        println!("{name:<38} {value}");
    }
}
