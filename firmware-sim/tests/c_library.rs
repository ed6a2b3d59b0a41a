//! The C sample project on emulated boards: the same logits as the Rust runtime on the host.

#[allow(dead_code, reason = "each test file uses its part")]
mod network;

use std::fs;
use std::path::Path;
use std::process::Command;

use bomp_export::{c_header, data, evaluate, files};
use bomp_runtime::Model;
use bomp_sim::{SimError, library};

const IMAGES: usize = 20;

#[test]
fn the_c_sample_prints_the_hosts_logits_on_a_cortex_m4() {
    sample("mps2-an386", "hard");
}

#[test]
fn the_c_sample_prints_the_hosts_logits_with_float_calls_in_core_registers() {
    sample("mps2-an386", "softfp");
}

/// The start-up code leaves the floating-point unit switched off, so a use of its registers would be a fault.
#[test]
fn the_c_sample_prints_the_hosts_logits_without_a_floating_point_unit() {
    sample("mps2-an386", "soft");
}

#[test]
fn the_c_sample_prints_the_hosts_logits_on_a_cortex_m0() {
    sample("microbit", "soft");
}

/// The linker of every convention takes the library of every processor, and nothing in it touches a floating-point register.
#[test]
fn the_library_links_with_every_float_abi_of_every_processor() {
    let folder = tempfile::tempdir().unwrap();
    let main = "#include \"bomp.h\"\nstatic bomp_model m; static int8_t x[4]; static int32_t y[2];\nfloat scale = 1;\n\
                float half(float x) { return x / 2; }\n\
                int main(void) { scale = half(scale); bomp_model_check(&m, (const uint8_t *)x, 4);\n\
                return bomp_run(&m, x, 4, x, 4, y, 2); }\n";
    fs::write(folder.path().join("main.c"), main).unwrap();
    for (board, cpu, fpu) in [
        ("microbit", "cortex-m0", ""),
        ("mps2-an385", "cortex-m3", ""),
        ("mps2-an386", "cortex-m4", "-mfpu=fpv4-sp-d16"),
        ("mps2-an500", "cortex-m7", "-mfpu=fpv5-sp-d16"),
        ("mps2-an505", "cortex-m33", "-mfpu=fpv5-sp-d16"),
        ("mps3-an547", "cortex-m55", "-mfpu=auto"),
    ] {
        let out = folder.path().join(board);
        match library::build(board, false, &out) {
            Err(error @ SimError::NoToolchain { .. }) if board != "mps2-an386" => {
                eprintln!("{board}: not run: {error}");
                continue;
            }
            built => built.unwrap(),
        };
        for abi in ["soft", "softfp", "hard"] {
            let mut flags = vec![format!("-mcpu={cpu}"), format!("-mfloat-abi={abi}")];
            match (abi, fpu) {
                ("soft", _) => {}
                (_, "") => continue,
                (_, fpu) => flags.push(fpu.to_owned()),
            }
            let mut compile = Command::new("arm-none-eabi-gcc");
            compile.args(&flags).args(["-mthumb", "-O1", "-ffreestanding", "-nostdlib", "-Wredundant-decls"]);
            compile.args([
                "-Wall",
                "-Wextra",
                "-Werror",
                "-Wl,--fatal-warnings,-z,noexecstack,-e,main,--gc-sections",
            ]);
            compile.arg("-I").arg(&out).arg("-o").arg(out.join("image"));
            compile.arg(folder.path().join("main.c")).arg(out.join("libbomp.a")).arg("-lgcc");
            let output = compile.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{cpu} {abi}: {said}");
            if abi == "soft" {
                let mut dump = Command::new("arm-none-eabi-objdump");
                let output = dump.args(["-d", "--no-show-raw-insn"]).arg(out.join("image")).output().unwrap();
                let code = String::from_utf8(output.stdout).unwrap();
                assert!(code.contains("<bomp_run>:"), "{code}");
                let operation = |line: &str| line.split('\t').nth(1).map(str::to_owned);
                let floating =
                    code.lines().filter_map(operation).find(|operation| operation.starts_with('v'));
                assert_eq!(floating, None, "{cpu}");
            }
        }
    }
}

