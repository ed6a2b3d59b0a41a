//! The interface as C sees it: whatever can be seen to be wrong is a status, and what is right computes the runtime's logits.
#![allow(unsafe_code, reason = "calls through the C interface")]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};

use bomp::*;
use bomp_export::testing::{self, Limits, Numbers};
use bomp_export::{lower, write};
use bomp_runtime::Model;

/// A model with buffers of the right sizes.
struct Case {
    blob: Vec<u8>,
    model: BompModel,
    input: Vec<i8>,
    arena: Vec<u32>,
    arena_len: usize,
    logits: Vec<i32>,
}

impl Case {
    fn new(seed: u64) -> Self {
        let candidate = testing::candidate(seed, &Limits::SMALL);
        let blob = write::blob(&lower::lower(&candidate).unwrap()).unwrap();
        let model = checked(&blob).unwrap();
        let mut numbers = Numbers::new(seed);
        // SAFETY: `model` is a checked model.
        let (input, arena_len, classes) =
            unsafe { (bomp_input_len(&model), bomp_arena_size(&model), bomp_classes(&model)) };
        Self {
            input: (0..input).map(|_| numbers.within(0..=255) as u8 as i8).collect(),
            arena: vec![0; arena_len.div_ceil(4)],
            arena_len,
            logits: vec![0; classes],
            blob,
            model,
        }
    }

    fn run(&mut self) -> BompStatus {
        let arena = self.arena.as_mut_ptr().cast();
        let (input, logits) = (&self.input, &mut self.logits);
        // SAFETY: all buffers are as long as stated.
        unsafe {
            bomp_run(
                &self.model,
                input.as_ptr(),
                input.len(),
                arena,
                self.arena_len,
                logits.as_mut_ptr(),
                logits.len(),
            )
        }
    }
}

fn checked(blob: &[u8]) -> Result<BompModel, BompStatus> {
    let mut model = MaybeUninit::zeroed();
    // SAFETY: there is room for a model, and the blob is as long as stated.
    match unsafe { bomp_model_check(model.as_mut_ptr(), blob.as_ptr(), blob.len()) } {
        // SAFETY: the call has filled it.
        BompStatus::Ok => Ok(unsafe { model.assume_init() }),
        status => Err(status),
    }
}

#[test]
fn the_logits_are_the_runtimes() {
    for seed in 0..20 {
        let mut case = Case::new(seed);
        assert_eq!(case.run(), BompStatus::Ok);
        let model = Model::new(&case.blob).unwrap();
        let mut expected = vec![0; model.classes()];
        let mut arena = vec![0i8; model.arena_size()];
        model.run(&case.input, &mut arena, &mut expected).unwrap();
        assert_eq!(case.logits, expected);
        let shape = model.input_shape();
        // SAFETY: the model is checked and the logits are as many as stated.
        unsafe {
            assert_eq!(
                bomp_argmax(case.logits.as_ptr(), case.logits.len()),
                bomp_runtime::engine::argmax(&expected)
            );
            assert_eq!(bomp_input_height(&case.model), shape.height);
            assert_eq!(bomp_input_width(&case.model), shape.width);
            assert_eq!(bomp_input_channels(&case.model), shape.channels);
            assert_eq!(bomp_input_zero_point(&case.model), model.input_zero_point());
            assert_eq!(bomp_input_scale_bits(&case.model), model.input_scale_bits());
            assert_eq!(bomp_output_scale_bits(&case.model), model.output_scale_bits());
        }
    }
}

#[test]
fn models_that_are_not_right_are_refused_and_left_alone() {
    let case = Case::new(1);
    let blob = &case.blob;
    let damaged = |at: usize| {
        let mut blob = blob.clone();
        blob[at] ^= 1;
        checked(&blob).map(|_| ()).unwrap_err()
    };
    assert_eq!(damaged(0), BompStatus::ModelMagic);
    assert_eq!(damaged(4), BompStatus::ModelVersion);
    assert_eq!(damaged(8), BompStatus::ModelLength);
    assert_eq!(damaged(blob.len() / 2), BompStatus::ModelChecksum);
    assert_eq!(checked(&blob[..blob.len() - 1]).map(|_| ()).unwrap_err(), BompStatus::ModelLength);
    assert_eq!(checked(&blob[..3]).map(|_| ()).unwrap_err(), BompStatus::ModelTooShort);

    let mut model = case.model;
    let before = bytes_of(&model);
    // SAFETY: pointers are null or lead to as much as stated; the last blob is not read.
    unsafe {
        assert_eq!(bomp_model_check(&mut model, null(), 10), BompStatus::NullPointer);
        assert_eq!(bomp_model_check(null_mut(), blob.as_ptr(), blob.len()), BompStatus::NullPointer);
        let odd = (&raw mut model).cast::<u8>().wrapping_add(1).cast();
        assert_eq!(bomp_model_check(odd, blob.as_ptr(), blob.len()), BompStatus::Misaligned);
        assert_eq!(bomp_model_check(&mut model, blob.as_ptr(), usize::MAX), BompStatus::AddressRange);
        let own = (&raw const model).cast::<u8>().wrapping_add(3);
        assert_eq!(bomp_model_check(&mut model, own, 5), BompStatus::Overlap);
        assert_eq!(bomp_model_check(&mut model, blob.as_ptr(), 3), BompStatus::ModelTooShort);
    }
    assert_eq!(bytes_of(&model), before);
}

