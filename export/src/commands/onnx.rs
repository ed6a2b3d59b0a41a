//! `bomp-export onnx`: the QDQ ONNX file of a candidate.

use std::io::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use serde::Serialize;

use bomp_export::{files, onnx, text};

use super::{Outcome, Packed, bytes, output_path, packed, print_json};

/// Write a candidate as QDQ ONNX, with the integers of the blob (opset 21, weights in int8 unless
/// --int4 is given).
#[derive(clap::Args)]
pub(super) struct Onnx {
    /// Folder with network.json and weights.safetensors, as `bomp-search finalise` writes them, or
    /// the folder above
    candidate: PathBuf,
    /// File to write [default: model.onnx in the candidate's folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Store the weights of 4-bit layers as INT4, which halves their bytes; ONNX Runtime and Netron
    /// read that, tract does not
    #[arg(long)]
    int4: bool,
    /// Print JSON: bytes
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    file: PathBuf,
    file_bytes: usize,
    opset: i64,
    sha256: String,
}

impl Onnx {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let packed = packed(&self.candidate)?;
        let file = output_path(self.output.as_ref(), &packed.folder, "model.onnx");
        let containers = if self.int4 { onnx::Containers::Int4 } else { onnx::Containers::Int8 };
        let Packed { candidate, lowered, blob, .. } = &packed;
        let model = onnx::with_containers(lowered, &candidate.provenance, blob, containers)
            .map_err(|error| anyhow!("{}: {error}", self.candidate.display()))?;
        files::write(&file, &model)?;
        let (opset, file_bytes, sha256) = (onnx::OPSET, model.len(), files::sha256(&model));
        let report = Report { file, file_bytes, opset, sha256 };
        if self.json {
            print_json(out, &report)?;
        } else {
            writeln!(out, "{}: {}", text::path(&report.file), bytes(file_bytes))?;
            writeln!(
                out,
                "input float32 [N, C, H, W] with pixels as 0 to 1, output float32 [N, classes], opset {opset}"
            )?;
        }
        Ok(Outcome::Done)
    }
}
