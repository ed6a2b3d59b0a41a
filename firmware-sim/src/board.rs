//! The boards that the emulator runs, each with the processor, the Rust target and the memories of the real one.
//!
//! A board is listed only after a model has run on it with the host's logits; `tests/boards.rs` does that for each.

use std::fmt::Write;

use serde::Serialize;

use crate::error::SimError;

/// A memory of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// First address.
    pub origin: u32,
    /// Bytes.
    pub length: u32,
}

/// An emulated board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Board {
    /// QEMU's name of the machine.
    pub name: &'static str,
    /// Processor, as LLVM's `target-cpu` spells it.
    pub cpu: &'static str,
    /// Rust's target.
    pub target: &'static str,
    /// Memory of code and model.
    pub flash: Region,
    /// Memory of the arena and the stack.
    pub ram: Region,
}

const KIB: u32 = 1024;

const fn board(
    name: &'static str,
    cpu: &'static str,
    target: &'static str,
    [flash_origin, flash_kib]: [u32; 2],
    [ram_origin, ram_kib]: [u32; 2],
) -> Board {
    let flash = Region { origin: flash_origin, length: flash_kib * KIB };
    let ram = Region { origin: ram_origin, length: ram_kib * KIB };
    Board { name, cpu, target, flash, ram }
}

const V6M: &str = "thumbv6m-none-eabi";
const V7M: &str = "thumbv7m-none-eabi";
const V7EM: &str = "thumbv7em-none-eabihf";
const V8M: &str = "thumbv8m.main-none-eabihf";

/// All boards.
pub const BOARDS: [Board; 8] = [
    board("microbit", "cortex-m0", V6M, [0, 256], [0x2000_0000, 16]),
    board("stm32vldiscovery", "cortex-m3", V7M, [0x0800_0000, 128], [0x2000_0000, 8]),
    board("lm3s6965evb", "cortex-m3", V7M, [0, 256], [0x2000_0000, 64]),
    board("mps2-an385", "cortex-m3", V7M, [0, 4096], [0x2000_0000, 4096]),
    board("mps2-an386", "cortex-m4", V7EM, [0, 4096], [0x2000_0000, 4096]),
    board("netduinoplus2", "cortex-m4", V7EM, [0x0800_0000, 1024], [0x2000_0000, 128]),
    board("mps2-an500", "cortex-m7", V7EM, [0, 4096], [0x2000_0000, 4096]),
    board("mps2-an505", "cortex-m33", V8M, [0x1000_0000, 4096], [0x3800_0000, 4096]),
];

impl Board {
    /// The board of that name.
    ///
    /// # Errors
    /// [`SimError::UnknownBoard`], which lists the names.
    pub fn find(name: &str) -> Result<&'static Self, SimError> {
        BOARDS.iter().find(|board| board.name == name).ok_or_else(|| SimError::UnknownBoard {
            given: name.to_owned(),
            known: BOARDS.map(|board| board.name).join(", "),
        })
    }

    /// The linker script's part that belongs to the board; it also gives the model its own section.
    #[must_use]
    pub fn memory_x(&self) -> String {
        let mut script = String::from("MEMORY\n{\n");
        for (name, region) in [("FLASH", self.flash), ("RAM", self.ram)] {
            let _ =
                writeln!(script, "  {name} : ORIGIN = {:#010x}, LENGTH = {}", region.origin, region.length);
        }
        script + "}\nSECTIONS\n{\n  .model : ALIGN(4) { KEEP(*(.model)) } > FLASH\n} INSERT AFTER .rodata;\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_consistent() {
        for (index, board) in BOARDS.iter().enumerate() {
            assert_eq!(Board::find(board.name).unwrap(), board);
            assert!(
                BOARDS[..index].iter().all(|other| other.name != board.name),
                "{} is listed twice",
                board.name
            );
            // What cortex-m-rt's linker script demands.
            assert_eq!((board.flash.origin % 4, board.ram.origin % 8, board.ram.length % 8), (0, 0, 0));
            let flash =
                format!("FLASH : ORIGIN = {:#010x}, LENGTH = {}\n", board.flash.origin, board.flash.length);
            assert!(board.memory_x().contains(&flash));
        }
    }

    #[test]
    fn an_unknown_board_is_answered_with_the_known_ones() {
        let message = Board::find("arduino").unwrap_err().to_string();
        assert!(message.contains("`arduino`"));
        assert!(BOARDS.iter().all(|board| message.contains(board.name)), "{message}");
    }
}
