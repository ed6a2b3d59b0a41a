//! Rows of one channel of a depthwise convolution, two outputs at a time, with the DSP extension two taps per instruction.

use core::arch::naked_asm;

use super::super::super::has;
use super::super::super::unpack::is_long;
use super::super::{LANE_HEAD, LANE_TAIL, Lane, Rows};
use crate::kernels::{Needs, broken_invariant};

/// Two pairs of taps at offset `$at` of r4 for two neighbouring pixels, stride 1.
#[cfg(bomp_dsp)]
macro_rules! two_pairs {
    ($at:literal, last) => {
        two_pairs!($at)
    };
    ($at:literal) => {
        concat!(
            "ldrd r2, r3, [r4, #",
            $at,
            "]
             ldm r5!, {{r8-r11}}
             smlad r0, r2, r8, r0
             smlad r1, r2, r10, r1
             smlad r0, r3, r9, r0
             smlad r1, r3, r11, r1
            "
        )
    };
}

/// One pair of taps for two neighbouring pixels, stride 1.
#[cfg(bomp_dsp)]
macro_rules! one_pair {
    ($at:literal) => {
        concat!(
            "ldr r2, [r4, #",
            $at,
            "]
             ldm r5!, {{r8, r9}}
             smlad r0, r2, r8, r0
             smlad r1, r2, r9, r1
            "
        )
    };
}

