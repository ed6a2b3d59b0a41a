//! What `--json` prints is what the files in `export/schemas` say: JSON Schema, of which they use the few words known here.

use bomp_export::testing::schema::check;

use super::*;

pub(super) fn schema(command: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(command).with_extension("json");
    serde_json::from_slice(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// Checks the output of a call against the schema of its command; a call that fails may still print.
#[track_caller]
fn fits(arguments: &[&str]) {
    let output = call(&[arguments, &["--json"]].concat());
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| {
        panic!("{arguments:?}: {error}: {}", String::from_utf8_lossy(&output.stderr))
    });
    check(&schema(arguments[0]), &printed, arguments[0]);
}

#[test]
fn json_fits_its_schema() {
    for seed in [14, 15, 16] {
        let case = Case::new(seed);
        let (model, candidate, data) = (text(&case.model), text(&case.candidate), text(&case.data));
        fits(&["size", candidate]);
        fits(&["pack", candidate]);
        fits(&["onnx", candidate, "--int4"]);
        fits(&["onnx", candidate]);
        fits(&["inspect", model]);
        fits(&["validate", model, "--data", data]);
        let engines = ["--against", "tract", "--against", "float", "--against", "onnxruntime"];
        fits(
            &[&["validate", model, "--data", data, "--record", "--min-agreement", "1"], &engines[..]]
                .concat(),
        );
        fits(&["inspect", model]);
        let other = Case::new(seed + 10);
        fits(&["diff", model, text(&other.model)]);
        fs::remove_file(case.candidate.join("model.bomp.json")).unwrap();
        fits(&["inspect", model]);
        fits(&["diff", text(&other.model), model]);
        // A blob that is not the ONNX file's.
        let same = Case::new(seed);
        let sabotaged = same.path("sabotaged.bomp");
        let mut blob = fs::read(&same.model).unwrap();
        let end = blob.len() - 4;
        blob[end - 1] ^= 0x80;
        let sum = bomp_runtime::blob::checksum(&blob[..end]);
        blob[end..].copy_from_slice(&sum.to_le_bytes());
        fs::write(&sabotaged, &blob).unwrap();
        let onnx = same.candidate.join("model.onnx");
        let against = ["--against", "tract", "--onnx", text(&onnx), "--layers"];
        fits(&[&["validate", text(&sabotaged), "--data", data], &against[..]].concat());
    }
}

/// A schema that anything fits would prove nothing.
#[test]
fn what_differs_from_a_schema_is_noticed() {
    let case = Case::new(14);
    let sound = json(&["size", text(&case.candidate)]);
    let refuses = |value: &Value| {
        let value = value.clone();
        std::panic::catch_unwind(move || check(&schema("size"), &value, "size")).is_err()
    };
    assert!(!refuses(&sound));
    for (pointer, replacement) in [
        ("/total_bytes", Value::from("many")),
        ("/layers/0/macs", Value::from(1.5)),
        ("/layers", Value::Null),
        ("/sections", serde_json::json!({})),
        ("/tensors/0", serde_json::json!({"more": 1})),
    ] {
        let mut value = sound.clone();
        *value.pointer_mut(pointer).unwrap() = replacement;
        assert!(refuses(&value), "{pointer}");
    }
}

/// Every command explains itself and its units, and says what `--json` counts in.
#[test]
fn help_names_units() {
    let help = succeed(&["--help"]);
    assert!(help.contains("1 kB = 1000 B"), "{help}");
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        // What is indented further continues an explanation.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(
        ["size", "pack", "inspect", "diff", "onnx", "validate"].iter().all(|name| commands.contains(name))
    );
    for command in commands {
        let help = succeed(&[command, "--help"]);
        assert!(help.contains("Usage: bomp-export"), "{help}");
        if let Some(json) = help.lines().position(|line| line.contains("--json")) {
            assert_eq!(schema(command)["title"], format!("bomp-export {command} --json"));
            let explained = help.lines().skip(json).take(3).collect::<String>();
            let units = ["bytes", "MACs", "fractions", "sizes", "images"];
            assert!(units.iter().any(|unit| explained.contains(unit)), "{command}: {explained}");
        }
    }
}
