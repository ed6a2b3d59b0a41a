//! `bomp-export validate`: accuracy of a blob on the integer runtime, and other engines as judges.

mod report;

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use bomp_export::candidate::{Candidate, Provenance};
use bomp_export::command_line::{fraction, whole};
use bomp_export::data::{self, Format, SampleSize};
use bomp_export::engines::{self, Engine, OnnxRuntime, Tract};
use bomp_export::kind::Needed;
use bomp_export::onnx::{self, Document};
use bomp_export::report::{Accuracy, Confusion};
use bomp_export::sidecar::{Sidecar, Validated};
use bomp_export::validate::{self, LogitComparison};
use bomp_export::{evaluate, files};

use super::{Outcome, print_json};
use report::{Against, LayerSummary, Report};

/// Measure a blob's accuracy on the test images with the integer runtime, and compare it with other engines.
#[derive(clap::Args)]
pub(super) struct Validate {
    /// The blob
    model: PathBuf,
    /// Folder or .npz file with the images [default: BOMP_DATA, or Fashion-MNIST where Debian installs it]
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,
    /// Layout of the data: auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder or folder:HxWxC[:crop|:stretch]
    #[arg(long, default_value_t = Format::Auto)]
    format: Format,
    /// Engine that runs the ONNX file of the same network, or `float` for the network before it was
    /// quantised; may be given more than once
    #[arg(long, value_name = "ENGINE", value_enum)]
    against: Vec<EngineName>,
    /// ONNX file that `bomp-export onnx` wrote [default: beside the model, with extension .onnx]
    #[arg(long, value_name = "FILE", requires = "against")]
    onnx: Option<PathBuf>,
    /// Folder of the candidate, whose unquantised network `--against float` runs [default: the
    /// model's folder]
    #[arg(long, value_name = "FOLDER", requires = "against")]
    candidate: Option<PathBuf>,
    /// Compare every layer on equal inputs, and show the worst elements of the first layer in which
    /// two engines differ
    #[arg(long, requires = "against")]
    layers: bool,
    /// Use a sample of this many test images, stratified by class and the same in every call [default: all]
    #[arg(long, value_name = "COUNT", value_parser = data::image_count)]
    images: Option<NonZeroUsize>,
    /// Number of threads [default: one for each core]
    #[arg(long, value_name = "COUNT", value_parser = whole(1..=1_024usize))]
    threads: Option<usize>,
    /// Fraction of the images, 0 to 1, for which both engines must give the same class [default:
    /// 0.999; for float: 0]
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    min_agreement: Option<f64>,
    /// Write the accuracy into the file beside the model, MODEL.json, where `inspect` and `diff` find it
    #[arg(long)]
    record: bool,
    /// Print JSON: fractions 0 to 1, logit differences in steps of the integer logits and in real units
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EngineName {
    Onnxruntime,
    Tract,
    Float,
}

/// What `--min-agreement` is for engines that run the blob's integers.
const MIN_AGREEMENT: f64 = 0.999;

impl EngineName {
    fn load(self) -> anyhow::Result<Box<dyn Engine>> {
        Ok(match self {
            Self::Onnxruntime => Box::new(OnnxRuntime::find()?),
            // The float network is no engine of its own: tract runs it.
            Self::Tract | Self::Float => Box::new(Tract),
        })
    }
}

/// Images whose layers are compared one by one, besides those whose class differs.
const LAYER_IMAGES: usize = 100;

impl Validate {
    pub(super) fn run(&self, quiet: bool, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let threads = super::threads(self.threads);
        let blob = super::read(&self.model, Needed::Model)?;
        let in_model = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", self.model.display());
        let model = super::model(&self.model, &blob)?;
        let sha256 = files::sha256(&blob);
        // What can be refused is refused before the images are loaded and evaluated.
        let engines = self.against.iter().map(|name| name.load()).collect::<Result<Vec<_>, _>>()?;
        let onnx = self.read_onnx()?;
        let float = self.read_float()?;

        let folder = self.data.clone().unwrap_or_else(data::default_folder);
        let dataset = data::for_model(&model, (&self.model, &blob), &folder, self.format)?;
        super::print_notes(&dataset.notes);
        super::print_warnings(&dataset.warnings);
        dataset.expect(evaluate::input_shape(&model), model.classes())?;
        let sample = data::test_sample(&dataset, SampleSize::new(self.images, SampleSize::All))?;
        let (images, indices) = (&sample.images, &sample.indices[..]);

        let progress = bar("integer runtime", images.len(), quiet);
        let logits = evaluate::logits(&model, images, threads, &|done| progress.inc(done as u64))
            .map_err(|error| in_model(&error))?;
        progress.finish_and_clear();
        let predictions = evaluate::predictions(&logits, model.classes());
        let confusion = Confusion::new(&predictions, &images.labels, model.classes());

        let mut against = Vec::new();
        for (&name, engine) in self.against.iter().zip(&engines) {
            if name == EngineName::Float {
                let (path, network) = float.as_ref().ok_or_else(|| anyhow!("no float network"))?;
                let progress = bar("float", images.len(), quiet);
                let count = |done| progress.inc(done as u64);
                let float =
                    engines::logits(engine.as_ref(), network, images, model.classes(), threads, &count)?;
                progress.finish_and_clear();
                let mut comparison = validate::compare_logits(&model, &images.labels, &logits, &float)?;
                comparison.number_images(indices);
                let min_agreement = self.min_agreement.unwrap_or(0.0);
                against.push(Against::new("float", path, None, min_agreement, comparison, None));
                continue;
            }
            let (path, document, onnx) = onnx.as_ref().ok_or_else(|| anyhow!("no ONNX file"))?;
            let progress = bar(engine.name(), images.len(), quiet);
            let count = |done| progress.inc(done as u64);
            let float = engines::logits(engine.as_ref(), onnx, images, model.classes(), threads, &count)?;
            progress.finish_and_clear();
            let mut comparison = validate::compare_logits(&model, &images.labels, &logits, &float)?;
            let looked_at = for_layers(&comparison, &images.labels, model.classes());
            comparison.number_images(indices);
            let progress = bar("layers", looked_at.len(), quiet);
            let count = |done| progress.inc(done as u64);
            let mut layers =
                validate::compare_layers(&model, document, engine.as_ref(), images, &looked_at, &count)?;
            layers.iter_mut().for_each(|layer| layer.number_images(indices));
            progress.finish_and_clear();
            let layers = LayerSummary::new(looked_at.len(), layers);
            let of_this_blob = document.blob_sha256() == Some(&sha256);
            let min_agreement = self.min_agreement.unwrap_or(MIN_AGREEMENT);
            against.push(Against::new(
                engine.name(),
                path,
                Some(of_this_blob),
                min_agreement,
                comparison,
                Some(layers),
            ));
        }

        let report = Report {
            model: &self.model,
            bytes: blob.len(),
            sha256,
            dataset: &dataset.name,
            data_sha256: &dataset.sha256,
            images: images.len(),
            of_images: sample.of,
            integer: Accuracy::new(evaluate::correct(&predictions, &images.labels), images.len()),
            class_names: &dataset.class_names,
            recall: confusion.recall(),
            balanced_accuracy: confusion.balanced_accuracy(),
            confusion,
            passed: against.iter().all(|engine| engine.passed),
            against,
            show_layers: self.layers,
        };
        if self.record {
            let mut sidecar = Sidecar::load(&self.model, &blob)?
                .unwrap_or_else(|| Sidecar::new(&blob, Vec::new(), Provenance::default(), None));
            sidecar.validated = Some(Validated {
                dataset: dataset.name.clone(),
                data_sha256: dataset.sha256.clone(),
                images: images.len(),
                correct: report.integer.correct,
            });
            sidecar.save(&self.model)?;
        }
        if self.json {
            print_json(out, &report)?
        } else {
            report.print(out)?
        }
        Ok(report.outcome())
    }

