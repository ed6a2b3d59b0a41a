//! What firmware and host agree on; both compile this file.
//!
//! The device reads [`IMAGES`] to its end, appends to [`LOGITS`] and [`TICKS`] after each image, writes [`REPORT`] last
//! and exits with one of the codes below. All files lie in the emulator's working folder; numbers are little-endian.
#![allow(dead_code, reason = "each side uses its part")]

/// Input: int8 [N, H, W, C].
pub(crate) const IMAGES: &str = "images.bin";
/// Output: int32 [N, CLASSES].
pub(crate) const LOGITS: &str = "logits.bin";
/// Output: u64 [N], ticks of the device's clock that one inference took.
pub(crate) const TICKS: &str = "ticks.bin";
/// Output: one line of JSON.
pub(crate) const REPORT: &str = "report.json";

/// Everything was done.
pub(crate) const EXIT_DONE: u32 = 0;
/// The runtime refused the model.
pub(crate) const EXIT_MODEL_REFUSED: u32 = 2;
/// An inference was refused, or one with too small an arena was not.
pub(crate) const EXIT_RUN: u32 = 3;
/// A file could not be opened, read or written whole.
pub(crate) const EXIT_FILE: u32 = 4;
/// The stack reached the other data.
pub(crate) const EXIT_STACK: u32 = 5;
/// A panic, which is a defect.
pub(crate) const EXIT_PANIC: u32 = 101;
/// A processor fault, which is a defect.
pub(crate) const EXIT_FAULT: u32 = 102;

/// Instructions in one pass of the calibration loop: `subs`, `bne`.
pub(crate) const CALIBRATION_INSTRUCTIONS: u64 = 2;
/// Passes of the two calibration loops; the difference cancels what surrounds the loop.
pub(crate) const CALIBRATION_PASSES: [u32; 2] = [10_000, 10_010_000];

/// Stack that the host makes sure is left: more than any network needs, since scratch does not depend on the network.
pub(crate) const STACK_BYTES: u32 = 4_096;
