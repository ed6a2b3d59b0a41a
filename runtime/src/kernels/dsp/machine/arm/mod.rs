//! The loops of [`super`] that only processors with the DSP extension have (Armv7E-M, Armv8-M main), and its instructions.

mod dots;

use core::arch::asm;

pub(super) use dots::dots;

/// Limits the bytes of a word to those of `min` and `max`.
#[inline(always)]
fn limit_word(word: u32, min: u32, max: u32) -> u32 {
    let mut word = word;
    // SAFETY: only the named registers and the flags are touched. Both instructions of a pair are in one block, so that
    // nothing between them changes the flags.
    unsafe {
        asm!(
            "ssub8 {t}, {word}, {min}",
            "sel {word}, {word}, {min}",
            "ssub8 {t}, {max}, {word}",
            "sel {word}, {word}, {max}",
            t = out(reg) _, word = inout(reg) word, min = in(reg) min, max = in(reg) max,
            options(pure, nomem, nostack),
        );
    }
    word
}

pub(super) fn limit(min: i8, max: i8, elements: &mut [i8]) {
    let (low, high) = (u32::from_ne_bytes([min as u8; 4]), u32::from_ne_bytes([max as u8; 4]));
    let (words, rest) = elements.as_chunks_mut::<4>();
    for word in words {
        *word = limit_word(u32::from_ne_bytes(word.map(|byte| byte as u8)), low, high)
            .to_ne_bytes()
            .map(|byte| byte as i8);
    }
    for element in rest {
        *element = (*element).max(min).min(max);
    }
}

/// `sum` plus the products of both halves.
#[inline(always)]
pub(in super::super) fn smlad(a: u32, b: u32, sum: i32) -> i32 {
    let result;
    // SAFETY: only the named registers and the flags are touched.
    unsafe {
        asm!("smlad {r}, {a}, {b}, {s}", r = lateout(reg) result, a = in(reg) a, b = in(reg) b, s = in(reg) sum,
            options(pure, nomem, nostack));
    }
    result
}

/// The differences of both halves.
#[inline(always)]
pub(in super::super) fn subtract_halves(a: u32, b: u32) -> u32 {
    let result;
    // SAFETY: only the named registers and the flags are touched.
    unsafe {
        asm!("ssub16 {r}, {a}, {b}", r = lateout(reg) result, a = in(reg) a, b = in(reg) b, options(pure, nomem, nostack));
    }
    result
}

/// The bytes 0 and 2 as signed halves.
#[inline(always)]
pub(in super::super) fn even_halves(word: u32) -> u32 {
    let result;
    // SAFETY: only the named registers are touched.
    unsafe {
        asm!("sxtb16 {r}, {w}", r = lateout(reg) result, w = in(reg) word, options(pure, nomem, nostack, preserves_flags));
    }
    result
}

/// The bytes 1 and 3 as signed halves.
#[inline(always)]
pub(in super::super) fn odd_halves(word: u32) -> u32 {
    let result;
    // SAFETY: only the named registers are touched.
    unsafe {
        asm!("sxtb16 {r}, {w}, ror #8", r = lateout(reg) result, w = in(reg) word,
            options(pure, nomem, nostack, preserves_flags));
    }
    result
}

/// accumulator * factor / 2^32, rounded half up.
#[inline(always)]
pub(in super::super) fn scale(accumulator: i32, factor: i32) -> i32 {
    let result;
    // SAFETY: only the named registers are touched.
    unsafe {
        asm!("smmulr {r}, {a}, {f}", r = lateout(reg) result, a = in(reg) accumulator, f = in(reg) factor,
            options(pure, nomem, nostack, preserves_flags));
    }
    result
}
