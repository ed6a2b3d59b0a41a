//! What the linked image holds: the model's section byte for byte, what each memory costs, no forbidden symbol.

use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, elf};
use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::error::SimError;

/// Section of the packed model.
const MODEL_SECTION: &str = ".model";

/// Bytes of flash by what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// Vector table and code, the driver's own included.
    pub text: u64,
    /// Constants.
    pub rodata: u64,
    /// The packed model.
    pub model: u64,
    /// Start values of variables.
    pub data: u64,
    /// From the first byte to the last, alignment included.
    pub used: u64,
    /// What the board has.
    pub available: u64,
}

/// What was found in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) flash: Flash,
    /// Bytes of RAM that have an address before the program starts: variables, arena, one image, logits.
    pub(crate) static_ram: u64,
    /// Whether the model's section is the file, byte for byte.
    pub(crate) section_equals_file: bool,
    /// Symbols of floating-point emulation or allocation.
    pub(crate) forbidden_symbols: Vec<String>,
}

/// Inspects the image at `path`, which was built around `model`.
pub(crate) fn inspect(path: &Path, model: &[u8], board: &Board) -> Result<Image, SimError> {
    let bytes = std::fs::read(path).map_err(|cause| SimError::File { path: path.to_owned(), cause })?;
    let damaged = |problem: String| SimError::Elf { path: path.to_owned(), problem };
    let file = object::File::parse(&*bytes).map_err(|error| damaged(error.to_string()))?;
    let mut flash = Flash { available: board.flash.length.into(), ..Flash::default() };
    let mut static_ram = 0;
    let mut section_equals_file = false;
    let (flash_start, ram_start) = (u64::from(board.flash.origin), u64::from(board.ram.origin));
    let in_ram = ram_start..ram_start + u64::from(board.ram.length);
    let mut flash_end = flash_start;
    for section in file.sections() {
        let allocated = match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.contains(elf::SHF_ALLOC),
            _ => false,
        };
        let (name, size) = (section.name().map_err(|error| damaged(error.to_string()))?, section.size());
        if !allocated || size == 0 {
            continue;
        }
        if in_ram.contains(&section.address()) {
            static_ram += size;
            if name == ".data" {
                flash.data = size;
            }
            continue;
        }
        flash_end = flash_end.max(section.address() + size);
        match name {
            ".vector_table" | ".text" => flash.text += size,
            ".rodata" => flash.rodata = size,
            MODEL_SECTION => {
                flash.model = size;
                section_equals_file = section.data().is_ok_and(|data| data == model);
            }
            _ => return Err(damaged(format!("unexpected section `{name}` of {size} bytes"))),
        }
    }
    if flash.model == 0 {
        return Err(damaged(format!("there is no section `{MODEL_SECTION}`")));
    }
    flash.used = flash_end - flash_start + flash.data;
    let symbols = file.symbols().filter_map(|symbol| symbol.name().ok());
    let mut count = 0usize;
    let mut forbidden_symbols: Vec<String> =
        symbols.inspect(|_| count += 1).filter(|name| is_forbidden(name)).map(str::to_owned).collect();
    if count == 0 {
        return Err(damaged("it has no symbols, so nothing can be said about floating point".into()));
    }
    forbidden_symbols.sort_unstable();
    forbidden_symbols.dedup();
    Ok(Image { flash, static_ram, section_equals_file, forbidden_symbols })
}

/// Whether a symbol belongs to floating-point emulation (names of the Arm run-time ABI, of libgcc and of Rust's own) or to
/// an allocator.
fn is_forbidden(name: &str) -> bool {
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
    (name.contains("compiler_builtins") && name.contains("5float"))
        || ["__rust_alloc", "__rdl_alloc", "__rg_alloc"].iter().any(|part| name.contains(part))
        || ["malloc", "_sbrk"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floating_point_and_allocation_are_recognised_by_name() {
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
            "_RNvCsabc_7___rustc12___rust_alloc",
            "malloc",
        ] {
            assert!(is_forbidden(name), "{name}");
        }
        for name in [
            "__aeabi_memcpy",
            "__aeabi_uldivmod",
            "__aeabi_idiv",
            "__aeabi_lmul",
            "__muldi3",
            "__sidata",
            "main",
            "_RNvMNtCsx_12bomp_runtime6engineNtB2_5Model3run",
        ] {
            assert!(!is_forbidden(name), "{name}");
        }
    }
}
