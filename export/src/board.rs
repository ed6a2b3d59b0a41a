//! The boards that firmware is built for: processor, Rust target and the memories of the real board, enforced by the linker.
//!
//! The table lies here, and not in `firmware-sim`, because the search's limits read it too. A board is listed only after a
//! model has run on its emulation with the host's logits; `firmware-sim/tests/device.rs` does that for each.

use serde::Serialize;
use thiserror::Error;

/// A memory of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// First address.
    pub origin: u32,
    /// Bytes.
    pub length: u32,
}

/// A board.
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
    /// Bytes of RAM that this project's firmware itself takes: its variables and the proven bound of its stack. One image, the
    /// logits and the arena come on top. `firmware-sim/tests/device.rs` holds it against what is measured.
    pub firmware_ram: u32,
    /// Ticks of the processor's timer (SysTick) in one second of the emulation's time.
    pub ticks_per_second: u32,
}

/// A name that no board has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "unknown board `{given}`; known are: {known}; for another chip choose one with its processor (`bomp-sim boards` shows them)"
)]
pub struct UnknownBoard {
    /// What was given.
    pub given: String,
    /// All names.
    pub known: String,
}

const KIB: u32 = 1024;

const fn board(
    name: &'static str,
    (cpu, target, firmware_ram): (&'static str, &'static str, u32),
    [flash_origin, flash_kib]: [u32; 2],
    [ram_origin, ram_kib]: [u32; 2],
    ticks_per_second: u32,
) -> Board {
    let flash = Region { origin: flash_origin, length: flash_kib * KIB };
    let ram = Region { origin: ram_origin, length: ram_kib * KIB };
    Board { name, cpu, target, flash, ram, firmware_ram, ticks_per_second }
}

const M0: (&str, &str, u32) = ("cortex-m0", "thumbv6m-none-eabi", 1_664);
const M3: (&str, &str, u32) = ("cortex-m3", "thumbv7m-none-eabi", 1_344);
const M4: (&str, &str, u32) = ("cortex-m4", "thumbv7em-none-eabihf", 1_344);
const M7: (&str, &str, u32) = ("cortex-m7", "thumbv7em-none-eabihf", 1_344);
const M33: (&str, &str, u32) = ("cortex-m33", "thumbv8m.main-none-eabihf", 1_344);
const M55: (&str, &str, u32) = ("cortex-m55", "thumbv8m.main-none-eabihf", 1_600);

/// All boards.
pub const BOARDS: [Board; 9] = [
    board("microbit", M0, [0, 256], [0x2000_0000, 16], 16_000_000),
    board("stm32vldiscovery", M3, [0x0800_0000, 128], [0x2000_0000, 8], 24_000_000),
    board("lm3s6965evb", M3, [0, 256], [0x2000_0000, 64], 12_500_000),
    board("mps2-an385", M3, [0, 4096], [0x2000_0000, 4096], 25_000_000),
    board("mps2-an386", M4, [0, 4096], [0x2000_0000, 4096], 25_000_000),
    board("netduinoplus2", M4, [0x0800_0000, 1024], [0x2000_0000, 128], 168_000_000),
    board("mps2-an500", M7, [0, 4096], [0x2000_0000, 4096], 25_000_000),
    board("mps2-an505", M33, [0x1000_0000, 4096], [0x3800_0000, 4096], 20_000_000),
    // Code in the instruction memory, data in the data memory, both at their secure addresses.
    board("mps3-an547", M55, [0x1000_0000, 512], [0x3000_0000, 512], 32_000_000),
];

impl Board {
    /// The largest arena that fits beside the firmware, one image of `elements` elements and the logits of `classes` classes;
    /// a multiple of 4, `None` if not even they fit.
    #[must_use]
    pub fn largest_arena(&self, elements: usize, classes: usize) -> Option<usize> {
        // Each variable begins at a multiple of 4.
        let logits = classes.checked_mul(4)?;
        let taken = elements.checked_next_multiple_of(4)?.checked_add(logits)?;
        let arena = (self.ram.length.checked_sub(self.firmware_ram)? as usize).checked_sub(taken)?;
        Some(arena / 4 * 4)
    }

    /// The board of that name.
    ///
    /// # Errors
    /// [`UnknownBoard`], which lists the names.
    pub fn find(name: &str) -> Result<&'static Self, UnknownBoard> {
        BOARDS.iter().find(|board| board.name == name).ok_or_else(|| UnknownBoard {
            given: name.to_owned(),
            known: BOARDS.map(|board| board.name).join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_consistent() {
        for (index, board) in BOARDS.iter().enumerate() {
            assert_eq!(Board::find(board.name).unwrap(), board);
            let mut earlier = BOARDS[..index].iter();
            assert!(earlier.all(|other| other.name != board.name), "{} is listed twice", board.name);
            // What cortex-m-rt's linker script demands.
            assert_eq!((board.flash.origin % 4, board.ram.origin % 8, board.ram.length % 8), (0, 0, 0));
        }
    }

    #[test]
    fn the_largest_arena_leaves_room_for_all_else() {
        let board = Board::find("stm32vldiscovery").unwrap();
        let arena = board.largest_arena(28 * 28, 10).unwrap();
        assert_eq!(arena as u32 + 784 + 40 + board.firmware_ram, 8 * KIB);
        assert_eq!(board.largest_arena(8_000, 10), None);
        assert_eq!(board.largest_arena(usize::MAX, usize::MAX), None);
    }

    #[test]
    fn an_unknown_board_is_answered_with_the_known_ones() {
        let message = Board::find("arduino").unwrap_err().to_string();
        assert!(message.contains("`arduino`"));
        assert!(BOARDS.iter().all(|board| message.contains(board.name)), "{message}");
    }
}
