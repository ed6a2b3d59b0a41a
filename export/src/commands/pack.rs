//! `bomp-export pack`: the blob of a candidate, as long as predicted.

use std::io::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use serde::Serialize;

use bomp_export::arena::ArenaPlan;
use bomp_export::files;
use bomp_export::layout;
use bomp_export::sidecar::Sidecar;
use bomp_export::text;

use super::{GIT_COMMIT, Outcome, bytes, output_path, packed, print_json};

/// Pack a candidate into the blob that firmware embeds.
///
/// Also writes FILE.json with the names of layers and classes, where the network comes from and its
/// accuracy. `inspect` and `diff` read it, the device never does.
#[derive(clap::Args)]
pub(super) struct Pack {
    /// Folder with network.json and weights.safetensors, as `bomp-search finalise` writes them, or
    /// the folder above
    candidate: PathBuf,
    /// File to write [default: model.bomp in the candidate's folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON: bytes
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    /// From shapes and bit widths alone.
    predicted_bytes: usize,
    /// As the file system has it.
    file_bytes: u64,
    arena_bytes: usize,
    sha256: String,
}

impl Pack {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let packed = packed(&self.candidate)?;
        let network = &packed.candidate.network;
        let file = output_path(self.output.as_ref(), &packed.folder, "model.bomp");
        files::write(&file, &packed.blob)?;
        let names = network.layers.iter().map(|layer| layer.name.clone()).collect();
        let provenance = packed.candidate.provenance.clone();
        Sidecar::new(&packed.blob, names, provenance, GIT_COMMIT).save(&file)?;
        let written = std::fs::metadata(&file).map_err(|error| anyhow!("{}: {error}", file.display()))?;
        let report = Report {
            predicted_bytes: layout::blob_bytes(network),
            file_bytes: written.len(),
            arena_bytes: ArenaPlan::of(network).size,
            sha256: files::sha256(&packed.blob),
            file,
        };
        let Report { predicted_bytes, file_bytes, .. } = report;
        if self.json {
            print_json(out, &report)?;
        } else {
            writeln!(out, "{}: {}", text::path(&report.file), bytes(packed.blob.len()))?;
            writeln!(out, "predicted {predicted_bytes} B, written {file_bytes} B")?;
            writeln!(out, "RAM arena: {}", bytes(report.arena_bytes))?;
        }
        if predicted_bytes as u64 == file_bytes {
            Ok(Outcome::Done)
        } else {
            let file = report.file.display();
            Ok(Outcome::Failed(format!("{file}: {predicted_bytes} B were predicted, {file_bytes} B written")))
        }
    }
}
