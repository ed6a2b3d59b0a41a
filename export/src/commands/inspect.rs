//! `bomp-export inspect`: what is in a blob, as the runtime sees it.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use bomp_export::candidate::Provenance;
use bomp_export::kind::Needed;
use bomp_export::layout::Layout;
use bomp_export::report::Accuracy;
use bomp_export::sidecar::{Sidecar, Validated};
use bomp_export::{cost, files, text};
use bomp_runtime::blob;
use bomp_runtime::layer::{Layer, Op, Shape};

use super::table::Table;
use super::{Outcome, bytes, grouped, print_json};

/// Check a blob completely and show its header, its layers and where it comes from.
///
/// Names and provenance are taken from the file beside the blob, MODEL.json, which `bomp-export
/// pack` writes; the blob itself does not contain them.
#[derive(clap::Args)]
pub(super) struct Inspect {
    /// The blob
    model: PathBuf,
    /// Print JSON: bytes, elements [H, W, C]
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    model: PathBuf,
    format_version: u16,
    bytes: usize,
    sha256: String,
    /// Height, width, channels.
    input: [usize; 3],
    input_scale: f32,
    input_zero_point: i8,
    classes: usize,
    logit_step: f32,
    arena_bytes: usize,
    /// For one image.
    macs: u64,
    /// What the file beside the blob says, `null` without it.
    sidecar: Option<Sidecar>,
    layers: Vec<LayerReport>,
}

#[derive(Serialize)]
struct LayerReport {
    /// `null` without the file beside the blob.
    name: Option<String>,
    kind: &'static str,
    /// Tensors that it reads: 0 is the input, i + 1 the output of layer i.
    inputs: Vec<usize>,
    /// Height, width, channels.
    output: [usize; 3],
    /// Rows, columns.
    kernel: Option<[usize; 2]>,
    stride: Option<usize>,
    /// Top, left.
    padding: Option<[usize; 2]>,
    bits: Option<u8>,
    weights: usize,
    /// Record, channels' parameters and packed weights.
    bytes: usize,
    zero_point: i8,
    /// Saturation bounds of the output.
    range: [i8; 2],
    /// First byte of the output in the arena; none for the logits.
    arena_offset: Option<usize>,
}

impl Inspect {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let data = super::read(&self.model, Needed::Model)?;
        let model = super::model(&self.model, &data)?;
        let sidecar = Sidecar::load(&self.model, &data)?;
        let layout = Layout::of_model(&model, &[]);
        let names = sidecar.as_ref().map_or(&[][..], |sidecar| &sidecar.layers);
        let layers = model.layers().zip(&layout.layers).enumerate().map(|(index, (layer, parts))| {
            layer_report(&layer, names.get(index).cloned(), parts.record + parts.data())
        });
        let report = Report {
            model: self.model.clone(),
            format_version: blob::VERSION,
            bytes: data.len(),
            sha256: files::sha256(&data),
            input: sizes(model.input_shape()),
            input_scale: f32::from_bits(model.input_scale_bits()),
            input_zero_point: model.input_zero_point(),
            classes: model.classes(),
            logit_step: f32::from_bits(model.output_scale_bits()),
            arena_bytes: model.arena_size(),
            macs: cost::model_macs(&model),
            layers: layers.collect(),
            sidecar,
        };
        if self.json {
            print_json(out, &report)?
        } else {
            report.print(out)?
        }
        Ok(Outcome::Done)
    }
}

fn sizes(shape: Shape) -> [usize; 3] {
    [shape.height, shape.width, shape.channels]
}

