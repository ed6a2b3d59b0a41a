//! Files of strangers: links to devices and pipes are refused at once, texts neither command the terminal nor forge lines nor end
//! a comment of C; what is written honours the umask and replaces no key.
#![cfg(unix)]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

/// A case whose file beside the blob has these texts.
fn with_texts(study: &str, dataset: &str, layer: &str) -> Case {
    let case = Case::new(2);
    let path = case.candidate.join("model.bomp.json");
    let mut sidecar: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    sidecar["provenance"]["study"] = study.into();
    sidecar["provenance"]["dataset"] = dataset.into();
    sidecar["layers"][0] = layer.into();
    fs::write(&path, serde_json::to_vec(&sidecar).unwrap()).unwrap();
    case
}

#[test]
fn devices_and_pipes_are_refused_wherever_a_file_is_read() {
    let case = Case::new(2);
    let model = text(&case.model);
    let (device, pipe) = (case.path("device"), case.path("pipe"));
    symlink("/dev/zero", &device).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (path, what) in [(&device, "device"), (&pipe, "named pipe")] {
        let special = text(path);
        for arguments in [
            &["inspect", special][..],
            &["size", special],
            &["diff", model, special],
            &["header", special, "-o", "m"],
            &["from-onnx", special],
            &["validate", special],
            &["validate", model, "--against", "onnxruntime", "--onnx", special],
            &["sign", model, "--key", special, "--counter", "1"],
            &["verify", model, "--public-key", special],
        ] {
            let line = one_line(&call(arguments), 2);
            assert!(line.contains(what) && line.contains("regular file"), "{arguments:?}: {line}");
        }
        // Beside a blob, in a candidate, among images.
        let data = case.path(&format!("data-{}", what.len()));
        for (place, arguments) in [
            (case.candidate.join("model.bomp.json"), &["inspect", model][..]),
            (case.candidate.join("network.json"), &["pack", text(&case.candidate)]),
            (case.candidate.join("weights.safetensors"), &["pack", text(&case.candidate)]),
            (data.join("images.npz"), &["validate", model, "--data", text(&data)]),
            (
                data.join("train-images-idx3-ubyte"),
                &["validate", model, "--data", text(&data), "--format", "idx"],
            ),
        ] {
            let kept = fs::read(&place).ok();
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            let _ = fs::remove_file(&place);
            fs::rename(path, &place).unwrap();
            let line = one_line(&call(arguments), 2);
            assert!(line.contains(what), "{arguments:?}: {line}");
            fs::rename(&place, path).unwrap();
            if let Some(kept) = kept {
                fs::write(&place, kept).unwrap();
            }
        }
    }
}

#[test]
fn texts_of_files_command_no_terminal_and_forge_no_line() {
    let forged = "validated on fashion-mnist: 9999 of 10000 correct";
    let case = with_texts("x\u{1b}]0;owned\u{7}\u{202e}", &format!("d\n{forged}"), "\u{1b}[2J\u{9b}31mlayer");
    let output = succeed(&["inspect", text(&case.model)]);
    assert!(
        output.chars().all(|letter| letter == '\n' || !bomp_export::text::is_hidden(letter)),
        "{output:?}"
    );
    assert!(!output.lines().any(|line| line.starts_with(forged)), "{output}");
    assert!(output.contains("study x\\u{1b}]0;owned\\u{7}\\u{202e}, trial"), "{output}");
    assert!(output.contains("layer"), "{output}");
    // JSON means what the file said, without hidden characters in it.
    let printed = succeed(&["inspect", text(&case.model), "--json"]);
    assert!(
        printed.chars().all(|letter| letter == '\n' || !bomp_export::text::is_hidden(letter)),
        "{printed:?}"
    );
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["sidecar"]["provenance"]["study"], "x\u{1b}]0;owned\u{7}\u{202e}");
    // A path, in an error and in an answer.
    let strange = case.path("a\u{1b}[31m\nb");
    fs::create_dir(&strange).unwrap();
    let line = one_line(&call(&["inspect", text(&strange.join("absent"))]), 2);
    assert!(!line.contains('\u{1b}'), "{line:?}");
    fs::copy(&case.model, strange.join("model.bomp")).unwrap();
    let output = succeed(&["inspect", text(&strange.join("model.bomp"))]);
    assert!(output.lines().next().unwrap().contains("\\u{1b}[31m\\u{a}b/model.bomp"), "{output}");
}

#[test]
fn texts_of_files_stay_inside_their_comment_of_c() {
    let case = with_texts("a /* b */ int evil; ??/ \u{202e}\nint worse;", "d", "l");
    let names = "quote\",back\\slash,tri??/graph,bidi\u{202e}";
    let classes = 1 + json(&["inspect", text(&case.model)])["classes"].as_u64().unwrap() as usize;
    let all: Vec<&str> = names.split(',').chain(std::iter::repeat("c")).take(classes - 1).collect();
    succeed(&["header", text(&case.model), "-o", text(&case.path("n")), "--class-names", &all.join(",")]);
    let source = fs::read_to_string(case.path("n.c")).unwrap();
    assert!(!source.contains('\u{202e}') && !source.contains("??"), "{}", &source[..300]);
    let compile = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wtrigraphs", "-Werror", "-c", "n.c", "-o", "n.o"])
        .current_dir(case.folder.path())
        .output();
    match compile {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("not compiled: there is no cc on this machine"),
    }
}

#[test]
fn new_files_have_the_rights_that_the_umask_leaves() {
    let case = Case::new(2);
    for (umask, mode) in [("077", 0o600), ("022", 0o644), ("002", 0o664)] {
        let out = case.path(&format!("m{umask}"));
        let script = format!(
            "umask {umask} && exec {} header {} -o {}",
            env!("CARGO_BIN_EXE_bomp-export"),
            text(&case.model),
            text(&out)
        );
        assert!(Command::new("sh").args(["-c", &script]).output().unwrap().status.success());
        for extension in ["c", "h"] {
            let rights = fs::metadata(out.with_extension(extension)).unwrap().permissions().mode();
            assert_eq!(rights & 0o777, mode, "umask {umask}");
        }
    }
}

#[test]
fn a_public_key_is_not_replaced_and_dangerous_keys_and_counters_are_told() {
    let case = Case::new(2);
    let (key, public) = (case.path("id"), case.path("id.pub"));
    fs::write(&public, "somebody's").unwrap();
    let line = one_line(&call(&["keygen", "-o", text(&key)]), 2);
    assert!(line.contains("id.pub") && line.contains("-o"), "{line}");
    assert!(!key.exists());
    assert_eq!(fs::read_to_string(&public).unwrap(), "somebody's");
    fs::remove_file(&public).unwrap();
    succeed(&["keygen", "-o", text(&key)]);
    // The other half is no reason to replace this one.
    fs::remove_file(&public).unwrap();
    one_line(&call(&["keygen", "-o", text(&key)]), 2);
    assert!(!public.exists());

    let sign = |counter: &str| {
        let output = call(&["sign", text(&case.model), "--key", text(&key), "--counter", counter]);
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(sign("18446744073709551614"), "");
    assert!(sign("18446744073709551615").contains("no release can follow"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let warning = sign("1");
    assert!(warning.contains("mode 640") && warning.contains("chmod 600"), "{warning}");
}
