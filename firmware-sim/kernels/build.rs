//! Takes the memory map that `bomp-sim` names.

use std::path::PathBuf;
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed=BOMP_MEMORY_X");
    println!("cargo::rerun-if-changed=build.rs");
    let path = env::var("BOMP_MEMORY_X")
        .map_err(|_| "BOMP_MEMORY_X is not set: `bomp-sim kernels` builds this firmware")?;
    println!("cargo::rerun-if-changed={path}");
    fs::copy(&path, out.join("memory.x"))?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    Ok(())
}
