//! Test images per second on one thread: the packed model here beside ONNX Runtime's int8 session on the QDQ model of the same
//! network, in one run. `cargo xtask bench host` runs it.

use std::time::Instant;

use anyhow::{Result, ensure};
use bomp_export::data::{self, Images};
use bomp_export::engines::{Elements, Engine, OnnxRuntime, Tensor};
use bomp_export::ir::Bits;
use bomp_export::testing::{self, Numbers};
use bomp_export::{cost, evaluate, lower, onnx, write};
use bomp_runtime::Model;
use clap::Parser;

/// Images that ONNX Runtime gets at a time: its fastest counts.
const BATCHES: [usize; 4] = [1, 10, 50, 250];

/// Measures evaluation.
#[derive(Parser)]
struct Arguments {
    /// Test images, a multiple of 250
    #[arg(long, default_value_t = 10_000)]
    images: usize,
    /// Times that each side runs; its fastest counts
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Passed by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let dataset = data::load(&data::default_folder(), data::Format::Auto)?;
    let count = arguments.images.min(dataset.test.len());
    ensure!(count > 0 && count.is_multiple_of(250), "--images takes a multiple of 250");
    let images = dataset.test.subset(&(0..count).collect::<Vec<_>>());
    // What the arithmetic costs does not depend on the weights, nor here on their width.
    let candidate = testing::with_weights(testing::three_quarters_mmac(Bits::MAX), &mut Numbers::new(1));
    let lowered = lower::lower(&candidate)?;
    let blob = write::blob(&lowered)?;
    let model = Model::new(&blob)?;
    let onnx = onnx::model(&lowered, &candidate.provenance, &blob)?;
    let engine = OnnxRuntime::find()?;

    let (mut ours, mut theirs) = (f64::INFINITY, [f64::INFINITY; BATCHES.len()]);
    let (mut logits, mut float_logits) = (Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let started = Instant::now();
        logits = evaluate::logits(&model, &images, 1, &|_| {})?;
        ours = ours.min(started.elapsed().as_secs_f64());
        for (batch, fastest) in BATCHES.into_iter().zip(&mut theirs) {
            let mut session = engine.load(&onnx, batch)?;
            // Only its own work is timed: its inputs are there before.
            let inputs: Vec<Tensor> =
                (0..count / batch).map(|index| tensor(&images, index * batch, batch)).collect();
            session.run(&inputs[..1])?;
            let started = Instant::now();
            let mut outputs = Vec::with_capacity(inputs.len());
            for input in &inputs {
                outputs.push(session.run(std::slice::from_ref(input))?);
            }
            *fastest = fastest.min(started.elapsed().as_secs_f64());
            float_logits = outputs.into_iter().flat_map(|output| floats(output.elements)).collect();
        }
    }
    let classes = model.classes();
    let agree = evaluate::predictions(&logits, classes)
        .into_iter()
        .zip(float_logits.chunks_exact(classes))
        .filter(|&(class, logits)| logits.iter().all(|&logit| logit <= logits[class]))
        .count();
    let (batch, fastest) =
        BATCHES.into_iter().zip(theirs).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((1, f64::INFINITY));
    println!(
        "{}",
        serde_json::json!({
            "images": count,
            "macs": cost::macs(&candidate.network),
            "ours_seconds": ours,
            "onnxruntime_seconds": fastest,
            "onnxruntime_batch": batch,
            "onnxruntime_seconds_by_batch": BATCHES.into_iter().zip(theirs).collect::<Vec<_>>(),
            "same_class": agree,
        })
    );
    Ok(())
}

/// `count` images from `first` on as float32 [N, C, H, W] in 0..1.
fn tensor(images: &Images, first: usize, count: usize) -> Tensor {
    let shape = images.shape;
    let mut values = Vec::new();
    for index in first..first + count {
        for channel in 0..shape.channels {
            let pixels = images.image(index).iter().skip(channel).step_by(shape.channels);
            values.extend(pixels.map(|&pixel| f32::from(pixel) / 255.0));
        }
    }
    Tensor {
        shape: vec![count, shape.channels, shape.height, shape.width],
        elements: Elements::Float(values),
    }
}

fn floats(elements: Elements) -> Vec<f32> {
    match elements {
        Elements::Float(values) => values,
        Elements::Int8(values) => values.into_iter().map(f32::from).collect(),
    }
}
