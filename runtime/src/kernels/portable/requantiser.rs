//! Requantisation and residual add with all that does not depend on the element computed once: the integers of
//! [`crate::quant`], in a third of its instructions on a 32-bit processor.
//!
//! A shift right by s is a multiplication by 2^(33 - s), of which the upper word is taken, and then a rounding shift by 1:
//! floor(floor(x * 2^33 / 2^32) / 2 + 1/2) = floor(x + 1/2). So one multiplication does for every shift for which the
//! shifted factor stays below 2^31; the others take the plain path.

use core::ops::Range;

use crate::layer::Weights;
use crate::quant::{self, AddScale, Output};

/// Bits of fraction on a [`Requantiser`]'s quick path.
const FRACTION: u32 = 33;
/// Shifts of an [`Adder`]: an operand of magnitude at most 255, shifted left by at most 22, is below 2^30.
const QUICK_ADD: core::ops::RangeInclusive<u32> = 11..=33;

/// Zero point and bounds as 32-bit integers, the bounds less the zero point.
#[derive(Clone, Copy, Debug)]
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
    fn finish(self, product: i64) -> i8 {
        let value = ((product >> 32) as i32 + 1) >> 1;
        (value.max(self.low).min(self.high) + self.zero_point) as i8
    }
}

/// [`quant::requantise`] for up to `N` neighbouring channels.
pub(super) struct Requantiser<'a, const N: usize> {
    weights: Weights<'a>,
    /// The channels, at most `N`.
    channels: Range<usize>,
    output: Output,
    saturation: Saturation,
    /// Factors with [`FRACTION`] bits of fraction, where all are such integers.
    factors: Option<[i32; N]>,
}

impl<'a, const N: usize> Requantiser<'a, N> {
    /// At most the first `N` of `channels`.
    pub(super) fn new(weights: Weights<'a>, channels: Range<usize>, output: Output) -> Self {
        let mut factors = Some([0; N]);
        for (index, channel) in channels.clone().enumerate().take(N) {
            let factor = weights.factor(channel).scaled_up(FRACTION);
            if factor.is_none() {
                factors = None;
            }
            if let (Some(factor), Some(place)) =
                (factor, factors.as_mut().and_then(|factors| factors.get_mut(index)))
            {
                *place = factor;
            }
        }
        Self { weights, channels, output, saturation: Saturation::new(output), factors }
    }

    /// Requantises one accumulator of each channel.
    #[inline(always)]
    pub(super) fn apply(&self, accumulators: &[i32], places: &mut [i8]) {
        let Some(factors) = &self.factors else {
            return self.plain(accumulators, places);
        };
        let places = places.get_mut(..self.channels.len()).unwrap_or(&mut []);
        quick(self.saturation, factors, accumulators, places);
    }

    /// Requantises one accumulator of each of `N` channels.
    #[inline(always)]
    pub(super) fn apply_all(&self, accumulators: &[i32; N]) -> [i8; N] {
        let mut places = [0; N];
        if let Some(factors) = &self.factors {
            for ((&accumulator, &factor), place) in accumulators.iter().zip(factors).zip(&mut places) {
                *place = self.saturation.finish(i64::from(accumulator) * i64::from(factor));
            }
        } else {
            self.plain(accumulators, &mut places);
        }
        places
    }

    /// As specified.
    #[cold]
    #[inline(never)]
    fn plain(&self, accumulators: &[i32], places: &mut [i8]) {
        for ((&accumulator, channel), place) in accumulators.iter().zip(self.channels.clone()).zip(places) {
            *place = quant::requantise(accumulator, self.weights.factor(channel), self.output);
        }
    }
}

#[inline(never)]
fn quick(saturation: Saturation, factors: &[i32], accumulators: &[i32], places: &mut [i8]) {
    for ((&accumulator, &factor), place) in accumulators.iter().zip(factors).zip(places) {
        *place = saturation.finish(i64::from(accumulator) * i64::from(factor));
    }
}

/// [`quant::add`] for one layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adder {
    scale: AddScale,
    preshift: u32,
    saturation: Saturation,
}

impl Adder {
    /// `None` for shifts that only the plain form can do.
    pub(super) fn new(scale: AddScale, output: Output) -> Option<Self> {
        let shift = u32::from(scale.shift);
        let preshift = QUICK_ADD.end().checked_sub(shift).filter(|_| QUICK_ADD.contains(&shift))?;
        Some(Self { scale, preshift, saturation: Saturation::new(output) })
    }

    #[inline(always)]
    pub(super) fn apply(&self, a: i8, b: i8) -> i8 {
        let operand = |value: i8, zero_point: i8| {
            i64::from((i32::from(value) - i32::from(zero_point)) << self.preshift)
        };
        let a = operand(a, self.scale.zero_point_a) * i64::from(self.scale.factor_a);
        let b = operand(b, self.scale.zero_point_b) * i64::from(self.scale.factor_b);
        self.saturation.finish(a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{Channel, Fine};
    use crate::quant::{BASE_SHIFT, FINE_BITS, Multiplier, Packed, WIDE_BASE_SHIFT, WIDE_SHIFT};
    use proptest::prelude::*;

    prop_compose! {
        fn output()(zero_point: i8, a: i8, b: i8) -> Output {
            Output { zero_point, min: a.min(b), max: a.max(b) }
        }
    }

    /// Any accumulator, and small ones, whose results do not all saturate.
    fn accumulator() -> impl Strategy<Value = i32> {
        (any::<i32>(), 0u32..32).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn requantises_as_specified(
            accumulators in [accumulator(), accumulator()],
            codes: [u16; 2],
            fine in [0u16..1 << FINE_BITS, 0u16..1 << FINE_BITS],
            (wide, base_shift) in (any::<bool>(), BASE_SHIFT),
            output in output(),
        ) {
            let channels = codes.map(|code| Channel::new(0, Multiplier(code)));
            let fine = fine.map(|fine| Fine(fine.to_le_bytes()));
            let weights = Weights {
                channels: &channels,
                fine: if wide { &fine } else { &[] },
                packed: Packed::new(&[], 4),
                bits: 4,
                fan_in: 0,
                base_shift: if wide { base_shift.min(*WIDE_BASE_SHIFT.end()) } else { base_shift },
            };
            let mut found = [0; 2];
            Requantiser::<3>::new(weights, 0..2, output).apply(&accumulators, &mut found);
            for index in 0..2 {
                let expected = quant::requantise(accumulators[index], weights.factor(index), output);
                prop_assert_eq!(found[index], expected);
            }
        }

        #[test]
        fn adds_as_specified(
            (a, b, zero_point_a, zero_point_b) in any::<(i8, i8, i8, i8)>(),
            (factors, shifts) in any::<((u32, u32), (u32, u32))>(),
            shift in WIDE_SHIFT,
            output in output(),
        ) {
            // Factors of any size up to 2^31 - 1.
            let factor = |value: u32, shift: u32| (value >> 1 >> (shift % 31)) as i32;
            let (factor_a, factor_b) = (factor(factors.0, shifts.0), factor(factors.1, shifts.1));
            let scale = AddScale { zero_point_a, zero_point_b, factor_a, factor_b, shift };
            if let Some(adder) = Adder::new(scale, output) {
                prop_assert_eq!(adder.apply(a, b), quant::add(a, b, scale, output));
            } else {
                prop_assert!(!QUICK_ADD.contains(&shift.into()));
            }
        }
    }
}
