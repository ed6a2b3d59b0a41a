//! Takes the memory map and the networks that `bomp-sim kernels` names.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, error::Error, fs};

use bomp_runtime::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let memory = input("BOMP_MEMORY_X")?;
    fs::copy(&memory, out.join("memory.x"))?;
    // Files `NAME.bomp`.
    let folder = input("BOMP_NETWORKS")?;
    let mut paths: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    paths.sort();
    let mut list = String::from("pub const NETWORKS: &[(&str, &[u8])] = &[\n");
    let (mut arena, mut elements, mut classes) = (0, 0, 0);
    for path in &paths {
        let bytes = fs::read(path)?;
        let model = Model::new(&bytes)?;
        arena = arena.max(model.arena_size());
        elements = elements.max(model.input_len());
        classes = classes.max(model.classes());
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        writeln!(list, "({name:?}, include_bytes!({path:?})),")?;
        println!("cargo::rerun-if-changed={}", path.display());
    }
    writeln!(
        list,
        "];\npub const ARENA_BYTES: usize = {arena};\npub const INPUT_ELEMENTS: usize = {elements};"
    )?;
    writeln!(list, "pub const CLASSES: usize = {classes};")?;
    fs::write(out.join("networks.rs"), list)?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// The path that the environment variable `name` names.
fn input(name: &str) -> Result<String, String> {
    println!("cargo::rerun-if-env-changed={name}");
    let path =
        env::var(name).map_err(|_| format!("{name} is not set: `bomp-sim kernels` builds this firmware"))?;
    println!("cargo::rerun-if-changed={path}");
    Ok(path)
}
