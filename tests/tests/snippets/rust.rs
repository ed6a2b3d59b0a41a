//! Rust of the documents as projects of their own, outside the checkout.

use std::fs;
use std::path::Path;
use std::process::Command;

use bomp_tests::{random_blob, workspace};

use crate::markdown::Block;
use crate::text;

/// A project of the blocks, with a packed model where they look for it, compiles for this machine.
pub(crate) fn compile(blocks: &[&Block]) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = text(&workspace().join("runtime")).to_owned();
    let manifest = format!(
        "[workspace]\n[package]\nname = \"snippet\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\nbomp-runtime = {{ path = {runtime:?} }}\n\
         [build-dependencies]\nbomp-runtime = {{ path = {runtime:?} }}\n"
    );
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    // The workspace's own versions, so that nothing has to be fetched.
    fs::copy(workspace().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    for place in ["model.bomp", "src/model.bomp"] {
        fs::write(folder.path().join(place), random_blob(28, 10)).unwrap();
    }
    for block in blocks {
        let name = block.name.as_deref().unwrap_or("src/lib.rs");
        // As in firmware: no standard library.
        let first = if name == "src/lib.rs" { "#![no_std]\n#![allow(dead_code)]\n" } else { "" };
        fs::write(folder.path().join(name), format!("{first}{}", block.text)).unwrap();
    }
    cargo(folder.path(), &["check", "--quiet", "--offline"], &blocks[0].place);
}

/// Does in a shell what the block says, with `my-firmware` elsewhere; what comes out builds for a Cortex-M4 where this machine has
/// the compiler.
pub(crate) fn follow(block: &Block) {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("my-firmware");
    let script = block.text.replace("my-firmware", text(&project));
    assert!(script != block.text, "{}: no my-firmware", block.place);
    let mut bash = Command::new("bash");
    bash.args(["-eu", "-c", &script]).current_dir(workspace()).env_remove("CARGO_TARGET_DIR");
    let output = bash.env("CARGO_NET_OFFLINE", "true").output().unwrap();
    assert!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
    let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("../"), "{manifest}");
    fs::write(project.join("model.bomp"), random_blob(28, 10)).unwrap();
    const TARGET: &str = "thumbv7em-none-eabihf";
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let sysroot = String::from_utf8(sysroot).unwrap();
    if !Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        eprintln!("not built: this toolchain lacks {TARGET}");
        return;
    }
    cargo(&project, &["build", "--quiet", "--release", "--target", TARGET], &block.place);
}

fn cargo(project: &Path, arguments: &[&str], place: &str) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).current_dir(project).env_remove("LD_LIBRARY_PATH").env_remove("RUSTFLAGS");
    let output = cargo.env("CARGO_TARGET_DIR", project.join("target")).output().unwrap();
    assert!(output.status.success(), "{place}: {}", String::from_utf8_lossy(&output.stderr));
}
