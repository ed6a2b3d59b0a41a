//! A packed model over many images: the integers of [`Model::run`], sixteen images at once on each thread.
//!
//! The logits are those of the device bit for bit, in the order of the images, whatever the number of threads. The activations of
//! all threads together take at most [`MOST_MEMORY`], whatever arena the model asks for.

mod lanes;

use std::sync::Mutex;

use thiserror::Error;

use bomp_runtime::engine::argmax;
use bomp_runtime::{Model, RunError, arena};

use crate::candidate::Quantisation;
use crate::data::Images;
use crate::ir::Shape;

use lanes::{Block, LANES};

/// Most bytes for the activations of all threads together, 1 GiB. Fewer threads are used, and images run one by one, before it is
/// exceeded; a device has a thousandth of it.
pub const MOST_MEMORY: usize = 1 << 30;

/// Why images could not be evaluated.
#[derive(Debug, Error, PartialEq)]
pub enum EvaluateError {
    /// The images are not what the model takes.
    #[error(
        "the images are {images} (height x width x channels), the model takes {model}: name the data that it was made \
             for with --data"
    )]
    Shape {
        /// Shape of the images.
        images: Shape,
        /// Shape of the model's input.
        model: Shape,
    },
    /// The images are features of another quantisation than the model's input.
    #[error(
        "the images are features quantised with step {} and zero point {}, the model's input has step {} and zero point \
         {}: load them with the model's own quantisation", .images.scale, .images.zero_point, .model.scale, .model.zero_point
    )]
    Input {
        /// Quantisation of the images.
        images: Quantisation,
        /// Quantisation of the model's input.
        model: Quantisation,
    },
    /// A scale in the model's header is not a positive number.
    #[error("the model's header field `{field}` is {value}, not a positive number: pack the model again")]
    Scale {
        /// Name of the field, as `FORMAT.md` spells it.
        field: &'static str,
        /// What it holds.
        value: f32,
    },
    /// The model needs more memory than any machine that it could be for.
    #[error(
        "the model needs an arena of {arena} bytes, and this program gives it at most {MOST_MEMORY}: pack a smaller one"
    )]
    Memory {
        /// Bytes that one image needs.
        arena: usize,
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

/// Quantisation of the model's input.
///
/// # Errors
/// [`EvaluateError::Scale`].
pub fn input(model: &Model<'_>) -> Result<Quantisation, EvaluateError> {
    let (scale, zero_point) = (input_scale(model)?, model.input_zero_point());
    // The header holds the step of pixels as float32.
    let pixels = (scale, zero_point) == (Quantisation::IMAGE.scale as f32, Quantisation::IMAGE.zero_point);
    Ok(if pixels { Quantisation::IMAGE } else { Quantisation { scale: f64::from(scale), zero_point } })
}

/// The input element for each byte of images whose bytes stand for `images`. Of pixels: pixel / 255 quantised with the input's
/// scale and zero point, as ONNX's `QuantizeLinear` does it (ties to even), which is pixel - 128 for [`Quantisation::IMAGE`]. Of
/// features: byte - 128, as they are quantised already.
///
/// # Errors
/// [`EvaluateError::Scale`]; [`EvaluateError::Input`] for features of another quantisation than the model's.
pub fn input_table(model: &Model<'_>, images: Quantisation) -> Result<[i8; 256], EvaluateError> {
    if images != Quantisation::IMAGE {
        let model = input(model)?;
        if model != images {
            return Err(EvaluateError::Input { images, model });
        }
        return Ok(std::array::from_fn(|byte| (byte as u8 ^ 0x80) as i8));
    }
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

/// Logits [N, CLASSES] of all images, on `threads` threads (at least one), or fewer where the memory of so many would exceed
/// [`MOST_MEMORY`]. Calls `progress(images)` whenever that many
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
    let table = input_table(model, images.input)?;
    let classes = model.classes();
    let mut logits = vec![0; images.len() * classes];
    let work = Mutex::new(logits.chunks_mut(LANES * classes).enumerate());
    let prepared = lanes::prepare(model);
    let (blocks, threads) = plan(Block::bytes(&prepared), model.arena_size(), threads)?;
    let run = || -> Result<(), RunError> {
        let mut block = blocks.then(|| Block::new(&prepared));
        loop {
            let Some((chunk, logits)) = work.lock().expect("no thread panics while it holds the lock").next()
            else {
                return Ok(());
            };
            let count = logits.len() / classes;
            let image = |lane, elements: &mut [i8]| {
                quantise(&table, images.image(chunk * LANES + lane), elements);
            };
            match &mut block {
                Some(block) => block.run(count, image, logits),
                None => one_by_one(model, image, logits)?,
            }
            progress(count);
        }
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let own = run();
        let helpers =
            helpers.into_iter().map(|helper| helper.join().expect("a thread of the evaluation panicked"));
        helpers.fold(own, Result::and)
    })?;
    Ok(logits)
}

/// Whether images are run in blocks, whose activations take `block` bytes, or one by one in the device's `arena`; and on how many
/// of `threads` threads.
fn plan(block: usize, arena: usize, threads: usize) -> Result<(bool, usize), EvaluateError> {
    let blocks = block <= MOST_MEMORY;
    let each = if blocks { block } else { arena };
    match MOST_MEMORY / each.max(1) {
        0 => Err(EvaluateError::Memory { arena }),
        most => Ok((blocks, threads.min(most))),
    }
}

/// The logits of images whose elements `image` gives, each by itself in the arena that the device would have.
fn one_by_one(
    model: &Model<'_>,
    image: impl Fn(usize, &mut [i8]),
    logits: &mut [i32],
) -> Result<(), RunError> {
    let mut words = vec![0; arena::words(model.arena_size())];
    let mut elements = vec![0; model.input_len()];
    for (index, logits) in logits.chunks_exact_mut(model.classes()).enumerate() {
        image(index, &mut elements);
        model.run(&elements, arena::from_words(&mut words), logits)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Limits, Numbers};
    use crate::{lower, write};

    #[test]
    fn threads_share_the_memory_that_there_is() {
        assert_eq!(plan(1 << 20, 1 << 15, 8), Ok((true, 8)));
        assert_eq!(plan(MOST_MEMORY / 3, 1 << 25, 8), Ok((true, 3)));
        // The blob of a stranger, 51 MB of arena: 1.6 GB for sixteen images at once.
        assert_eq!(plan(1_643_000_000, 51_400_000, 64), Ok((false, 20)));
        assert_eq!(plan(usize::MAX, MOST_MEMORY, 8), Ok((false, 1)));
        let most = MOST_MEMORY + 1;
        assert_eq!(plan(usize::MAX, most, 8), Err(EvaluateError::Memory { arena: most }));
        assert_eq!(plan(0, 0, 8), Ok((true, 8)));
    }

    #[test]
    fn one_by_one_gives_the_same_logits() {
        for seed in 0..10 {
            let blob =
                write::blob(&lower::lower(&testing::candidate(seed, &Limits::SMALL)).unwrap()).unwrap();
            let model = Model::new(&blob).unwrap();
            let images = testing::images(input_shape(&model), 5, model.classes(), &mut Numbers::new(seed));
            let table = input_table(&model, images.input).unwrap();
            let mut alone = vec![0; 5 * model.classes()];
            one_by_one(&model, |index, place| quantise(&table, images.image(index), place), &mut alone)
                .unwrap();
            assert_eq!(alone, logits(&model, &images, 2, &|_| {}).unwrap());
        }
    }
}
