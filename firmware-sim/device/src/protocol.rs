//! What the batch firmware and its host agree on.
//!
//! The device reads [`IMAGES`] to its end, appends to [`LOGITS`] and [`TICKS`] after each image, writes [`REPORT`] last
//! and exits with one of the codes below. All files lie in the emulator's working folder; numbers are little-endian.

use core::ffi::CStr;

/// Input: int8 [N, H, W, C].
pub const IMAGES: &CStr = c"images.bin";
/// Output: int32 [N, CLASSES].
pub const LOGITS: &CStr = c"logits.bin";
/// Output: u64 `[N]`, ticks of the device's clock that one inference took.
pub const TICKS: &CStr = c"ticks.bin";
/// Output: u32 [[`REPORT_WORDS`]]: images; bytes of the arena that an inference wrote; bytes of the stack that were used,
/// and how many there are; ticks of the two calibration loops.
pub const REPORT: &CStr = c"report.bin";
/// Length of the report.
pub const REPORT_WORDS: usize = 6;

/// Everything was done.
pub const EXIT_DONE: u32 = 0;
/// The runtime refused the model.
pub const EXIT_MODEL_REFUSED: u32 = 2;
/// An inference was refused, or one with too small an arena was not.
pub const EXIT_RUN: u32 = 3;
/// A file could not be opened, read or written whole.
pub const EXIT_FILE: u32 = 4;
/// The stack reached the other data.
pub const EXIT_STACK: u32 = 5;
/// A panic, which is a defect.
pub const EXIT_PANIC: u32 = 101;
/// A processor fault, which is a defect.
pub const EXIT_FAULT: u32 = 102;

/// Instructions in one pass of the calibration loop: `subs`, `bne`.
pub const CALIBRATION_INSTRUCTIONS: u64 = 2;
/// Passes of the two calibration loops; the difference cancels what surrounds the loop.
pub const CALIBRATION_PASSES: [u32; 2] = [10_000, 10_010_000];
