//! Setup on machines of memory: a bare one, a complete one, and ones where a step cannot be had.

use super::*;
use crate::machine::fake::{Contents, FakeMachine};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What can be had from outside.
#[derive(Clone, Copy)]
struct World {
    user: &'static str,
    rustup_downloads: bool,
    debian_rust: Option<&'static str>,
}

const DEBIAN: World = World { user: "0", rustup_downloads: false, debian_rust: Some("1.96.0") };

/// A machine with Rust and apt-get only.
fn bare(world: World) -> FakeMachine {
    let programs = BTreeSet::from(["apt-get", "rustup", "sudo"]);
    FakeMachine::new(Contents { programs, ..Contents::default() }, move |has, line| react(world, has, line))
}

/// What a command does to the machine.
fn react(world: World, has: &mut Contents, line: &str) -> Result<String, String> {
    let words: Vec<&str> = line.split(' ').collect();
    let done = Ok(String::new());
    match words[..] {
        ["df", ..] => Ok("      Avail\n99000000000\n".into()),
        ["id", "-u"] => Ok(format!("{}\n", world.user)),
        ["sudo", "--validate"] => done,
        ["rustc", ..] => Ok("/sysroot\n".into()),
        ["/usr/bin/rustc", ..] => Ok(format!("rustc {} (0 2026-01-01)\n", world.debian_rust.unwrap())),
        ["rustup", "target", "add", target] if world.rustup_downloads => {
            has.paths.insert(PathBuf::from(format!("/sysroot/lib/rustlib/{target}/lib")));
            done
        }
        ["rustup", ..] => Err("info: downloading\nerror: component download failed\n".into()),
        ["python3", "-m", "pip", "--version"] if !has.programs.contains("python3") => {
            Err("no such module".into())
        }
        ["python3", "-m", "pip", "--version"] => Ok("pip 23.2.1".into()),
        ["python3", "-c", "import", "numpy"] => Err("ModuleNotFoundError".into()),
        ["python3", "-m", "pip", "install", .., target, _] => {
            fs::create_dir_all(Path::new(target).join("numpy")).unwrap();
            done
        }
        ["python3", "-m", "pip", "download", ..] => {
            // One empty wheel for each pin of the list.
            let list = words[words.iter().position(|&word| word == "--requirement").unwrap() + 1];
            for pin in fs::read_to_string(list).unwrap().lines() {
                let name = pin.split(' ').next().unwrap().replace('-', "_").replace("==", "-");
                let file = Path::new(list).with_file_name(format!("{name}-py3-none-any.whl"));
                fs::write(file, []).unwrap();
            }
            done
        }
        ["python3", _, _, content, ..] => {
            fs::create_dir_all(content).unwrap();
            fs::write(Path::new(content).join("unpacked"), []).unwrap();
            done
        }
        _ if line.contains(" update") => done,
        _ if line.contains("apt-get") => {
            let packages = words.iter().skip_while(|word| !word.starts_with("--no-install")).skip(1);
            packages.copied().try_for_each(|package| bring(world, has, package)).map(|()| String::new())
        }
        _ => panic!("no such command here: {line}"),
    }
}

/// What a Debian package brings.
fn bring(world: World, has: &mut Contents, package: &str) -> Result<(), String> {
    let mut program = |name| {
        has.programs.insert(name);
        Ok(())
    };
    match package {
        "g++" => program("c++"),
        "qemu-system-arm" => program("qemu-system-arm"),
        "gcc-arm-none-eabi" => program("arm-none-eabi-gcc"),
        "make" => program("make"),
        "python3" | "python3-pip" => program("python3"),
        "postgresql" => {
            has.paths.insert("/usr/lib/postgresql".into());
            Ok(())
        }
        "rustc-web" | "cargo-web" | "rust-web-src" if world.debian_rust.is_none() => {
            Err(format!("Reading package lists...\nE: Unable to locate package {package}"))
        }
        "rustc-web" | "cargo-web" | "rust-web-src" => {
            for path in ["bin/cargo", "bin/rustc", "lib/rustlib/src/rust/library/core/Cargo.toml"] {
                has.paths.insert(Path::new("/usr").join(path));
            }
            Ok(())
        }
        "dataset-fashion-mnist" => {
            for set in ["train", "t10k"] {
                for kind in ["images-idx3", "labels-idx1"] {
                    let file = format!("/usr/share/datasets/fashion-mnist/{set}-{kind}-ubyte.gz");
                    has.paths.insert(file.into());
                }
            }
            Ok(())
        }
        _ => Err(format!("E: Unable to locate package {package}")),
    }
}

