//! What the linked image holds: the model's section byte for byte, what each memory costs, and its certificate.

use std::path::Path;

use object::{Object, ObjectSection, SectionFlags, elf};
use serde::{Deserialize, Serialize};

use bomp_export::board::Board;

use crate::certificate::Certificate;
use crate::error::SimError;

/// Section of the packed model.
pub(crate) const MODEL_SECTION: &str = ".model";

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
    /// What it proves about itself.
    pub(crate) certificate: Certificate,
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
    let certificate = Certificate::of(&file, board).map_err(damaged)?;
    Ok(Image { flash, static_ram, section_equals_file, certificate })
}
