//! What the firmware's programs share: the model, and how each kind of defect ends.
#![no_std]

pub mod high_water;

use bomp_device::{host, protocol};
use cortex_m_rt::{ExceptionFrame, exception};

include!(concat!(env!("OUT_DIR"), "/sizes.rs"));

/// The kernels that this firmware has.
pub type Kernels = bomp_runtime::kernels::NativeFor<NEEDS>;

/// The model, which runs with them.
pub type Model = bomp_runtime::Model<'static, Kernels>;

/// The file, byte for byte, in a section of its own.
#[used]
#[unsafe(link_section = ".model")]
pub static MODEL: [u8; MODEL_BYTES] = *include_bytes!(concat!(env!("OUT_DIR"), "/model.bomp"));

/// A symbol of its own, so that an image from which no panic is reachable can be told by its absence.
#[cold]
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn bomp_panicked() -> ! {
    host::fail(protocol::EXIT_PANIC, c"the firmware panicked\n")
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    bomp_panicked()
}

#[exception]
unsafe fn HardFault(_: &ExceptionFrame) -> ! {
    host::fail(protocol::EXIT_FAULT, c"the processor faulted\n")
}
