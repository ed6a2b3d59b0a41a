//! The integer arithmetic, defined once: requantisation, the scaled sum of the residual add, bit-packed integers.
//!
//! Every function is total: no input panics and no intermediate overflows within the stated ranges. Rounding is always
//! "half up", floor(x + 1/2), done once per result.

/// Widths of packed weights, in bits.
pub const WEIGHT_BITS: core::ops::RangeInclusive<u8> = 4..=8;
/// Bits of the fraction that a [`Multiplier`] stores; its mantissa has one bit more.
pub const FRACTION_BITS: u32 = 12;
/// Largest shift that a channel may add to its layer's base shift.
pub const MAX_SHIFT_DELTA: u32 = 15;
/// Bits that a wide layer adds to the fraction.
pub const FINE_BITS: u32 = 13;
/// Smallest and largest base shift of a layer.
pub const BASE_SHIFT: core::ops::RangeInclusive<u8> = 1..=47;
/// The same of a wide layer, whose factors are shifted by [`FINE_BITS`] more.
pub const WIDE_BASE_SHIFT: core::ops::RangeInclusive<u8> = 1..=33;
/// Largest magnitude of a stored bias. With at most [`MAX_FAN_IN`] taps of at most 2^14 each, |accumulator| < 2^31.
pub const MAX_BIAS: i32 = 1 << 30;
/// Largest number of weights of one output channel.
pub const MAX_FAN_IN: usize = 65_535;
/// Shift range of [`add`] and [`scale`].
pub const WIDE_SHIFT: core::ops::RangeInclusive<u8> = 1..=61;

/// A positive real factor, mantissa * 2^-shift, in 16 bits.
///
/// Bits 0..12 are the fraction f, bits 12..16 the shift delta d: the factor is (4096 + f) * 2^-(base + d), where `base`
/// belongs to the layer. Thirteen significant bits are enough because the exporter first rounds the factor to this grid
/// and then quantises the weights with the scale that follows from it, so nothing is approximated at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplier(pub u16);

impl Multiplier {
    /// Mantissa, 4096..=8191.
    #[must_use]
    pub const fn mantissa(self) -> i32 {
        (1 << FRACTION_BITS) + (self.0 & ((1 << FRACTION_BITS) - 1)) as i32
    }

    /// Shift beyond the layer's base shift, 0..=15.
    #[must_use]
    pub const fn shift_delta(self) -> u32 {
        (self.0 >> FRACTION_BITS) as u32
    }
}

/// A positive real factor, `mantissa` * 2^-`shift`, as the arithmetic uses it.
///
/// The mantissa has 13 significant bits, in a wide layer 26; the shift is 1..=62, in a wide layer 14..=61. A product with any
/// int32 accumulator is below 2^31 * 2^26 = 2^57 and the half that rounds it at most 2^61, so 64 bits hold their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// 2^12..2^13 or, in a wide layer, 2^25..2^26.
    pub mantissa: i32,
    /// Bits by which the product is shifted right.
    pub shift: u32,
}

impl Factor {
    /// Of a channel of a layer with this base shift, in [`BASE_SHIFT`].
    #[must_use]
    #[inline]
    pub const fn narrow(multiplier: Multiplier, base_shift: u8) -> Self {
        Self { mantissa: multiplier.mantissa(), shift: base_shift as u32 + multiplier.shift_delta() }
    }

    /// Of a channel of a wide layer: `fine` is [`FINE_BITS`] more bits of the fraction, the base shift in
    /// [`WIDE_BASE_SHIFT`].
    #[must_use]
    #[inline]
    pub const fn wide(multiplier: Multiplier, fine: u16, base_shift: u8) -> Self {
        let Self { mantissa, shift } = Self::narrow(multiplier, base_shift);
        Self { mantissa: mantissa << FINE_BITS | fine as i32, shift: shift + FINE_BITS }
    }

    /// Bits by which the mantissa can be shifted left and stay below 2^31.
    #[must_use]
    #[inline]
    pub const fn room(self) -> u32 {
        const ROOM: u32 = 30 - FRACTION_BITS;
        if self.mantissa >> (FRACTION_BITS + 1) == 0 { ROOM } else { ROOM - FINE_BITS }
    }

