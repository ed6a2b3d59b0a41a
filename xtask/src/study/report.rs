//! What `bomp-search report --json` says of the searches, as far as it is used here.

use serde::Deserialize;

/// Studies side by side.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) studies: Vec<Searched>,
}

/// One search.
#[derive(Debug, Deserialize)]
pub(super) struct Searched {
    /// The name of its row.
    pub(super) name: String,
    /// Images trained on by its trials.
    pub(super) trained_images: u64,
    /// Seconds of its trials, each of one worker.
    pub(super) seconds: f64,
    /// Trials on the front.
    pub(super) front: Vec<u64>,
    progress: Vec<Progress>,
    bits: Bits,
}

#[derive(Debug, Deserialize)]
struct Progress {
    ended: u64,
    trained_images: u64,
    hypervolume: f64,
}

/// Bit widths of the networks of the front: a row for each layer, a column for each network.
#[derive(Debug, Deserialize)]
struct Bits {
    rows: Vec<BitRow>,
}

#[derive(Debug, Deserialize)]
struct BitRow {
    bits: Vec<Option<u8>>,
}

impl Searched {
    /// Trials that have ended.
    pub(super) fn ended(&self) -> u64 {
        self.progress.last().map_or(0, |last| last.ended)
    }

    /// At the end, from the corner that all searches have.
    pub(super) fn hypervolume(&self) -> f64 {
        self.progress.last().map_or(0.0, |last| last.hypervolume)
    }

    /// Images trained on until this hypervolume was reached.
    pub(super) fn images_to(&self, hypervolume: f64) -> Option<u64> {
        self.progress.iter().find(|step| step.hypervolume >= hypervolume).map(|step| step.trained_images)
    }

    /// Part of the networks of the front that have a layer below 8 bits; `None` without a front.
    pub(super) fn below_8_bits(&self) -> Option<f64> {
        let low = |network: usize| {
            self.bits.rows.iter().filter_map(|row| *row.bits.get(network)?).any(|bits| bits < 8)
        };
        let networks = self.front.len();
        let count = (0..networks).filter(|&network| low(network)).count();
        (networks > 0).then(|| count as f64 / networks as f64)
    }
}
