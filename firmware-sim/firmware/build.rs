//! Takes the model and the memory map that `bomp-sim` names and turns them into a section, constants and a linker script.
//! Which kernels the firmware has follows from the model, unless `BOMP_KERNELS` is `all`.

use std::path::{Path, PathBuf};
use std::{env, error::Error, fs};

use bomp_runtime::Model;
use bomp_runtime::kernels::Needs;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let bytes = fs::read(input("BOMP_MODEL")?)?;
    let memory = fs::read(input("BOMP_MEMORY_X")?)?;
    let (name, ticks) = (variable("BOMP_MODEL_NAME")?, variable("BOMP_TICKS_PER_SECOND")?);
    let ticks: u32 = ticks.parse()?;
    let model = Model::new(&bytes)?;
    let needs = match variable("BOMP_KERNELS")?.as_str() {
        "all" => Needs::EVERYTHING,
        "needed" => model.needs(),
        other => return Err(format!("BOMP_KERNELS is `{other}`; it must be `all` or `needed`").into()),
    };
    let sizes = format!(
        "/// Bytes of the packed model.\npub const MODEL_BYTES: usize = {};\n\
         /// Bytes that the model's activations need.\npub const ARENA_BYTES: usize = {};\n\
         /// Elements of one image.\npub const INPUT_ELEMENTS: usize = {};\n\
         /// Logits of one image.\npub const CLASSES: usize = {};\n\
         /// Name of the model.\npub const MODEL_NAME: &str = {name:?};\n\
         /// Ticks of the timer in a second.\npub const TICKS_PER_SECOND: u32 = {ticks};\n\
         /// What the kernels can: [`bomp_runtime::kernels::Needs`].\npub const NEEDS: u32 = {};\n",
        bytes.len(),
        model.arena_size(),
        model.input_len(),
        model.classes(),
        needs.bits()
    );
    write(&out, "sizes.rs", sizes.as_bytes())?;
    write(&out, "model.bomp", &bytes)?;
    write(&out, "memory.x", &memory)?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}

/// The file that the environment variable `name` names.
fn input(name: &str) -> Result<String, String> {
    let path = variable(name)?;
    println!("cargo::rerun-if-changed={path}");
    Ok(path)
}

fn variable(name: &str) -> Result<String, String> {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).map_err(|_| format!("{name} is not set: `bomp-sim run` builds this firmware"))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), String> {
    let path = folder.join(name);
    fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