    /// This factor times 2^`bits`, where that is an integer below 2^31: accumulators times it have `bits` bits of fraction.
    #[must_use]
    #[inline]
    pub const fn scaled_up(self, bits: u32) -> Option<i32> {
        match bits.checked_sub(self.shift) {
            Some(up) if up <= self.room() => Some(self.mantissa << up),
            _ => None,
        }
    }
}

/// Where a quantised result goes: zero point and saturation bounds of an int8 tensor, zero_point + clamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// Zero point of the tensor, added after the rounding shift.
    pub zero_point: i8,
    /// Lower saturation bound; with ReLU it equals the zero point.
    pub min: i8,
    /// Upper saturation bound, at least `min`.
    pub max: i8,
}

impl Output {
    /// Adds the zero point and saturates.
    #[must_use]
    #[inline]
    pub const fn saturate(self, value: i64) -> i8 {
        let value = value.saturating_add(self.zero_point as i64);
        if value < self.min as i64 {
            self.min
        } else if value > self.max as i64 {
            self.max
        } else {
            value as i8
        }
    }
}

/// floor(`value` / 2^`shift` + 1/2) for a shift of 1..=62 and |value| < 2^61.
#[must_use]
#[inline]
pub const fn rounding_shift(value: i64, shift: u32) -> i64 {
    value.wrapping_add(1 << (shift - 1)) >> shift
}

/// accumulator * factor, rounded once: the integer before zero point and saturation. In 64 bits, whose limits [`Factor`] proves.
#[must_use]
#[inline]
pub const fn scale_accumulator(accumulator: i32, factor: Factor) -> i64 {
    rounding_shift(accumulator as i64 * factor.mantissa as i64, factor.shift)
}

/// Requantises an int32 accumulator to an int8 activation.
#[must_use]
#[inline]
pub const fn requantise(accumulator: i32, factor: Factor, output: Output) -> i8 {
    output.saturate(scale_accumulator(accumulator, factor))
}

/// Turns an accumulator of the classifier into a logit: as [`requantise`], but saturated to int32 only.
#[must_use]
#[inline]
pub const fn logit(accumulator: i32, factor: Factor) -> i32 {
    let value = scale_accumulator(accumulator, factor);
    if value > i32::MAX as i64 {
        i32::MAX
    } else if value < i32::MIN as i64 {
        i32::MIN
    } else {
        value as i32
    }
}

/// Scale factors of a residual add: out = zp + (a' * factor_a + b' * factor_b) * 2^-shift, rounded once, where a' and b'
/// are the operands less their zero points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddScale {
    /// Zero point of the first operand.
    pub zero_point_a: i8,
    /// Zero point of the second operand.
    pub zero_point_b: i8,
    /// Factor of the first operand, 0..=2^31 - 1.
    pub factor_a: i32,
    /// Factor of the second operand, 0..=2^31 - 1.
    pub factor_b: i32,
    /// Common shift, in [`WIDE_SHIFT`].
    pub shift: u8,
}

impl AddScale {
    /// The same sum with the operands in the other order.
    #[must_use]
    pub const fn swapped(self) -> Self {
        Self {
            zero_point_a: self.zero_point_b,
            zero_point_b: self.zero_point_a,
            factor_a: self.factor_b,
            factor_b: self.factor_a,
            shift: self.shift,
        }
    }
}

/// Residual add of two int8 activations.
#[must_use]
#[inline]
pub const fn add(a: i8, b: i8, scale: AddScale, output: Output) -> i8 {
    let a = (a as i32 - scale.zero_point_a as i32) as i64 * scale.factor_a as i64;
    let b = (b as i32 - scale.zero_point_b as i32) as i64 * scale.factor_b as i64;
    output.saturate(rounding_shift(a + b, scale.shift as u32))
}

/// `sum` * factor * 2^-shift, rounded once, then zero point and saturation: the average pool, whose factor contains
/// 1 / (height * width). |sum| < 2^25, factor 0..=2^31 - 1, shift in [`WIDE_SHIFT`].
#[must_use]
#[inline]
pub const fn scale(sum: i32, factor: i32, shift: u8, output: Output) -> i8 {
    output.saturate(rounding_shift(sum as i64 * factor as i64, shift as u32))
}

