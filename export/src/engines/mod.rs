//! Other people's inference engines, as judges of the ONNX file and so of the integer runtime.

mod onnxruntime;
mod tract;

use std::sync::Mutex;

use thiserror::Error;

use crate::data::Images;

pub use onnxruntime::OnnxRuntime;
pub use tract::Tract;

/// Elements of a [`Tensor`], row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// float32.
    Float(Vec<f32>),
    /// Signed 8-bit integers.
    Int8(Vec<i8>),
}

/// A tensor that goes into an engine or comes out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Size of each dimension, the batch first.
    pub shape: Vec<usize>,
    /// Its elements.
    pub elements: Elements,
}

/// Why an engine failed.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The engine's library is not there or cannot be used.
    #[error("{library}: {problem}; `cargo xtask setup` installs it, ORT_DYLIB_PATH names another")]
    Library {
        /// The file that was tried.
        library: String,
        /// Why it does not work.
        problem: String,
    },
    /// The engine refused the model or a call.
    #[error("{engine}: {problem}")]
    Engine {
        /// Name of the engine.
        engine: &'static str,
        /// What it said, on one line.
        problem: String,
    },
}

impl EngineError {
    fn new(engine: &'static str, problem: impl std::fmt::Display) -> Self {
        // Engines report in several lines; errors here have one.
        let problem = problem.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self::Engine { engine, problem }
    }
}

/// An engine that runs ONNX files.
pub trait Engine: Sync {
    /// Its name, as `--against` takes it.
    fn name(&self) -> &'static str;

    /// Loads a file with one output, to be run on one thread, always with `batch` images.
    ///
    /// # Errors
    /// What the engine says.
    fn load(&self, onnx: &[u8], batch: usize) -> Result<Box<dyn Session>, EngineError>;
}

/// A loaded file.
pub trait Session {
    /// The output for the inputs in the order of the file.
    ///
    /// # Errors
    /// What the engine says.
    fn run(&mut self, inputs: &[Tensor]) -> Result<Tensor, EngineError>;
}

/// Images that an engine is given at a time.
const BATCH: usize = 50;

/// Float logits [N, CLASSES] of all images, on `threads` threads (at least one). Calls `progress(images)` whenever that
/// many more are done, from any of the threads. The file takes float32 [N, C, H, W], pixels 0..=255 as 0..1, features as they
/// are after quantisation.
///
/// # Errors
/// What the engine says.
pub fn logits(
    engine: &dyn Engine,
    onnx: &[u8],
    images: &Images,
    classes: usize,
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<f32>, EngineError> {
    let mut logits = vec![0.0; images.len() * classes];
    let batch = BATCH.min(images.len());
    let work = Mutex::new(logits.chunks_mut(batch * classes).enumerate());
    let run = || -> Result<(), EngineError> {
        let mut session = engine.load(onnx, batch)?;
        loop {
            let Some((chunk, logits)) = work.lock().expect("no thread panics while it holds the lock").next()
            else {
                return Ok(());
            };
            let first = chunk * batch;
            let count = logits.len() / classes;
            let output = session.run(&[pixels(images, first..first + count, batch)])?;
            match output.elements {
                Elements::Float(values) if values.len() == batch * classes => {
                    logits.copy_from_slice(&values[..count * classes]);
                }
                _ => {
                    let problem =
                        format!("returned {:?} instead of [{batch}, {classes}] floats", output.shape);
                    return Err(EngineError::new(engine.name(), problem));
                }
            }
            progress(count);
        }
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let own = run();
        let helpers = helpers.into_iter().map(|helper| helper.join().expect("an engine's thread panicked"));
        helpers.fold(own, Result::and)
    })?;
    Ok(logits)
}

/// The images of `range` as float32 [`batch`, C, H, W], pixels in 0..1; zeros after the last.
fn pixels(images: &Images, range: std::ops::Range<usize>, batch: usize) -> Tensor {
    let shape = images.shape;
    let mut values = Vec::with_capacity(batch * shape.elements());
    for index in range {
        let image = images.image(index);
        for channel in 0..shape.channels {
            values.extend(image.iter().skip(channel).step_by(shape.channels).map(|&byte| images.value(byte)));
        }
    }
    values.resize(batch * shape.elements(), 0.0);
    Tensor {
        shape: vec![batch, shape.channels, shape.height, shape.width],
        elements: Elements::Float(values),
    }
}
