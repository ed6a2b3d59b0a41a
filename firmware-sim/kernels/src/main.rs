//! Counts the instructions of each kernel at each width on layers of stated shapes, then holds every kernel against the
//! reference on generated layers. Says what it found line by line on the host's console; `bomp-sim kernels` reads it.
//!
//! | line | meaning |
//! | --- | --- |
//! | `calibration PASSES TICKS` | ticks of so many passes of a loop of two instructions |
//! | `bench LAYER BITS MACS TICKS` | ticks of [`CALLS`] calls |
//! | `network NAME SUM TICKS` | ticks of [`CALLS`] inferences, and the logits l as a sum s: s = 31 s + l for each |
//! | `check KERNEL CASES DIFFERENT` | generated cases, and those whose result is not the reference's |
#![no_std]
#![no_main]

mod bench;
mod cases;
mod check;
mod networks;

use bomp_device::clock::Clock;
use bomp_device::host::exit;
use bomp_device::protocol::{EXIT_DONE, EXIT_FAULT, EXIT_PANIC};
use cortex_m_rt::{ExceptionFrame, entry, exception};
use cortex_m_semihosting::hprintln;

/// Calls that are measured together; one before them is not.
pub(crate) const CALLS: u32 = 8;

#[entry]
fn main() -> ! {
    static mut MEMORY: cases::Memory = cases::Memory::NEW;
    static mut NETWORK_MEMORY: networks::Memory = networks::Memory::NEW;
    allow_helium();
    let Some(peripherals) = cortex_m::Peripherals::take() else { exit(EXIT_FAULT) };
    let clock = Clock::start(peripherals.SYST);
    for passes in [1_000, 1_001_000] {
        hprintln!("calibration {} {}", passes, clock.calibrate(passes));
    }
    bench::run(&clock, MEMORY);
    networks::run(&clock, NETWORK_MEMORY);
    check::run(MEMORY);
    exit(EXIT_DONE)
}

/// Lets a processor that has floating point and Helium, which share the switch, use them; on others nothing is there.
fn allow_helium() {
    const CPACR: *mut u32 = 0xe000_ed88 as *mut u32;
    // SAFETY: the register is there on every Cortex-M that this is built for; reserved bits ignore writes.
    unsafe { CPACR.write_volatile(CPACR.read_volatile() | 0xf << 20) };
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    exit(EXIT_PANIC)
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    hprintln!("hard fault at {:#010x}", frame.pc());
    exit(EXIT_FAULT)
}
