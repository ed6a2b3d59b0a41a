//! Every layer of the ONNX file alone, on the inputs that it has in the integer runtime.

use serde::Serialize;

use bomp_runtime::Model;
use bomp_runtime::layer::Op;

use super::ValidateError;
use super::traces::{BATCH, Traces};
use crate::data::Images;
use crate::engines::{Elements, Engine, Session, Tensor};
use crate::evaluate;
use crate::onnx::{Document, Stage};

/// One layer compared on equal inputs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerDifference {
    /// Name of the layer.
    pub layer: String,
    /// Output elements compared.
    pub elements: usize,
    /// Elements that differ. Of the classifier: float logits that are farther from the integer logit than half a step,
    /// which is the rounding, and the resolution of float32.
    pub differing: usize,
    /// Largest difference in steps.
    pub max_steps: f64,
    /// Over the elements that differ, the largest distance in steps of the real value, as the engine computes it in
    /// float32, from the edge between two steps. 0 where none differs, and for the classifier.
    pub farthest_from_tie: f64,
    /// Every difference is one step where the real value lies on the edge between two, as far as float32 can tell: no
    /// more than [`TIE_MARGIN`] from it.
    pub rounding_only: bool,
    /// The elements that are farthest apart, at most five, the worst first.
    pub worst: Vec<WorstElement>,
}

/// An element of a layer's output that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorstElement {
    /// Index of the image.
    pub image: usize,
    /// Row of the output.
    pub row: usize,
    /// Column of the output.
    pub column: usize,
    /// Channel, or class of the classifier.
    pub channel: usize,
    /// The integer runtime's element, or logit.
    pub integer: i32,
    /// The engine's, in the same steps.
    pub engine: f64,
    /// Their distance in steps.
    pub steps: f64,
}

/// Elements that are listed for each layer.
const WORST: usize = 5;

impl LayerDifference {
    /// Names images by `indices`, their places in the whole data, instead of their places in the sample.
    pub fn number_images(&mut self, indices: &[usize]) {
        for element in &mut self.worst {
            element.image = indices[element.image];
        }
    }

    fn list(&mut self, element: WorstElement) {
        // Not a number is as far apart as can be.
        let steps = |element: &WorstElement| {
            if element.steps.is_nan() { f64::INFINITY } else { element.steps }
        };
        let at = self.worst.partition_point(|other| steps(other) >= steps(&element));
        if at < WORST {
            self.worst.insert(at, element);
            self.worst.truncate(WORST);
        }
    }
}

/// Distance from the edge between two steps, in steps, within which float32 may round to either side. A sum
/// of a thousand terms of a few hundred steps is good to about 1e-3 steps in float32.
pub const TIE_MARGIN: f64 = 0.01;
/// Resolution of a sum in float32, as a part of the sum of its terms' magnitudes: 16 roundings.
const SUM_RESOLUTION: f64 = 1.0 / (1 << 20) as f64;

/// Runs each layer of the ONNX file alone on the inputs that it has in the integer runtime for the images at `indices`,
/// and compares the outputs. Calls `progress(images)` whenever that many more are done.
///
/// # Errors
/// See [`ValidateError`].
pub fn compare_layers(
    model: &Model<'_>,
    document: &Document,
    engine: &dyn Engine,
    images: &Images,
    indices: &[usize],
    progress: &dyn Fn(usize),
) -> Result<Vec<LayerDifference>, ValidateError> {
    if document.tensors() != model.layer_count() {
        return Err(ValidateError::Mismatch(format!(
            "it has {} int8 tensors, the model {}",
            document.tensors(),
            model.layer_count()
        )));
    }
    let table = evaluate::input_table(model, images.input)?;
    let mut probes = Vec::with_capacity(model.layer_count());
    for (index, layer) in model.layers().enumerate() {
        let mut inputs = vec![layer.source];
        if let Op::Add { b, .. } = layer.op
            && b != layer.source
        {
            inputs.push(b);
        }
        probes.push(Probe::new(document, engine, index, inputs)?);
    }
    for indices in indices.chunks(BATCH) {
        let traces = Traces::of(model, &table, images, indices)?;
        for probe in &mut probes {
            probe.compare(model, document, engine, &traces, indices)?;
        }
        progress(indices.len());
    }
    Ok(probes.into_iter().map(|probe| probe.difference).collect())
}

/// One layer, loaded alone.
struct Probe {
    layer: usize,
    inputs: Vec<usize>,
    quantised: Box<dyn Session>,
    /// Loaded when the first element differs.
    real: Option<Box<dyn Session>>,
    difference: LayerDifference,
}

