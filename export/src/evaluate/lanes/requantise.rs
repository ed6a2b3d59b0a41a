//! Requantisation and residual add of sixteen images: the integers of [`bomp_runtime::quant`] in 32-bit lanes.
//!
//! A shift right by s is a multiplication by 2^(33 - s), of which the upper word is taken, and then a rounding shift by 1, for
//! every shift for which the shifted factor stays below 2^31. What does not fit goes element by element.

use bomp_runtime::quant::{self, AddScale, Factor, Output};

use super::{LANES, Pairs};

/// Bits of fraction on the quick path.
const FRACTION: u32 = 33;
/// Shifts for which an operand of magnitude at most 255, shifted left by 33 - s, is below 2^30.
const QUICK_ADD: std::ops::RangeInclusive<u32> = 11..=33;

/// Zero point and bounds as 32-bit integers, the bounds less the zero point.
#[derive(Clone, Copy)]
struct Saturation {
    low: i32,
    high: i32,
    zero_point: i32,
}

impl Saturation {
    fn new(output: Output) -> Self {
        let zero_point = i32::from(output.zero_point);
        Self { low: i32::from(output.min) - zero_point, high: i32::from(output.max) - zero_point, zero_point }
    }

    /// Halves the upper word of `product`, rounds and saturates.
    #[inline(always)]
    fn finish(self, product: i64) -> i32 {
        let value = ((product >> 32) as i32).wrapping_add(1) >> 1;
        value.max(self.low).min(self.high).wrapping_add(self.zero_point)
    }
}

/// One channel of a layer.
pub(super) struct Requantiser {
    factor: Factor,
    output: Output,
    saturation: Saturation,
    /// The factor with [`FRACTION`] bits of fraction, where it is such an integer.
    quick: Option<i32>,
}

impl Requantiser {
    pub(super) fn new(factor: Factor, output: Output) -> Self {
        Self { factor, output, saturation: Saturation::new(output), quick: factor.scaled_up(FRACTION) }
    }

    #[inline(always)]
    pub(super) fn apply(&self, sums: &[i32; LANES]) -> [i32; LANES] {
        if let Some(factor) = self.quick {
            let (factor, saturation) = (i64::from(factor), self.saturation);
            return sums.map(|sum| saturation.finish(i64::from(sum).wrapping_mul(factor)));
        }
        self.plain(sums)
    }

    #[cold]
    fn plain(&self, sums: &[i32; LANES]) -> [i32; LANES] {
        sums.map(|sum| quant::requantise(sum, self.factor, self.output).into())
    }
}

/// Interleaves the values of two channels.
#[inline(always)]
pub(super) fn interleave(first: &[i32; LANES], second: &[i32; LANES], place: &mut Pairs) {
    for ((place, &first), &second) in place.as_chunks_mut::<2>().0.iter_mut().zip(first).zip(second) {
        *place = [first as i16, second as i16];
    }
}

/// A residual add.
pub(super) struct Adder {
    scale: AddScale,
    output: Output,
    saturation: Saturation,
    preshift: Option<u32>,
}

impl Adder {
    pub(super) fn new(scale: AddScale, output: Output) -> Self {
        let shift = u32::from(scale.shift);
        let preshift = QUICK_ADD.contains(&shift).then(|| QUICK_ADD.end() - shift);
        Self { scale, output, saturation: Saturation::new(output), preshift }
    }

    #[inline(always)]
    pub(super) fn apply(&self, a: &Pairs, b: &Pairs, place: &mut Pairs) {
        let Some(preshift) = self.preshift else { return self.plain(a, b, place) };
        let (scale, saturation) = (self.scale, self.saturation);
        let operand = |value: i16, zero_point: i8, factor: i32| {
            let value = i32::from(value).wrapping_sub(zero_point.into()) << preshift;
            i64::from(value).wrapping_mul(factor.into())
        };
        for ((place, &a), &b) in place.iter_mut().zip(a).zip(b) {
            let a = operand(a, scale.zero_point_a, scale.factor_a);
            let b = operand(b, scale.zero_point_b, scale.factor_b);
            *place = saturation.finish(a.wrapping_add(b)) as i16;
        }
    }

    #[cold]
    fn plain(&self, a: &Pairs, b: &Pairs, place: &mut Pairs) {
        for ((place, &a), &b) in place.iter_mut().zip(a).zip(b) {
            *place = quant::add(a as i8, b as i8, self.scale, self.output).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_runtime::quant::{BASE_SHIFT, FINE_BITS, Multiplier, WIDE_BASE_SHIFT, WIDE_SHIFT};
    use proptest::prelude::*;

    fn output() -> impl Strategy<Value = Output> {
        any::<(i8, i8, i8)>().prop_map(|(zero_point, a, b)| Output {
            zero_point,
            min: a.min(b),
            max: a.max(b),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn requantises_as_specified(
            // Any accumulator, and small ones, whose results do not all saturate.
            sums: [i32; LANES], shift in 0u32..32, code: u16, fine in 0u16..1 << FINE_BITS, base in BASE_SHIFT,
            output in output(),
        ) {
            let sums = sums.map(|sum| sum >> shift);
            let multiplier = Multiplier(code);
            let wide = Factor::wide(multiplier, fine, base.min(*WIDE_BASE_SHIFT.end()));
            for factor in [Factor::narrow(multiplier, base), wide] {
                let found = Requantiser::new(factor, output).apply(&sums);
                let expected = sums.map(|sum| i32::from(quant::requantise(sum, factor, output)));
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn adds_as_specified(
            (a, b) in any::<([i8; 2 * LANES], [i8; 2 * LANES])>(),
            (zero_point_a, zero_point_b) in any::<(i8, i8)>(),
            (factors, shifts) in any::<((u32, u32), (u32, u32))>(),
            shift in WIDE_SHIFT,
            output in output(),
        ) {
            // Factors of any size up to 2^31 - 1.
            let factor = |value: u32, shift: u32| (value >> 1 >> (shift % 31)) as i32;
            let (factor_a, factor_b) = (factor(factors.0, shifts.0), factor(factors.1, shifts.1));
            let scale = AddScale { zero_point_a, zero_point_b, factor_a, factor_b, shift };
            let mut found = [0; 2 * LANES];
            Adder::new(scale, output).apply(&a.map(i16::from), &b.map(i16::from), &mut found);
            for index in 0..2 * LANES {
                prop_assert_eq!(found[index], i16::from(quant::add(a[index], b[index], scale, output)));
            }
        }
    }
}
