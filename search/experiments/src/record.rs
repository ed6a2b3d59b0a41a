//! What is kept of a network that was trained to the end, beside its packed model.

use std::path::Path;

use anyhow::{Context, Result};
use bomp_export::report::Accuracy;
use serde::{Deserialize, Serialize};

/// A network trained to the end. Counts are images.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) trial: u64,
    /// Length of the packed model, in bytes.
    pub(crate) size_bytes: usize,
    /// Arena for its activations, in bytes.
    pub(crate) ram_bytes: usize,
    /// Multiply-accumulates of one image.
    pub(crate) macs: u64,
    pub(crate) test_images: usize,
    /// Classified correctly by the float network.
    pub(crate) float_correct: usize,
    /// Classified correctly by the packed model.
    pub(crate) integer_correct: usize,
    /// 95 % confidence interval of the packed model's accuracy, fractions 0 to 1.
    pub(crate) interval95: [f64; 2],
    /// Trained on for the finished network.
    pub(crate) trained_images: u64,
    /// Instructions of one image on the emulated Cortex-M4.
    pub(crate) m4_instructions: u64,
    /// Images that the Cortex-M4 classified, each with the host's logits.
    pub(crate) m4_images: usize,
}

impl Record {
    /// Test accuracy of the packed model.
    pub(crate) fn accuracy(&self) -> Accuracy {
        Accuracy::new(self.integer_correct, self.test_images)
    }

    /// Accuracy with its interval, as the tables show it.
    pub(crate) fn shown(&self, bold: &str) -> String {
        let (Accuracy { fraction, .. }, [low, high]) = (self.accuracy(), self.interval95);
        format!("{bold}{:.2} %{bold} ({:.2} to {:.2})", 100.0 * fraction, 100.0 * low, 100.0 * high)
    }

    /// RAM, MACs and instructions, as the tables show them.
    pub(crate) fn costs(&self) -> String {
        let (macs, instructions) = (self.macs as f64 / 1e6, self.m4_instructions as f64 / 1e6);
        format!("{} | {macs:.3} | {instructions:.2}", self.ram_bytes)
    }

    /// All records in a folder, by trial.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>> {
        let mut records = Vec::new();
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(records) };
        for entry in entries {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            // Beside a model lie its record and, as NAME.bomp.json, its provenance.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".json") && !name.ends_with(".bomp.json") {
                let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
                let record = serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?;
                records.push(record);
            }
        }
        records.sort_by_key(|record: &Self| record.trial);
        Ok(records)
    }
}
