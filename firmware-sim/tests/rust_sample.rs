//! The Rust sample project on an emulated board, and that an arena which is too small does not compile.

#[allow(dead_code, reason = "each test file uses its part")]
mod network;

use std::fs;
use std::path::Path;
use std::process::Command;

use bomp_export::{data, evaluate};
use bomp_runtime::Model;
use bomp_sim::library;

const BOARD: &str = "mps2-an386";
const IMAGES: usize = 20;

#[test]
fn the_rust_sample_prints_the_hosts_logits() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model_path) = network::pack(network::small(), folder.path());
    let blob = fs::read(&model_path).unwrap();
    let model = Model::new(&blob).unwrap();
    let dataset = data::load(&data::default_folder(), data::Format::Auto).unwrap();
    let images = dataset.test.subset(&(0..IMAGES).collect::<Vec<_>>());
    fs::write(folder.path().join("images.bin"), &images.pixels).unwrap();

    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/rust");
    let target = package.join("target");
    let mut build = library::cargo(BOARD, "release", &target).unwrap();
    let output = build.current_dir(&package).env("BOMP_MODEL", &model_path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let image = target.join("thumbv7em-none-eabihf/release/bomp-sample");
    let mut emulate = Command::new("qemu-system-arm");
    emulate.args(["-machine", BOARD, "-nographic", "-monitor", "none", "-serial", "none"]);
    emulate.args(["-semihosting-config", "enable=on,target=native"]).arg("-kernel").arg(image);
    let output = emulate.current_dir(folder.path()).output().unwrap();
    let printed = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{printed}");

    let logits = evaluate::logits(&model, &images, 1, &|_| {}).unwrap();
    let line = |logits: &[i32]| {
        let numbers: Vec<String> = logits.iter().map(i32::to_string).collect();
        format!("{}: {}", bomp_runtime::engine::argmax(logits), numbers.join(" "))
    };
    let expected: Vec<String> = logits.chunks_exact(model.classes()).map(line).collect();
    assert_eq!(printed.lines().collect::<Vec<_>>(), expected);
}

/// A project with a real model: its arena compiles, one byte less does not, nor does a file that is no model.
#[test]
fn an_arena_that_is_too_small_does_not_compile() {
    let folder = tempfile::tempdir().unwrap();
    let (_, model_path) = network::pack(network::small(), folder.path());
    let blob = fs::read(&model_path).unwrap();
    let arena = Model::new(&blob).unwrap().arena_size();
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime").canonicalize().unwrap();
    let manifest = format!(
        "[workspace]\n[package]\nname = \"arena\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\nbomp-runtime = {{ path = {runtime:?} }}\n"
    );
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    // The workspace's own versions, so that nothing has to be fetched.
    let lock = runtime.parent().unwrap().join("Cargo.lock");
    let check = |bytes: usize| {
        let source = format!(
            "#![no_std]\nuse bomp_runtime::Arena;\nconst MODEL: &[u8] = include_bytes!({model_path:?});\n\
             pub static ARENA: Arena<{bytes}> = bomp_runtime::arena!(MODEL, {bytes});\n"
        );
        fs::write(folder.path().join("src/lib.rs"), source).unwrap();
        fs::copy(&lock, folder.path().join("Cargo.lock")).unwrap();
        let mut check = Command::new(env!("CARGO"));
        check.args(["check", "--quiet", "--offline"]).current_dir(folder.path());
        let output = check.env("CARGO_TARGET_DIR", folder.path().join("target")).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (compiles, said) = check(arena);
    assert!(compiles, "{said}");
    let (compiles, said) = check(arena - 1);
    assert!(!compiles && said.contains("the arena is too small for the model"), "{said}");
    fs::write(&model_path, b"not a model").unwrap();
    let (compiles, said) = check(arena);
    assert!(!compiles && said.contains("not a model of the format version"), "{said}");
}
