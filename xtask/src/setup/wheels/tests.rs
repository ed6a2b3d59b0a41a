//! Wheels on this machine's own disk and Python; only pip's download is replaced, by a wheel made here.

use super::*;
use crate::machine::ThisMachine;
use anyhow::Result;
use std::ffi::OsString;
use std::process::Output;

const TOY: Library = Library {
    name: "toy",
    version: "1.2",
    wheels: &[Wheel {
        project: "toy-wheel",
        version: "1.2",
        bytes: 100,
        sha256: "0000000000000000000000000000000000000000000000000000000000000000",
        parts: &[("toy/include/", "include/"), ("toy/lib/libtoy.so.1.2", "lib/libtoy.so")],
    }],
};

/// This machine, but pip downloads the wheel `toy_wheel-1.2` with these files, or fails.
struct Offline(&'static [&'static str]);

impl Machine for Offline {
    fn variable(&self, name: &str) -> Option<OsString> {
        ThisMachine.variable(name)
    }

    fn has_program(&self, name: &str) -> bool {
        ThisMachine.has_program(name)
    }

    fn has_path(&self, path: &Path) -> bool {
        ThisMachine.has_path(path)
    }

    fn output(&self, command: &mut Command) -> Result<Output> {
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        if words[..2] != ["-m", "pip"] {
            return ThisMachine.output(command);
        }
        if self.0.is_empty() {
            let script = "echo 'ERROR: No matching distribution found for toy-wheel==1.2' >&2; exit 1";
            return ThisMachine.output(Command::new("sh").args(["-c", script]));
        }
        let script = "import sys, zipfile\n\
                      with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as wheel:\n\
                      \x20for name in sys.argv[2:]: wheel.writestr(name, name * 1000)";
        let wheel = Path::new(words.last().unwrap()).join("toy_wheel-1.2-py3-none-any.whl");
        ThisMachine.output(Command::new("python3").args(["-c", script]).arg(wheel).args(self.0))
    }
}

const COMPLETE: Offline = Offline(&[
    "toy/include/a.h",
    "toy/include/deep/b.h",
    "toy/lib/libtoy.so.1.2",
    "toy/lib/other.so",
    "METADATA",
]);

/// All files below a folder, as paths from it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

const INSTALLED: [&str; 4] =
    ["toy/build-version", "toy/include/a.h", "toy/include/deep/b.h", "toy/lib/libtoy.so"];

#[test]
fn only_the_named_parts_are_kept() {
    let toolchain = tempfile::tempdir().unwrap();
    install(&COMPLETE, &TOY, toolchain.path()).unwrap();
    assert_eq!(files(toolchain.path()), INSTALLED);
    let library = fs::read_to_string(toolchain.path().join("toy/lib/libtoy.so")).unwrap();
    assert_eq!(library, "toy/lib/libtoy.so.1.2".repeat(1000));
}

#[test]
fn what_a_killed_setup_left_is_replaced() {
    let toolchain = tempfile::tempdir().unwrap();
    for left in ["toy/include/stale.h", ".partial-1/wheels/half.whl", ".partial-1/content/lib/half.so"] {
        let left = toolchain.path().join(left);
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(left, "half").unwrap();
    }
    install(&COMPLETE, &TOY, toolchain.path()).unwrap();
    assert_eq!(files(toolchain.path()), INSTALLED);
}

#[test]
fn a_failure_leaves_the_installed_library_alone() {
    let toolchain = tempfile::tempdir().unwrap();
    install(&COMPLETE, &TOY, toolchain.path()).unwrap();
    let cases = [
        (Offline(&[]), "No matching distribution found"),
        (Offline(&["toy/include/a.h"]), "has no toy/lib/libtoy.so.1.2"),
        (Offline(&["toy/include/../../../a.h", "toy/lib/libtoy.so.1.2"]), "leaves its folder"),
    ];
    for (machine, told) in cases {
        let error = format!("{:#}", install(&machine, &TOY, toolchain.path()).unwrap_err());
        assert!(error.contains(told) && error.lines().count() == 1, "{error}");
        assert_eq!(files(toolchain.path()), INSTALLED);
    }
    assert!(!toolchain.path().join("a.h").exists());
}

/// This machine with a full disk.
struct Full;

impl Machine for Full {
    fn variable(&self, name: &str) -> Option<OsString> {
        ThisMachine.variable(name)
    }

    fn has_program(&self, name: &str) -> bool {
        ThisMachine.has_program(name)
    }

    fn has_path(&self, path: &Path) -> bool {
        ThisMachine.has_path(path)
    }

    fn output(&self, command: &mut Command) -> Result<Output> {
        assert_eq!(command.get_program(), "df", "nothing is downloaded to a full disk");
        ThisMachine.output(Command::new("sh").args(["-c", "echo Avail; echo 299"]))
    }
}

#[test]
fn a_full_disk_is_noticed_before_the_download() {
    let folder = tempfile::tempdir().unwrap();
    let error = install(&Full, &TOY, folder.path()).unwrap_err().to_string();
    assert!(error.contains("toy") && error.contains("free disk"), "{error}");
    assert!(files(folder.path()).is_empty());
}
