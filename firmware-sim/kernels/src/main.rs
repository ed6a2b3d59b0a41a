//! Counts the instructions of each kernel at each width on layers of stated shapes, then holds every kernel against the
//! reference on generated layers. Says what it found line by line on the host's console; `bomp-sim kernels` reads it.
//!
//! | line | meaning |
//! | --- | --- |
//! | `calibration PASSES TICKS` | ticks of so many passes of a loop of two instructions |
//! | `bench LAYER BITS MACS TICKS` | ticks of [`CALLS`] calls |
//! | `check KERNEL CASES DIFFERENT` | generated cases, and those whose result is not the reference's |
#![no_std]
#![no_main]

mod bench;
mod cases;
mod check;
mod clock;

use cortex_m_rt::{ExceptionFrame, entry, exception};
use cortex_m_semihosting::{hprintln, syscall};

/// Calls that are measured together; one before them is not.
pub(crate) const CALLS: u32 = 8;

/// What a program says to end with exit code 0.
const APPLICATION_EXIT: usize = 0x20026;
const SYS_EXIT_EXTENDED: usize = 0x20;

#[entry]
fn main() -> ! {
    static mut MEMORY: cases::Memory = cases::Memory::NEW;
    let Some(peripherals) = cortex_m::Peripherals::take() else { exit(1) };
    let clock = clock::Clock::start(peripherals.SYST);
    for passes in [1_000, 1_001_000] {
        hprintln!("calibration {} {}", passes, clock.calibrate(passes));
    }
    bench::run(&clock, MEMORY);
    check::run(MEMORY);
    exit(0)
}

/// Ends the program with an exit code of 0..=255.
fn exit(code: usize) -> ! {
    loop {
        // SAFETY: EXIT_EXTENDED takes a reason and a code.
        unsafe { syscall(SYS_EXIT_EXTENDED, &[APPLICATION_EXIT, code]) };
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(101)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("hard fault at {:#010x}", frame.pc());
    exit(102)
}
