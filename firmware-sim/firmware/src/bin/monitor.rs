//! Answers the commands of the MLPerf Tiny runner on the console; `bomp-sim monitor` builds and drives it.
//! [`bomp_device::monitor`] is the language.
#![no_std]
#![no_main]

use core::hint::black_box;

use bomp_runtime::Arena;
use cortex_m_rt::entry;

use bomp_device::clock::Clock;
use bomp_device::host::{self, Console};
use bomp_device::monitor::{Device, Monitor};
use bomp_device::protocol;
use bomp_firmware::{ARENA_BYTES, CLASSES, INPUT_ELEMENTS, MODEL, MODEL_NAME, Model, TICKS_PER_SECOND};

struct Board {
    console: Console,
    clock: Clock,
    model: Model,
    image: &'static mut [i8],
    arena: &'static mut [i8],
    logits: &'static mut [i32],
}

impl Device for Board {
    fn send(&mut self, text: &[u8]) {
        self.console.write(text);
    }

    fn microseconds(&mut self) -> u64 {
        self.clock.now() * 1_000_000 / u64::from(TICKS_PER_SECOND)
    }

    fn model(&self) -> &str {
        MODEL_NAME
    }

    fn image(&mut self) -> &mut [i8] {
        self.image
    }

    fn infer(&mut self) -> bool {
        self.model.run(self.image, self.arena, self.logits).is_ok()
    }

    fn logits(&self) -> &[i32] {
        self.logits
    }
}

#[entry]
fn main() -> ! {
    static mut ARENA: Arena<ARENA_BYTES> = Arena::new();
    static mut IMAGE: [i8; INPUT_ELEMENTS] = [0; INPUT_ELEMENTS];
    static mut LOGITS: [i32; CLASSES] = [0; CLASSES];

    let Some(peripherals) = cortex_m::Peripherals::take() else { host::exit(protocol::EXIT_FAULT) };
    let Ok(model) = Model::load(black_box(&MODEL)) else {
        host::fail(protocol::EXIT_MODEL_REFUSED, c"the model is refused\n")
    };
    let clock = Clock::start(peripherals.SYST);
    let board = Board { console: Console::open(), clock, model, image: IMAGE, arena: ARENA, logits: LOGITS };
    let mut monitor = Monitor::new(board);
    monitor.start();
    while let Some(byte) = monitor.device().console.read() {
        monitor.receive(byte);
    }
    host::exit(protocol::EXIT_DONE)
}
