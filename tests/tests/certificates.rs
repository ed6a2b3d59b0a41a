//! The certificate on the golden models, on the default board. `cargo xtask trust` takes a board of each kind of processor.

use bomp_tests::certificates::certify;
use bomp_tests::succeed;

#[test]
fn golden_models_keep_their_certificate() {
    let certified = certify(&["mps2-an386"], |_, _| {});
    assert_eq!(certified.firmwares, 4);
    assert!(certified.stack[0] < 4_000, "{certified}");
}

/// A model with a word that is what a pointer to the firmware's first function would be: the stack has a bound all the same.
#[test]
fn bytes_of_a_model_are_no_pointers() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/a-word-like-a-pointer.bomp");
    let blob = std::fs::read(model).expect("a model that a search has found");
    assert!(blob.as_chunks().0.contains(&0x401u32.to_le_bytes()), "the model no longer has that word");
    succeed("bomp-sim", &["run", model, "--board", "mps2-an386", "--images", "1"]);
}
