//! Tells the kernels what the processor has, for which stable Rust has no `cfg`: `bomp_dsp`, the DSP extension,
//! `bomp_thumb2`, the instructions of Armv7-M, and `bomp_v8m`, Armv8-M main.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(bomp_dsp, bomp_thumb2, bomp_v8m)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if ["thumbv7m", "thumbv7em", "thumbv8m.main"].iter().any(|prefix| target.starts_with(prefix)) {
        println!("cargo::rustc-cfg=bomp_thumb2");
    }
    if target.starts_with("thumbv8m.main") {
        println!("cargo::rustc-cfg=bomp_v8m");
    }
    if has_dsp(&target, &flags) {
        println!("cargo::rustc-cfg=bomp_dsp");
    }
}

/// Armv7E-M always has it; an Armv8-M main processor may, so the flags must name one that does, or the feature.
fn has_dsp(target: &str, flags: &str) -> bool {
    const PROCESSORS: [&str; 5] = ["cortex-m33", "cortex-m35p", "cortex-m52", "cortex-m55", "cortex-m85"];
    let mut words = flags.split(['\u{1f}', ',', '=']);
    target.starts_with("thumbv7em")
        || target.starts_with("thumbv8m.main")
            && words.any(|word| word == "+dsp" || PROCESSORS.contains(&word))
}
