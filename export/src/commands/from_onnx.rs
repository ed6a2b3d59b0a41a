//! `bomp-export from-onnx`: a blob from a QDQ network that another tool has quantised.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{anyhow, ensure};
use serde::Serialize;

use bomp_export::candidate::Provenance;
use bomp_export::command_line::{fraction, whole};
use bomp_export::data::{self, Format, SampleSize};
use bomp_export::engines::{self, OnnxRuntime};
use bomp_export::import::{self, LayerReport};
use bomp_export::kind::Needed;
use bomp_export::sidecar::Sidecar;
use bomp_export::validate::{self, LogitComparison};
use bomp_export::{cost, evaluate, files, text, write};
use bomp_runtime::Model;

use super::table::Table;
use super::{GIT_COMMIT, Outcome, bytes, grouped, print_json, read};

/// Pack a QDQ ONNX network that another tool has quantised (ONNX Runtime's static quantiser, Brevitas, …).
///
/// Supported: convolutions of any group up to 15x15, fully connected layers, add, ReLU, clip,
/// average pooling, flatten; weights of 4 to 8 bits, packed at the narrowest width that holds them;
/// activations int8 or uint8 with one scale. Everything that cannot be imported is listed at once.
/// --check compares the packed model with the file in ONNX Runtime.
#[derive(clap::Args)]
pub(super) struct FromOnnx {
    /// The ONNX file: one float input [N, C, H, W], one output [N, CLASSES], QuantizeLinear and
    /// DequantizeLinear around each layer
    file: PathBuf,
    /// Blob to write [default: beside the file, with extension .bomp]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compare the classes of the blob and of ONNX Runtime on the test images, given as pixel /
    /// 255; exit code 1 if they differ too often
    #[arg(long)]
    check: bool,
    /// Folder or .npz file with the images [default: BOMP_DATA, or Fashion-MNIST where Debian installs it]
    #[arg(long, value_name = "PATH", requires = "check")]
    data: Option<PathBuf>,
    /// Layout of the data: auto, idx, cifar10, cifar100, npz, npz:nchw, npz:nhwc, folder or folder:HxWxC[:crop|:stretch]
    #[arg(long, default_value_t = Format::Auto, requires = "check")]
    format: Format,
    /// Use a sample of this many test images, stratified by class and the same in every call [default: all]
    #[arg(long, value_name = "COUNT", value_parser = data::image_count, requires = "check")]
    images: Option<NonZeroUsize>,
    /// Number of threads [default: one for each core]
    #[arg(long, value_name = "COUNT", requires = "check", value_parser = whole(1..=1_024usize))]
    threads: Option<usize>,
    /// Fraction of the images, 0 to 1, for which both must give the same class
    #[arg(long, value_name = "FRACTION", default_value_t = 0.999, value_parser = fraction, requires = "check")]
    min_agreement: f64,
    /// Print JSON: bytes, relative errors of scales, fractions 0 to 1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    output: PathBuf,
    bytes: usize,
    sha256: String,
    arena_bytes: usize,
    macs: u64,
    classes: usize,
    layers: Vec<LayerReport>,
    notes: Vec<String>,
    check: Option<Check>,
}

#[derive(Serialize)]
struct Check {
    engine: &'static str,
    dataset: String,
    images: usize,
    /// Test images that there are; more than `images` if these are a sample.
    of_images: usize,
    /// Images that the blob classifies correctly.
    integer_correct: usize,
    #[serde(flatten)]
    comparison: LogitComparison,
    min_agreement: f64,
    passed: bool,
}

