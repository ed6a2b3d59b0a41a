//! `include/bomp.h` is what cbindgen makes of this crate today.

use std::fs;
use std::path::Path;

#[test]
fn the_header_is_up_to_date() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(package.join("cbindgen.toml")).unwrap();
    // The files of its modules follow; named here as well, their functions would be declared twice.
    let builder = cbindgen::Builder::new().with_config(config).with_src(package.join("src/lib.rs"));
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let path = package.join("include/bomp.h");
    if std::env::var_os("BOMP_UPDATE_HEADER").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == String::from_utf8(made).unwrap(),
        "runtime/c/include/bomp.h is not what the crate says: run this test with BOMP_UPDATE_HEADER=1 and look at the change"
    );
}
