//! The runtime for C: `libbomp.a` and `include/bomp.h`, which is made from this crate by cbindgen.
//!
//! Guarantees: no allocation, no floating point, no global state, so every function may be called from any thread or
//! interrupt with its own buffers. Whatever a caller can get wrong that can be seen from the arguments gives a status: null,
//! misaligned, overlapping and too small buffers, a `bomp_model` that was never checked. What cannot be seen is the caller's
//! part and stands in the comments: that a pointer leads to as many bytes as the call says.
//!
//! All `unsafe` of the interface is in this crate, so that the runtime itself can do without.
#![cfg_attr(target_os = "none", no_std)]
#![allow(unsafe_code, reason = "pointers from C")]
#![deny(
    unsafe_op_in_unsafe_fn,
    clippy::undocumented_unsafe_blocks,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod buffers;
mod model;
mod status;

use bomp_runtime::Model;

use buffers::Buffer;
pub use model::BompModel;
use model::Checked;
pub use status::{BompStatus, bomp_status_text};

/// Checks `blob` completely, once, and fills `model`. Everything else takes that `model`.
///
/// Cost: one pass over the bytes for the checksum and one over the layers. On an error `model` is left as it was.
///
/// @param model     where the checked model goes
/// @param blob      the packed model, at any address, in flash or RAM; it must stay there, unchanged, while `model` is used
/// @param blob_len  its length in bytes
/// @return BOMP_STATUS_OK, what is wrong with the pointers, or from BOMP_STATUS_MODEL_TOO_SHORT on with the model
///
/// # Safety
/// `model` points to writable memory for one `bomp_model`, `blob` to `blob_len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_model_check(
    model: *mut BompModel,
    blob: *const u8,
    blob_len: usize,
) -> BompStatus {
    // SAFETY: the caller's promises are the same.
    match unsafe { check(model, blob, blob_len) } {
        Ok(()) => BompStatus::Ok,
        Err(status) => status,
    }
}

/// # Safety
/// As [`bomp_model_check`].
unsafe fn check(model: *mut BompModel, blob: *const u8, blob_len: usize) -> Result<(), BompStatus> {
    let place = Buffer::of(model.cast_const(), 1)?;
    place.is_apart_from([Buffer::of(blob, blob_len)?])?;
    // SAFETY: `blob` is not null, `blob_len` bytes do not wrap around and are at most `isize::MAX`; that they are readable
    // and stay unchanged while the model is used is the caller's promise, which is why 'static is right.
    let bytes: &'static [u8] = unsafe { core::slice::from_raw_parts(blob, blob_len) };
    let checked = BompModel::new(Checked { model: Model::new(bytes)?, blob: bytes });
    // SAFETY: not null and aligned; writable by the caller's promise.
    unsafe { model.write(checked) };
    Ok(())
}

/// As `bomp_model_check`, for a signed file: checks its Ed25519 signature and its version counter, then the model in it.
///
/// In libraries built with `bomp-sim library --signed`; define BOMP_SIGNED before including this header.
///
/// @param model     where the checked model goes
/// @param file      the signed file, as `bomp-export sign` wrote it; it must stay there, unchanged, while `model` is used
/// @param file_len  its length in bytes
/// @param key       the 32 bytes of the public key
/// @param minimum   smallest counter that is accepted: what this device has run
/// @param counter   where the file's counter goes, for the next minimum; may be null
/// @return BOMP_STATUS_OK, what is wrong with the pointers, the signature (BOMP_STATUS_NOT_SIGNED and on) or the model
///
/// # Safety
/// `model` points to writable memory for one `bomp_model`, `file` to `file_len` and `key` to 32 readable bytes, `counter` is
/// null or points to a writable `uint64_t`.
// A pointer and a length for each buffer: C has no slices.
#[cfg(feature = "signed")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_model_check_signed(
    model: *mut BompModel,
    file: *const u8,
    file_len: usize,
    key: *const u8,
    minimum: u64,
    counter: *mut u64,
) -> BompStatus {
    // SAFETY: the caller's promises are the same.
    match unsafe { check_signed(model, file, file_len, key, minimum, counter) } {
        Ok(()) => BompStatus::Ok,
        Err(status) => status,
    }
}

