//! Archives that GNU's tools make, and damaged ones. That firmware links is shown by `tests/c_library.rs`.

use super::*;
use std::path::Path;
use std::process::Command;

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two objects, one of them with a long name and an odd size, as `ar` puts them into an archive.
fn archive(folder: &Path, float_abi: &str) -> Vec<u8> {
    let sources =
        [("first.c", "int first(int x) { return x + 1; }"), ("second.c", "int second(void) { return 2; }")];
    let objects = ["first.o", "an-object-with-a-long-name.o"];
    for ((source, text), object) in sources.iter().zip(objects) {
        std::fs::write(folder.join(source), text).unwrap();
        let abi = format!("-mfloat-abi={float_abi}");
        let fpu = if float_abi == "soft" { "-mfpu=auto" } else { "-mfpu=fpv4-sp-d16" };
        let compile = ["-mcpu=cortex-m4", "-mthumb", &abi, fpu, "-c", source, "-o", object];
        run("arm-none-eabi-gcc", &compile, folder);
    }
    let _ = std::fs::remove_file(folder.join("x.a"));
    run("arm-none-eabi-ar", &["rcs", "x.a", objects[0], objects[1]], folder);
    std::fs::read(folder.join("x.a")).unwrap()
}

#[test]
fn objects_of_every_convention_become_compatible_with_all() {
    let folder = tempfile::tempdir().unwrap();
    for abi in ["soft", "softfp", "hard"] {
        let before = archive(folder.path(), abi);
        std::fs::write(folder.path().join("marked.a"), mark(&before).unwrap()).unwrap();
        let attributes = run("arm-none-eabi-readelf", &["-A", "marked.a"], folder.path());
        assert_eq!(attributes.matches("Tag_ABI_VFP_args: compatible").count(), 2, "{attributes}");
        assert_eq!(attributes.matches("Tag_CPU_arch: v7E-M").count(), 2, "{attributes}");
        // Code and index are what they were.
        for arguments in [["-d"], ["-r"], ["-t"]] {
            let dump = |file| run("arm-none-eabi-objdump", &[arguments[0], file], folder.path());
            let rest = |dump: String| dump.split_once('\n').unwrap().1.replace("marked.a", "x.a");
            assert_eq!(rest(dump("marked.a")), rest(dump("x.a")).replace("marked.a", "x.a"));
        }
        let index = |file| run("arm-none-eabi-nm", &["--print-armap", file], folder.path());
        assert_eq!(index("marked.a"), index("x.a"));
        // Marking twice is marking once, but for the space of the first time's attributes.
        let twice = mark(&mark(&before).unwrap()).unwrap();
        std::fs::write(folder.path().join("twice.a"), twice).unwrap();
        assert_eq!(
            run("arm-none-eabi-readelf", &["-A", "twice.a"], folder.path()).replace("twice", "marked"),
            attributes
        );
    }
}

#[test]
fn a_damaged_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = archive(folder.path(), "soft");
    assert!(mark(b"").is_err() && mark(b"\x7fELF").is_err() && mark(MAGIC).is_err());
    for length in 0..whole.len() {
        // A padding byte at the end may be missing.
        assert!(mark(&whole[..length]).is_err() || length + 1 == whole.len(), "{length} bytes");
    }
    // Whatever a byte becomes, the answer is an archive or an error.
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        for value in [0, 0xff, damaged[at] ^ 1, damaged[at] ^ 0x80] {
            damaged[at] = value;
            let _ = mark(&damaged);
        }
    }
}
