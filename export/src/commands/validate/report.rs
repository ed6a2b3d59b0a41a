//! What `bomp-export validate` says, as text and as JSON.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use bomp_export::data;
use bomp_export::report::{Accuracy, Confusion};
use bomp_export::text;
use bomp_export::validate::{LayerDifference, LogitComparison, WorstElement};

use super::super::table::Table;
use super::super::{Outcome, bytes, grouped};

/// More classes than this make a confusion matrix that no terminal shows.
const MATRIX_CLASSES: usize = 20;

#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) model: &'a Path,
    pub(super) bytes: usize,
    pub(super) sha256: String,
    pub(super) dataset: &'a str,
    pub(super) data_sha256: &'a str,
    /// Test images used.
    pub(super) images: usize,
    /// Test images that there are; more than `images` if these are a sample.
    pub(super) of_images: usize,
    /// The integer runtime.
    pub(super) integer: Accuracy,
    pub(super) class_names: &'a [String],
    /// For each class.
    pub(super) recall: Vec<Option<f64>>,
    /// Mean of the recall of the classes that have images.
    pub(super) balanced_accuracy: f64,
    #[serde(flatten)]
    pub(super) confusion: Confusion,
    pub(super) against: Vec<Against>,
    pub(super) passed: bool,
    /// Print every layer.
    #[serde(skip)]
    pub(super) show_layers: bool,
}

/// One engine's verdict.
#[derive(Serialize)]
pub(super) struct Against {
    pub(super) engine: &'static str,
    /// The ONNX file, or the folder of the float network.
    network: PathBuf,
    /// It says that it was written for this very blob; `null` of the float network.
    of_this_blob: Option<bool>,
    min_agreement: f64,
    #[serde(flatten)]
    comparison: LogitComparison,
    /// `null` of the float network.
    layers: Option<LayerSummary>,
    pub(super) passed: bool,
}

impl Against {
    pub(super) fn new(
        engine: &'static str,
        network: &Path,
        of_this_blob: Option<bool>,
        min_agreement: f64,
        comparison: LogitComparison,
        layers: Option<LayerSummary>,
    ) -> Self {
        let explained = layers.as_ref().is_none_or(|layers| layers.rounding_only);
        let passed = comparison.agreement >= min_agreement && explained && of_this_blob != Some(false);
        Self { engine, network: network.to_owned(), of_this_blob, min_agreement, comparison, layers, passed }
    }
}

/// All layers on equal inputs.
#[derive(Serialize)]
pub(super) struct LayerSummary {
    /// Images whose layers were compared.
    images: usize,
    /// Elements of int8 tensors compared.
    elements: usize,
    /// Elements that differ.
    differing: usize,
    /// Largest difference in steps.
    max_steps: f64,
    /// Largest distance of a differing element's real value from the edge between two steps, in steps.
    farthest_from_tie: f64,
    /// Every difference is explained by rounding.
    rounding_only: bool,
    /// The first layer in which the engines part by more than rounding.
    first_parting: Option<String>,
    by_layer: Vec<LayerDifference>,
}

impl LayerSummary {
    pub(super) fn new(images: usize, by_layer: Vec<LayerDifference>) -> Self {
        let largest = |value: fn(&LayerDifference) -> f64, layers: &[LayerDifference]| {
            layers.iter().map(value).fold(0.0, f64::max)
        };
        let int8 = &by_layer[..by_layer.len().saturating_sub(1)];
        Self {
            images,
            elements: int8.iter().map(|layer| layer.elements).sum(),
            differing: int8.iter().map(|layer| layer.differing).sum(),
            max_steps: largest(|layer| layer.max_steps, int8),
            farthest_from_tie: largest(|layer| layer.farthest_from_tie, int8),
            rounding_only: by_layer.iter().all(|layer| layer.rounding_only),
            first_parting: by_layer
                .iter()
                .find(|layer| !layer.rounding_only)
                .map(|layer| layer.layer.clone()),
            by_layer,
        }
    }
}

impl LayerSummary {
    /// Every layer, and the worst elements of the first one that parts.
    fn print(&self, out: &mut impl Write, engine: &str) -> std::io::Result<()> {
        writeln!(out)?;
        let mut table = Table::new(["layer", "elements", "differing", "max steps", "from a tie", "verdict"]);
        for layer in &self.by_layer {
            let verdict = match (layer.rounding_only, layer.differing) {
                (true, 0) => "equal",
                (true, _) => "rounding",
                (false, _) => "parts",
            };
            table.row([
                layer.layer.clone(),
                grouped(layer.elements as u64),
                grouped(layer.differing as u64),
                format!("{:.3}", layer.max_steps),
                format!("{:.1e}", layer.farthest_from_tie),
                verdict.into(),
            ]);
        }
        table.print(out)?;
        let Some(layer) = self.by_layer.iter().find(|layer| !layer.rounding_only) else { return Ok(()) };
        writeln!(out)?;
        writeln!(out, "  they part first in layer `{}`; its worst elements:", layer.layer)?;
        for WorstElement { image, row, column, channel, integer, engine: found, steps } in &layer.worst {
            writeln!(
                out,
                "    image {image}, row {row}, column {column}, channel {channel}: integer runtime {integer}, \
                 {engine} {found:.3}, {steps:.3} steps apart"
            )?;
        }
        Ok(())
    }
}

