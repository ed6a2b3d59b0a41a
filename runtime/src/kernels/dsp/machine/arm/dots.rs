//! The classifier: two classes at a time, weights straight from the packed stream.

use core::arch::naked_asm;

use super::super::super::has;
use super::super::Codes;
use crate::kernels::{Needs, broken_invariant};

/// Eight weights of 5 to 7 bits from `$row` on times eight inputs in r8..r11, added to `$sum`; r4 is the mask of a pair. As
/// [`super::super::super::unpack::code_pairs`], `$apart` being 16 - 2 B.
macro_rules! eight_codes {
    ($row:literal, $sum:literal, $bits:literal, $high:literal, $apart:literal) => {
        concat!(
            "ldr r12, [",
            $row,
            ", #",
            $high,
            "]
             ldr r7, [",
            $row,
            "], #",
            $bits,
            "
             pkhbt r7, r7, r7, lsl #",
            $apart,
            "
             and r14, r4, r7
             smlad ",
            $sum,
            ", r14, r8, ",
            $sum,
            "
             and r14, r4, r7, lsr #",
            $bits,
            "
             smlad ",
            $sum,
            ", r14, r9, ",
            $sum,
            "
             pkhtb r12, r12, r12, asr #",
            $apart,
            "
             and r14, r4, r12, lsr #",
            $apart,
            "
             smlad ",
            $sum,
            ", r14, r10, ",
            $sum,
            "
             and r14, r4, r12, lsr #",
            $apart,
            " + ",
            $bits,
            "
             smlad ",
            $sum,
            ", r14, r11, ",
            $sum,
            "
            "
        )
    };
}

/// The same for 4 bits, which are one word, inputs in their own order.
macro_rules! eight_nibbles {
    ($row:literal, $sum:literal) => {
        concat!(
            "ldr r12, [",
            $row,
            "], #4
             and r14, r4, r12
             smlad ",
            $sum,
            ", r14, r8, ",
            $sum,
            "
             and r14, r4, r12, lsr #4
             smlad ",
            $sum,
            ", r14, r9, ",
            $sum,
            "
             and r14, r4, r12, lsr #8
             smlad ",
            $sum,
            ", r14, r10, ",
            $sum,
            "
             and r14, r4, r12, lsr #12
             smlad ",
            $sum,
            ", r14, r11, ",
            $sum,
            "
            "
        )
    };
}

/// The same for 8 bits, which are two words of pairs.
macro_rules! eight_bytes {
    ($row:literal, $sum:literal) => {
        concat!(
            "ldr r12, [",
            $row,
            ", #4]
             ldr r7, [",
            $row,
            "], #8
             uxtb16 r14, r7
             smlad ",
            $sum,
            ", r14, r8, ",
            $sum,
            "
             uxtb16 r14, r7, ror #8
             smlad ",
            $sum,
            ", r14, r9, ",
            $sum,
            "
             uxtb16 r14, r12
             smlad ",
            $sum,
            ", r14, r10, ",
            $sum,
            "
             uxtb16 r14, r12, ror #8
             smlad ",
            $sum,
            ", r14, r11, ",
            $sum,
            "
            "
        )
    };
}

/// The loops over pairs of classes and over eights of weights.
macro_rules! dots {
    ($name:ident, $mask:literal, $first:expr, $second:expr) => {
        /// r0 to: codes of the first and of the second class, end of the inputs, inputs, sums, pairs of classes, what leads from the
        /// end of a class's codes to the class after the next.
        ///
        /// # Safety
        /// As [`dots`] proves.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(parameters: *mut u32) {
            naked_asm!(concat!(
                processor!(),
                "push {{r4-r11, lr}}
                 push {{r0, r1}}
                 movw r4, #",
                $mask,
                "
                 movt r4, #",
                $mask,
                "
                 ldr r3, [r0, #8]
                 ldrd r0, r1, [r0]
                1:
                 ldr r12, [sp]
                 ldrd r2, r7, [r12, #12]
                 ldrd r5, r6, [r7]
                2:
                 ldm r2!, {{r8-r11}}
                ",
                $first,
                $second,
                "cmp r2, r3
                 bne 2b
                 ldr r12, [sp]
                 ldr r7, [r12, #16]
                 strd r5, r6, [r7], #8
                 str r7, [r12, #16]
                 ldrd r7, r8, [r12, #20]
                 add r0, r8
                 add r1, r8
                 subs r7, #1
                 str r7, [r12, #20]
                 bne 1b
                 add sp, #8
                 pop {{r4-r11, pc}}"
            ))
        }
    };
}

dots!(dots_4, "15", eight_nibbles!("r0", "r5"), eight_nibbles!("r1", "r6"));
dots!(dots_5, "31", eight_codes!("r0", "r5", "5", "1", "6"), eight_codes!("r1", "r6", "5", "1", "6"));
dots!(dots_6, "63", eight_codes!("r0", "r5", "6", "2", "4"), eight_codes!("r1", "r6", "6", "2", "4"));
dots!(dots_7, "127", eight_codes!("r0", "r5", "7", "3", "2"), eight_codes!("r1", "r6", "7", "3", "2"));
dots!(dots_8, "255", eight_bytes!("r0", "r5"), eight_bytes!("r1", "r6"));

pub(in super::super) fn dots<const NEEDS: u32>(codes: Codes<'_>, inputs: &[[u32; 4]], sums: &mut [i32]) {
    let run = match codes.bits {
        4 if has(NEEDS, Needs::classifier_width(4)) => dots_4,
        5 if has(NEEDS, Needs::classifier_width(5)) => dots_5,
        6 if has(NEEDS, Needs::classifier_width(6)) => dots_6,
        7 if has(NEEDS, Needs::classifier_width(7)) => dots_7,
        8 if has(NEEDS, Needs::classifier_width(8)) => dots_8,
        _ => return broken_invariant(),
    };
    let (base, inputs) = (codes.bytes.as_ptr() as u32, inputs.as_ptr_range());
    let length = (inputs.end as usize - inputs.start as usize) / 16 * codes.bits;
    let next = 2 * codes.step - length;
    let call = |first: u32, second: u32, sums: *mut i32, pairs: usize| {
        let (end, start) = (inputs.end as u32, inputs.start as u32);
        let mut parameters = [first, second, end, start, sums as u32, pairs as u32, next as u32];
        // SAFETY: the caller has checked that there are inputs, and for each eight of them `bits` bytes of codes of every
        // class. The loop reads these and no more, and reads and writes two sums in each of `pairs` passes, not 0.
        unsafe { run(parameters.as_mut_ptr()) }
    };
    let (pairs, last) = sums.as_chunks_mut::<2>();
    if !pairs.is_empty() {
        call(base, base + codes.step as u32, pairs.as_mut_ptr().cast(), pairs.len());
    }
    if let [last] = last {
        // The last class of an odd number is computed twice.
        let row = base + (2 * pairs.len() * codes.step) as u32;
        let mut two = [*last; 2];
        call(row, row, two.as_mut_ptr(), 1);
        [*last, _] = two;
    }
}