/// The commands that change a machine.
fn changes(machine: &FakeMachine) -> Vec<String> {
    let changing = ["apt-get", "rustup", "pip download", "pip install", "unpack.py"];
    let log = machine.take_log();
    log.into_iter().filter(|line| changing.iter().any(|word| line.contains(word))).collect()
}

#[test]
fn a_bare_machine_is_set_up_once() {
    let folder = tempfile::tempdir().unwrap();
    let machine = bare(DEBIAN);
    install(&machine, &Options::default(), folder.path()).unwrap();

    let first = changes(&machine);
    assert_eq!(first.iter().filter(|line| line.contains("apt-get") && line.contains(" install ")).count(), 1);
    assert_eq!(first.iter().filter(|line| line.contains("pip download")).count(), 2);
    assert_eq!(first.iter().filter(|line| line.contains("pip install")).count(), 1);
    assert!(folder.path().join("python/numpy").is_dir());
    for library in ["libtorch", "onnxruntime"] {
        assert!(folder.path().join(library).join("build-version").is_file());
    }

    install(&machine, &Options::default(), folder.path()).unwrap();
    assert_eq!(changes(&machine), Vec::<String>::new());

    let force = Options { force: true, ..Options::default() };
    install(&machine, &force, folder.path()).unwrap();
    assert!(changes(&machine).iter().all(|line| line.starts_with("python3")));
}

#[test]
fn debians_rust_is_for_machines_where_rustup_cannot_download() {
    let folder = tempfile::tempdir().unwrap();
    let machine = bare(World { rustup_downloads: true, debian_rust: None, ..DEBIAN });
    install(&machine, &Options::default(), folder.path()).unwrap();
    assert!(!changes(&machine).concat().contains("rustc-web"));
    // With the target there, rustup is not asked again.
    install(&machine, &Options::default(), folder.path()).unwrap();
    assert_eq!(changes(&machine), Vec::<String>::new());
}

#[test]
fn a_toolchain_that_cannot_be_had_is_told_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let ubuntu = bare(World { debian_rust: None, ..DEBIAN });
    let error = format!("{:#}", install(&ubuntu, &Options::default(), folder.path()).unwrap_err());
    assert!(
        error.contains("rustup target add") && error.contains("Unable to locate package rustc-web"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");

    let old = bare(World { debian_rust: Some("1.85.0"), ..DEBIAN });
    let error = format!("{:#}", install(&old, &Options::default(), folder.path()).unwrap_err());
    assert!(error.contains("Rust for Arm") && error.contains("too old"), "{error}");
}

#[test]
fn only_root_installs_packages() {
    let folder = tempfile::tempdir().unwrap();
    let user = bare(World { user: "1000", ..DEBIAN });
    install(&user, &Options::default(), folder.path()).unwrap();
    let apt = changes(&user).into_iter().filter(|line| line.contains("apt-get"));
    assert!(apt.into_iter().all(|line| line.starts_with("sudo ")));

    let programs = BTreeSet::from(["apt-get"]);
    let world = World { user: "1000", ..DEBIAN };
    let contents = Contents { programs, ..Contents::default() };
    let no_sudo = FakeMachine::new(contents, move |has, line| react(world, has, line));
    let error = format!("{:#}", install(&no_sudo, &Options::default(), folder.path()).unwrap_err());
    assert!(error.contains("no sudo") && error.contains("qemu-system-arm"), "{error}");
}

#[test]
fn the_users_data_is_checked_and_spares_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let data = tempfile::tempdir().unwrap();
    let options = Options { data: Some(data.path().to_path_buf()), ..Options::default() };
    let machine = bare(DEBIAN);
    let error = format!("{:#}", install(&machine, &options, folder.path()).unwrap_err());
    assert!(error.contains("train-images-idx3-ubyte.gz"), "{error}");
    assert_eq!(changes(&machine), Vec::<String>::new());

    for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
        fs::write(data.path().join(format!("{name}-ubyte.gz")), [0x1f, 0x8b, 8]).unwrap();
    }
    install(&machine, &options, folder.path()).unwrap();
    assert!(!changes(&machine).concat().contains("dataset-fashion-mnist"));

    fs::write(data.path().join("t10k-labels-idx1-ubyte.gz"), [0, 0, 8, 1]).unwrap();
    let error = format!("{:#}", install(&machine, &options, folder.path()).unwrap_err());
    assert!(error.contains("t10k-labels-idx1-ubyte.gz is not gzipped"), "{error}");
}

#[test]
fn a_second_setup_waits_for_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let first = lock(folder.path()).unwrap();
    let other = File::create(folder.path().join("setup.lock")).unwrap();
    assert!(other.try_lock().is_err());
    drop(first);
    other.try_lock().unwrap();
}
