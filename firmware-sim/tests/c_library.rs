//! The C sample project on emulated boards: the same logits as the Rust runtime on the host.

#[allow(dead_code, reason = "each test file uses its part")]
mod network;

use std::fs;
use std::path::Path;
use std::process::Command;

use bomp_export::{c_header, data, evaluate, files};
use bomp_runtime::Model;

const IMAGES: usize = 20;

#[test]
fn the_c_sample_prints_the_hosts_logits_on_a_cortex_m4() {
    sample("mps2-an386");
}

#[test]
fn the_c_sample_prints_the_hosts_logits_on_a_cortex_m0() {
    sample("microbit");
}

/// Builds the sample as its Makefile does and runs it on real images.
#[track_caller]
fn sample(board: &str) {
    let folder = tempfile::tempdir().unwrap();
    // Wide layers and others.
    let model_path = network::pack_wide(network::small(), folder.path());
    let blob = fs::read(&model_path).unwrap();
    let model = Model::new(&blob).unwrap();
    let dataset = data::load(&data::default_folder(), data::Format::Auto).unwrap();
    let images = dataset.test.subset(&(0..IMAGES).collect::<Vec<_>>());
    let pixels = folder.path().join("pixels.bin");
    fs::write(&pixels, &images.pixels).unwrap();

    // What `bomp-export header` writes; the tests of that crate hold the command to it.
    let out = folder.path().join("build");
    let source = c_header::source(&model, &blob, "network", &dataset.class_names, "A test.").unwrap();
    files::write(&out.join("network.h"), source.header.as_bytes()).unwrap();
    files::write(&out.join("network.c"), source.source.as_bytes()).unwrap();

    let mut make = Command::new("make");
    make.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/c")).arg("run");
    for (name, value) in [
        ("MODEL", model_path.to_str().unwrap()),
        ("IMAGES", pixels.to_str().unwrap()),
        ("OUT", out.to_str().unwrap()),
        ("BOARD", board),
        ("BOMP_SIM", env!("CARGO_BIN_EXE_bomp-sim")),
        ("BOMP_EXPORT", "false"),
    ] {
        make.arg(format!("{name}={value}"));
    }
    let output = make.output().unwrap();
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if complaints.contains("no Rust toolchain") && board != "mps2-an386" {
        // Setup brings all targets; whoever did without it may have the default board's alone.
        eprintln!("not run: {complaints}");
        return;
    }
    assert!(output.status.success(), "{said}\n{complaints}");

    let classes = model.classes();
    let logits = evaluate::logits(&model, &images, 1, &|_| {}).unwrap();
    let expected: Vec<String> = logits
        .chunks_exact(classes)
        .map(|logits| {
            let class = bomp_runtime::engine::argmax(logits);
            let numbers: Vec<String> = logits.iter().map(i32::to_string).collect();
            format!("{class} {}: {}", dataset.class_names[class], numbers.join(" "))
        })
        .collect();
    // The emulator's console is its standard error.
    let printed: Vec<&str> =
        complaints.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())).collect();
    assert_eq!(printed, expected, "{said}\n{complaints}");
    nothing_forbidden(&out.join("sample.elf"));
}

/// The linked program holds no floating-point emulation and no allocator.
fn nothing_forbidden(elf: &Path) {
    use object::{Object, ObjectSymbol};
    let bytes = fs::read(elf).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let names: Vec<&str> = file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
    assert!(names.contains(&"bomp_run") && names.contains(&"network"), "{names:?}");
    for part in
        ["__aeabi_fadd", "__aeabi_fmul", "__aeabi_dadd", "__aeabi_dmul", "__addsf3", "__mulsf3", "malloc"]
    {
        let found: Vec<_> = names.iter().filter(|name| name.contains(part)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