/// # Safety
/// As [`bomp_model_check_signed`].
#[cfg(feature = "signed")]
unsafe fn check_signed(
    model: *mut BompModel,
    file: *const u8,
    file_len: usize,
    key: *const u8,
    minimum: u64,
    counter: *mut u64,
) -> Result<(), BompStatus> {
    use bomp_runtime::signed;
    let place = Buffer::of(model.cast_const(), 1)?;
    let read = Buffer::of(file, file_len)?;
    Buffer::of(key, signed::KEY_BYTES)?;
    place.is_apart_from([read])?;
    if !counter.is_null() {
        Buffer::of(counter.cast_const(), 1)?.is_apart_from([place, read])?;
    }
    // SAFETY: not null, within the address space, at most `isize::MAX` bytes; readable, and for the file unchanged while the
    // model is used, by the caller's promise. The key is copied.
    let (bytes, key): (&'static [u8], [u8; signed::KEY_BYTES]) = unsafe {
        (core::slice::from_raw_parts(file, file_len), key.cast::<[u8; signed::KEY_BYTES]>().read())
    };
    let opened = signed::open(bytes, &key, minimum)?;
    let checked = BompModel::new(Checked { model: opened.model, blob: opened.blob });
    // SAFETY: both are aligned and writable by the caller's promise; `counter` is written only if it is not null.
    unsafe {
        model.write(checked);
        if !counter.is_null() {
            counter.write(opened.counter);
        }
    }
    Ok(())
}

/// A figure of the model behind `model`, 0 where it was not checked.
///
/// # Safety
/// As [`BompModel::read`].
unsafe fn figure(model: *const BompModel, of: impl FnOnce(Model<'static>) -> usize) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { BompModel::read(model) }.map_or(0, |checked| of(checked.model))
}

/// Bytes of RAM that `bomp_run` needs as its arena; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_arena_size(model: *const BompModel) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { figure(model, |model| model.arena_size()) }
}

/// Elements of an input, height * width * channels; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_input_len(model: *const BompModel) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { figure(model, |model| model.input_len()) }
}

/// Rows of an input; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_input_height(model: *const BompModel) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { figure(model, |model| model.input_shape().height) }
}

/// Columns of an input; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_input_width(model: *const BompModel) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { figure(model, |model| model.input_shape().width) }
}

/// Channels of an input; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_input_channels(model: *const BompModel) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { figure(model, |model| model.input_shape().channels) }
}

/// Input element that stands for the real number 0; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_input_zero_point(model: *const BompModel) -> i8 {
    // SAFETY: the caller's promise is the same.
    unsafe { BompModel::read(model) }.map_or(0, |checked| checked.model.input_zero_point())
}

/// IEEE 754 bits of the real step of one input unit; 0 if `model` was not checked. `bomp_input_scale` makes a float of them.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_input_scale_bits(model: *const BompModel) -> u32 {
    // SAFETY: the caller's promise is the same.
    unsafe { BompModel::read(model) }.map_or(0, |checked| checked.model.input_scale_bits())
}

/// IEEE 754 bits of the real step of one logit unit; 0 if `model` was not checked. `bomp_output_scale` makes a float of them.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_output_scale_bits(model: *const BompModel) -> u32 {
    // SAFETY: the caller's promise is the same.
    unsafe { BompModel::read(model) }.map_or(0, |checked| checked.model.output_scale_bits())
}

/// Number of classes, which is the number of logits; 0 if `model` was not checked.
///
/// # Safety
/// `model` is null or points to a `bomp_model`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_classes(model: *const BompModel) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { figure(model, |model| model.classes()) }
}