impl Probe {
    fn new(
        document: &Document,
        engine: &dyn Engine,
        layer: usize,
        inputs: Vec<usize>,
    ) -> Result<Self, ValidateError> {
        let onnx = document.layer(layer, &inputs, Stage::Quantised).map_err(ValidateError::Mismatch)?;
        let difference = LayerDifference {
            layer: document.layer_name(layer).to_owned(),
            elements: 0,
            differing: 0,
            max_steps: 0.0,
            farthest_from_tie: 0.0,
            rounding_only: true,
            worst: Vec::new(),
        };
        Ok(Self { layer, inputs, quantised: engine.load(&onnx, BATCH)?, real: None, difference })
    }

    fn compare(
        &mut self,
        model: &Model<'_>,
        document: &Document,
        engine: &dyn Engine,
        traces: &Traces,
        indices: &[usize],
    ) -> Result<(), ValidateError> {
        let inputs: Vec<Tensor> = self.inputs.iter().map(|&tensor| traces.tensor(tensor)).collect();
        let found = self.quantised.run(&inputs)?;
        let Some(expected) = traces.tensors.get(self.layer + 1) else {
            return self.compare_classifier(model, &found, traces, indices);
        };
        let compared = traces.images * traces.shapes[self.layer + 1].elements();
        let Elements::Int8(found) = found.elements else {
            return Err(self.wrong_output("int8"));
        };
        if found.len() != expected.len() {
            return Err(self.wrong_output(&format!("{} elements", expected.len())));
        }
        self.difference.elements += compared;
        let pairs = found.iter().zip(expected).take(compared).enumerate();
        let differing: Vec<usize> = pairs.filter(|(_, (a, b))| a != b).map(|(at, _)| at).collect();
        if differing.is_empty() {
            return Ok(());
        }
        let real = match &mut self.real {
            Some(real) => real,
            none => {
                let onnx =
                    document.layer(self.layer, &self.inputs, Stage::Real).map_err(ValidateError::Mismatch)?;
                none.insert(engine.load(&onnx, BATCH)?)
            }
        };
        let Elements::Float(real) = real.run(&inputs)?.elements else {
            return Err(self.wrong_output("float32"));
        };
        let (scale, zero_point) = document.quantisation(self.layer + 1).map_err(ValidateError::Mismatch)?;
        for at in differing {
            let steps = (i16::from(found[at]) - i16::from(expected[at])).abs();
            let exact = f64::from(real[at]) / f64::from(scale) + f64::from(zero_point);
            let from_tie = (exact - exact.floor() - 0.5).abs();
            self.difference.differing += 1;
            self.difference.max_steps = self.difference.max_steps.max(f64::from(steps));
            self.difference.farthest_from_tie = self.difference.farthest_from_tie.max(from_tie);
            // Written so that a value that is not a number fails.
            self.difference.rounding_only &= steps == 1 && from_tie <= TIE_MARGIN;
            let shape = traces.shapes[self.layer + 1];
            let (position, area) = (at % (shape.height * shape.width), shape.height * shape.width);
            self.difference.list(WorstElement {
                image: indices[at / shape.elements()],
                row: position / shape.width,
                column: position % shape.width,
                channel: at / area % shape.channels,
                integer: expected[at].into(),
                engine: found[at].into(),
                steps: steps.into(),
            });
        }
        Ok(())
    }

    fn compare_classifier(
        &mut self,
        model: &Model<'_>,
        found: &Tensor,
        traces: &Traces,
        indices: &[usize],
    ) -> Result<(), ValidateError> {
        let step = f64::from(evaluate::logit_scale(model)?);
        let Elements::Float(found) = &found.elements else {
            return Err(self.wrong_output("float32"));
        };
        self.difference.elements += traces.logits.len();
        let logits = found.iter().zip(&traces.logits).zip(&traces.magnitudes).enumerate();
        for (at, ((&found, &expected), magnitude)) in logits {
            let exact = f64::from(found) / step;
            let difference = (exact - f64::from(expected)).abs();
            self.difference.max_steps = self.difference.max_steps.max(difference);
            let rounding = difference <= 0.5 + magnitude * SUM_RESOLUTION;
            self.difference.rounding_only &= rounding;
            self.difference.differing += usize::from(!rounding);
            if !rounding {
                self.difference.list(WorstElement {
                    image: indices[at / model.classes()],
                    row: 0,
                    column: 0,
                    channel: at % model.classes(),
                    integer: expected,
                    engine: exact,
                    steps: difference,
                });
            }
        }
        Ok(())
    }

    fn wrong_output(&self, expected: &str) -> ValidateError {
        ValidateError::Mismatch(format!("layer `{}` does not return {expected}", self.difference.layer))
    }
}
