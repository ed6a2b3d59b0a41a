//! Which symbols tell of a panic, of an allocator or of floating-point emulation.

/// Whether a symbol can only be there because a panic is reachable: the firmware's own handler, or the core library's ways
/// to it.
pub(super) fn is_panic(name: &str) -> bool {
    const PARTS: [&str; 8] = [
        "bomp_panicked",
        "panicking",
        "panic_fmt",
        "panic_bounds_check",
        "begin_unwind",
        "unwrap_failed",
        "expect_failed",
        "_fail",
    ];
    PARTS.iter().any(|part| name.contains(part))
}

/// Whether a symbol belongs to an allocator.
pub(super) fn is_heap(name: &str) -> bool {
    ["__rust_alloc", "__rdl_alloc", "__rg_alloc", "__rust_realloc"].iter().any(|part| name.contains(part))
        || ["malloc", "calloc", "realloc", "_sbrk"].contains(&name)
}

/// Whether a symbol belongs to floating-point emulation: names of the Arm run-time ABI, of libgcc and of Rust's own.
pub(super) fn is_float(name: &str) -> bool {
    if let Some(rest) = name.strip_prefix("__aeabi_") {
        let from_integer = ["i2f", "i2d", "ui2f", "ui2d", "l2f", "l2d", "ul2f", "ul2d", "h2f", "cf", "cd"];
        return rest.starts_with(['f', 'd']) || from_integer.iter().any(|prefix| rest.starts_with(prefix));
    }
    if let Some(rest) = name.strip_prefix("__") {
        const FLOATING: [&str; 10] =
            ["sf2", "sf3", "df2", "df3", "sfsi", "dfsi", "sfdi", "dfdi", "sisf", "sidf"];
        const WIDE: [&str; 4] = ["disf", "didf", "truncdf", "extendsf"];
        if FLOATING.iter().any(|suffix| rest.ends_with(suffix)) || WIDE.iter().any(|part| rest.contains(part))
        {
            return true;
        }
    }
    name.contains("compiler_builtins") && name.contains("5float")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floating_point_is_recognised_by_name() {
        for name in [
            "__aeabi_fadd",
            "__aeabi_dmul",
            "__aeabi_d2iz",
            "__aeabi_i2f",
            "__aeabi_ul2d",
            "__addsf3",
            "__muldf3",
            "__nesf2",
            "__floatsidf",
            "__floatundisf",
            "__fixunssfsi",
            "__truncdfsf2",
            "_RNvNtNtCsabc_17compiler_builtins5float3add6___addsf3",
        ] {
            assert!(is_float(name), "{name}");
        }
    }

    #[test]
    fn panics_and_allocators_are_recognised_by_name() {
        for name in [
            "bomp_panicked",
            "_ZN4core9panicking18panic_bounds_check17h0123456789abcdefE",
            "_RNvNtCs1234_4core9panicking9panic_fmt",
            "_RNvCsabc_7___rustc17rust_begin_unwind",
            "_RNvNtNtCsabc_4core5slice5index26slice_start_index_len_fail",
            "_RNvNtCsabc_4core6option13unwrap_failed",
        ] {
            assert!(is_panic(name), "{name}");
        }
        for name in ["_RNvCsabc_7___rustc12___rust_alloc", "malloc", "_sbrk"] {
            assert!(is_heap(name), "{name}");
        }
    }

    #[test]
    fn what_every_image_holds_is_none_of_them() {
        for name in [
            "__aeabi_memcpy",
            "__aeabi_uldivmod",
            "__aeabi_idiv",
            "__aeabi_lmul",
            "__muldi3",
            "__sidata",
            "main",
            "HardFault",
            "$d.12",
            "_RNvMNtCsx_12bomp_runtime6engineNtB2_5Model3run",
        ] {
            assert!(!is_float(name) && !is_heap(name) && !is_panic(name), "{name}");
        }
    }
}
