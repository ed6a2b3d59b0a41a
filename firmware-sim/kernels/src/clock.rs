//! The 24-bit SysTick as a clock that does not wrap while something is measured.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

const RELOAD: u32 = 0x00ff_ffff;

/// The running clock.
pub struct Clock(());

impl Clock {
    /// Starts the timer at the processor's clock.
    pub fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(RELOAD);
        timer.clear_current();
        timer.enable_counter();
        Self(())
    }

    /// Ticks that `task` takes, less than 2^24.
    #[inline(never)]
    pub fn measure(&self, mut task: impl FnMut()) -> u32 {
        let start = SYST::get_current();
        task();
        start.wrapping_sub(SYST::get_current()) & RELOAD
    }

    /// Ticks that a loop of two instructions takes for `passes` passes, at least 1.
    pub fn calibrate(&self, passes: u32) -> u32 {
        self.measure(|| {
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
        })
    }
}
