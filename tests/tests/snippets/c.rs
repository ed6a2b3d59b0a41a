//! C of the documents, with the runtime's header and a model as `bomp-export header` writes it.

use std::fs;
use std::process::Command;

use bomp_tests::{program, random_blob, workspace};

use crate::markdown::Block;

/// The block compiles for this machine without a warning, with a model named `model`.
pub(crate) fn compile(block: &Block) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("model.bomp"), random_blob(28, 10)).unwrap();
    let mut header = Command::new(program("bomp-export"));
    let output = header.arg("header").arg(at("model.bomp")).arg("-o").arg(at("model")).output().unwrap();
    assert!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
    fs::write(at("snippet.c"), &block.text).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]);
    compiler.arg("-I").arg(workspace().join("runtime/c/include")).arg("-I").arg(folder.path());
    let output = compiler.arg(at("snippet.c")).output().unwrap();
    assert!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
}
