//! The integer runtime against another engine that runs the ONNX file of the same network.
//!
//! Two questions. [`compare_logits`]: do both give an image the same class? [`compare_layers`]: given a layer's exact
//! int8 inputs, does the other engine give its exact int8 output? Where it does not, the real value must lie on the edge
//! between two steps, which the engine's own float32 says ([`LayerDifference::farthest_from_tie`]).

mod layers;
mod traces;

use serde::Serialize;
use thiserror::Error;

use bomp_runtime::Model;
use bomp_runtime::engine::argmax;

use crate::engines::EngineError;
use crate::evaluate::{self, EvaluateError};
use crate::report::Accuracy;

pub use layers::{LayerDifference, TIE_MARGIN, WorstElement, compare_layers};

/// Why the comparison was not made.
#[derive(Debug, Error)]
pub enum ValidateError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The integer runtime failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The ONNX file does not hold the model's network.
    #[error("the ONNX file does not match the model: {0}; write both again from one candidate")]
    Mismatch(String),
}

/// An image that the engines classify differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Disagreement {
    /// Index of the image.
    pub image: usize,
    /// Its label.
    pub label: usize,
    /// The integer runtime's class.
    pub integer: usize,
    /// The other engine's class.
    pub engine: usize,
}

/// How far the logits of two engines are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LogitDifference {
    /// Largest, in steps of the integer logits.
    pub max_steps: f64,
    /// Mean, in steps of the integer logits.
    pub mean_steps: f64,
    /// Largest, in real units.
    pub max: f64,
    /// Mean, in real units.
    pub mean: f64,
    /// Root of the mean square, in steps of the integer logits.
    pub rmse_steps: f64,
    /// Root of the mean square, in real units.
    pub rmse: f64,
    /// Cosine of the angle between both engines' logits of an image, mean over the images.
    pub mean_cosine: f64,
    /// The smallest of these cosines.
    pub min_cosine: f64,
}

/// Whole networks compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogitComparison {
    /// Accuracy of the other engine.
    pub accuracy: Accuracy,
    /// Images that both give the same class.
    pub agreeing: usize,
    /// `agreeing` out of all images.
    pub agreement: f64,
    /// The other images.
    pub disagreements: Vec<Disagreement>,
    /// Distance of the logits.
    pub logits: LogitDifference,
}

impl LogitComparison {
    /// Names images by `indices`, their places in the whole data, instead of their places in the sample.
    pub fn number_images(&mut self, indices: &[usize]) {
        for disagreement in &mut self.disagreements {
            disagreement.image = indices[disagreement.image];
        }
    }
}

/// Compares the logits of all images: `integer` [N, CLASSES] of the runtime, `float` of the engine.
///
/// # Errors
/// [`EvaluateError::Scale`].
pub fn compare_logits(
    model: &Model<'_>,
    labels: &[u16],
    integer: &[i32],
    float: &[f32],
) -> Result<LogitComparison, EvaluateError> {
    let classes = model.classes();
    let step = f64::from(evaluate::logit_scale(model)?);
    let (mut disagreements, mut correct, mut max, mut sum) = (Vec::new(), 0, 0.0f64, 0.0);
    let (mut squares, mut cosines, mut min_cosine) = (0.0, 0.0, f64::INFINITY);
    let rows = integer.chunks_exact(classes).zip(float.chunks_exact(classes));
    for (image, ((integer, float), &label)) in rows.zip(labels).enumerate() {
        let label = usize::from(label);
        let classes = (argmax(integer), float_argmax(float));
        correct += usize::from(classes.1 == label);
        if classes.0 != classes.1 {
            disagreements.push(Disagreement { image, label, integer: classes.0, engine: classes.1 });
        }
        for (&integer, &float) in integer.iter().zip(float) {
            // A logit that is not a number is as far away as can be.
            let difference = (f64::from(float) / step - f64::from(integer)).abs();
            max = if difference.is_nan() { f64::INFINITY } else { max.max(difference) };
            sum += difference;
            squares += difference * difference;
        }
        let cosine = cosine(integer, float);
        cosines += cosine;
        min_cosine = min_cosine.min(cosine);
    }
    let agreeing = labels.len() - disagreements.len();
    let count = integer.len() as f64;
    let (mean, rmse) = (sum / count, (squares / count).sqrt());
    Ok(LogitComparison {
        accuracy: Accuracy::new(correct, labels.len()),
        agreeing,
        agreement: agreeing as f64 / labels.len() as f64,
        disagreements,
        logits: LogitDifference {
            max_steps: max,
            mean_steps: mean,
            max: max * step,
            mean: mean * step,
            rmse_steps: rmse,
            rmse: rmse * step,
            mean_cosine: cosines / labels.len() as f64,
            min_cosine,
        },
    })
}

/// Cosine of the angle between two vectors: 1 of two zero vectors, 0 where only one is zero or a value is not a number.
fn cosine(integer: &[i32], float: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let a = norm(&mut integer.iter().map(|&value| f64::from(value)));
    let b = norm(&mut float.iter().map(|&value| f64::from(value)));
    if a == 0.0 && b == 0.0 {
        return 1.0;
    }
    let product: f64 = integer.iter().zip(float).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    let cosine = product / (a * b);
    if cosine.is_finite() { cosine.clamp(-1.0, 1.0) } else { 0.0 }
}

/// Index of the largest logit, the first of equals.
fn float_argmax(logits: &[f32]) -> usize {
    let larger = |best: usize, class: usize| if logits[class] > logits[best] { class } else { best };
    (1..logits.len()).fold(0, larger)
}
