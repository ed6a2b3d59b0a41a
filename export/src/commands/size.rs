//! `bomp-export size`: flash, RAM and MACs of a network from its shapes and bit widths alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use bomp_export::arena::{ArenaPlan, Scratch, chart};
use bomp_export::cost;
use bomp_export::files;
use bomp_export::ir::Network;
use bomp_export::kind::{self, Needed};
use bomp_export::layout::{LayerBytes, Layout};

use super::table::Table;
use super::{Outcome, bytes, grouped, print_json};

/// Compute flash, RAM and MACs of a network exactly, from shapes and bit widths alone, before any
/// weight exists.
///
/// Prints the bytes of flash of each layer and of the weights of each width, the bytes of RAM in
/// use during each layer, and a drawing of the arena: which tensor lies where, and when. 1 kB =
/// 1000 B.
#[derive(clap::Args)]
pub(super) struct Size {
    /// Candidate folder, its network.json, or a JSON file with only the network
    network: PathBuf,
    /// Also draw the arena into this SVG file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON: bytes, and MACs for one image
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    network: PathBuf,
    /// Length of the blob.
    total_bytes: usize,
    /// The same in bits.
    total_bits: usize,
    header_bytes: usize,
    checksum_bytes: usize,
    sections: Sections,
    /// Bytes of packed weights by their width in bits.
    weight_bytes_by_bits: BTreeMap<u8, usize>,
    /// The convention of one byte for each weight and bias, no scales, no container.
    one_byte_per_weight_bytes: usize,
    arena_bytes: usize,
    arena_lower_bound_bytes: usize,
    macs: u64,
    layers: Vec<LayerReport>,
    tensors: Vec<TensorReport>,
}

/// Bytes of the whole file by what they hold; header and checksum are the rest.
#[derive(Default, Serialize)]
struct Sections {
    records: usize,
    biases: usize,
    multipliers: usize,
    weights: usize,
}

#[derive(Serialize)]
struct LayerReport {
    /// Height, width, channels.
    output: [usize; 3],
    macs: u64,
    /// All of the layer's bytes.
    bytes: usize,
    /// Bytes of the arena that live during the layer, scratch included.
    ram_bytes: usize,
    scratch: Scratch,
    /// The output lies where an input lay.
    in_place: bool,
    #[serde(flatten)]
    parts: LayerBytes,
}

/// A tensor in the arena; the logits are not in it.
#[derive(Serialize)]
struct TensorReport {
    name: String,
    offset: usize,
    bytes: usize,
    /// Layer that writes it, and last one that reads it.
    layers: [usize; 2],
}

/// Columns of the drawing.
const COLUMNS: usize = 64;

impl Size {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let network = read_network(&self.network)?;
        let (layout, arena) = (Layout::of(&network), ArenaPlan::of(&network));
        if let Some(path) = &self.svg {
            files::write(path, chart::svg(&network, &arena).as_bytes())?;
        }
        let shapes = network.shapes();
        let layers = layout.layers.iter().zip(&shapes[1..]).zip(cost::layer_macs(&network));
        let mut sections = Sections::default();
        let mut weight_bytes_by_bits = BTreeMap::new();
        for layer in &layout.layers {
            sections.records += layer.record;
            sections.biases += layer.biases;
            sections.multipliers += layer.multipliers;
            sections.weights += layer.weights;
            if let Some(bits) = layer.bits {
                *weight_bytes_by_bits.entry(bits).or_default() += layer.weights;
            }
        }
        let report = Report {
            network: self.network.clone(),
            total_bytes: layout.total(),
            total_bits: 8 * layout.total(),
            header_bytes: layout.header,
            checksum_bytes: layout.checksum,
            sections,
            weight_bytes_by_bits,
            one_byte_per_weight_bytes: layout.one_byte_per_weight(),
            arena_bytes: arena.size,
            arena_lower_bound_bytes: arena.lower_bound,
            macs: cost::macs(&network),
            layers: layers
                .enumerate()
                .map(|(index, ((parts, shape), macs))| LayerReport {
                    output: [shape.height, shape.width, shape.channels],
                    macs,
                    bytes: parts.record + parts.data(),
                    ram_bytes: arena.layer_bytes[index],
                    scratch: arena.scratch[index],
                    in_place: arena.is_in_place(index),
                    parts: parts.clone(),
                })
                .collect(),
            tensors: (0..network.layers.len())
                .map(|tensor| TensorReport {
                    name: chart::tensor_name(&network, tensor).to_owned(),
                    offset: arena.offsets[tensor],
                    bytes: arena.bytes[tensor],
                    layers: arena.lives[tensor],
                })
                .collect(),
        };
        if self.json {
            print_json(out, &report)?
        } else {
            report.print_flash(out)?;
            report.print_ram(&arena, out)?;
            writeln!(out)?;
            writeln!(out, "MACs for one image: {}", grouped(report.macs))?;
        }
        Ok(Outcome::Done)
    }
}

