//! Thousands of valid files with their structure changed at random, the same in each run. `cargo xtask fuzz --target onnx_structure`
//! does it with millions, guided by what they reach.

use std::path::PathBuf;

use bomp_export::onnx::proto::ModelProto;
use bomp_export::testing::{self, Limits, Numbers};
use bomp_export::{lower, onnx, write};
use prost::Message;

use super::import_within_bounds;
use super::structure::{Choices, mutate};

/// Files to begin with: this program's own, and those of other tools.
fn files() -> Vec<ModelProto> {
    let own = (0..6).map(|seed| {
        let candidate = testing::candidate(seed, &Limits::SMALL);
        let lowered = lower::lower(&candidate).unwrap();
        onnx::model(&lowered, &candidate.provenance, &write::blob(&lowered).unwrap()).unwrap()
    });
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/onnx");
    let others = ["brevitas", "ort-per-channel", "ort-small", "ort-symmetric"]
        .map(|name| std::fs::read(folder.join(name).with_extension("onnx")).unwrap());
    own.chain(others).map(|file| ModelProto::decode(&file[..]).unwrap()).collect()
}

#[test]
fn no_change_of_structure_leads_to_a_panic_a_hang_or_much_memory() {
    let files = files();
    let mut numbers = Numbers::new(18);
    let (mut imported, mut refused) = (0, 0);
    for round in 0..4_000 {
        let bytes: Vec<u8> = (0..64).map(|_| numbers.within(0..=255) as u8).collect();
        let mut model = files[round % files.len()].clone();
        mutate(&mut model, &mut Choices(&bytes));
        match import_within_bounds(&model.encode_to_vec(), &format!("round {round}")) {
            Ok(_) => imported += 1,
            Err(_) => refused += 1,
        }
    }
    // Most changes break a network, but enough of them leave one that goes all the way.
    assert!(imported > 200 && refused > 2_000, "{imported} imported, {refused} refused");
}