fn bytes_of(model: &BompModel) -> Vec<u8> {
    // SAFETY: a model is pointers without padding, all written.
    unsafe { std::slice::from_raw_parts((&raw const *model).cast::<u8>(), size_of::<BompModel>()) }.to_vec()
}

#[test]
fn a_structure_that_was_not_filled_or_was_altered_is_refused() {
    let mut case = Case::new(2);
    let good = case.model;
    for word in 0..size_of::<BompModel>() {
        case.model = good;
        // SAFETY: the byte is within the structure.
        unsafe { *(&raw mut case.model).cast::<u8>().add(word) ^= 0x10 };
        assert_eq!(case.run(), BompStatus::NotChecked, "byte {word}");
        // SAFETY: it is readable memory.
        assert_eq!(unsafe { bomp_arena_size(&case.model) }, 0);
    }
    for fill in [0u8, 0xFF, 0xA5] {
        // SAFETY: the bytes are within the structure, and any bytes are a value of it.
        unsafe { (&raw mut case.model).write_bytes(fill, 1) };
        assert_eq!(case.run(), BompStatus::NotChecked, "filled with {fill}");
    }
    case.model = good;
    assert_eq!(case.run(), BompStatus::Ok);
}

#[test]
fn buffers_that_are_not_right_are_refused() {
    let mut case = Case::new(3);
    let model: *const BompModel = &case.model;
    let input = case.input.as_ptr();
    let arena: *mut i8 = case.arena.as_mut_ptr().cast();
    let logits = case.logits.as_mut_ptr();
    let (n, a, c) = (case.input.len(), case.arena_len, case.logits.len());
    let run = |model: *const BompModel,
               input: *const i8,
               n: usize,
               arena: *mut i8,
               a: usize,
               logits: *mut i32,
               c: usize| {
        // SAFETY: the calls below are refused before anything is followed, or lead to as much as stated.
        unsafe { bomp_run(model, input, n, arena, a, logits, c) }
    };
    use BompStatus::*;
    assert_eq!(run(null(), input, n, arena, a, logits, c), NullPointer);
    assert_eq!(run(model, null(), n, arena, a, logits, c), NullPointer);
    assert_eq!(run(model, input, n, null_mut(), a, logits, c), NullPointer);
    assert_eq!(run(model, input, n, arena, a, null_mut(), c), NullPointer);
    assert_eq!(run(model.cast::<u8>().wrapping_add(2).cast(), input, n, arena, a, logits, c), Misaligned);
    assert_eq!(run(model, input, n, arena, a, logits.cast::<u8>().wrapping_add(1).cast(), c), Misaligned);
    assert_eq!(run(model, input, usize::MAX, arena, a, logits, c), AddressRange);
    assert_eq!(run(model, input, n, arena, usize::MAX / 2 + 1, logits, c), AddressRange);
    assert_eq!(run(model, input, n, arena, a, logits, usize::MAX / 4), AddressRange);
    assert_eq!(run(model, input, n - 1, arena, a, logits, c), InputLength);
    assert_eq!(run(model, input, n, arena, a - 1, logits, c), ArenaTooSmall);
    assert_eq!(run(model, input, n, arena, a, logits, c - 1), LogitsLength);
    // Each pair that must not share a byte does.
    assert_eq!(run(model, arena.wrapping_add(a - 1), n, arena, a, logits, c), Overlap);
    assert_eq!(run(model, input, n, arena, a, arena.cast(), c), Overlap);
    assert_eq!(run(model, logits.cast_const().cast(), n, arena, a, logits, c), Overlap);
    assert_eq!(run(model, input, n, model.cast_mut().cast(), a, logits, c), Overlap);
    assert_eq!(
        run(model, input, n, case.blob.as_mut_ptr().wrapping_sub(a - 1).cast(), a, logits, c),
        Overlap
    );
    assert_eq!(run(model, input, n, arena, a, logits, c), Ok);
}

#[test]
fn every_status_has_words_of_its_own() {
    let words = |status: i32| {
        // SAFETY: the function returns constant strings.
        unsafe { CStr::from_ptr(bomp_status_text(status)) }.to_str().unwrap()
    };
    let known: std::collections::HashSet<&str> = (0..=9).chain(16..=25).chain(32..=36).map(words).collect();
    assert_eq!(known.len(), 25);
    for unknown in [-1, 10, 15, 26, 31, 37, i32::MIN, i32::MAX] {
        assert_eq!(words(unknown), "unknown status");
    }
}
