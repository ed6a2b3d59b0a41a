//! The arithmetic against FORMAT.md's formulas, written out again in 128 bits and in strings of bits: every function of `quant`, at
//! the ends of its ranges and at the ties between them. Nothing random, so that a mutant of the arithmetic that survives is seen.

use bomp_runtime::quant::{
    AddScale, BASE_SHIFT, FINE_BITS, Factor, MAX_BIAS, MAX_FAN_IN, MAX_SHIFT_DELTA, Multiplier, Output,
    Packed, WIDE_BASE_SHIFT, WIDE_SHIFT, add, logit, pack, packed_len, requantise, rounding_shift, scale,
    scale_accumulator,
};

const WHOLE: Output = Output { zero_point: 0, min: -128, max: 127 };

/// floor(value / 2^shift + 1/2).
fn rounded(value: i128, shift: u32) -> i128 {
    (2 * value + (1 << shift)).div_euclid(1 << (shift + 1))
}

/// Accumulators at the ends and around zero.
fn accumulators() -> impl Iterator<Item = i32> {
    let ends =
        [i32::MIN, i32::MIN + 1, -(1 << 30), -4_097, -4_096, 4_095, 4_096, 1 << 30, i32::MAX - 1, i32::MAX];
    ends.into_iter().chain(-20..=20)
}

#[test]
fn the_limits_are_those_of_the_format() {
    assert_eq!((BASE_SHIFT, WIDE_BASE_SHIFT, WIDE_SHIFT), (1..=47, 1..=33, 1..=61));
    assert_eq!((MAX_SHIFT_DELTA, FINE_BITS), (15, 13));
    assert_eq!((MAX_BIAS, MAX_FAN_IN), (1_073_741_824, 65_535));
    // No accumulator overflows.
    assert!(i64::from(MAX_BIAS) + MAX_FAN_IN as i64 * 128 * 128 < 1 << 31);
}

#[test]
fn a_multiplier_is_a_fraction_and_a_shift() {
    for (code, mantissa, delta) in [
        (0, 4_096, 0),
        (1, 4_097, 0),
        (0x0fff, 8_191, 0),
        (0x1000, 4_096, 1),
        (0xf001, 4_097, 15),
        (0xffff, 8_191, 15),
    ] {
        let multiplier = Multiplier(code);
        assert_eq!((multiplier.mantissa(), multiplier.shift_delta()), (mantissa, delta), "{code:#x}");
    }
}

#[test]
fn shifts_round_half_up() {
    for (value, shift, expected) in [
        (0, 1, 0),
        (1, 1, 1),
        (-1, 1, 0),
        (-2, 1, -1),
        (-3, 1, -1),
        (3, 1, 2),
        (5, 3, 1),
        (4, 3, 1),
        (3, 3, 0),
        (-4, 3, 0),
        (-5, 3, -1),
        ((1 << 61) - 1, 61, 1),
        ((1 << 60) - 1, 61, 0),
        (1 << 60, 61, 1),
        (-(1 << 60), 61, 0),
        (-(1 << 60) - 1, 61, -1),
    ] {
        assert_eq!(rounding_shift(value, shift), expected, "{value} >> {shift}");
    }
}

#[test]
fn an_output_is_clamped_to_its_bounds() {
    let output = Output { zero_point: -5, min: -100, max: 90 };
    for (value, expected) in [
        (i64::MIN, -100),
        (-96, -100),
        (-95, -100),
        (-94, -99),
        (0, -5),
        (5, 0),
        (94, 89),
        (95, 90),
        (96, 90),
        (i64::MAX, 90),
    ] {
        assert_eq!(output.saturate(value), expected, "{value}");
    }
    assert_eq!(Output { zero_point: 7, min: 7, max: 7 }.saturate(0), 7);
}