impl FromOnnx {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let onnx = read(&self.file, Needed::Onnx)?;
        let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", self.file.display());
        let imported = import::import(&onnx).map_err(|problem| failed(&problem))?;
        let blob = write::blob(&imported.lowered).map_err(|error| failed(&error))?;
        let model = Model::new(&blob).map_err(|error| failed(&error))?;
        let check = if self.check { Some(self.compare(&model, &onnx)?) } else { None };
        let output = self.output.clone().unwrap_or_else(|| self.file.with_extension("bomp"));
        ensure!(
            output != self.file,
            "{}: the blob would overwrite the ONNX file: name another with -o",
            output.display()
        );
        files::write(&output, &blob)?;
        let names = imported.layers.iter().map(|layer| layer.name.clone()).collect();
        let provenance =
            Provenance { tool_version: env!("CARGO_PKG_VERSION").into(), ..Provenance::default() };
        Sidecar::new(&blob, names, provenance, GIT_COMMIT).save(&output)?;
        let report = Report {
            file: self.file.clone(),
            bytes: blob.len(),
            sha256: files::sha256(&blob),
            arena_bytes: model.arena_size(),
            macs: cost::macs(&imported.lowered.network),
            classes: model.classes(),
            layers: imported.layers,
            notes: imported.notes,
            check,
            output,
        };
        if self.json {
            print_json(out, &report)?;
        } else {
            report.print(out)?;
        }
        Ok(match &report.check {
            Some(check) if !check.passed => Outcome::Failed(format!(
                "{}: the same class on {:.3} % of the images, {:.3} % are asked for",
                report.output.display(),
                100.0 * check.comparison.agreement,
                100.0 * check.min_agreement
            )),
            _ => Outcome::Done,
        })
    }

    /// The packed model beside ONNX Runtime.
    fn compare(&self, model: &Model<'_>, onnx: &[u8]) -> anyhow::Result<Check> {
        let engine = OnnxRuntime::find()?;
        let threads = super::threads(self.threads);
        let folder = self.data.clone().unwrap_or_else(data::default_folder);
        let dataset = data::load_for(&folder, self.format, evaluate::input(model)?)?;
        super::print_notes(&dataset.notes);
        super::print_warnings(&dataset.warnings);
        dataset.expect(evaluate::input_shape(model), model.classes())?;
        let sample = data::test_sample(&dataset, SampleSize::new(self.images, SampleSize::All))?;
        let images = &sample.images;
        let integer = evaluate::logits(model, images, threads, &|_| {})?;
        let free =
            import::with_free_batch(onnx).map_err(|problem| anyhow!("{}: {problem}", self.file.display()))?;
        let float = engines::logits(&engine, &free, images, model.classes(), threads, &|_| {})?;
        let mut comparison = validate::compare_logits(model, &images.labels, &integer, &float)?;
        comparison.number_images(&sample.indices);
        let predictions = evaluate::predictions(&integer, model.classes());
        Ok(Check {
            engine: "onnxruntime",
            dataset: dataset.name,
            images: images.len(),
            of_images: sample.of,
            integer_correct: evaluate::correct(&predictions, &images.labels),
            passed: comparison.agreement >= self.min_agreement,
            comparison,
            min_agreement: self.min_agreement,
        })
    }
}

impl Report {
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let mut table = Table::new(["layer", "bits", "scale error"]);
        for layer in &self.layers {
            table.row([
                layer.name.clone(),
                layer.bits.map_or("-".into(), |bits| bits.to_string()),
                if layer.bits.is_some() { format!("{:.1e}", layer.factor_error) } else { "-".into() },
            ]);
        }
        table.print(out)?;
        writeln!(out)?;
        for note in &self.notes {
            writeln!(out, "note: {}", text::line(note))?;
        }
        writeln!(out, "{}: {}", text::path(&self.output), bytes(self.bytes))?;
        writeln!(out, "RAM arena: {}, MACs for one image: {}", bytes(self.arena_bytes), grouped(self.macs))?;
        if let Some(check) = &self.check {
            writeln!(
                out,
                "{}, {}: same class as ONNX Runtime on {} of {} images ({:.3} %); correct {} and {}; logits differ by {:.2} steps on average, {:.0} at most",
                text::line(&check.dataset),
                data::describe(check.images, check.of_images),
                check.comparison.agreeing,
                check.images,
                100.0 * check.comparison.agreement,
                check.integer_correct,
                check.comparison.accuracy.correct,
                check.comparison.logits.mean_steps,
                check.comparison.logits.max_steps
            )?;
        }
        Ok(())
    }
}