/// What the layer's kind is called.
pub(super) fn kind(layer: &Layer<'_>) -> &'static str {
    match layer.op {
        Op::Convolution(..) => "convolution",
        Op::Depthwise(..) => "depthwise",
        Op::Add { .. } => "add",
        Op::AveragePool { .. } => "average pool",
        Op::Classifier(_) => "classifier",
    }
}

fn layer_report(layer: &Layer<'_>, name: Option<String>, bytes: usize) -> LayerReport {
    let (window, weights) = match layer.op {
        Op::Convolution(window, weights) | Op::Depthwise(window, weights) => (Some(window), Some(weights)),
        Op::Add { .. } | Op::AveragePool { .. } => (None, None),
        Op::Classifier(weights) => (None, Some(weights)),
    };
    let mut inputs = vec![layer.source];
    if let Op::Add { b, .. } = layer.op {
        inputs.push(b);
    }
    LayerReport {
        name,
        kind: kind(layer),
        bytes,
        inputs,
        output: sizes(layer.output.shape),
        kernel: window.map(|window| [window.kernel_height, window.kernel_width]),
        stride: window.map(|window| window.stride),
        padding: window.map(|window| [window.pad_top, window.pad_left]),
        bits: weights.map(|weights| weights.bits),
        weights: weights.map_or(0, |weights| weights.channels.len() * weights.fan_in),
        zero_point: layer.quantisation.zero_point,
        range: [layer.quantisation.min, layer.quantisation.max],
        arena_offset: (!matches!(layer.op, Op::Classifier(_))).then_some(layer.output.offset),
    }
}

impl Report {
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let [height, width, channels] = self.input;
        writeln!(
            out,
            "{}: blob of format {}, {}",
            text::path(&self.model),
            self.format_version,
            bytes(self.bytes)
        )?;
        writeln!(out, "sha256 {}", self.sha256)?;
        writeln!(
            out,
            "input {height}x{width}x{channels} int8, zero point {}, step {:e}",
            self.input_zero_point, self.input_scale
        )?;
        writeln!(out, "logits {} int32, step {:e}", self.classes, self.logit_step)?;
        writeln!(out, "RAM arena: {}", bytes(self.arena_bytes))?;
        writeln!(out, "MACs for one image: {}", grouped(self.macs))?;
        match &self.sidecar {
            Some(sidecar) => print_sidecar(sidecar, out)?,
            None => {
                let path = Sidecar::path(&self.model);
                writeln!(out, "no {} beside it, so names and provenance are unknown", text::path(&path))?;
            }
        }
        writeln!(out)?;
        let mut table = Table::new([
            "layer",
            "reads",
            "output HxWxC",
            "kernel",
            "stride",
            "pad",
            "bits",
            "weights",
            "bytes",
            "zero",
            "range",
            "arena",
        ]);
        for (index, layer) in self.layers.iter().enumerate() {
            let [height, width, channels] = layer.output;
            let none = || "-".to_owned();
            let pair = |pair: Option<[usize; 2]>| pair.map_or_else(none, |[a, b]| format!("{a}x{b}"));
            table.row([
                format!("{index} {}", layer.name.as_deref().unwrap_or(layer.kind)),
                layer.inputs.iter().map(|&tensor| tensor_name(tensor)).collect::<Vec<_>>().join("+"),
                format!("{height}x{width}x{channels}"),
                pair(layer.kernel),
                layer.stride.map_or_else(none, |stride| stride.to_string()),
                layer.padding.map_or_else(none, |[top, left]| format!("{top},{left}")),
                layer.bits.map_or_else(none, |bits| bits.to_string()),
                grouped(layer.weights as u64),
                grouped(layer.bytes as u64),
                layer.zero_point.to_string(),
                format!("{}..{}", layer.range[0], layer.range[1]),
                layer.arena_offset.map_or_else(none, |offset| offset.to_string()),
            ]);
        }
        table.print(out)
    }
}

/// Where a network comes from.
fn print_sidecar(sidecar: &Sidecar, out: &mut impl Write) -> std::io::Result<()> {
    let Sidecar { packed_by, git_commit, provenance, validated, .. } = sidecar;
    let or_unknown = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text::line(text) };
    writeln!(
        out,
        "packed by bomp-export {}, git commit {}",
        text::line(packed_by),
        or_unknown(git_commit.as_deref().unwrap_or_default())
    )?;
    let Provenance { study, trial, seed, quantisation, tool_version, dataset, .. } = provenance;
    writeln!(
        out,
        "study {}, trial {trial}, seed {seed}, {}, finished by version {}",
        or_unknown(study),
        or_unknown(quantisation),
        or_unknown(tool_version)
    )?;
    writeln!(out, "configuration sha256 {}", or_unknown(&provenance.config_sha256))?;
    writeln!(out, "data {}, sha256 {}", or_unknown(dataset), or_unknown(&provenance.data_sha256))?;
    if provenance.test_images > 0 {
        let [integer, float] = [provenance.integer_correct, provenance.float_correct]
            .map(|correct| Accuracy::new(correct, provenance.test_images));
        writeln!(out, "when finished: {integer}; unquantised {:.2} %", 100.0 * float.fraction)?;
    }
    if let Some(Validated { dataset, images, correct, .. }) = validated {
        writeln!(out, "validated on {}: {}", text::line(dataset), Accuracy::new(*correct, *images))?;
    }
    Ok(())
}

/// `in` or the number of the layer that makes the tensor.
fn tensor_name(tensor: usize) -> String {
    tensor.checked_sub(1).map_or("in".into(), |layer| layer.to_string())
}
