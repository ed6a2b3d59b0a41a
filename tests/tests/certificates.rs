//! The certificate on the golden models, on the default board. `cargo xtask trust` takes a board of each kind of processor.

use bomp_tests::certificates::certify;

#[test]
fn golden_models_keep_their_certificate() {
    let certified = certify(&["mps2-an386"], |_, _| {});
    assert_eq!(certified.firmwares, 4);
    assert!(certified.stack[0] < 4_000, "{certified}");
}
