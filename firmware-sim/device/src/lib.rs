//! What the programs on a board and their host agree on: [`protocol`], which files they exchange, and [`monitor`], the command
//! language. Both compile everywhere, so that the host tests the device's side without a device.
//!
//! On Arm there are also the clock and the host behind semihosting, for all programs of this project that run on a board. No
//! allocation, no panic, no formatting.
#![no_std]

#[cfg(target_arch = "arm")]
#[allow(unsafe_code, reason = "one loop in assembly")]
pub mod clock;
#[cfg(target_arch = "arm")]
#[allow(unsafe_code, reason = "semihosting calls take addresses")]
pub mod host;
pub mod monitor;
pub mod protocol;
