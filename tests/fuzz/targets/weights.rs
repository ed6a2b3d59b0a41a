//! `weights.safetensors` of a candidate whose `network.json` names the SHA-256 of whatever it is: an error, or a candidate that can
//! be packed.
#![no_main]

use std::sync::LazyLock;

use bomp_export::candidate::Candidate;
use bomp_export::files::sha256;
use bomp_fuzz::{Folder, candidate, pack};
use libfuzzer_sys::fuzz_target;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::default);
static NETWORK: LazyLock<serde_json::Value> =
    LazyLock::new(|| serde_json::from_slice(&candidate().0).expect("it is JSON"));

fuzz_target!(|bytes: &[u8]| {
    let mut network = NETWORK.clone();
    network["weights_sha256"] = sha256(bytes).into();
    FOLDER.write("network.json", network.to_string().as_bytes());
    FOLDER.write("weights.safetensors", bytes);
    if let Ok(candidate) = Candidate::load(FOLDER.path()) {
        pack(&candidate);
    }
});
