//! Which bit width each layer kind of each block has, network by network: the paper's Fig. 3.

use serde::Serialize;

use crate::space::definition::Definition;
use crate::space::genotype::Genotype;
use crate::study::Trial;

/// Bit widths of networks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BitMap {
    /// Numbers of the trials, one for each column.
    pub trials: Vec<u64>,
    /// The slots that networks of the space can have, from the input to the classifier.
    pub rows: Vec<BitRow>,
}

/// The widths of one slot, shared by all repetitions of its block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BitRow {
    /// Such as `block 2 expand`.
    pub slot: String,
    /// Bits in the network of each column; `None` where it has no such layer.
    pub bits: Vec<Option<u8>>,
}

impl BitMap {
    /// The map of `networks` of the space of `definition`.
    #[must_use]
    pub fn of(definition: &Definition, networks: &[&Trial]) -> Self {
        let row = |slot: String, bits: &dyn Fn(&Genotype) -> Option<u8>| BitRow {
            slot,
            bits: networks.iter().map(|trial| bits(&trial.genotype)).collect(),
        };
        let mut rows = vec![row("stem".into(), &|g| Some(g.stem.bits.get()))];
        for (index, block) in definition.blocks.iter().enumerate() {
            let name = |layer: &str| format!("block {} {layer}", index + 1);
            let genes = |g: &Genotype| g.blocks.get(index).copied().flatten();
            if block.expansion.choices.iter().any(|&expansion| expansion > 1) {
                rows.push(row(name("expand"), &|g| Some(genes(g)?.expand?.bits.get())));
            }
            rows.push(row(name("depthwise"), &|g| Some(genes(g)?.depthwise.bits.get())));
            rows.push(row(name("project"), &|g| Some(genes(g)?.project.bits.get())));
        }
        if definition.conv2.filters.choices.iter().any(|&filters| filters > 0) {
            rows.push(row("conv2".into(), &|g| Some(g.conv2?.bits.get())));
        }
        rows.push(row("classifier".into(), &|g| Some(g.classifier.bits.get())));
        Self { trials: networks.iter().map(|trial| trial.number).collect(), rows }
    }
}
