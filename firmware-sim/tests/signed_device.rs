//! Signed models on emulated boards: the right one runs, and a wrong key, an altered byte and a downgrade are refused there.

#[allow(dead_code, reason = "each test file uses its part")]
mod network;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use bomp_export::{data, evaluate, sign};
use bomp_runtime::Model;
use bomp_sim::{SimError, library};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

const COUNTER: u64 = 7;
const IMAGES: usize = 3;

#[test]
fn a_signed_model_runs_on_a_cortex_m4_and_others_are_refused() {
    refuses_all_but_the_right_one("mps2-an386");
}

#[test]
fn a_signed_model_runs_on_a_cortex_m0_and_others_are_refused() {
    refuses_all_but_the_right_one("microbit");
}

fn refuses_all_but_the_right_one(board: &str) {
    let folder = tempfile::tempdir().unwrap();
    let blob = fs::read(network::pack_wide(network::small(), folder.path())).unwrap();
    let model = Model::new(&blob).unwrap();
    assert_eq!((model.input_zero_point(), f32::from_bits(model.input_scale_bits())), (-128, 1.0 / 255.0));
    let pair = |name: &str| {
        let (private, public) = (folder.path().join(name), folder.path().join(name).with_extension("pub"));
        let key = sign::generate(&private, &public).unwrap().to_bytes();
        (sign::private_key(&private).unwrap(), key)
    };
    let ((private, right), (_, wrong)) = (pair("right"), pair("wrong"));
    let good = sign::sign(&blob, &private, COUNTER);
    let altered = |at: usize| {
        let mut file = good.clone();
        file[at] ^= 1;
        file
    };
    let mut material = String::from("#include <stdint.h>\n");
    for (name, bytes) in [
        ("file_good", good.clone()),
        ("file_altered_model", altered(blob.len() / 2)),
        ("file_altered_counter", altered(blob.len() + 8)),
        ("file_altered_signature", altered(good.len() - 40)),
        ("key_right", right.to_vec()),
        ("key_wrong", wrong.to_vec()),
        // No point of the curve.
        ("key_none", [vec![2], vec![0; 31]].concat()),
    ] {
        let bytes: Vec<String> = bytes.iter().map(u8::to_string).collect();
        writeln!(material, "static const uint8_t {name}[{}] = {{{}}};", bytes.len(), bytes.join(","))
            .unwrap();
    }
    for (name, value) in [
        ("FILE_BYTES", good.len()),
        ("COUNTER", COUNTER as usize),
        ("ARENA_BYTES", model.arena_size()),
        ("INPUT_LEN", model.input_len()),
        ("CLASSES", model.classes()),
    ] {
        writeln!(material, "#define {name} {value}").unwrap();
    }
    let dataset = data::load(&data::default_folder(), data::Format::Auto).unwrap();
    let images = dataset.test.subset(&(0..IMAGES).collect::<Vec<_>>());
    fs::write(folder.path().join("pixels.bin"), &images.pixels).unwrap();

    let sizes: Vec<Option<u64>> = [true, false]
        .map(|signed| {
            let out = folder.path().join(if signed { "signed" } else { "plain" });
            match library::build(board, signed, &out) {
                Err(error @ SimError::NoToolchain { .. }) if board != "mps2-an386" => {
                    eprintln!("{board}: not run: {error}");
                    return None;
                }
                other => other.unwrap_or_else(|error| panic!("{board}: {error}")),
            };
            fs::write(out.join("material.h"), &material).unwrap();
            let printed = make_and_run(board, &out, &folder.path().join("pixels.bin"), signed);
            let (opened, logits): (Vec<_>, Vec<_>) = printed
                .lines()
                .filter(|line| line.contains(':'))
                .partition(|line| !line.starts_with("logits"));
            let expected = evaluate::logits(&model, &images, 1, &|_| {}).unwrap();
            let expected: Vec<String> = expected
                .chunks_exact(model.classes())
                .map(|row| {
                    format!("logits: {}", row.iter().map(i32::to_string).collect::<Vec<_>>().join(" "))
                })
                .collect();
            assert_eq!(logits, expected, "{board}: {printed}");
            if signed {
                let refused = |what: &str, why: &str| format!("{what}: {why}, counter 0, nothing to run");
                let mismatch = "the signature does not match";
                assert_eq!(
                    opened,
                    [
                        format!("right: ok, counter {COUNTER}, ready"),
                        refused("wrong key", mismatch),
                        refused("no key", "the key is not an Ed25519 public key"),
                        refused("altered model", mismatch),
                        refused("altered counter", mismatch),
                        refused("altered signature", mismatch),
                        refused("downgrade", "the model is older than the minimum"),
                        refused("not signed", "the model is not signed"),
                    ],
                    "{board}"
                );
            }
            Some(examine(&out.join("sample.elf"), board))
        })
        .to_vec();
    if let [Some(signed), Some(plain)] = sizes[..] {
        eprintln!("{board}: {} bytes of flash for the signature's check", signed - plain);
        // What docs/firmware.md says, within a kilobyte.
        assert!((20_000..36_000).contains(&(signed - plain)), "{signed} and {plain}");
    }
}

/// What the program prints on the console, which is the emulator's standard error.
fn make_and_run(board: &str, out: &Path, images: &Path, signed: bool) -> String {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(crate_folder.join("samples/c/host.h"), out.join("host.h")).unwrap();
    let program = if signed { "#define SIGNED\n" } else { "" }.to_owned()
        + &fs::read_to_string(crate_folder.join("tests/signed/main.c")).unwrap();
    fs::write(out.join("main.c"), program).unwrap();
    let mut make = Command::new("make");
    make.current_dir(crate_folder.join("samples/c")).arg("run");
    for (name, value) in [
        ("OUT", out.to_str().unwrap()),
        ("IMAGES", images.to_str().unwrap()),
        ("BOARD", board),
        ("SOURCES", &format!("{}/main.c startup.c host.c", out.display())),
    ] {
        make.arg(format!("{name}={value}"));
    }
    let output = make.output().unwrap();
    let console = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{board}: {}\n{console}", String::from_utf8_lossy(&output.stdout));
    console
}

/// Bytes of flash without the test's material. Says which panics are linked.
fn examine(path: &Path, board: &str) -> u64 {
    let bytes = fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let in_flash = |section: &object::Section<'_, '_>| {
        use SectionKind::{Data, ReadOnlyData, ReadOnlyString, Text};
        matches!(section.kind(), Text | Data | ReadOnlyData | ReadOnlyString)
    };
    let flash: u64 = file.sections().filter(in_flash).map(|section| section.size()).sum();
    let material = |symbol: &object::Symbol<'_, '_>| {
        symbol.name().is_ok_and(|name| name.starts_with("file_") || name.starts_with("key_"))
    };
    let material: u64 = file.symbols().filter(material).map(|symbol| symbol.size()).sum();
    let panics: Vec<_> = file
        .symbols()
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| name.contains("panic"))
        .collect();
    eprintln!("{board}: {flash} - {material} bytes, panics: {panics:?}");
    flash - material
}
