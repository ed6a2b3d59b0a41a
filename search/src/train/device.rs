//! `--device cpu|cuda[:i]`: the device that was asked for, or an error at once; never another one silently.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::Path;

use tch::{Cuda, Device};
use thiserror::Error;

/// Why the device that was asked for cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum DeviceError {
    /// A word that names no device.
    #[error("unknown device `{0}`: use cpu, cuda or cuda:N")]
    Unknown(String),
    /// The CPU build of libtorch.
    #[error(
        "this libtorch has no CUDA: run `cargo xtask setup --cuda`, or set LIBTORCH to a CUDA build ({0})"
    )]
    NoCuda(String),
    /// The CUDA build of libtorch on a machine without a GPU, or without its driver.
    #[error("no CUDA device found: is there an NVIDIA GPU, and does `nvidia-smi` list it?")]
    NoDevice,
    /// Not so many GPUs.
    #[error("there is no CUDA device {index}: the devices are 0 to {last}")]
    NoSuchDevice {
        index: usize,
        /// The largest number that there is.
        last: i64,
    },
}

/// The device named `text`. Call it before any other function that uses libtorch: libtorch looks for CUDA only once.
///
/// # Errors
/// See [`DeviceError`].
pub fn parse(text: &str) -> Result<Device, DeviceError> {
    let unknown = || DeviceError::Unknown(text.to_owned());
    if text == "cpu" {
        return Ok(Device::Cpu);
    }
    let index = match text.strip_prefix("cuda").ok_or_else(unknown)? {
        "" => 0,
        rest => rest.strip_prefix(':').and_then(|digits| digits.parse().ok()).ok_or_else(unknown)?,
    };
    load_cuda().map_err(DeviceError::NoCuda)?;
    match Cuda::device_count() {
        0 => Err(DeviceError::NoDevice),
        count if index as i64 >= count => Err(DeviceError::NoSuchDevice { index, last: count - 1 }),
        _ => Ok(Device::Cuda(index)),
    }
}

/// Where `cargo xtask setup --cuda` puts libtorch's CUDA half.
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.toolchain/libtorch-cuda/lib");

/// Loads libtorch's CUDA half for the life of the process: that of the libtorch at hand, or the one that setup installed.
///
/// No symbol of it is referred to, so a linker drops it from the program (`--as-needed`); libtorch registers its GPU
/// kernels when it is loaded. What it needs in turn is beside it.
fn load_cuda() -> Result<(), String> {
    let name = format!("{DLL_PREFIX}torch_cuda{DLL_SUFFIX}");
    let installed = Path::new(INSTALLED).join(&name);
    match load(Path::new(&name)) {
        Err(_) if installed.exists() => load(&installed),
        result => result,
    }
}

#[allow(unsafe_code)]
fn load(library: &Path) -> Result<(), String> {
    // SAFETY: the library's initialisers are those of libtorch itself, which the program trusts anyway; it is never
    // unloaded, so nothing that they register can dangle.
    match unsafe { libloading::Library::new(library) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        // The loader's own words, which name the file.
        Err(error) => Err(std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_refused_by_name() {
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "cuda0", "cuda:99999999999999999999"] {
            assert_eq!(parse(text), Err(DeviceError::Unknown(text.to_owned())));
        }
        assert_eq!(parse("cpu"), Ok(Device::Cpu));
    }

    /// Holds on every machine: CUDA is either there and usable, or refused with the reason.
    #[test]
    fn cuda_is_never_replaced_silently() {
        match parse("cuda") {
            Ok(device) => assert_eq!(device, Device::Cuda(0)),
            Err(DeviceError::NoCuda(reason)) => assert!(reason.contains("torch_cuda"), "{reason}"),
            Err(DeviceError::NoDevice) => assert_eq!(Cuda::device_count(), 0),
            Err(error) => panic!("{error}"),
        }
    }
}
