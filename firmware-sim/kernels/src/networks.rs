//! Whole networks.

use bomp_device::clock::Clock;
use bomp_runtime::{Arena, Model};
use cortex_m_semihosting::hprintln;

use crate::CALLS;

include!(concat!(env!("OUT_DIR"), "/networks.rs"));

/// What a network needs.
pub struct Memory {
    arena: Arena<ARENA_BYTES>,
    input: [i8; INPUT_ELEMENTS],
    logits: [i32; CLASSES],
}

impl Memory {
    /// Zeros.
    pub const NEW: Self = Self { arena: Arena::new(), input: [0; INPUT_ELEMENTS], logits: [0; CLASSES] };
}

/// Counts all of them, on an input of which element i is 37 i mod 256.
pub fn run(clock: &Clock, memory: &mut Memory) {
    for (index, element) in memory.input.iter_mut().enumerate() {
        *element = (index * 37) as i8;
    }
    for &(name, bytes) in NETWORKS {
        let Ok(model) = Model::new(core::hint::black_box(bytes)) else {
            hprintln!("{} is refused", name);
            crate::exit(2);
        };
        let input = &memory.input[..model.input_len()];
        let logits = &mut memory.logits[..model.classes()];
        let mut once = || {
            if model.run(input, &mut memory.arena, logits).is_err() {
                hprintln!("{} does not run", name);
                crate::exit(2);
            }
        };
        once();
        let (ticks, ()) = clock.measure(|| (0..CALLS).for_each(|_| once()));
        let sum = logits.iter().fold(0i32, |sum, &logit| sum.wrapping_mul(31).wrapping_add(logit));
        hprintln!("network {} {} {}", name, sum, ticks);
    }
}
