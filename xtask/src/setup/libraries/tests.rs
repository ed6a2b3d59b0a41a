//! Which libraries setup installs, given what the user brings.

use super::*;
use crate::machine::fake::{Contents, FakeMachine};
use std::collections::{BTreeMap, BTreeSet};

/// A machine with these variables and paths; its Python has the given torch, if any.
fn machine(
    variables: &[(&'static str, &Path)],
    paths: &[PathBuf],
    torch: Option<&'static str>,
) -> FakeMachine {
    let variables: BTreeMap<_, _> =
        variables.iter().map(|(name, value)| (*name, value.display().to_string())).collect();
    let paths: BTreeSet<_> = paths.iter().cloned().collect();
    let contents = Contents { variables, paths, ..Contents::default() };
    FakeMachine::new(contents, move |_, line| {
        assert!(line.starts_with("python3 -c import torch"), "{line}");
        torch.map(str::to_owned).ok_or("ModuleNotFoundError: No module named 'torch'".to_owned())
    })
}

/// The names of the libraries to install.
fn names(machine: &FakeMachine, folder: &Path, force: bool) -> Vec<&'static str> {
    wanted(machine, folder, force, false).unwrap().iter().map(|library| library.name).collect()
}

/// Marks a library as installed.
fn install(folder: &Path, name: &str, version: &str) {
    fs::create_dir_all(folder.join(name)).unwrap();
    fs::write(folder.join(name).join(VERSION_FILE), version).unwrap();
}

#[test]
fn what_is_missing_or_of_another_version_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Cargo gives the defaults to every program that it starts.
    let (torch, ort) = (folder.join("libtorch"), folder.join("onnxruntime/libonnxruntime.so"));
    let machine = machine(&[("LIBTORCH", &torch), ("ORT_DYLIB_PATH", &ort)], &[], None);
    assert_eq!(names(&machine, folder, false), ["libtorch", "onnxruntime"]);
    install(folder, "libtorch", "2.12.0\n");
    install(folder, "onnxruntime", "1.31.0\n");
    assert_eq!(names(&machine, folder, false), ["libtorch"]);
    install(folder, "libtorch", "2.13.0\n");
    assert!(names(&machine, folder, false).is_empty());
    assert_eq!(names(&machine, folder, true), ["libtorch", "onnxruntime"]);
}

#[test]
fn the_users_own_libraries_win() {
    let folder = tempfile::tempdir().unwrap();
    let own = tempfile::tempdir().unwrap();
    let (torch, ort) = (own.path(), own.path().join("libonnxruntime.so"));
    let there = [torch.join("lib/libtorch_cpu.so"), ort.clone()];
    let variables = [("LIBTORCH", torch), ("ORT_DYLIB_PATH", ort.as_path())];
    let users = machine(&variables, &there, None);
    assert!(names(&users, folder.path(), true).is_empty());

    fs::write(torch.join(VERSION_FILE), "2.13.0+cpu\n").unwrap();
    assert!(names(&users, folder.path(), true).is_empty());

    fs::write(torch.join(VERSION_FILE), "2.9.1+cu130\n").unwrap();
    let error = wanted(&users, folder.path(), false, false).err().unwrap().to_string();
    assert!(error.contains("2.9.1") && error.contains("2.13.0") && error.contains("unset"), "{error}");

    for (missing, name) in [(0, "LIBTORCH"), (1, "ORT_DYLIB_PATH")] {
        let users = machine(&variables[missing..=missing], &[], None);
        let error = wanted(&users, folder.path(), false, false).err().unwrap().to_string();
        assert!(error.starts_with(name) && error.contains("does not exist"), "{error}");
    }
}

#[test]
fn the_users_python_is_asked_for_its_torch() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("LIBTORCH_USE_PYTORCH", Path::new("1")), ("LIBTORCH", Path::new("/nowhere"))];
    let python = |torch| machine(&variables, &[], torch);
    assert_eq!(names(&python(Some("2.13.0+cu130\n")), folder.path(), false), ["onnxruntime"]);
    for (torch, told) in [(Some("2.8.0\n"), "2.8.0"), (None, "no torch")] {
        let error = wanted(&python(torch), folder.path(), false, false).err().unwrap().to_string();
        assert!(error.contains(told) && error.contains("unset"), "{error}");
    }
}

#[test]
fn the_cuda_half_is_installed_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    install(folder, "libtorch", "2.13.0");
    install(folder, "onnxruntime", "1.31.0");
    let names = |machine: &FakeMachine| -> Vec<&str> {
        wanted(machine, folder, false, true).unwrap().iter().map(|library| library.name).collect()
    };
    let plain = machine(&[], &[], None);
    assert_eq!(names(&plain), ["libtorch-cuda"]);
    install(folder, "libtorch-cuda", "2.13.0");
    assert!(names(&plain).is_empty());

    // A CUDA build that the user brings has it already.
    fs::remove_dir_all(folder.join("libtorch-cuda")).unwrap();
    let own = tempfile::tempdir().unwrap();
    let there = ["lib/libtorch_cpu.so", "lib/libtorch_cuda.so"].map(|name| own.path().join(name));
    assert!(names(&machine(&[("LIBTORCH", own.path())], &there, None)).is_empty());
}
