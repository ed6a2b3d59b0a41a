//! libtorch and ONNX Runtime: which are wanted, of what version, and what of their wheels is kept.

mod cuda;

use super::progress::present;
use super::wheels::{Library, VERSION_FILE, Wheel};
use crate::machine::Machine;
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) use cuda::LIBTORCH_CUDA;

/// What tch trains with. The wheel is the CUDA build: torch_cpu needs CUDA's runtime and profiler to load, at the
/// versions that torch's own metadata names, but no driver and none of CUDA's kernels.
const LIBTORCH: Library = Library {
    name: "libtorch",
    version: "2.13.0",
    wheels: &[
        Wheel {
            project: "torch",
            version: "2.13.0",
            bytes: 526_574_961,
            sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
            parts: &[
                ("torch/include/", "include/"),
                ("torch/lib/libc10.so", "lib/libc10.so"),
                ("torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
                // Named on the linker's command line by torch-sys; nothing needs it at run time.
                ("torch/lib/libtorch.so", "lib/libtorch.so"),
                ("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
            ],
        },
        Wheel {
            project: "nvidia-cuda-runtime",
            version: "13.0.96",
            bytes: 2_243_632,
            sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            parts: &[("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13")],
        },
        Wheel {
            project: "nvidia-cuda-cupti",
            version: "13.0.85",
            bytes: 10_715_597,
            sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            parts: &[("nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13")],
        },
    ],
};

/// The reference that exported ONNX models are validated against.
const ONNX_RUNTIME: Library = Library {
    name: "onnxruntime",
    version: "1.31.0",
    wheels: &[Wheel {
        project: "onnxruntime",
        version: "1.31.0",
        bytes: 23_753_636,
        sha256: "d4092b78fc5bab77ce6522393098cdb2535423045ecdcff15cc0d022162d6b66",
        parts: &[("onnxruntime/capi/libonnxruntime.so.1.31.0", "libonnxruntime.so")],
    }],
};

/// What the two take to download, in millions of bytes.
pub(super) fn megabytes() -> u64 {
    let wheels = LIBTORCH.wheels.iter().chain(ONNX_RUNTIME.wheels);
    wheels.map(|wheel| wheel.bytes).sum::<u64>().div_ceil(1_000_000)
}

/// The libraries to install in `folder`: neither brought by the user nor, unless `force` is given, installed before. The
/// CUDA half of libtorch is among them if `cuda` is given.
///
/// # Errors
/// If what the user brings cannot be used.
pub(super) fn wanted(
    machine: &dyn Machine,
    folder: &Path,
    force: bool,
    cuda: bool,
) -> Result<Vec<&'static Library>> {
    let mut users = vec![
        (&LIBTORCH, libtorch_of_the_user(machine, folder)?),
        (&ONNX_RUNTIME, ort_of_the_user(machine, folder)?),
    ];
    if cuda {
        users.push((&LIBTORCH_CUDA, cuda_of_the_user(machine)));
    }
    let mut wanted = Vec::new();
    for (library, users) in users {
        let title = format!("{} {}", library.name, library.version);
        let own = folder.join(library.name);
        let installed = fs::read_to_string(own.join(VERSION_FILE));
        match users {
            Some(origin) => present(&title, &origin),
            None if !force && installed.is_ok_and(|version| version.trim() == library.version) => {
                present(&title, &own.display().to_string());
            }
            None => wanted.push(library),
        }
    }
    if !wanted.is_empty() && !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "setup installs libtorch and ONNX Runtime on x86-64 Linux only: unpack libtorch {} and ONNX Runtime {} \
             for this machine and set LIBTORCH to the folder of the one, ORT_DYLIB_PATH to the library of the other",
            LIBTORCH.version,
            ONNX_RUNTIME.version
        );
    }
    Ok(wanted)
}

/// Where the user's own libtorch is, chosen the way torch-sys chooses.
fn libtorch_of_the_user(machine: &dyn Machine, folder: &Path) -> Result<Option<String>> {
    let expected = LIBTORCH.version;
    let (origin, version, remedy) = if machine.variable("LIBTORCH_USE_PYTORCH").is_some() {
        let script = "import torch; print(torch.__version__)";
        let version = machine.output(Command::new("python3").args(["-c", script]))?;
        if !version.status.success() {
            bail!(
                "LIBTORCH_USE_PYTORCH is set but python3 has no torch: install torch {expected} or unset the variable"
            );
        }
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        (
            "LIBTORCH_USE_PYTORCH".to_owned(),
            Some(version),
            "install that version or unset LIBTORCH_USE_PYTORCH",
        )
    } else {
        // Cargo sets the variable to the default when the user has not.
        let Some(own) =
            machine.variable("LIBTORCH").map(PathBuf::from).filter(|own| *own != folder.join(LIBTORCH.name))
        else {
            return Ok(None);
        };
        let library = own.join("lib/libtorch_cpu.so");
        if !machine.has_path(&library) {
            bail!(
                "LIBTORCH is set but {} does not exist: correct the variable or unset it",
                library.display()
            );
        }
        let version = fs::read_to_string(own.join(VERSION_FILE)).ok();
        (format!("LIBTORCH={}", own.display()), version, "set LIBTORCH to that version or unset it")
    };
    // A build may be marked, as in "2.13.0+cpu"; one without a version file is taken at its owner's word.
    let found = version.as_deref().map(|version| version.trim().split('+').next().unwrap_or_default());
    if found.is_some_and(|found| found != expected)
        && machine.variable("LIBTORCH_BYPASS_VERSION_CHECK").is_none()
    {
        bail!("{origin} is version {}, but tch needs {expected}: {remedy}", found.unwrap_or_default());
    }
    Ok(Some(origin))
}

/// The CUDA half of the user's own libtorch, if that has one.
fn cuda_of_the_user(machine: &dyn Machine) -> Option<String> {
    let library = PathBuf::from(machine.variable("LIBTORCH")?).join("lib/libtorch_cuda.so");
    machine.has_path(&library).then(|| library.display().to_string())
}

/// The user's own ONNX Runtime.
fn ort_of_the_user(machine: &dyn Machine, folder: &Path) -> Result<Option<String>> {
    let default = folder.join(ONNX_RUNTIME.name).join("libonnxruntime.so");
    let Some(own) = machine.variable("ORT_DYLIB_PATH").map(PathBuf::from).filter(|own| *own != default)
    else {
        return Ok(None);
    };
    if !machine.has_path(&own) {
        bail!("ORT_DYLIB_PATH is set but {} does not exist: correct the variable or unset it", own.display());
    }
    Ok(Some(format!("ORT_DYLIB_PATH={}", own.display())))
}

#[cfg(test)]
mod tests;
