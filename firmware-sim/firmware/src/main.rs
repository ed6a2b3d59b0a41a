//! Runs one packed model on a Cortex-M: checks it, classifies the images that the host holds, counts instructions and
//! memory, and reports. `bomp-sim run` builds and drives it; [`bomp_device::protocol`] is what the two agree on.
#![no_std]
#![no_main]

use core::hint::black_box;

use bomp_runtime::{Arena, RunError};
use cortex_m_rt::entry;

use bomp_device::clock::Clock;
use bomp_device::host::{self, File, Mode};
use bomp_device::protocol;
use bomp_firmware::{ARENA_BYTES, CLASSES, INPUT_ELEMENTS, MODEL, Model, high_water};

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::new();
    static mut IMAGE: [i8; INPUT_ELEMENTS] = [0; INPUT_ELEMENTS];
    static mut LOGITS: [i32; CLASSES] = [0; CLASSES];

    let Some(peripherals) = cortex_m::Peripherals::take() else { host::exit(protocol::EXIT_FAULT) };
    let clock = Clock::start(peripherals.SYST);
    // Opaque to the compiler: what is measured must not depend on what it could deduce from these very bytes.
    let Ok(model) = Model::load(black_box(&MODEL)) else {
        host::fail(protocol::EXIT_MODEL_REFUSED, c"the model is refused\n")
    };
    let images = File::open(protocol::IMAGES, Mode::Read);
    let logits_file = File::open(protocol::LOGITS, Mode::Write);
    let ticks_file = File::open(protocol::TICKS, Mode::Write);

    let too_small = model.run(IMAGE, &mut ARENA[..ARENA_BYTES - 1], LOGITS);
    if too_small != Err(RunError::ArenaTooSmall { needed: ARENA_BYTES }) {
        host::fail(protocol::EXIT_RUN, c"an arena of one byte less was not refused\n");
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
        host::fail(protocol::EXIT_STACK, c"the stack is too small\n");
    }
    let [short, long] = protocol::CALIBRATION_PASSES.map(|passes| clock.calibrate(passes) as u32);
    let report: [u32; protocol::REPORT_WORDS] =
        [count, arena_used as u32, stack_used as u32, stack_size as u32, short, long];
    File::open(protocol::REPORT, Mode::Write).write(bytemuck::bytes_of(&report));
    host::exit(protocol::EXIT_DONE)
}

/// One inference; a refusal ends the program.
#[inline(never)]
fn run(model: &Model, image: &[i8], arena: &mut [i8], logits: &mut [i32]) {
    if model.run(image, arena, logits).is_err() {
        host::fail(protocol::EXIT_RUN, c"an inference was refused\n");
    }
}