/// Factors at the ends and between, narrow and wide, each with its mantissa and shift by FORMAT.md.
fn factors() -> Vec<(Factor, i128, u32)> {
    let mut factors = Vec::new();
    for code in [0u16, 1, 0x0800, 0x0fff, 0x1000, 0x7abc, 0xf000, 0xffff] {
        let (fraction, delta) = (i128::from(code & 4_095), u32::from(code >> 12));
        for base in [1u8, 2, 12, 13, 24, 33, 46, 47] {
            let shift = u32::from(base) + delta;
            factors.push((Factor::narrow(Multiplier(code), base), 4_096 + fraction, shift));
            for fine in [0u16, 1, 4_096, 8_191].into_iter().filter(|_| base <= 33) {
                let mantissa = (4_096 + fraction) * 8_192 + i128::from(fine);
                factors.push((Factor::wide(Multiplier(code), fine, base), mantissa, shift + 13));
            }
        }
    }
    factors
}

#[test]
fn factors_can_be_scaled_up_as_far_as_31_bits_hold_them() {
    for (factor, mantissa, shift) in factors() {
        assert_eq!((i128::from(factor.mantissa), factor.shift), (mantissa, shift));
        let room = if mantissa < 1 << 13 { 18 } else { 5 };
        assert_eq!(factor.room(), room, "{factor:?}");
        assert!(mantissa << room < 1 << 31);
        for bits in 0..100 {
            let up = i64::from(bits) - i64::from(shift);
            let fits = (0..=i64::from(room)).contains(&up);
            let expected = fits.then(|| (mantissa << up) as i32);
            assert_eq!(factor.scaled_up(bits), expected, "{factor:?} times 2^{bits}");
        }
    }
}

#[test]
fn accumulators_become_activations_and_logits() {
    let output = Output { zero_point: 3, min: -128, max: 127 };
    for accumulator in accumulators() {
        for (factor, mantissa, shift) in factors() {
            let expected = rounded(i128::from(accumulator) * mantissa, shift);
            let shown = format!("{accumulator} times {factor:?}");
            assert_eq!(i128::from(scale_accumulator(accumulator, factor)), expected, "{shown}");
            let activation = (expected + 3).clamp(-128, 127);
            assert_eq!(i128::from(requantise(accumulator, factor, output)), activation, "{shown}");
            let clamped = expected.clamp(i32::MIN.into(), i32::MAX.into());
            assert_eq!(i128::from(logit(accumulator, factor)), clamped, "{shown}");
        }
    }
    // The last that fits and the first that does not, on both sides: a factor of 2^11.
    for (accumulator, expected) in [
        (1 << 20, i32::MAX),
        ((1 << 20) - 1, ((1 << 20) - 1) << 11),
        (-(1 << 20), i32::MIN),
        (-(1 << 20) - 1, i32::MIN),
        (1 - (1 << 20), -((1 << 20) - 1) << 11),
    ] {
        assert_eq!(logit(accumulator, Factor::narrow(Multiplier(0), 1)), expected, "{accumulator}");
    }
}

#[test]
fn adds_scale_both_operands_and_round_once() {
    let output = Output { zero_point: -7, min: -120, max: 110 };
    for (a, b) in [(-128, -128), (-128, 127), (127, -128), (127, 127), (0, 0), (5, -9), (-1, 1)] {
        for (zero_point_a, zero_point_b) in [(0, 0), (-128, 127), (127, -128), (3, -4)] {
            for (factor_a, factor_b) in
                [(0, 0), (1, 0), (0, 1), (i32::MAX, i32::MAX), (1 << 30, 3 << 28), (7, 1_000)]
            {
                for shift in [1, 2, 8, 30, 31, 60, 61] {
                    let given = AddScale { zero_point_a, zero_point_b, factor_a, factor_b, shift };
                    let of = |x: i8, zero: i8, factor: i32| {
                        i128::from(i32::from(x) - i32::from(zero)) * i128::from(factor)
                    };
                    let sum = of(a, zero_point_a, factor_a) + of(b, zero_point_b, factor_b);
                    let expected = (rounded(sum, shift.into()) - 7).clamp(-120, 110);
                    assert_eq!(i128::from(add(a, b, given, output)), expected, "{a} {b} {given:?}");
                    assert_eq!(i128::from(add(b, a, given.swapped(), output)), expected, "{a} {b} {given:?}");
                }
            }
        }
    }
    let given = AddScale { zero_point_a: 1, zero_point_b: 2, factor_a: 3, factor_b: 4, shift: 5 };
    let other = AddScale { zero_point_a: 2, zero_point_b: 1, factor_a: 4, factor_b: 3, shift: 5 };
    assert_eq!(given.swapped(), other);
}

