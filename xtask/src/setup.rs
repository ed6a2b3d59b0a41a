//! `cargo xtask setup`: installs what a fresh Debian or Ubuntu machine lacks to build, search,
//! export and emulate.
//!
//! Idempotent: what is there is left alone and said to be there. What the user brings wins: LIBTORCH,
//! LIBTORCH_USE_PYTORCH, ORT_DYLIB_PATH, BOMP_DATA, a Rust target or a program installed by other means.
//! A setup that was killed leaves nothing half installed; the next one starts the component again.

mod data;
mod firmware_rust;
mod libraries;
mod numpy;
mod packages;
mod progress;
mod wheels;

use crate::machine::{Machine, ThisMachine};
use crate::workspace;
use anyhow::{Context, Result};
pub(crate) use packages::Need;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Install what this machine lacks: system packages, libtorch, ONNX Runtime, numpy, a Rust
/// toolchain for Arm, the data
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Folder with the four gzipped IDX files of Fashion-MNIST (default: BOMP_DATA, else Debian's package)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Install libtorch, ONNX Runtime and numpy again even if they are there
    #[arg(long)]
    force: bool,
    /// Also install the CUDA libraries of libtorch (2.3 GB to download, 3.0 GB on disk), which
    /// `--device cuda` needs besides an NVIDIA GPU and its driver
    #[arg(long)]
    cuda: bool,
}

impl Options {
    /// Everything, the CUDA half of libtorch included.
    pub(crate) fn with_cuda() -> Self {
        Self { cuda: true, ..Self::default() }
    }
}

/// Programs that nothing in this project can do without, whatever else is there.
const PROGRAMS: [Need; 5] = [
    Need {
        what: "C++ compiler",
        packages: &["g++"],
        otherwise: None,
        met: |machine| machine.has_program("c++"),
    },
    Need {
        what: "Arm emulator (QEMU)",
        packages: &["qemu-system-arm"],
        otherwise: None,
        met: |machine| machine.has_program("qemu-system-arm"),
    },
    Need {
        what: "Arm compiler and linker",
        packages: &["gcc-arm-none-eabi"],
        otherwise: None,
        met: |machine| machine.has_program("arm-none-eabi-gcc"),
    },
    Need {
        what: "PostgreSQL, for the tests of its store",
        packages: &["postgresql"],
        otherwise: None,
        // Debian keeps the server off the PATH.
        met: |machine| machine.has_program("postgres") || machine.has_path(Path::new("/usr/lib/postgresql")),
    },
    Need {
        what: "make, for the C sample",
        packages: &["make"],
        otherwise: None,
        met: |machine| machine.has_program("make"),
    },
];

/// Sets this machine up.
pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    let folder = workspace::root()?.join(".toolchain");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let _lock = lock(&folder)?;
    install(&ThisMachine, options, &folder)?;
    println!("{:>12} setup in {:.1} s", "Finished", start.elapsed().as_secs_f64());
    Ok(())
}

/// What libtorch and ONNX Runtime take to download, in millions of bytes.
pub(crate) fn library_megabytes() -> u64 {
    libraries::megabytes()
}

/// Installs what only one command needs.
pub(crate) fn also(need: &Need) -> Result<()> {
    packages::install(&ThisMachine, std::slice::from_ref(need))
}

/// Brings `machine` to the state that every other command takes for granted; libraries go to `folder`.
fn install(machine: &dyn Machine, options: &Options, folder: &Path) -> Result<()> {
    let own_data = data::of_the_user(machine, options.data.as_deref())?;
    let libraries = libraries::wanted(machine, folder, options.force, options.cuda)?;
    let firmware = firmware_rust::prepare(machine)?;

    // One list, so that the package manager is asked once.
    let mut needs: Vec<Need> = PROGRAMS.to_vec();
    if own_data.is_none() {
        needs.push(data::PACKAGE);
    }
    let numpy = numpy::is_wanted(machine, folder, options.force);
    if numpy || !libraries.is_empty() {
        needs.push(wheels::PIP);
    }
    if firmware == firmware_rust::Choice::DebianPackages {
        needs.push(firmware_rust::PACKAGES);
    }
    packages::install(machine, &needs)?;
    for library in libraries {
        wheels::install(machine, library, folder)?;
    }
    if numpy {
        numpy::install(machine, folder)?;
    }
    Ok(())
}

/// Keeps a second setup of the same checkout waiting until this one has ended, however it ends.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join("setup.lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    if file.try_lock().is_err() {
        println!("{:>12} for another setup of this checkout", "Waiting");
        file.lock().with_context(|| format!("{} cannot be locked", path.display()))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
