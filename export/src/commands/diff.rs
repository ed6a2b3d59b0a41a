//! `bomp-export diff`: what changed between two blobs.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use bomp_export::cost;
use bomp_export::kind::Needed;
use bomp_export::layout::{LayerBytes, Layout};
use bomp_export::report::Accuracy;
use bomp_export::sidecar::Sidecar;
use bomp_runtime::layer::Layer;

use super::inspect::kind;
use super::table::Table;
use super::{Outcome, grouped, print_json};

/// Show what differs between two blobs: bytes of flash, bits of each layer, RAM, MACs, accuracy.
///
/// Layers are matched by their names in the files beside the blobs (MODEL.json), else by their
/// number and kind. The accuracy is the one recorded there. With --fail-if-larger the exit code is
/// 1 if the second blob needs more flash or RAM.
#[derive(clap::Args)]
pub(super) struct Diff {
    /// The old blob
    before: PathBuf,
    /// The new blob
    after: PathBuf,
    /// Fail if the second blob is longer or its arena is larger
    #[arg(long)]
    fail_if_larger: bool,
    /// Print JSON: bytes, and MACs for one image
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    before: Summary,
    after: Summary,
    /// Layers that are not the same in both.
    layers: Vec<Change>,
    /// The second blob is longer, or its arena larger.
    larger: bool,
}

#[derive(Serialize)]
struct Summary {
    model: PathBuf,
    bytes: usize,
    weight_bytes: usize,
    arena_bytes: usize,
    macs: u64,
    /// `null` where the file beside the blob does not say.
    accuracy: Option<Accuracy>,
    #[serde(skip)]
    layers: Vec<Side>,
}

/// One blob's side of a layer.
#[derive(Clone, PartialEq, Serialize)]
struct Side {
    kind: &'static str,
    /// Height, width, channels.
    output: [usize; 3],
    #[serde(flatten)]
    parts: LayerBytes,
}

#[derive(Serialize)]
struct Change {
    name: String,
    /// `null` where the layer is new.
    before: Option<Side>,
    /// `null` where the layer is gone.
    after: Option<Side>,
}

impl Diff {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let (before, after) = (Summary::of(&self.before)?, Summary::of(&self.after)?);
        let larger = after.bytes > before.bytes || after.arena_bytes > before.arena_bytes;
        let layers = changes(&before.layers, &after.layers);
        let report = Report { before, after, layers, larger };
        if self.json {
            print_json(out, &report)?;
        } else {
            report.print(out)?;
        }
        if self.fail_if_larger && larger {
            let (before, after) = (&report.before, &report.after);
            return Ok(Outcome::Failed(format!(
                "{}: flash {} B after {} B, RAM arena {} B after {} B",
                after.model.display(),
                after.bytes,
                before.bytes,
                after.arena_bytes,
                before.arena_bytes
            )));
        }
        Ok(Outcome::Done)
    }
}

impl Summary {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let blob = super::read(path, Needed::Model)?;
        let model = super::model(path, &blob)?;
        let sidecar = Sidecar::load(path, &blob)?;
        let names = sidecar.as_ref().map_or(&[][..], |sidecar| &sidecar.layers);
        let layout = Layout::of_model(&model, names);
        let layers = model.layers().zip(layout.layers).map(|(layer, parts)| side(&layer, parts));
        let accuracy = sidecar.and_then(|sidecar| sidecar.accuracy());
        let layers: Vec<Side> = layers.collect();
        Ok(Self {
            model: path.to_owned(),
            bytes: blob.len(),
            weight_bytes: layers.iter().map(|layer| layer.parts.weights).sum(),
            arena_bytes: model.arena_size(),
            macs: cost::model_macs(&model),
            accuracy: accuracy.map(|measured| Accuracy::new(measured.correct, measured.images)),
            layers,
        })
    }
}

fn side(layer: &Layer<'_>, parts: LayerBytes) -> Side {
    let shape = layer.output.shape;
    Side { kind: kind(layer), output: [shape.height, shape.width, shape.channels], parts }
}

/// The layers that are not the same in both, in the order of the first and then of the second.
fn changes(before: &[Side], after: &[Side]) -> Vec<Change> {
    let named = |sides: &[Side], name: &str| sides.iter().find(|side| side.parts.name == name).cloned();
    let gone_or_changed = before.iter().map(|side| Change {
        name: side.parts.name.clone(),
        before: Some(side.clone()),
        after: named(after, &side.parts.name),
    });
    let new = after.iter().filter(|side| named(before, &side.parts.name).is_none()).map(|side| Change {
        name: side.parts.name.clone(),
        before: None,
        after: Some(side.clone()),
    });
    gone_or_changed.chain(new).filter(|change| change.before != change.after).collect()
}

impl Report {
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let (before, after) = (&self.before, &self.after);
        let mut table = Table::new(["", "before", "after", "change"]);
        for (what, before, after) in [
            ("flash B", before.bytes as u64, after.bytes as u64),
            ("weights B", before.weight_bytes as u64, after.weight_bytes as u64),
            ("RAM arena B", before.arena_bytes as u64, after.arena_bytes as u64),
            ("MACs", before.macs, after.macs),
        ] {
            table.row([
                what.to_owned(),
                grouped(before),
                grouped(after),
                signed(after as i64 - before as i64),
            ]);
        }
        let percent = |accuracy: &Option<Accuracy>| {
            accuracy.map_or("-".into(), |accuracy| format!("{:.2} %", 100.0 * accuracy.fraction))
        };
        let change = before.accuracy.zip(after.accuracy).map_or("-".into(), |(before, after)| {
            format!("{:+.2} points", 100.0 * (after.fraction - before.fraction))
        });
        table.row(["accuracy".into(), percent(&before.accuracy), percent(&after.accuracy), change]);
        table.print(out)?;
        writeln!(out)?;
        if self.layers.is_empty() {
            return writeln!(out, "every layer has the same kind, shape, bits and bytes in both");
        }
        let mut table = Table::new(["layer", "output HxWxC", "bits", "bytes"]);
        let arrow = |cell: &dyn Fn(&Side) -> String, change: &Change| {
            let [before, after] =
                [&change.before, &change.after].map(|side| side.as_ref().map_or("-".into(), cell));
            if before == after { before } else { format!("{before} -> {after}") }
        };
        for change in &self.layers {
            table.row([
                change.name.clone(),
                arrow(&|side| side.output.map(|size| size.to_string()).join("x"), change),
                arrow(&|side| side.parts.bits.map_or("-".into(), |bits| bits.to_string()), change),
                arrow(&|side| grouped((side.parts.record + side.parts.data()) as u64), change),
            ]);
        }
        table.print(out)
    }
}

/// With its sign, thousands separated by commas.
fn signed(change: i64) -> String {
    let sign = if change < 0 { "-" } else { "+" };
    if change == 0 { "0".into() } else { format!("{sign}{}", grouped(change.unsigned_abs())) }
}
