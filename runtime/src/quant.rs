//! The integer arithmetic, defined once: requantisation, the scaled sum of the residual add, bit-packed integers.
//!
//! Every function is total: no input panics and no intermediate overflows within the stated ranges. Rounding is always
//! "half up", floor(x + 1/2), done once per result.

/// Bits of the fraction that a [`Multiplier`] stores; its mantissa has one bit more.
pub const FRACTION_BITS: u32 = 12;
/// Largest shift that a channel may add to its layer's base shift.
pub const MAX_SHIFT_DELTA: u32 = 15;
/// Smallest and largest base shift of a layer.
pub const BASE_SHIFT: core::ops::RangeInclusive<u8> = 1..=47;
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

/// floor(`value` / 2^`shift` + 1/2) for a shift of 1..=61 and |value| < 2^61.
#[must_use]
#[inline]
pub const fn rounding_shift(value: i64, shift: u32) -> i64 {
    value.wrapping_add(1 << (shift - 1)) >> shift
}

/// accumulator * multiplier, rounded once: the integer before zero point and saturation. `base_shift` in [`BASE_SHIFT`].
#[must_use]
#[inline]
pub const fn scale_accumulator(accumulator: i32, multiplier: Multiplier, base_shift: u8) -> i64 {
    rounding_shift(
        accumulator as i64 * multiplier.mantissa() as i64,
        base_shift as u32 + multiplier.shift_delta(),
    )
}

/// Requantises an int32 accumulator to an int8 activation.
#[must_use]
#[inline]
pub const fn requantise(accumulator: i32, multiplier: Multiplier, base_shift: u8, output: Output) -> i8 {
    output.saturate(scale_accumulator(accumulator, multiplier, base_shift))
}

/// Turns an accumulator of the classifier into a logit: as [`requantise`], but saturated to int32 only.
#[must_use]
#[inline]
pub const fn logit(accumulator: i32, multiplier: Multiplier, base_shift: u8) -> i32 {
    let value = scale_accumulator(accumulator, multiplier, base_shift);
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
        fn requantise_is_the_real_product_rounded_half_up(acc in -(1i32 << 30)..(1 << 30), code: u16, base in BASE_SHIFT) {
            let m = Multiplier(code);
            // Exact rational arithmetic in 128 bits: floor(acc * M / 2^s + 1/2) = floor((2 acc M + 2^s) / 2^(s+1)).
            let s = u32::from(base) + m.shift_delta();
            let expected = (2 * i128::from(acc) * i128::from(m.mantissa()) + (1i128 << s)).div_euclid(1i128 << (s + 1));
            prop_assert_eq!(i128::from(scale_accumulator(acc, m, base)), expected);
            let out = Output { zero_point: -3, min: -100, max: 90 };
            prop_assert_eq!(i128::from(requantise(acc, m, base, out)), (expected - 3).clamp(-100, 90));
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
        let half = Multiplier(0); // 4096 * 2^-13 = 1/2
        for (acc, expected) in [(1, 1), (-1, 0), (3, 2), (-3, -1), (5, 3), (-5, -2)] {
            assert_eq!(requantise(acc, half, 13, out), expected, "{acc} / 2");
        }
    }
}