/// Bytes that `count` integers of `bits` bits take when packed without gaps.
#[must_use]
pub const fn packed_len(count: usize, bits: u8) -> usize {
    (count * bits as usize).div_ceil(8)
}

/// Bit-packed signed integers: value i occupies bits i*b .. (i+1)*b of the byte stream (least significant bit first) as
/// the unsigned code value + 2^(b-1).
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    bytes: &'a [u8],
    bits: u8,
}

impl<'a> Packed<'a> {
    /// A view of `bytes` with values of `bits` bits, 1..=8.
    #[must_use]
    pub const fn new(bytes: &'a [u8], bits: u8) -> Self {
        Self { bytes, bits }
    }

    /// Width of a value.
    #[must_use]
    #[inline]
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// The bytes of the values `start..start + count`; none if they do not begin and end at a byte.
    #[must_use]
    #[inline]
    pub fn aligned(self, start: usize, count: usize) -> &'a [u8] {
        let (first, length) = (start * usize::from(self.bits), count * usize::from(self.bits));
        if !first.is_multiple_of(8) || !length.is_multiple_of(8) {
            return &[];
        }
        self.bytes.get(first / 8..first / 8 + length / 8).unwrap_or(&[])
    }

    /// Value `index`, -2^(b-1)..2^(b-1). Bits past the end of the stream read as zero.
    #[must_use]
    #[inline]
    pub fn get(self, index: usize) -> i8 {
        let first_bit = index * usize::from(self.bits);
        let byte = first_bit / 8;
        let low = self.bytes.get(byte).copied().unwrap_or(0);
        let high = self.bytes.get(byte + 1).copied().unwrap_or(0);
        let code = u16::from_le_bytes([low, high]) >> (first_bit % 8);
        let mask = (1u16 << self.bits) - 1;
        ((code & mask) as i16 - (1i16 << (self.bits - 1))) as i8
    }

    /// Writes the values `start..start + into.len()` to `into`, in one pass over the bytes.
    #[inline]
    pub fn unpack(self, start: usize, into: &mut [i8]) {
        let mut values = self.values(start);
        for place in into {
            *place = values.next_value();
        }
    }

    /// The values from number `start` on. Bits past the end of the stream read as zero.
    #[inline]
    pub fn values(self, start: usize) -> Values<'a> {
        let first_bit = start * usize::from(self.bits);
        let mut stream = self.bytes.get(first_bit / 8..).unwrap_or(&[]).iter();
        let skipped = (first_bit % 8) as u32;
        let window = u32::from(stream.next().copied().unwrap_or(0)) >> skipped;
        Values { stream, window, available: 8 - skipped, bits: u32::from(self.bits) }
    }
}

/// Values of a [`Packed`] one after the other, for ever.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    stream: core::slice::Iter<'a, u8>,
    /// Bits that have been read and not used, from bit 0 on.
    window: u32,
    /// How many they are.
    available: u32,
    bits: u32,
}

impl Values<'_> {
    /// The next value.
    #[inline]
    pub fn next_value(&mut self) -> i8 {
        if self.available < self.bits {
            self.window |= u32::from(self.stream.next().copied().unwrap_or(0)) << self.available;
            self.available += 8;
        }
        let code = self.window & ((1 << self.bits) - 1);
        self.window >>= self.bits;
        self.available -= self.bits;
        (code as i32 - (1 << (self.bits - 1))) as i8
    }
}

