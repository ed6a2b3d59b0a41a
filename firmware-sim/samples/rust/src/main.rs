//! Classifies images with a packed model: check it once, then quantise, run, take the largest logit.
//!
//! Images come from the host's file images.bin, raw pixels [H, W, C], one after the other; for each one a line with the
//! class and all logits goes to the host's console. Replace the two by a camera and whatever acts on the class.
//!
//!     BOMP_MODEL=model.bomp cargo build --release --target thumbv7em-none-eabihf
//!     qemu-system-arm -machine mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel …/bomp-sample
#![no_std]
#![no_main]

use bomp_runtime::{Arena, Model, engine::argmax};
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hio, nr, syscall};
use panic_halt as _;

use core::fmt::Write;

/// The model, in flash. A constant, so that the compiler knows what it needs.
const MODEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/model.bomp"));

/// Bytes of an image that this program has room for.
const PIXELS: usize = 28 * 28;
const CLASSES: usize = 10;

#[entry]
fn main() -> ! {
    // As large as the model asks for. With a size of your own, `bomp_runtime::arena!(MODEL, 4096)`: if that is too small, the
    // program does not compile.
    static mut ARENA: Arena<{ bomp_runtime::arena_size!(MODEL) }> = Arena::new();
    static mut IMAGE: [i8; PIXELS] = [0; PIXELS];

    let done = classify(ARENA, IMAGE).is_ok();
    debug::exit(if done { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {}
}

fn classify(arena: &mut [i8], image: &mut [i8]) -> Result<(), ()> {
    let mut console = hio::hstderr()?;
    let model = match Model::new(MODEL) {
        Ok(model) => model,
        Err(error) => {
            let _ = writeln!(console, "the model is refused: {error}");
            return Err(());
        }
    };
    let mut logits = [0; CLASSES];
    let name = c"images.bin";
    // SAFETY: OPEN takes a zero-terminated name, a mode (0 is "r", 1 is "rb") and the name's length.
    let file = unsafe { syscall(nr::OPEN, &[name.as_ptr() as usize, 1, name.to_bytes().len()]) };
    // SAFETY: READ writes at most `image.len()` bytes to `image`, which is borrowed mutably, and returns how many are missing.
    while unsafe { syscall(nr::READ, &[file, image.as_mut_ptr() as usize, image.len()]) } == 0 {
        for element in image.iter_mut() {
            // A pixel 0..=255 becomes the element pixel - 128.
            *element = (*element as u8 ^ 0x80) as i8;
        }
        if let Err(error) = model.run(image, arena, &mut logits) {
            let _ = writeln!(console, "{error}");
            return Err(());
        }
        write!(console, "{}:", argmax(&logits)).map_err(drop)?;
        for logit in logits {
            write!(console, " {logit}").map_err(drop)?;
        }
        writeln!(console).map_err(drop)?;
    }
    Ok(())
}