/// Classifies one input.
///
/// Nothing is read or written unless all arguments are right. The same arena may serve any number of models in turn.
///
/// @param model       a checked model
/// @param input       elements [height, width, channels], channel innermost; a pixel 0..255 is the element pixel - 128 for
///                    models of this project, else see `bomp_quantise`
/// @param input_len   `bomp_input_len`
/// @param arena       RAM for activations at a multiple of 4, whatever is in it; no other buffer overlaps it
/// @param arena_len   its bytes, at least `bomp_arena_size`
/// @param logits      where the logits go, aligned for int32_t; `bomp_argmax` gives the class
/// @param logits_len  `bomp_classes`
/// @return BOMP_STATUS_OK, what is wrong with the pointers, BOMP_STATUS_NOT_CHECKED, BOMP_STATUS_INPUT_LENGTH,
///         BOMP_STATUS_ARENA_TOO_SMALL or BOMP_STATUS_LOGITS_LENGTH
///
/// # Safety
/// `model` points to a `bomp_model`; `input` to `input_len` readable elements; `arena` to `arena_len` and `logits` to
/// `logits_len` writable elements that nothing else uses during the call.
// A pointer and a length for each buffer: C has no slices.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_run(
    model: *const BompModel,
    input: *const i8,
    input_len: usize,
    arena: *mut i8,
    arena_len: usize,
    logits: *mut i32,
    logits_len: usize,
) -> BompStatus {
    // SAFETY: the caller's promises are the same.
    match unsafe { run(model, input, input_len, arena, arena_len, logits, logits_len) } {
        Ok(()) => BompStatus::Ok,
        Err(status) => status,
    }
}

/// # Safety
/// As [`bomp_run`].
unsafe fn run(
    model: *const BompModel,
    input: *const i8,
    input_len: usize,
    arena: *mut i8,
    arena_len: usize,
    logits: *mut i32,
    logits_len: usize,
) -> Result<(), BompStatus> {
    let place = Buffer::of(model, 1)?;
    let read = Buffer::of(input, input_len)?;
    let scratch = Buffer::of(arena.cast_const(), arena_len)?;
    let written = Buffer::of(logits.cast_const(), logits_len)?;
    scratch.is_apart_from([place, read, written])?;
    written.is_apart_from([place, read])?;
    // SAFETY: the caller's promise is the same.
    let Checked { model, blob } = unsafe { BompModel::read(model) }?;
    let blob = Buffer::of(blob.as_ptr(), blob.len())?;
    scratch.is_apart_from([blob])?;
    written.is_apart_from([blob])?;
    // SAFETY: each pointer is not null, aligned, and its elements do not wrap around or exceed `isize::MAX` bytes. The two
    // slices that are written share no byte with each other, with the input, with the model's bytes or its `bomp_model`.
    // That the memory is there, initialised, and used by nobody else meanwhile is the caller's promise; every bit pattern is
    // a valid element.
    let (input, arena, logits) = unsafe {
        (
            core::slice::from_raw_parts(input, input_len),
            core::slice::from_raw_parts_mut(arena, arena_len),
            core::slice::from_raw_parts_mut(logits, logits_len),
        )
    };
    Ok(model.run(input, arena, logits)?)
}

/// Index of the largest logit, the first of equals; 0 for a null or misaligned pointer or no logits.
///
/// # Safety
/// `logits` is null or points to `logits_len` readable elements.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bomp_argmax(logits: *const i32, logits_len: usize) -> usize {
    if Buffer::of(logits, logits_len).is_err() {
        return 0;
    }
    // SAFETY: not null, aligned and within the address space; readable by the caller's promise.
    bomp_runtime::engine::argmax(unsafe { core::slice::from_raw_parts(logits, logits_len) })
}

/// Never reached: the runtime has no path to a panic. A static library for a device needs one all the same.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