    /// The ONNX file, when an engine asks for it: its path, what is in it, its bytes.
    fn read_onnx(&self) -> anyhow::Result<Option<(PathBuf, Document, Vec<u8>)>> {
        if self.against.iter().all(|&name| name == EngineName::Float) {
            return Ok(None);
        }
        let path = self.onnx.clone().unwrap_or_else(|| self.model.with_extension("onnx"));
        let (document, bytes) = Document::read(&path)?;
        Ok(Some((path, document, bytes)))
    }

    /// The candidate's unquantised network, when it is asked for: its folder, and an ONNX file of it.
    fn read_float(&self) -> anyhow::Result<Option<(PathBuf, Vec<u8>)>> {
        if !self.against.contains(&EngineName::Float) {
            return Ok(None);
        }
        let beside = self.model.parent().map(|folder| folder.to_owned()).unwrap_or_default();
        let folder = match &self.candidate {
            Some(candidate) => super::candidate_folder(candidate)?,
            None => beside,
        };
        let candidate = Candidate::load(&folder).with_context(|| match self.candidate {
            Some(_) => "--candidate".to_owned(),
            None => format!(
                "--against float needs the network before it was quantised, which is not beside {}: name its folder with --candidate",
                self.model.display()
            ),
        })?;
        let onnx = onnx::float_model(&candidate);
        Ok(Some((folder, onnx)))
    }
}

/// Images for the comparison of layers: some of those whose class differs, and a sample of all.
fn for_layers(comparison: &LogitComparison, labels: &[u16], classes: usize) -> Vec<usize> {
    let differing = comparison.disagreements.iter().take(LAYER_IMAGES).map(|disagreement| disagreement.image);
    let mut images: Vec<usize> = differing.chain(data::stratified(labels, classes, LAYER_IMAGES)).collect();
    images.sort_unstable();
    images.dedup();
    images
}

/// A progress bar on standard error, when that is a terminal.
fn bar(name: &str, images: usize, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg:>16} {wide_bar} {pos}/{len} images {eta}");
    let bar = ProgressBar::new(images as u64).with_message(name.to_owned());
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
