//! Hands the model and the board's memory map to the compiler and the linker.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // BOMP_MODEL or model.bomp beside this file, as `bomp-export pack` writes it.
    let model = PathBuf::from(env::var("BOMP_MODEL").unwrap_or("model.bomp".into()));
    fs::copy(&model, out.join("model.bomp")).map_err(|error| format!("{}: {error}", model.display()))?;
    fs::copy(Path::new("memory.x"), out.join("memory.x"))?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-env-changed=BOMP_MODEL");
    for path in [&model, Path::new("memory.x"), Path::new("build.rs")] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    Ok(())
}
