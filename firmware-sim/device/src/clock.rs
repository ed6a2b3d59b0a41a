//! A 64-bit clock from the 24-bit SysTick. Under an emulator that counts instructions its ticks are instructions.

use core::sync::atomic::{AtomicU32, Ordering};

use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::peripheral::{SCB, SYST};
use cortex_m_rt::exception;

const RELOAD: u32 = 0x00ff_ffff;

static WRAPS: AtomicU32 = AtomicU32::new(0);

/// The running clock.
pub struct Clock(());

impl Clock {
    /// Starts the timer at the processor's clock.
    pub fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_interrupt();
        timer.enable_counter();
        Self(())
    }

    /// Ticks since the start.
    pub fn now(&self) -> u64 {
        loop {
            let wraps = WRAPS.load(Ordering::Relaxed);
            let left = SYST::get_current();
            // At 0 the wrap may or may not have been counted; the next tick settles it.
            if left != 0 && !SCB::is_pendst_pending() && wraps == WRAPS.load(Ordering::Relaxed) {
                return u64::from(wraps) * u64::from(RELOAD + 1) + u64::from(RELOAD - left);
            }
        }
    }

    /// Ticks that `task` takes.
    pub fn measure<T>(&self, task: impl FnOnce() -> T) -> (u64, T) {
        let start = self.now();
        let result = task();
        (self.now() - start, result)
    }

    /// Ticks that a loop of two instructions takes for `passes` passes, at least 1.
    pub fn calibrate(&self, passes: u32) -> u64 {
        let spin = || {
            // SAFETY: touches one register that is declared, and the flags.
            unsafe {
                core::arch::asm!(
                    ".p2align 2",
                    "2: subs {passes}, #1",
                    "bne 2b",
                    passes = inout(reg) passes => _,
                    options(nomem, nostack),
                );
            }
        };
        self.measure(spin).0
    }
}

#[exception]
fn SysTick() {
    // Only this handler writes, so that a load and a store do; Armv6-M has nothing better.
    WRAPS.store(WRAPS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}