#[test]
fn sums_are_scaled_and_rounded_once() {
    for sum in [-(1 << 25) + 1, -1_000, -3, -1, 0, 1, 2, 3, 77, 1_000, (1 << 25) - 1] {
        for factor in [0, 1, 3, 1 << 20, i32::MAX] {
            for shift in [1, 2, 9, 31, 45, 61] {
                let expected = rounded(i128::from(sum) * i128::from(factor), shift.into()).clamp(-128, 127);
                assert_eq!(i128::from(scale(sum, factor, shift, WHOLE)), expected, "{sum} {factor} {shift}");
            }
        }
    }
}

/// The stream of FORMAT.md, bit by bit: the least significant bit of the first code comes first.
fn stream(values: &[i8], bits: u8) -> Vec<u8> {
    let mut stream = Vec::new();
    for &value in values {
        let code = i32::from(value) + (1 << (bits - 1));
        stream.extend((0..bits).map(|bit| (code >> bit & 1) as u8));
    }
    stream.resize(stream.len().next_multiple_of(8), 0);
    stream.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

#[test]
fn packed_integers_are_the_streams_of_the_format() {
    for bits in 4..=8u8 {
        let (lowest, highest) = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
        for count in (0..=17).chain([64, 65]) {
            let values: Vec<i8> =
                (0..count).map(|i| (lowest + i * 7 % (highest - lowest + 1)) as i8).rev().collect();
            let mut bytes = Vec::new();
            pack(values.iter().copied(), bits, |byte| bytes.push(byte));
            assert_eq!(bytes, stream(&values, bits), "{bits} bits, {count} values");
            assert_eq!(packed_len(values.len(), bits), bytes.len());
            let packed = Packed::new(&bytes, bits);
            assert_eq!(packed.bits(), bits);
            for (index, &value) in values.iter().enumerate() {
                assert_eq!(packed.get(index), value, "{bits} bits, value {index}");
            }
            for start in 0..=values.len() {
                let mut unpacked = vec![99; values.len() - start];
                packed.unpack(start, &mut unpacked);
                assert_eq!(unpacked, values[start..], "{bits} bits from {start}");
            }
            // Beyond the end every code is 0 but for what is left of the last byte, which is written as 0.
            assert_eq!(packed.get(values.len() + 8), lowest as i8);
            let mut beyond = packed.values(values.len());
            for _ in 0..20 {
                assert_eq!(beyond.next_value(), lowest as i8);
            }
        }
    }
}

#[test]
fn whole_bytes_of_values_are_given_as_they_are() {
    let bytes: Vec<u8> = (1..=30).collect();
    for bits in 4..=8u8 {
        let packed = Packed::new(&bytes, bits);
        for start in 0..24usize {
            for count in 0..24usize {
                let (first, length) = (start * usize::from(bits), count * usize::from(bits));
                let whole = first % 8 == 0 && length % 8 == 0;
                let expected =
                    if whole { bytes.get(first / 8..(first + length) / 8).unwrap_or(&[]) } else { &[] };
                assert_eq!(packed.aligned(start, count), expected, "{bits} bits, {count} from {start}");
            }
        }
    }
}