/// Two pairs of taps for two neighbouring pixels, stride 2; the third word is at offset `$third`.
#[cfg(bomp_dsp)]
macro_rules! two_strided_pairs {
    ($at:literal, $third:literal) => {
        concat!(
            "ldrd r2, r3, [r4, #",
            $at,
            "]
             ldr r14, [r4, #",
            $third,
            "]
             ldm r5!, {{r8, r9}}
             smlad r0, r2, r8, r0
             smlad r1, r3, r8, r1
             smlad r0, r3, r9, r0
             smlad r1, r14, r9, r1
            "
        )
    };
}

/// One pair of taps for two neighbouring pixels, stride 2.
#[cfg(bomp_dsp)]
macro_rules! one_strided_pair {
    ($at:literal) => {
        concat!(
            "ldrd r2, r3, [r4, #",
            $at,
            "]
             ldr r8, [r5], #4
             smlad r0, r2, r8, r0
             smlad r1, r3, r8, r1
            "
        )
    };
}

/// Requantises the sums of r0 and r1; the factor is in r8, the zero point in r9.
#[cfg(bomp_dsp)]
macro_rules! finish {
    () => {
        "smmlar r0, r0, r8, r9
         smmlar r1, r1, r8, r9
         ssat r0, #8, r0
         ssat r1, #8, r1
        "
    };
}

/// The same with the sum in two registers.
#[cfg(not(bomp_dsp))]
macro_rules! finish {
    () => {
        "mov r2, #0x80000000
         mov r3, r9
         smlal r2, r3, r0, r8
         ssat r0, #8, r3
         mov r2, #0x80000000
         mov r3, r9
         smlal r2, r3, r1, r8
         ssat r1, #8, r3
        "
    };
}

/// The same with a factor of the long form: the shift that is left rounds by the bit that it shifts out last.
macro_rules! finish_long {
    () => {
        "and r2, r8, #31
         bic r8, r8, #31
         smull r3, r0, r0, r8
         asrs r0, r0, r2
         adc r0, r0, r9
         ssat r0, #8, r0
         smull r3, r1, r1, r8
         asrs r1, r1, r2
         adc r1, r1, r9
         ssat r1, #8, r1
        "
    };
}

/// Without the extension: three or four taps at offset `$at` of r4, which is also in words of weights E that of their halves,
/// for two neighbouring pixels, stride 1. The last tap of all weights E is always 0, so `last` leaves it out.
#[cfg(not(bomp_dsp))]
macro_rules! two_pairs {
    ($at:literal, last) => {
        concat!(
            "ldrsh r2, [r4, #",
            $at,
            "]
             ldrsh r3, [r4, #",
            $at,
            " + 2]
             ldrsh r8, [r4, #",
            $at,
            " + 4]
             ldrsh r9, [r4, #",
            $at,
            " + 6]
             ldrsh r11, [r5]
             ldrsh r14, [r5, #2]
             mla r0, r11, r2, r0
             mla r1, r11, r3, r1
             ldrsh r11, [r5, #4]
             mla r0, r14, r3, r0
             mla r1, r14, r8, r1
             add r5, #16
             mla r0, r11, r8, r0
             mla r1, r11, r9, r1
            "
        )
    };
    ($at:literal) => {
        concat!(
            "ldrsh r11, [r5, #6]
             ldrsh r9, [r4, #",
            $at,
            " + 6]
             ldrsh r10, [r4, #",
            $at,
            " + 8]
             mla r0, r11, r9, r0
             mla r1, r11, r10, r1
            ",
            two_pairs!($at, last)
        )
    };
}

/// The same for a single pair, which is the last and of which only one tap is left.
#[cfg(not(bomp_dsp))]
macro_rules! one_pair {
    ($at:literal) => {
        concat!(
            "ldrsh r2, [r4, #",
            $at,
            "]
             ldrsh r3, [r4, #",
            $at,
            " + 2]
             ldrsh r11, [r5], #8
             mla r0, r11, r2, r0
             mla r1, r11, r3, r1
            "
        )
    };
}

/// Without the extension: two taps for two neighbouring pixels, stride 2.
#[cfg(not(bomp_dsp))]
macro_rules! one_strided_pair {
    ($at:literal) => {
        one_strided_pair!($at, "")
    };
    ($at:literal, $more:literal) => {
        concat!(
            "ldrsh r2, [r4, #",
            $at,
            $more,
            "]
             ldrsh r3, [r4, #",
            $at,
            $more,
            " + 2]
             ldrsh r8, [r4, #",
            $at,
            $more,
            " + 4]
             ldrsh r9, [r4, #",
            $at,
            $more,
            " + 6]
             ldrsh r11, [r5]
             ldrsh r14, [r5, #2]
             add r5, #4
             mla r0, r11, r2, r0
             mla r1, r11, r8, r1
             mla r0, r14, r3, r0
             mla r1, r14, r9, r1
            "
        )
    };
}

/// Four taps so.
#[cfg(not(bomp_dsp))]
macro_rules! two_strided_pairs {
    ($at:literal, $third:literal) => {
        concat!(one_strided_pair!($at), one_strided_pair!($at, " + 4"))
    };
}

/// The loops over rows and pairs of outputs of one channel; `$taps` are those of a kernel row.
macro_rules! rows {
    ($name:ident, $long:ident, $taps:expr) => {
        rows!($name, $taps, finish!(),);
        rows!($long, $taps, finish_long!(),);
    };
    ($name:ident, $taps:expr, $finish:expr,) => {
        /// r0 table, r1 end of its weights, r2 plane, r3 output. The tail of the table: table, factor, zero point, step of
        /// the output or 0, step of the plane, end of the pairs of this row, pitch; then at 28 whether the width is odd, the step of
        /// the output, the length of a row's pairs of outputs, the rows that are left, what leads to the next row's taps.
        ///
        /// # Safety
        /// As [`rows`] proves.
        #[unsafe(naked)]
        unsafe extern "C" fn $name(table: *const u32, end: *const u32, plane: *const u32, output: *mut i8) {
            naked_asm!(concat!(
                processor!(),
                "push {{r4-r11, lr}}
                 mov r4, r2
                 mov r5, r0
                 mov r6, r1
                 mov r7, r3
                 ldr r12, [r6, #24]
                1:
                 ldm r5!, {{r0, r1}}
                2:
                ",
                $taps,
                "add r4, r12
                 cmp r5, r6
                 bne 2b
                 ldm r5, {{r5, r8, r9, r10, r11, lr}}
                ",
                $finish,
                "strb r1, [r7, r10]
                 strb r0, [r7]
                 add r7, r7, r10, lsl #1
                 add r4, r11
                 cmp r7, lr
                 bne 1b
                 cmp r10, #0
                 beq 4f
                 ldr r0, [r6, #28]
                 cbz r0, 5f
                3:
                 movs r0, #0
                 str r0, [r6, #12]
                 str r7, [r6, #20]
                 b 1b
                4:
                 ldr r10, [r6, #32]
                 str r10, [r6, #12]
                 add r7, r10
                5:
                 ldr r0, [r6, #40]
                 subs r0, #1
                 beq 6f
                 str r0, [r6, #40]
                 ldr r0, [r6, #44]
                 add r4, r0
                 ldr r0, [r6, #36]
                 cmp r0, #0
                 beq 3b
                 add r0, r7
                 str r0, [r6, #20]
                 b 1b
                6:
                 pop {{r4-r11, pc}}"
            ))
        }
    };
}

rows!(rows_1, long_rows_1, one_pair!("0"));
rows!(rows_2, long_rows_2, two_pairs!("0", last));
rows!(rows_3, long_rows_3, concat!(two_pairs!("0"), one_pair!("8")));
rows!(rows_4, long_rows_4, concat!(two_pairs!("0"), two_pairs!("8", last)));
rows!(strided_rows_1, long_strided_rows_1, one_strided_pair!("0"));
rows!(strided_rows_2, long_strided_rows_2, two_strided_pairs!("0", "8"));
rows!(strided_rows_3, long_strided_rows_3, concat!(two_strided_pairs!("0", "8"), one_strided_pair!("8")));
rows!(
    strided_rows_4,
    long_strided_rows_4,
    concat!(two_strided_pairs!("0", "8"), two_strided_pairs!("8", "16"))
);

type RowsLoop = unsafe extern "C" fn(*const u32, *const u32, *const u32, *mut i8);

pub(in super::super) fn rows<const NEEDS: u32>(lane: Lane<'_>, rows: Rows, plane: &[u32], output: &mut [i8]) {
    let has_loop = |pairs, stride| has(NEEDS, Needs::depthwise_loop(pairs, stride));
    let [quick, long]: [RowsLoop; 2] = match (lane.stride, lane.pairs) {
        (1, 1) if has_loop(1, 1) => [rows_1, long_rows_1],
        (1, 2) if has_loop(2, 1) => [rows_2, long_rows_2],
        (1, 3) if has_loop(3, 1) => [rows_3, long_rows_3],
        (1, 4) if has_loop(4, 1) => [rows_4, long_rows_4],
        (2, 1) if has_loop(1, 2) => [strided_rows_1, long_strided_rows_1],
        (2, 2) if has_loop(2, 2) => [strided_rows_2, long_strided_rows_2],
        (2, 3) if has_loop(3, 2) => [strided_rows_3, long_strided_rows_3],
        (2, 4) if has_loop(4, 2) => [strided_rows_4, long_strided_rows_4],
        _ => return broken_invariant(),
    };
    let end = LANE_HEAD + lane.kernel_rows * Lane::row_words(lane.pairs, lane.stride);
    let base = lane.table.as_ptr();
    let Some(tail) = lane.table.get_mut(end..).and_then(|tail| tail.first_chunk_mut::<LANE_TAIL>()) else {
        return broken_invariant();
    };
    let [factor, zero_point, ..] = *tail;
    let run = if has(NEEDS, Needs::RARE_FACTOR) && is_long(factor) { long } else { quick };
    let pitch = 4 * rows.pitch;
    // A pass computes two outputs, which lie 2 * stride halves further than those before.
    let (pairs, passes) = (rows.width / 2, rows.width.div_ceil(2));
    let back = (4 * lane.stride).wrapping_sub(lane.kernel_rows * pitch);
    let next_row = (lane.stride * pitch).wrapping_sub(passes * 4 * lane.stride);
    let first = output.as_mut_ptr();
    let row_length = pairs * 2 * rows.step;
    *tail = [
        base as u32,
        factor,
        zero_point,
        // With a step of 0 the second output of a pair is stored first, at the place of the first.
        if pairs > 0 { rows.step as u32 } else { 0 },
        back as u32,
        first.wrapping_add(row_length) as u32,
        pitch as u32,
        (rows.width % 2) as u32,
        rows.step as u32,
        row_length as u32,
        rows.count as u32,
        next_row as u32,
    ];
    // SAFETY: the caller has checked that the table has `end` words and a tail, that the plane reaches to the last word that
    // the last pair of outputs needs in the last kernel row of the last row, and `output` to the last output. The loop reads
    // no other words of the plane, reads and writes the tail, and writes width * count outputs. It ends as the step of the
    // output is not 0, so that each row's end is reached, and `count` is at least 1.
    unsafe { run(base, base.add(end), plane.as_ptr(), first) }
    let Some(tail) = lane.table.get_mut(end..).and_then(|tail| tail.first_chunk_mut::<2>()) else {
        return broken_invariant();
    };
    *tail = [factor, zero_point];
}
