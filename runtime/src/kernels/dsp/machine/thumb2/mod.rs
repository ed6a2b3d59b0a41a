//! The loops of [`super`] for Armv7-M and later, in assembly; those that multiply have another inside with the DSP extension.
//!
//! Each loop is a function of its own that follows the procedure call standard, so that it can use all fourteen registers
//! and the compiler can assume nothing about it. Loads of several words lie at multiples of 4, as these processors demand:
//! the tables and planes are words. Elements are loaded one word at a time, at any address, which they allow.

mod pixels;
mod rows;

use core::arch::naked_asm;

pub(super) use pixels::pixels;
pub(super) use rows::rows;

use super::{Spread, Sum};
use crate::kernels::broken_invariant;

/// r0 to seven words: input, step, plane, pixels of a row, what leads to the next row of the input and of the plane, rows.
///
/// # Safety
/// All elements and halves so named are there; pixels and rows are not 0.
#[unsafe(naked)]
unsafe extern "C" fn spread_rows(parameters: *const u32) {
    naked_asm!(
        "push {{r4-r11, lr}}
         ldm r0, {{r0-r3, r9-r11}}
         add r8, r1, r1, lsl #1
        5:
         subs r12, r3, #4
         blo 2f
        1:
         ldrsb r4, [r0]
         ldrsb r5, [r0, r1]
         ldrsb r6, [r0, r1, lsl #1]
         ldrsb r7, [r0, r8]
         add r0, r0, r1, lsl #2
         strh r4, [r2], #2
         strh r5, [r2], #2
         strh r6, [r2], #2
         strh r7, [r2], #2
         subs r12, #4
         bhs 1b
        2:
         adds r12, #4
         beq 4f
        3:
         ldrsb r4, [r0]
         add r0, r1
         strh r4, [r2], #2
         subs r12, #1
         bne 3b
        4:
         add r0, r9
         add r2, r10
         subs r11, #1
         bne 5b
         pop {{r4-r11, pc}}"
    )
}

pub(super) fn spread(spread: Spread, from: &[i8], to: &mut [i16]) {
    let Spread { step, row_step, pitch, width, count } = spread;
    let next_row = row_step.wrapping_sub(width * step);
    let next_place = 2 * (pitch - width);
    let (from, to) = (from.as_ptr() as u32, to.as_mut_ptr() as u32);
    let parameters = [from, step as u32, to, width as u32, next_row as u32, next_place as u32, count as u32];
    // SAFETY: the caller has checked that both slices reach to the last pixel of the last row, and that there is one.
    unsafe { spread_rows(parameters.as_ptr()) }
}

/// One element of [`add_words`]: byte `$turn` / 8 of r4 and r5.
macro_rules! add_one {
    ($turn:literal, $at:literal) => {
        concat!(
            "ldrd r8, r9, [r2]
             uxtb r6, r4, ror #",
            $turn,
            "
             uxtb r7, r5, ror #",
            $turn,
            "
             umlal r8, r9, r6, r10
             umlal r8, r9, r7, r11
             ssat r9, #8, r9
             strb r9, [r0, #",
            $at,
            "]
            "
        )
    };
}

/// r0 place, r1 other, r2 sum, r3 end of the place.
///
/// # Safety
/// Both are the same whole number of words long, not 0.
#[unsafe(naked)]
unsafe extern "C" fn add_words(place: *mut i8, other: *const i8, sum: *const Sum, end: *const i8) {
    naked_asm!(concat!(
        "push {{r4-r11, lr}}
         ldrd r10, r11, [r2, #8]
        1:
         ldr r4, [r0]
         ldr r5, [r1], #4
         eor r4, r4, #0x80808080
         eor r5, r5, #0x80808080
        ",
        add_one!("0", "0"),
        add_one!("8", "1"),
        add_one!("16", "2"),
        add_one!("24", "3"),
        "add r0, #4
         cmp r0, r3
         bne 1b
         pop {{r4-r11, pc}}"
    ))
}

pub(super) fn add(sum: &Sum, place: &mut [i8], other: &[i8]) {
    let length = place.len().min(other.len());
    let whole = length / 4 * 4;
    if whole > 0 {
        let (first, end) = (place.as_mut_ptr(), place.as_ptr().wrapping_add(whole));
        // SAFETY: both slices have `whole` elements, a multiple of 4 that is not 0; `sum` is four words, at a multiple of 4.
        unsafe { add_words(first, other.as_ptr(), sum, end) };
    }
    for index in whole..length {
        let (Some(place), Some(&other)) = (place.get_mut(index), other.get(index)) else {
            return broken_invariant();
        };
        let mut word = [*place, 0, 0, 0];
        // SAFETY: as above, for one word.
        unsafe {
            add_words(word.as_mut_ptr(), [other, 0, 0, 0].as_ptr(), sum, word.as_ptr().wrapping_add(4))
        };
        *place = word[0];
    }
}
