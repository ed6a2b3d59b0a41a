//! A packed model over many images: the integers of [`Model::run`], sixteen images at once on each thread.
//!
//! The logits are those of the device bit for bit, in the order of the images, whatever the number of threads.

mod lanes;

use std::sync::Mutex;

use thiserror::Error;

use bomp_runtime::engine::argmax;
use bomp_runtime::{Model, RunError};

use crate::data::Images;
use crate::ir::Shape;

use lanes::{Block, LANES};

/// Why images could not be evaluated.
#[derive(Debug, Error, PartialEq)]
pub enum EvaluateError {
    /// The images are not what the model takes.
    #[error("the images are {images} (height x width x channels), the model takes {model}")]
    Shape {
        /// Shape of the images.
        images: Shape,
        /// Shape of the model's input.
        model: Shape,
    },
    /// A scale in the model's header is not a positive number.
    #[error("the model's header field `{field}` is {value}, not a positive number: pack the model again")]
    Scale {
        /// Name of the field, as `FORMAT.md` spells it.
        field: &'static str,
        /// What it holds.
        value: f32,
    },
    /// The runtime refused a call.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Real step of one input unit.
///
/// # Errors
/// [`EvaluateError::Scale`].
pub fn input_scale(model: &Model<'_>) -> Result<f32, EvaluateError> {
    positive("input_scale", f32::from_bits(model.input_scale_bits()))
}

/// Real step of one logit unit.
///
/// # Errors
/// [`EvaluateError::Scale`].
pub fn logit_scale(model: &Model<'_>) -> Result<f32, EvaluateError> {
    positive("output_scale", f32::from_bits(model.output_scale_bits()))
}

fn positive(field: &'static str, value: f32) -> Result<f32, EvaluateError> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(EvaluateError::Scale { field, value }) }
}

/// The input element for each pixel value: pixel / 255 quantised with the input's scale and zero point, as ONNX's
/// `QuantizeLinear` does it (ties to even). It is pixel - 128 for [`crate::candidate::Quantisation::IMAGE`].
///
/// # Errors
/// [`EvaluateError::Scale`].
pub fn input_table(model: &Model<'_>) -> Result<[i8; 256], EvaluateError> {
    let scale = input_scale(model)?;
    let zero_point = f32::from(model.input_zero_point());
    // `as` saturates, which is what quantisation asks for.
    Ok(std::array::from_fn(|pixel| ((pixel as f32 / 255.0 / scale).round_ties_even() + zero_point) as i8))
}

/// Shape of the model's input.
#[must_use]
pub fn input_shape(model: &Model<'_>) -> Shape {
    let shape = model.input_shape();
    Shape::new(shape.height, shape.width, shape.channels)
}

/// That images of shape `images` are what the model takes.
///
/// # Errors
/// [`EvaluateError::Shape`].
pub fn check_shape(model: &Model<'_>, images: Shape) -> Result<(), EvaluateError> {
    let model = input_shape(model);
    if model == images { Ok(()) } else { Err(EvaluateError::Shape { images, model }) }
}

/// Logits [N, CLASSES] of all images, on `threads` threads (at least one). Calls `progress(images)` whenever that many
/// more are done, from any of the threads.
///
/// # Errors
/// See [`EvaluateError`].
pub fn logits(
    model: &Model<'_>,
    images: &Images,
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<i32>, EvaluateError> {
    check_shape(model, images.shape)?;
    let table = input_table(model)?;
    let classes = model.classes();
    let mut logits = vec![0; images.len() * classes];
    let work = Mutex::new(logits.chunks_mut(LANES * classes).enumerate());
    let prepared = lanes::prepare(model);
    let run = || {
        let mut block = Block::new(&prepared);
        loop {
            let Some((chunk, logits)) = work.lock().expect("no thread panics while it holds the lock").next()
            else {
                return;
            };
            let count = logits.len() / classes;
            let image = |lane, elements: &mut [i8]| {
                quantise(&table, images.image(chunk * LANES + lane), elements);
            };
            block.run(count, image, logits);
            progress(count);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
    Ok(logits)
}

/// The input elements of an image, both [H, W, C].
pub fn quantise(table: &[i8; 256], pixels: &[u8], input: &mut [i8]) {
    for (element, &pixel) in input.iter_mut().zip(pixels) {
        *element = table[usize::from(pixel)];
    }
}

/// Class of each image, the first of equal logits. `logits` are [N, CLASSES].
#[must_use]
pub fn predictions(logits: &[i32], classes: usize) -> Vec<usize> {
    logits.chunks_exact(classes).map(argmax).collect()
}

/// Number of images whose prediction is their label.
#[must_use]
pub fn correct(predictions: &[usize], labels: &[u16]) -> usize {
    predictions.iter().zip(labels).filter(|&(&class, &label)| class == usize::from(label)).count()
}
