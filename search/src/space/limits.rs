//! What a network takes of a device, by the export crate's exact accounting, and the most that it may take.

use bomp_export::arena::ArenaPlan;
use bomp_export::cost::macs;
use bomp_export::ir::Network;
use bomp_export::layout::blob_bytes;
use serde::{Deserialize, Serialize};

/// What a network takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Length of the packed blob.
    pub bytes: usize,
    /// Bytes of the activation arena.
    pub ram: usize,
    /// Multiply-accumulates for one image.
    pub macs: u64,
}

impl Usage {
    /// Of a validated network.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        Self { bytes: blob_bytes(network), ram: ArenaPlan::of(network).size, macs: macs(network) }
    }
}

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes, {} bytes of RAM and {} MACs", self.bytes, self.ram, self.macs)
    }
}

/// The most that a network may take; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Length of the packed blob in bytes.
    pub max_size: Option<usize>,
    /// Bytes of the activation arena; stack and the firmware's own data are not in it.
    pub max_ram: Option<usize>,
    /// Multiply-accumulates for one image.
    pub max_macs: Option<u64>,
}

impl Limits {
    /// Whether a validated network is within every limit. The figures that are not limited are not computed.
    #[must_use]
    pub fn admit(&self, network: &Network) -> bool {
        self.excess(network) == 0.0
    }

    /// By how much a validated network exceeds the limits: the sum of log(figure / limit) over those exceeded, 0 if none.
    #[must_use]
    pub fn excess(&self, network: &Network) -> f64 {
        self.excesses(network).iter().sum()
    }

    /// The same for each limit: size, RAM, MACs.
    pub(super) fn excesses(&self, network: &Network) -> [f64; 3] {
        let over = |limit: Option<f64>, figure: &dyn Fn() -> f64| {
            limit.map_or(0.0, |limit| (figure() / limit).ln().max(0.0))
        };
        [
            over(self.max_size.map(|limit| limit as f64), &|| blob_bytes(network) as f64),
            over(self.max_ram.map(|limit| limit as f64), &|| ArenaPlan::of(network).size as f64),
            over(self.max_macs.map(|limit| limit as f64), &|| macs(network) as f64),
        ]
    }
}