impl Report<'_> {
    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{} ({}) on {} of {}",
            text::path(self.model),
            bytes(self.bytes),
            data::describe(self.images, self.of_images),
            text::line(self.dataset)
        )?;
        writeln!(out, "integer runtime: {}", self.integer)?;
        if self.images < self.of_images {
            writeln!(
                out,
                "  the interval is that of a simple random sample; stratified by class and drawn from {} images, the \
                 sample is at least as close to all of them",
                self.of_images
            )?;
        }
        writeln!(
            out,
            "balanced accuracy, the mean recall of the classes: {:.2} %",
            100.0 * self.balanced_accuracy
        )?;
        writeln!(out)?;
        self.print_classes(out)?;
        for engine in &self.against {
            writeln!(out)?;
            engine.print(out, self.show_layers)?;
        }
        Ok(())
    }

    /// Recall of each class and, unless there are too many, where its images went.
    fn print_classes(&self, out: &mut impl Write) -> std::io::Result<()> {
        let counts = &self.confusion.counts;
        let matrix = if counts.len() <= MATRIX_CLASSES { counts.len() } else { 0 };
        let mut headings = vec!["class".to_owned(), "recall".to_owned()];
        headings.extend((0..matrix).map(|class| format!("as {class}")));
        let mut table = Table::new(headings);
        for (class, (row, recall)) in counts.iter().zip(&self.recall).enumerate() {
            let name = self.class_names.get(class).map_or("", String::as_str);
            let mut cells = vec![format!("{class} {name}")];
            cells.push(recall.map_or("-".into(), |recall| format!("{:.1} %", 100.0 * recall)));
            cells.extend(row.iter().take(matrix).map(usize::to_string));
            table.row(cells);
        }
        table.print(out)
    }

    /// The first engine that does not agree, if any.
    pub(super) fn outcome(&self) -> Outcome {
        let failed = self.against.iter().find_map(|engine| {
            let name = engine.engine;
            let LogitComparison { agreement, .. } = engine.comparison;
            let mut problems = Vec::new();
            let layers = engine.layers.iter().flat_map(|layers| &layers.by_layer);
            if let Some(layer) = layers.into_iter().find(|layer| !layer.rounding_only) {
                problems.push(format!(
                    "layer `{}`: up to {:.3} steps apart on equal inputs, {:.3} steps from a tie: not a matter of rounding",
                    layer.layer, layer.max_steps, layer.farthest_from_tie
                ));
            }
            if agreement < engine.min_agreement {
                let required = 100.0 * engine.min_agreement;
                let found = 100.0 * agreement;
                problems.push(format!("agrees on {found:.2} % of the images, {required:.2} % are required"));
            }
            if engine.of_this_blob == Some(false) {
                let path = engine.network.display();
                problems.push(format!(
                    "{path} was written for another blob; `bomp-export onnx CANDIDATE` writes that of a candidate"
                ));
            }
            (!problems.is_empty()).then(|| format!("{name}, {}", problems.join("; ")))
        });
        failed.map_or(Outcome::Done, Outcome::Failed)
    }
}

impl Against {
    fn print(&self, out: &mut impl Write, show_layers: bool) -> std::io::Result<()> {
        let LogitComparison { accuracy, agreeing, agreement, disagreements, logits } = &self.comparison;
        writeln!(out, "{}: {accuracy}", self.engine)?;
        writeln!(
            out,
            "  same class as the integer runtime on {agreeing} of {} images, {:.2} % (at least {:.2} % required)",
            accuracy.images,
            100.0 * agreement,
            100.0 * self.min_agreement
        )?;
        for disagreement in disagreements.iter().take(10) {
            writeln!(
                out,
                "    image {}: class {}, integer runtime {}, {} {}",
                disagreement.image,
                disagreement.label,
                disagreement.integer,
                self.engine,
                disagreement.engine
            )?;
        }
        writeln!(
            out,
            "  logits apart by at most {:.3e} ({:.1} logit steps), on average {:.3e} ({:.1} steps)",
            logits.max, logits.max_steps, logits.mean, logits.mean_steps
        )?;
        writeln!(
            out,
            "  root mean square {:.3e} ({:.1} steps), cosine {:.6} on average, {:.6} at least",
            logits.rmse, logits.rmse_steps, logits.mean_cosine, logits.min_cosine
        )?;
        let Some(layers) = &self.layers else { return Ok(()) };
        writeln!(
            out,
            "  layers on equal inputs, {} images: {} of {} elements differ, by at most {} step",
            layers.images,
            grouped(layers.differing as u64),
            grouped(layers.elements as u64),
            layers.max_steps
        )?;
        if layers.differing > 0 {
            let far = layers.farthest_from_tie;
            writeln!(
                out,
                "    where they differ the real value is within {far:.1e} steps of a tie between two steps"
            )?;
        }
        for layer in layers.by_layer.iter().filter(|layer| !layer.rounding_only) {
            writeln!(
                out,
                "    layer `{}`: {} of {} elements differ, by up to {:.3} steps, not a matter of rounding",
                text::line(&layer.layer),
                layer.differing,
                layer.elements,
                layer.max_steps
            )?;
        }
        if show_layers {
            layers.print(out, self.engine)?;
        }
        Ok(())
    }
}
