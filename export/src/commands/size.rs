//! `bomp-export size`: flash, RAM and MACs of a network from its shapes and bit widths alone.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::{Deserialize, Serialize};

use bomp_export::arena::ArenaPlan;
use bomp_export::cost;
use bomp_export::ir::Network;
use bomp_export::layout::{LayerBytes, Layout};

use super::table::Table;
use super::{Outcome, bytes, grouped, print_json};

/// Count flash, RAM and MACs of a network from shapes and bit widths alone, exactly, before any weight exists.
#[derive(clap::Args)]
pub(super) struct Size {
    /// Candidate folder, its network.json, or a JSON file with nothing but the network
    network: PathBuf,
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
    one_byte_per_weight_bytes: usize,
    arena_bytes: usize,
    arena_lower_bound_bytes: usize,
    macs: u64,
    layers: Vec<LayerReport>,
}

#[derive(Serialize)]
struct LayerReport {
    /// Height, width, channels.
    output: [usize; 3],
    macs: u64,
    /// All of the layer's bytes.
    bytes: usize,
    #[serde(flatten)]
    parts: LayerBytes,
}

impl Size {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let network = read_network(&self.network)?;
        let (layout, arena) = (Layout::of(&network), ArenaPlan::of(&network));
        let shapes = network.shapes();
        let layers = layout.layers.iter().zip(&shapes[1..]).zip(cost::layer_macs(&network));
        let report = Report {
            network: self.network.clone(),
            total_bytes: layout.total(),
            total_bits: 8 * layout.total(),
            header_bytes: layout.header,
            checksum_bytes: layout.checksum,
            one_byte_per_weight_bytes: layout.one_byte_per_weight(),
            arena_bytes: arena.size,
            arena_lower_bound_bytes: arena.lower_bound,
            macs: cost::macs(&network),
            layers: layers
                .map(|((parts, shape), macs)| LayerReport {
                    output: [shape.height, shape.width, shape.channels],
                    macs,
                    bytes: parts.record + parts.data(),
                    parts: parts.clone(),
                })
                .collect(),
        };
        if self.json {
            print_json(out, &report)?
        } else {
            report.print(out)?
        }
        Ok(Outcome::Done)
    }
}

impl Report {
    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
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
        for LayerReport { output: [height, width, channels], macs, bytes, parts } in &self.layers {
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
        let file = self.header_bytes + self.checksum_bytes;
        writeln!(out, "flash: {}, of which header and checksum {file} B", bytes(self.total_bytes))?;
        writeln!(
            out,
            "  by the convention of one byte per weight and bias, no scales, no container: {}",
            bytes(self.one_byte_per_weight_bytes)
        )?;
        let bound = bytes(self.arena_lower_bound_bytes);
        writeln!(out, "RAM arena: {}, no plan can be below {bound}", bytes(self.arena_bytes))?;
        writeln!(out, "MACs for one image: {}", grouped(self.macs))
    }
}

/// Reads and checks the network of a candidate folder, of its network.json, or of a file with a network alone.
fn read_network(path: &Path) -> anyhow::Result<Network> {
    #[derive(Deserialize)]
    struct Whole {
        network: Network,
    }
    let path = if path.is_dir() { &path.join("network.json") } else { path };
    let text = super::read(path)?;
    let wrong = |error: serde_json::Error| anyhow!("{}: not a network: {error}", path.display());
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(wrong)?;
    // Parsed again from the text, whose errors have line and column.
    let network = if value.get("network").is_some() {
        serde_json::from_slice::<Whole>(&text).map_err(wrong)?.network
    } else {
        serde_json::from_slice(&text).map_err(wrong)?
    };
    network.validate().map_err(|error| anyhow!("{}: {error}", path.display()))?;
    Ok(network)
}
