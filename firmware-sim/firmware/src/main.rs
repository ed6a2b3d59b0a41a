//! Runs one packed model on a Cortex-M: checks it, classifies the images that the host holds, counts instructions and
//! memory, and reports. `bomp-sim` builds and drives it; [`protocol`] is what the two agree on.
#![no_std]
#![no_main]

mod clock;
mod high_water;
mod host;
mod protocol;

use core::hint::black_box;

use bomp_runtime::{Arena, Model, RunError};
use cortex_m_rt::{ExceptionFrame, entry, exception};

use clock::Clock;
use host::{File, Mode};

include!(concat!(env!("OUT_DIR"), "/sizes.rs"));

/// The file, byte for byte, in a section of its own.
#[used]
#[unsafe(link_section = ".model")]
static MODEL: [u8; MODEL_BYTES] = *include_bytes!(concat!(env!("OUT_DIR"), "/model.bomp"));

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::new();
    static mut IMAGE: [i8; INPUT_ELEMENTS] = [0; INPUT_ELEMENTS];
    static mut LOGITS: [i32; CLASSES] = [0; CLASSES];

    let Some(peripherals) = cortex_m::Peripherals::take() else { host::exit(protocol::EXIT_FAULT) };
    let clock = Clock::start(peripherals.SYST);
    // Opaque to the compiler: what is measured must not depend on what it could deduce from these very bytes.
    let model = match Model::new(black_box(&MODEL)) {
        Ok(model) => model,
        Err(error) => host::fail(protocol::EXIT_MODEL_REFUSED, format_args!("the model is refused: {error}")),
    };
    let images = File::open(protocol::IMAGES, Mode::Read);
    let logits_file = File::open(protocol::LOGITS, Mode::Write);
    let ticks_file = File::open(protocol::TICKS, Mode::Write);

    let too_small = model.run(IMAGE, &mut ARENA[..ARENA_BYTES - 1], LOGITS);
    if too_small != Err(RunError::ArenaTooSmall { needed: ARENA_BYTES }) {
        host::fail(protocol::EXIT_RUN, format_args!("an arena of one byte less was not refused"));
    }
    let mut count = 0u32;
    let mut arena_used = 0;
    while images.read(IMAGE) {
        if count == 0 {
            arena_used = high_water::arena(ARENA, |arena| run(&model, IMAGE, arena, LOGITS));
        }
        let (ticks, ()) = clock.measure(|| run(&model, IMAGE, ARENA, LOGITS));
        logits_file.write(bytemuck::cast_slice(LOGITS));
        ticks_file.write(&ticks.to_le_bytes());
        count += 1;
    }
    let (stack_used, stack_size) = high_water::stack();
    if stack_used == stack_size {
        host::fail(protocol::EXIT_STACK, format_args!("the stack of {stack_size} bytes is too small"));
    }
    let [short, long] = protocol::CALIBRATION_PASSES.map(|passes| clock.calibrate(passes));
    host::report(format_args!(
        "{{\"images\":{count},\"arena_used\":{arena_used},\"stack_used\":{stack_used},\
         \"calibration_ticks\":[{short},{long}]}}"
    ));
    host::exit(protocol::EXIT_DONE)
}

/// One inference; a refusal ends the program.
#[inline(never)]
fn run(model: &Model<'_>, image: &[i8], arena: &mut [i8], logits: &mut [i32]) {
    if let Err(error) = model.run(image, arena, logits) {
        host::fail(protocol::EXIT_RUN, format_args!("an inference was refused: {error}"));
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    host::fail(protocol::EXIT_PANIC, format_args!("{info}"))
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    host::fail(protocol::EXIT_FAULT, format_args!("hard fault at {:#010x}", frame.pc()))
}
