//! From readings to input elements, in integers alone: for models of features on processors without floating point.
//!
//! The result is exact: the quotient of reading and step rounded to the nearest integer, ties to even, as ONNX's `QuantizeLinear`
//! rounds it. Nothing here panics, whatever the header's bits are.

use crate::Model;

/// Bits of a binary32's fraction, and what its exponent field of a whole number of 24 bits is.
const FRACTION: u32 = 23;
const BIAS: i32 = 150;
/// More steps than this saturate whatever the zero point.
const MANY: u64 = 1 << 10;

impl Model<'_> {
    /// The element that stands for the whole number `value`, in the units of the data that the model was trained on: value / scale
    /// rounded, plus the zero point, saturated to -128..=127.
    ///
    /// ```
    /// # fn features(model: &bomp_runtime::Model, readings: &[i16], input: &mut [i8]) {
    /// for (element, &reading) in input.iter_mut().zip(readings) {
    ///     *element = model.quantise_input(reading.into());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn quantise_input(&self, value: i32) -> i8 {
        quantise(value, self.input_scale_bits(), self.input_zero_point())
    }
}

/// The same for a scale of these bits; a scale that is no positive finite number counts as the nearest that is.
fn quantise(value: i32, scale_bits: u32, zero_point: i8) -> i8 {
    let steps = steps(value.unsigned_abs(), scale_bits & 0x7fff_ffff).min(MANY) as i32;
    let steps = if value < 0 { -steps } else { steps };
    (steps + i32::from(zero_point)).clamp(-128, 127) as i8
}

/// `magnitude` over the scale, rounded, ties to even; at least [`MANY`] stands for all that is more.
fn steps(magnitude: u32, scale_bits: u32) -> u64 {
    if magnitude == 0 {
        return 0;
    }
    let (field, fraction) = (scale_bits >> FRACTION, scale_bits & ((1 << FRACTION) - 1));
    // scale = mantissa * 2^exponent.
    let (mantissa, exponent) = match field {
        0 => (fraction, 1 - BIAS),
        _ => (fraction | 1 << FRACTION, field as i32 - BIAS),
    };
    let (numerator, denominator) = match exponent {
        // Less than half a step, as the mantissa has 24 bits and the magnitude at most 32.
        10.. => return 0,
        0.. => (u64::from(magnitude), u64::from(mantissa) << exponent),
        // At least 2^33 / 2^24 steps.
        ..-32 => return MANY,
        _ => (u64::from(magnitude) << -exponent, u64::from(mantissa)),
    };
    let (Some(quotient), Some(rest)) =
        (numerator.checked_div(denominator), numerator.checked_rem(denominator))
    else {
        return MANY;
    };
    let up = 2 * rest > denominator || 2 * rest == denominator && quotient & 1 == 1;
    quotient + u64::from(up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_rounded_quotient(value: i32, small in -40_000i32..40_000, power in -40i32..40, fraction in 1.0f32..2.0, zero_point: i8) {
            let scale = fraction * 2f32.powi(power);
            for value in [value, small] {
                // Both are float64's, so is the quotient but for its last bit: leave out what lies next to a tie.
                let exact = f64::from(value) / f64::from(scale);
                prop_assume!(((exact - exact.floor()) - 0.5).abs() > 1e-6 || exact.abs() > 2048.0);
                let expected = (exact.round_ties_even() + f64::from(zero_point)).clamp(-128.0, 127.0) as i8;
                prop_assert_eq!(quantise(value, scale.to_bits(), zero_point), expected);
            }
        }

        #[test]
        fn no_bits_panic(value: i32, bits: u32, zero_point: i8) {
            let _ = quantise(value, bits, zero_point);
        }
    }

    #[test]
    fn ties_go_to_even_and_all_else_saturates() {
        let element = |value: i32, scale: f32| quantise(value, scale.to_bits(), 0);
        assert_eq!([1, 2, 3, 5, 6, -1, -3].map(|value| element(value, 2.0)), [0, 1, 2, 2, 3, 0, -2]);
        assert_eq!([i32::MAX, i32::MIN].map(|value| element(value, 1e-30)), [127, -128]);
        assert_eq!([i32::MAX, i32::MIN].map(|value| element(value, 1e30)), [0, 0]);
        assert_eq!(element(i32::MIN, 2f32.powi(25)), -64);
        assert_eq!(element(i32::MIN, 2f32.powi(33)), 0);
        assert_eq!(element(7, 0.0), 127);
        assert_eq!(element(0, 0.0), 0);
        assert_eq!(element(5, f32::NAN), 0);
    }
}
