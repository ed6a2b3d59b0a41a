//! `network.json` of a candidate, with the weights of a valid one: what is valid can be packed; what a network costs can be
//! told before there are weights.
#![no_main]

use std::sync::LazyLock;

use bomp_export::arena::ArenaPlan;
use bomp_export::candidate::Candidate;
use bomp_export::ir::Network;
use bomp_export::{cost, layout};
use bomp_fuzz::{Folder, candidate, pack};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(|| {
    let folder = Folder::default();
    folder.write("weights.safetensors", &candidate().1);
    folder
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(network) = serde_json::from_slice::<Network>(bytes)
        && network.layers.len() < 24
        && network.validate().is_ok()
    {
        let _ = (layout::blob_bytes(&network), cost::macs(&network), ArenaPlan::of(&network));
    }
    FOLDER.write("network.json", bytes);
    if let Ok(candidate) = Candidate::load(FOLDER.path()) {
        pack(&candidate);
    }
});
