//! `header`, `from-onnx`, `keygen`, `sign`, `verify`: what they write, print and refuse.

use bomp_export::testing::schema::check;
use bomp_export::{files, sign};
use bomp_runtime::{Model, signed};

use super::schemas::schema;
use super::*;

/// Prints JSON that fits its command's schema.
#[track_caller]
fn fits(command: &str, value: &Value) {
    check(&schema(command), value, command);
}

#[test]
fn every_command_explains_itself_with_units() {
    for (command, words) in [
        ("header", ["bytes", "DIR/NAME", "--class-names"]),
        ("from-onnx", ["bits", "fractions 0 to 1", "--check"]),
        ("keygen", ["mode 0600", "32 bytes", "--output"]),
        ("sign", ["80 bytes", "--counter", "--key"]),
        ("verify", ["Exit code 1", "--min-counter", "--public-key"]),
    ] {
        let help = succeed(&[command, "--help"]);
        for word in words.iter().chain(&["--json"]) {
            assert!(help.contains(word), "{command}: `{word}` is not in {help}");
        }
    }
}

/// Compiles C sources with the host's compiler; its complaints are the failure.
#[track_caller]
fn compile(compiler: &str, standard: &str, folder: &Path, sources: &[&str]) {
    let output = Command::new(compiler)
        .current_dir(folder)
        .args([standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-o", "program"])
        .args(sources)
        .output()
        .unwrap();
    assert!(output.status.success(), "{compiler} {standard}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn header_writes_c_that_holds_the_model() {
    let case = Case::new(1);
    let out = case.path("c/digits");
    let names: Vec<String> =
        (0..bomp_runtime_classes(&case)).map(|class| format!("na\"me {class}?")).collect();
    let report = json(&["header", text(&case.model), "-o", text(&out), "--class-names", &names.join(",")]);
    fits("header", &report);
    let blob = fs::read(&case.model).unwrap();
    let model = Model::new(&blob).unwrap();
    assert_eq!((&report["bytes"], &report["arena_bytes"]), (&blob.len().into(), &model.arena_size().into()));
    // A program that writes the array, the sizes and the names as the compiler sees them.
    let program = r#"
#include <stdio.h>
#include "digits.h"
int main(void) {
  unsigned at;
  printf("%d %d %d %d %d %d %.9g %d %.9g %d\n", DIGITS_BYTES, DIGITS_ARENA_BYTES, DIGITS_INPUT_HEIGHT, DIGITS_INPUT_WIDTH,
         DIGITS_INPUT_CHANNELS, DIGITS_INPUT_LEN, (double)DIGITS_INPUT_SCALE, DIGITS_INPUT_ZERO_POINT, (double)DIGITS_OUTPUT_SCALE,
         DIGITS_CLASSES);
  for (at = 0; at < DIGITS_BYTES; at++) printf("%d ", digits[at]);
  printf("\n");
  for (at = 0; at < DIGITS_CLASSES; at++) printf("%s,", digits_class_names[at]);
  return (int)((size_t)digits % 4);
}
"#;
    let folder = case.path("c");
    fs::write(folder.join("main.c"), program).unwrap();
    fs::write(folder.join("main.cc"), program).unwrap();
    fs::copy(folder.join("digits.c"), folder.join("digits.cc")).unwrap();
    for (compiler, standard, sources) in [
        ("cc", "-std=c99", ["main.c", "digits.c"]),
        ("cc", "-std=c11", ["main.c", "digits.c"]),
        ("c++", "-std=c++11", ["main.cc", "digits.cc"]),
    ] {
        compile(compiler, standard, &folder, &sources);
        let output = Command::new(folder.join("program")).output().unwrap();
        assert!(output.status.success(), "{compiler} {standard}: the array is not aligned");
        let printed = stdout(&output);
        let lines: Vec<&str> = printed.lines().collect();
        let numbers: Vec<f64> = lines[0].split(' ').map(|number| number.parse().unwrap()).collect();
        let shape = model.input_shape();
        let sizes =
            [blob.len(), model.arena_size(), shape.height, shape.width, shape.channels, model.input_len()];
        assert_eq!(numbers[..6], sizes.map(|size| size as f64));
        assert_eq!(numbers[6] as f32, f32::from_bits(model.input_scale_bits()));
        assert_eq!(numbers[7], f64::from(model.input_zero_point()));
        assert_eq!(numbers[8] as f32, f32::from_bits(model.output_scale_bits()));
        assert_eq!(numbers[9], model.classes() as f64);
        let bytes: Vec<u8> = lines[1].split_whitespace().map(|byte| byte.parse().unwrap()).collect();
        assert_eq!(bytes, blob);
        assert_eq!(lines[2], names.iter().map(|name| format!("{name},")).collect::<String>());
    }
}

fn bomp_runtime_classes(case: &Case) -> usize {
    Model::new(&fs::read(&case.model).unwrap()).unwrap().classes()
}

#[test]
fn header_refuses_what_it_cannot_write() {
    let case = Case::new(2);
    let model = text(&case.model);
    for name in ["int", "2nd", "a-b", "a__b"] {
        let line = one_line(&call(&["header", model, "-o", text(&case.path(name))]), 2);
        assert!(line.contains(&format!("`{name}`")), "{line}");
    }
    // bomp.h is the runtime's, stdint.h the compiler's: a file of that name would be read in its place.
    for name in ["bomp", "Bomp", "BOMP", "bomp_run", "stdint", "memcpy"] {
        let beside = case.path(&format!("{name}.h"));
        fs::write(&beside, "theirs").unwrap();
        let line = one_line(&call(&["header", model, "-o", text(&case.path(name))]), 2);
        assert!(line.contains(&format!("`{name}`")) && line.contains("choose another name"), "{line}");
        assert_eq!(fs::read_to_string(&beside).unwrap(), "theirs");
    }
    let line = one_line(&call(&["header", model, "-o", text(&case.path("m")), "--class-names", "a"]), 2);
    assert!(line.contains("1 names") && line.contains("classes"), "{line}");
    let absent = case.path("absent.bomp");
    assert!(
        one_line(&call(&["header", text(&absent), "-o", text(&case.path("m"))]), 2).contains("absent.bomp")
    );
    fs::write(&absent, b"BOMP but no model").unwrap();
    assert!(
        one_line(&call(&["header", text(&absent), "-o", text(&case.path("m"))]), 2).contains("absent.bomp")
    );
    assert!(!case.path("m.h").exists() && !case.path("m.c").exists());
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/onnx").join(name)
}

#[test]
fn from_onnx_packs_and_checks() {
    let folder = tempfile::tempdir().unwrap();
    let blob_path = folder.path().join("imported.bomp");
    let file = fixture("ort-per-channel.onnx");
    let arguments = ["from-onnx", text(&file), "-o", text(&blob_path), "--check", "--images", "500"];
    let report = json(&arguments);
    fits("from-onnx", &report);
    let blob = fs::read(&blob_path).unwrap();
    let model = Model::new(&blob).unwrap();
    assert_eq!((&report["bytes"], &report["classes"]), (&blob.len().into(), &10.into()));
    assert_eq!(report["sha256"], files::sha256(&blob));
    assert_eq!(report["arena_bytes"], model.arena_size());
    assert!(report["check"]["agreement"].as_f64().unwrap() >= 0.998, "{}", report["check"]);
    let printed = succeed(&arguments);
    assert!(printed.contains("same class as ONNX Runtime") && printed.contains("/3/Add"), "{printed}");
    fits("inspect", &json(&["inspect", text(&blob_path)]));
}

#[test]
fn from_onnx_refuses_with_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.onnx");
    let file = text(&path);
    assert!(one_line(&call(&["from-onnx", file]), 2).contains("other.onnx"));
    fs::write(&path, b"hello").unwrap();
    assert!(one_line(&call(&["from-onnx", file]), 2).contains("not an ONNX file"));
    // An operator of the same length in its place: every place where it stands is told.
    let mut bytes = fs::read(fixture("ort-symmetric.onnx")).unwrap();
    let name = b"GlobalAveragePool";
    let places: Vec<usize> =
        (0..bytes.len() - name.len()).filter(|&at| bytes[at..].starts_with(name)).collect();
    for at in places {
        bytes[at..at + name.len()].copy_from_slice(b"GlobalAverageFool");
    }
    fs::write(&path, bytes).unwrap();
    let line = one_line(&call(&["from-onnx", file]), 2);
    assert!(line.contains("GlobalAverageFool `/7/GlobalAverageFool`"), "{line}");
    assert!(!path.with_extension("bomp").exists());
    for extra in [["--images", "5"], ["--data", "x"], ["--threads", "1"]] {
        assert!(one_line(&call(&[&["from-onnx", file], &extra[..]].concat()), 2).contains("--check"));
    }
}

/// A folder with a key pair, a model, and the model signed with counter 7.
fn signed_case() -> Case {
    let case = Case::new(3);
    let keys = json(&["keygen", "-o", text(&case.path("release.key"))]);
    fits("keygen", &keys);
    let key = sign::public_key(&case.path("release.key.pub")).unwrap().to_bytes();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(keys["public_key_hex"], hex);
    let private = case.path("release.key");
    let arguments = ["sign", text(&case.model), "--key", text(&private), "--counter", "7"];
    let written = json(&[&arguments[..], &["-o", text(&case.path("signed.bomp"))]].concat());
    fits("sign", &written);
    let blob = fs::read(&case.model).unwrap();
    assert_eq!((&written["bytes"], &written["counter"]), (&(blob.len() + 80).into(), &7.into()));
    case
}

/// What `verify` says: its exit code's line on standard error where it refuses.
fn verify(case: &Case, file: &str, key: &str, minimum: &str) -> Result<Value, String> {
    let output = call(&[
        "verify",
        text(&case.path(file)),
        "--public-key",
        text(&case.path(key)),
        "--min-counter",
        minimum,
        "--json",
    ]);
    let verdict: Value = serde_json::from_str(&stdout(&output)).unwrap();
    fits("verify", &verdict);
    assert_eq!(verdict["accepted"], output.status.success());
    if output.status.success() { Ok(verdict) } else { Err(one_line(&output, 1)) }
}

#[test]
fn a_signed_model_is_accepted_and_anything_else_refused() {
    let case = signed_case();
    let blob = fs::read(&case.model).unwrap();
    let file = fs::read(case.path("signed.bomp")).unwrap();
    for minimum in ["0", "7"] {
        let verdict = verify(&case, "signed.bomp", "release.key.pub", minimum).unwrap();
        assert_eq!((&verdict["counter"], &verdict["blob_bytes"]), (&7.into(), &blob.len().into()));
    }
    let line = verify(&case, "signed.bomp", "release.key.pub", "8").unwrap_err();
    assert!(line.contains("counter 7 is below 8"), "{line}");
    succeed(&["keygen", "-o", text(&case.path("other.key"))]);
    let line = verify(&case, "signed.bomp", "other.key.pub", "0").unwrap_err();
    assert!(line.contains("another key"), "{line}");
    let line = verify(&case, "candidate/model.bomp", "release.key.pub", "0").unwrap_err();
    assert!(line.contains("not signed"), "{line}");

    // In the library, as on the device: every byte counts, the counter's own and the signature's included.
    let key = sign::public_key(&case.path("release.key.pub")).unwrap().to_bytes();
    assert_eq!(signed::open(&file, &key, 7).unwrap().blob, blob);
    let step = file.len() / 150 + 1;
    for at in (0..file.len() - 80).step_by(step).chain(file.len() - 80..file.len()) {
        let mut altered = file.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(signed::open(&altered, &key, 0).is_err(), "byte {at}");
    }
    for length in [0, 1, 63, 79, 80, file.len() - 1] {
        assert!(signed::open(&file[..length], &key, 0).is_err(), "{length} bytes");
    }
    let longer = [&file[..], &[0]].concat();
    assert!(signed::open(&longer, &key, 0).is_err());
    assert!(signed::open(&file, &[0xFF; 32], 0).is_err());
    // A good signature over a bad model.
    let private = sign::private_key(&case.path("release.key")).unwrap();
    let bad = sign::sign(&blob[..blob.len() - 1], &private, 7);
    assert!(matches!(signed::open(&bad, &key, 0), Err(signed::SignedError::Model(_))));
}

#[cfg(unix)]
#[test]
fn private_keys_are_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let case = signed_case();
    let key = case.path("release.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&key).unwrap();
    let line = one_line(&call(&["keygen", "-o", text(&key)]), 2);
    assert!(line.contains("release.key") && line.contains("not overwritten"), "{line}");
    assert_eq!(fs::read(&key).unwrap(), before);
    let arguments = |key: &str, model: &str| {
        call(&["sign", text(&case.path(model)), "--key", text(&case.path(key)), "--counter", "1"])
    };
    assert!(
        one_line(&arguments("release.key.pub", "candidate/model.bomp"), 2).contains("bomp-export keygen")
    );
    assert!(one_line(&arguments("absent.key", "candidate/model.bomp"), 2).contains("absent.key"));
    assert!(one_line(&arguments("release.key", "signed.bomp"), 2).contains("signed already"));
    fs::write(case.path("foreign"), b"not a model").unwrap();
    assert!(one_line(&arguments("release.key", "foreign"), 2).contains("foreign"));
}

/// OpenSSL, where there is one, says the same of a signature.
#[test]
fn openssl_agrees() {
    let case = signed_case();
    let file = fs::read(case.path("signed.bomp")).unwrap();
    let (message, signature) = file.split_at(file.len() - 64);
    fs::write(case.path("message"), message).unwrap();
    fs::write(case.path("signature"), signature).unwrap();
    let verify = |message: &str| {
        Command::new("openssl")
            .args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey", text(&case.path("release.key.pub"))])
            .args(["-in", text(&case.path(message)), "-sigfile", text(&case.path("signature"))])
            .output()
    };
    let Ok(output) = verify("message") else {
        eprintln!("not run: there is no openssl on this machine");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut altered = message.to_vec();
    altered[10] ^= 1;
    fs::write(case.path("altered"), altered).unwrap();
    assert!(!verify("altered").unwrap().status.success());
}
