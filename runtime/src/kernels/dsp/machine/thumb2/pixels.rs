//! Pixels of four output channels: eight words of weights for every four taps, with the DSP extension two multiplications
//! per instruction.

use core::arch::naked_asm;

use super::super::super::has;
use super::super::super::unpack::is_long;
use super::super::{GROUP_HEAD, Group, Steps};
use crate::kernels::{Needs, broken_invariant};

/// Four sums of r0..r3: taps 0 and 2 in the first, 1 and 3 in the second half of eight words at r5; four elements at r4.
#[cfg(bomp_dsp)]
macro_rules! four_taps {
    () => {
        "ldr r14, [r4], #4
         ldm r5!, {{r8-r11}}
         sxtb16 r12, r14
         sxtb16 r14, r14, ror #8
         smlad r0, r8, r12, r0
         smlad r1, r9, r12, r1
         smlad r2, r10, r12, r2
         smlad r3, r11, r12, r3
         ldm r5!, {{r8-r11}}
         smlad r0, r8, r14, r0
         smlad r1, r9, r14, r1
         smlad r2, r10, r14, r2
         smlad r3, r11, r14, r3
        "
    };
}

/// The same, one multiplication per instruction.
#[cfg(not(bomp_dsp))]
macro_rules! four_taps {
    () => {
        concat!(
            "ldrsb r12, [r4]
             ldrsb r14, [r4, #2]
            ",
            two_products!("r0", "0", "2"),
            two_products!("r1", "4", "6"),
            two_products!("r2", "8", "10"),
            two_products!("r3", "12", "14"),
            "ldrsb r12, [r4, #1]
             ldrsb r14, [r4, #3]
             add r4, #4
            ",
            two_products!("r0", "16", "18"),
            two_products!("r1", "20", "22"),
            two_products!("r2", "24", "26"),
            two_products!("r3", "28", "30"),
            "add r5, #32
            "
        )
    };
}

/// The weights at two offsets of r5 times r12 and r14.
#[cfg(not(bomp_dsp))]
macro_rules! two_products {
    ($sum:literal, $first:literal, $second:literal) => {
        concat!(
            "ldrsh r8, [r5, #",
            $first,
            "]
             ldrsh r9, [r5, #",
            $second,
            "]
             mla ",
            $sum,
            ", r8, r12, ",
            $sum,
            "
             mla ",
            $sum,
            ", r9, r14, ",
            $sum,
            "
            "
        )
    };
}

/// Requantises the sums of r0..r3 and stores them at r7; the factors are in r8..r11, the zero point in r12. Leaves the step of
/// the output in r14, and in r5 the place 24 bytes after r6.
#[cfg(bomp_dsp)]
macro_rules! finish {
    () => {
        "smmlar r0, r0, r8, r12
         smmlar r1, r1, r9, r12
         smmlar r2, r2, r10, r12
         smmlar r3, r3, r11, r12
         ssat r0, #8, r0
         strb r0, [r7]
         ssat r1, #8, r1
         strb r1, [r7, #1]
         ssat r2, #8, r2
         strb r2, [r7, #2]
         ssat r3, #8, r3
         strb r3, [r7, #3]
        "
    };
}

/// The same with the sum in two registers.
#[cfg(not(bomp_dsp))]
macro_rules! finish {
    () => {
        concat!(
            finish_one!("r0", "r8", "0"),
            finish_one!("r1", "r9", "1"),
            finish_one!("r2", "r10", "2"),
            finish_one!("r3", "r11", "3"),
            "ldr r14, [r6, #20]
             add r5, r6, #24
            "
        )
    };
}

#[cfg(not(bomp_dsp))]
macro_rules! finish_one {
    ($sum:literal, $factor:literal, $at:literal) => {
        concat!(
            "mov r5, #0x80000000
             mov r14, r12
             smlal r5, r14, ",
            $sum,
            ", ",
            $factor,
            "
             ssat r14, #8, r14
             strb r14, [r7, #",
            $at,
            "]
            "
        )
    };
}

/// The same with factors of the long form: the shift that is left rounds by the bit that it shifts out last.
macro_rules! finish_long {
    () => {
        concat!(
            finish_one_long!("r0", "r8", "0"),
            finish_one_long!("r1", "r9", "1"),
            finish_one_long!("r2", "r10", "2"),
            finish_one_long!("r3", "r11", "3"),
            "ldr r14, [r6, #20]
             add r5, r6, #24
            "
        )
    };
}

macro_rules! finish_one_long {
    ($sum:literal, $factor:literal, $at:literal) => {
        concat!(
            "and r5, ",
            $factor,
            ", #31
             bic ",
            $factor,
            ", ",
            $factor,
            ", #31
             smull r14, ",
            $sum,
            ", ",
            $sum,
            ", ",
            $factor,
            "
             asrs ",
            $sum,
            ", ",
            $sum,
            ", r5
             adc ",
            $sum,
            ", ",
            $sum,
            ", r12
             ssat ",
            $sum,
            ", #8, ",
            $sum,
            "
             strb ",
            $sum,
            ", [r7, #",
            $at,
            "]
            "
        )
    };
}

/// The loop over pixels; `$first` are the taps before the loop over eights.
macro_rules! pixels {
    ($name:ident, $first:expr, $finish:expr) => {
        /// r0 table, r1 end of its weights, r2 input, r3 output.
        ///
        /// # Safety
        /// As [`pixels`] proves.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(table: *const u32, end: *const u32, input: *const i8, output: *mut i8) {
            naked_asm!(concat!(
                processor!(),
                "push {{r4-r11, lr}}
                 mov r4, r2
                 mov r5, r0
                 mov r6, r1
                 mov r7, r3
                1:
                 ldm r5!, {{r0-r3}}
                ",
                $first,
                "2:
                ",
                four_taps!(),
                four_taps!(),
                "cmp r5, r6
                 bne 2b
                3:
                 ldm r5!, {{r8-r12, r14}}
                ",
                $finish,
                "add r7, r14
                 ldm r5, {{r5, r8, r9}}
                 add r4, r9
                 cmp r7, r8
                 bne 1b
                 pop {{r4-r11, pc}}"
            ))
        }
    };
}

/// An odd number of fours; a single one leaves no eights.
macro_rules! one_four {
    () => {
        concat!(four_taps!(), "cmp r5, r6\n beq 3f\n")
    };
}

pixels!(pixels_of_eights, "", finish!());
pixels!(pixels_of_fours, one_four!(), finish!());
pixels!(long_pixels_of_eights, "", finish_long!());
pixels!(long_pixels_of_fours, one_four!(), finish_long!());

pub(in super::super) fn pixels<const NEEDS: u32>(
    group: Group<'_>,
    steps: Steps,
    input: &[i8],
    output: &mut [i8],
) {
    let Group { table, fours } = group;
    let base = table.as_ptr();
    let first = output.as_mut_ptr();
    let end = GROUP_HEAD + 8 * fours;
    let Some([factor, _, _, _, _, out_step, place_of_base, out_end, in_step]) =
        table.get_mut(end..).and_then(|tail| tail.first_chunk_mut::<9>())
    else {
        return broken_invariant();
    };
    *out_step = steps.output as u32;
    *place_of_base = base as u32;
    *out_end = first as u32 + (steps.count * steps.output) as u32;
    *in_step = (steps.input as u32).wrapping_sub(4 * fours as u32);
    let is_long = has(NEEDS, Needs::RARE_FACTOR) && is_long(*factor);
    let run = match (fours.is_multiple_of(2), is_long) {
        (true, false) => pixels_of_eights,
        (false, false) => pixels_of_fours,
        (true, true) => long_pixels_of_eights,
        (false, true) => long_pixels_of_fours,
    };
    // SAFETY: the caller has checked that the table has `end` words and a tail, `input` 4 * fours elements from the first
    // element of every pixel on, and `output` four at every pixel. The loop reads the table from its start through its
    // tail, 4 * fours elements of each of `count` pixels, `count` being at least 1, and writes four at each. It ends as
    // the weights are a whole number of fours, of eights where it says so, and the output advances by the same step
    // that its end was computed with, which is not 0 unless count is 1.
    unsafe { run(base, base.add(end), input.as_ptr(), first) }
}