/// Packs `values`, each in -2^(b-1)..2^(b-1), calling `emit` once per byte. The inverse of [`Packed`].
pub fn pack(values: impl IntoIterator<Item = i8>, bits: u8, mut emit: impl FnMut(u8)) {
    let mut window = 0u32;
    let mut filled = 0u32;
    for value in values {
        let code = (i32::from(value) + (1 << (bits - 1))) as u32 & ((1 << bits) - 1);
        window |= code << filled;
        filled += u32::from(bits);
        while filled >= 8 {
            emit(window as u8);
            window >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        emit(window as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn packing_round_trips(bits in 4u8..=8, raw in proptest::collection::vec(any::<i8>(), 0..200), start in 0usize..60) {
            let shift = 8 - bits;
            let values: Vec<i8> = raw.iter().map(|v| v >> shift).collect();
            let mut bytes = Vec::new();
            pack(values.iter().copied(), bits, |b| bytes.push(b));
            prop_assert_eq!(bytes.len(), packed_len(values.len(), bits));
            let packed = Packed::new(&bytes, bits);
            for (i, &v) in values.iter().enumerate() {
                prop_assert_eq!(packed.get(i), v);
            }
            let start = start.min(values.len());
            let mut unpacked = std::vec![0i8; values.len() - start];
            packed.unpack(start, &mut unpacked);
            prop_assert_eq!(&unpacked[..], &values[start..]);
        }

        #[test]
        fn requantise_is_the_real_product_rounded_half_up(
            acc: i32, small in 0u32..31, code: u16, fine in 0u16..1 << FINE_BITS, base in BASE_SHIFT, wide: bool,
        ) {
            let acc = acc >> small;
            let (multiplier, wide) = (Multiplier(code), wide && WIDE_BASE_SHIFT.contains(&base));
            let factor =
                if wide { Factor::wide(multiplier, fine, base) } else { Factor::narrow(multiplier, base) };
            // Exact rational arithmetic in 128 bits, after FORMAT.md: floor(acc * M / 2^s + 1/2) = floor((2 acc M + 2^s) / 2^(s+1)).
            let f = i128::from(code & 4095);
            let m = if wide { (4096 + f) * 8192 + i128::from(fine) } else { 4096 + f };
            let s = u32::from(base) + u32::from(code >> 12) + if wide { 13 } else { 0 };
            let expected = (2 * i128::from(acc) * m + (1i128 << s)).div_euclid(1i128 << (s + 1));
            prop_assert_eq!(i128::from(scale_accumulator(acc, factor)), expected);
            let out = Output { zero_point: -3, min: -100, max: 90 };
            prop_assert_eq!(i128::from(requantise(acc, factor, out)), (expected - 3).clamp(-100, 90));
        }

        #[test]
        fn add_is_symmetric(a: i8, b: i8, za: i8, zb: i8, fa in 0i32.., fb in 0i32.., shift in WIDE_SHIFT, zero_point: i8) {
            let out = Output { zero_point, min: -128, max: 127 };
            let forward = AddScale { zero_point_a: za, zero_point_b: zb, factor_a: fa, factor_b: fb, shift };
            prop_assert_eq!(add(a, b, forward, out), add(b, a, forward.swapped(), out));
        }
    }

    #[test]
    fn ties_round_up() {
        let out = Output { zero_point: 0, min: -128, max: 127 };
        // 4096 * 2^-13 = 1/2
        for half in [Factor::narrow(Multiplier(0), 13), Factor::wide(Multiplier(0), 0, 13)] {
            for (acc, expected) in [(1, 1), (-1, 0), (3, 2), (-3, -1), (5, 3), (-5, -2)] {
                assert_eq!(requantise(acc, half, out), expected, "{acc} / 2");
            }
        }
    }

    /// The bound that [`Factor`] states, at its corners: nothing overflows 64 bits. Overflow checks are on in every profile.
    #[test]
    fn the_largest_products_fit_64_bits() {
        let largest = Multiplier(u16::MAX);
        let narrow = Factor::narrow(largest, *BASE_SHIFT.end());
        let wide = Factor::wide(largest, (1 << FINE_BITS) - 1, *WIDE_BASE_SHIFT.end());
        assert_eq!((narrow.mantissa, narrow.shift), ((1 << 13) - 1, 62));
        assert_eq!((wide.mantissa, wide.shift), ((1 << 26) - 1, 61));
        for accumulator in [i32::MIN, i32::MAX] {
            for factor in [narrow, wide] {
                let product = i64::from(accumulator).checked_mul(factor.mantissa.into()).unwrap();
                assert!(product.unsigned_abs() < 1 << 57);
                assert!(product.checked_add(1 << (factor.shift - 1)).is_some());
                assert_eq!(scale_accumulator(accumulator, factor), 0);
            }
        }
    }
}