impl Report {
    fn print_flash(&self, out: &mut impl Write) -> std::io::Result<()> {
        let mut table = Table::new([
            "layer",
            "output HxWxC",
            "bits",
            "weights",
            "MACs",
            "weights B",
            "biases B",
            "scales B",
            "record B",
            "total B",
        ]);
        for LayerReport { output: [height, width, channels], macs, bytes, parts, .. } in &self.layers {
            table.row([
                parts.name.clone(),
                format!("{height}x{width}x{channels}"),
                parts.bits.map_or("-".into(), |bits| bits.to_string()),
                grouped(parts.weight_count as u64),
                grouped(*macs),
                grouped(parts.weights as u64),
                grouped(parts.biases as u64),
                grouped(parts.multipliers as u64),
                grouped(parts.record as u64),
                grouped(*bytes as u64),
            ]);
        }
        table.print(out)?;
        writeln!(out)?;
        writeln!(out, "flash: {}", bytes(self.total_bytes))?;
        let Sections { records, biases, multipliers, weights } = &self.sections;
        let widths: Vec<String> = self
            .weight_bytes_by_bits
            .iter()
            .map(|(bits, bytes)| format!("{} at {bits} bit", grouped(*bytes as u64)))
            .collect();
        for (what, count, note) in [
            ("weights", *weights, format!(" ({})", widths.join(", "))),
            ("biases", *biases, String::new()),
            ("scales", *multipliers, String::new()),
            ("records", *records, String::new()),
            ("header, checksum", self.header_bytes + self.checksum_bytes, String::new()),
        ] {
            writeln!(out, "  {what:<16} {:>9} B{note}", grouped(count as u64))?;
        }
        writeln!(
            out,
            "  by the convention of one byte per weight and bias, no scales, no container: {}",
            bytes(self.one_byte_per_weight_bytes)
        )
    }

    fn print_ram(&self, arena: &ArenaPlan, out: &mut impl Write) -> std::io::Result<()> {
        let bound = bytes(self.arena_lower_bound_bytes);
        writeln!(out)?;
        writeln!(out, "RAM arena: {}, no plan can be below {bound}", bytes(self.arena_bytes))?;
        writeln!(
            out,
            "  a column is {:.0} B; # scratch, . free, letters as in `makes`, a the input, = in place",
            self.arena_bytes as f64 / COLUMNS as f64
        )?;
        let mut table = Table::new(["layer", "live B", "scratch B", "makes", "", "arena"]);
        for (index, layer) in self.layers.iter().enumerate() {
            let logits = index + 1 == self.layers.len();
            table.row([
                layer.parts.name.clone(),
                grouped(layer.ram_bytes as u64),
                grouped(layer.scratch.bytes as u64),
                if logits { "-".into() } else { chart::letter(index + 1).to_string() },
                if layer.in_place { "=".into() } else { String::new() },
                chart::text(arena, index, COLUMNS),
            ]);
        }
        table.print(out)
    }
}

/// Reads and checks the network of a candidate folder, of its network.json, or of a file with a
/// network alone.
fn read_network(path: &Path) -> anyhow::Result<Network> {
    #[derive(Deserialize)]
    struct Kind {
        network: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Whole {
        network: Network,
    }
    let path = if path.is_dir() { &super::candidate_folder(path)?.join("network.json") } else { path };
    let text = super::read(path, Needed::Network)?;
    let wrong = |error: serde_json::Error| match kind::instead(&text, Needed::Network) {
        Some(what) => anyhow!("{}: not a network: {what}", path.display()),
        None => anyhow!(
            "{}: not a network: {error}; `bomp-search finalise` writes network.json into a candidate's folder",
            path.display()
        ),
    };
    let kind: Kind = serde_json::from_slice(&text).map_err(wrong)?;
    // Parsed again from the text, whose errors have line and column.
    let network = if kind.network.is_some() {
        serde_json::from_slice::<Whole>(&text).map_err(wrong)?.network
    } else {
        serde_json::from_slice(&text).map_err(wrong)?
    };
    network.validate().map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok(network)
}