/// Builds the sample as its Makefile does, outside the checkout, and runs it on real images.
#[track_caller]
fn sample(board: &str, float_abi: &str) {
    let folder = tempfile::tempdir().unwrap();
    // Wide layers and others.
    let packed = network::pack_wide(network::small(), folder.path());
    let blob = fs::read(&packed).unwrap();
    // A name that make or a shell would take for something else.
    let model_path = folder.path().join("a model's $(shell touch PWNED) `touch PWNED`.bomp");
    fs::rename(&packed, &model_path).unwrap();
    let model = Model::new(&blob).unwrap();
    let dataset = data::load(&data::default_folder(), data::Format::Auto).unwrap();
    let images = dataset.test.subset(&(0..IMAGES).collect::<Vec<_>>());
    let pixels = folder.path().join("pixels.bin");
    fs::write(&pixels, &images.pixels).unwrap();

    // What `bomp-export header` writes; the tests of that crate hold the command to it.
    let out = folder.path().join("build");
    let source = c_header::source(&model, &blob, "network", &dataset.class_names, "A test.").unwrap();
    files::write(&out.join("model.bomp"), &blob).unwrap();
    files::write(&out.join("network.h"), source.header.as_bytes()).unwrap();
    files::write(&out.join("network.c"), source.source.as_bytes()).unwrap();

    let project = folder.path().join("project");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/c");
    for file in ["Makefile", "main.c", "startup.c", "host.c", "host.h"] {
        files::write(&project.join(file), &fs::read(sample.join(file)).unwrap()).unwrap();
    }
    for file in ["sections.ld", "mps2-an386.ld", "microbit.ld"] {
        files::write(
            &project.join("boards").join(file),
            &fs::read(sample.join("boards").join(file)).unwrap(),
        )
        .unwrap();
    }
    let mut make = Command::new("make");
    make.current_dir(project).arg("run");
    for (name, value) in [
        ("MODEL", model_path.to_str().unwrap()),
        ("IMAGES", pixels.to_str().unwrap()),
        ("OUT", out.to_str().unwrap()),
        ("BOARD", board),
        ("FLOAT_ABI", float_abi),
        ("BOMP_SIM", env!("CARGO_BIN_EXE_bomp-sim")),
        ("BOMP_EXPORT", "false"),
    ] {
        make.arg(format!("{name}={value}"));
    }
    let output = make.output().unwrap();
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if complaints.contains("no Rust toolchain") && board != "mps2-an386" {
        // Setup brings all targets; whoever did without it may have the default board's alone.
        eprintln!("not run: {complaints}");
        return;
    }
    assert!(output.status.success(), "{said}\n{complaints}");
    assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/c/PWNED").exists(), "a file's name was run");

    let classes = model.classes();
    let logits = evaluate::logits(&model, &images, 1, &|_| {}).unwrap();
    let expected: Vec<String> = logits
        .chunks_exact(classes)
        .map(|logits| {
            let class = bomp_runtime::engine::argmax(logits);
            let numbers: Vec<String> = logits.iter().map(i32::to_string).collect();
            format!("{class} {}: {}", dataset.class_names[class], numbers.join(" "))
        })
        .collect();
    // The emulator's console is its standard error.
    let printed: Vec<&str> =
        complaints.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit())).collect();
    assert_eq!(printed, expected, "{said}\n{complaints}");
    nothing_forbidden(&out.join("sample.elf"));
}

/// The linked program holds no floating-point emulation and no allocator.
fn nothing_forbidden(elf: &Path) {
    use object::{Object, ObjectSymbol};
    let bytes = fs::read(elf).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let names: Vec<&str> = file.symbols().filter_map(|symbol| symbol.name().ok()).collect();
    assert!(names.contains(&"bomp_run") && names.contains(&"network"), "{names:?}");
    for part in
        ["__aeabi_fadd", "__aeabi_fmul", "__aeabi_dadd", "__aeabi_dmul", "__addsf3", "__mulsf3", "malloc"]
    {
        let found: Vec<_> = names.iter().filter(|name| name.contains(part)).collect();
        assert!(found.is_empty(), "{found:?}");
    }
}
