//! Features: real-valued inputs, quantised to int8 with one step and one zero point for all of them.
//!
//! The range is chosen on the training part: from the extremes inwards as far as that lowers the mean squared error of rounding and
//! clipping together (Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3.1). It contains 0, which
//! is exact, as padding is 0. The step is a float32, so header, ONNX and C hold the same number.

use crate::candidate::Quantisation;

/// Values among which the best range is searched, at most; extremes are taken of all.
const SAMPLES: usize = 1 << 14;
/// Each end of the range is tried at its extreme and at this part of the one before, so many times.
const PART: f64 = 0.87;
const PARTS: i32 = 32;
/// Magnitudes of the largest value that are taken. Beyond them, steps of layers leave what float32 holds well.
const MAGNITUDES: std::ops::RangeInclusive<f32> = 1e-15..=1e15;
/// Fewer steps than this between the first and the last hundredth of the values are worth a warning.
const FEW_STEPS: f64 = 64.0;
/// A channel whose standard deviation is below so many steps is hardly seen, if another's is so many times larger.
const FEW_STEPS_OF_CHANNEL: f64 = 2.0;
const CHANNELS_APART: f64 = 10.0;
/// Of data for a given quantisation, at most this part may lie outside its range, and its values span this many steps at least.
const MOST_OUTSIDE: f64 = 0.2;
const FEWEST_STEPS: f64 = 4.0;

/// A part whose mean is further from that of the training part, in standard deviations, or whose standard deviation is so many times
/// larger or smaller, is probably scaled in another way; also one without values below 0 if more than this part of the others are.
const MOST_SHIFT: f64 = 1.0;
const MOST_RATIO: f64 = 2.0;
const MANY_NEGATIVE: f64 = 0.1;

/// Smallest and largest of `values`, and 0.
fn extremes(values: &[f32]) -> (f32, f32) {
    values.iter().fold((0.0, 0.0), |(low, high): (f32, f32), &value| (low.min(value), high.max(value)))
}

/// At most about [`SAMPLES`] of `values`; an odd step does not fall into step with rows of an even length.
fn sample(values: &[f32]) -> impl Iterator<Item = f64> {
    values.iter().step_by((values.len() / SAMPLES) | 1).map(|&value| f64::from(value))
}

/// The quantisation of finite `values`.
///
/// # Errors
/// What is wrong with them and what to do: all are 0, or they are absurdly large or small.
pub(super) fn calibrate(values: &[f32]) -> Result<Quantisation, String> {
    let (low, high) = extremes(values);
    let largest = high.max(-low);
    if !MAGNITUDES.contains(&largest) {
        return Err(format!(
            "the largest magnitude is {largest:e}, which is not from {:e} to {:e}: scale the values, \
             `m = np.abs(x_train).max(); x_train, x_test = x_train / m, x_test / m`",
            MAGNITUDES.start(),
            MAGNITUDES.end()
        ));
    }
    if let Some(first) = values.first().filter(|first| values.iter().all(|value| value == *first)) {
        return Err(format!(
            "all values are {first}: there is nothing to tell apart; look how the array was made"
        ));
    }
    let (low, high) = (f64::from(low), f64::from(high));
    let sample: Vec<f64> = sample(values).collect();
    let parts = |end: f64| {
        (0..PARTS).map(move |power| end * PART.powi(power)).take(if end == 0.0 { 1 } else { PARTS as usize })
    };
    let mut best = (f64::INFINITY, Quantisation::IMAGE);
    for low in parts(low) {
        for high in parts(high) {
            let quantisation = of_range(low, high);
            let error = error(&sample, quantisation, best.0);
            if error < best.0 {
                best = (error, quantisation);
            }
        }
    }
    Ok(best.1)
}

/// The quantisation whose elements reach from `low` (at most 0) to `high` (at least 0), one of which is not 0.
fn of_range(low: f64, high: f64) -> Quantisation {
    let scale = f64::from(((high - low) / 255.0) as f32);
    let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i8;
    Quantisation { scale, zero_point }
}

/// Sum of the squared errors of `values`; some larger number where it is above `limit`.
fn error(values: &[f64], quantisation: Quantisation, limit: f64) -> f64 {
    let Quantisation { scale, zero_point } = quantisation;
    let (low, high) = (-128.0 - f64::from(zero_point), 127.0 - f64::from(zero_point));
    let mut sum = 0.0;
    for run in values.chunks(256) {
        sum += run
            .iter()
            .map(|value| ((value / scale).round().clamp(low, high) * scale - value).powi(2))
            .sum::<f64>();
        if sum > limit {
            break;
        }
    }
    sum
}

/// The byte of a real number, its element plus 128: as ONNX's `QuantizeLinear` does it in float32, ties to even.
pub(super) fn quantise(value: f32, quantisation: Quantisation) -> u8 {
    let element = (value / quantisation.scale as f32).round_ties_even() + f32::from(quantisation.zero_point);
    // `as` saturates, which is what quantisation asks for.
    (element as i8 as u8) ^ 0x80
}

/// Part of `values` that lies outside the range of `quantisation`, 0 to 1.
pub(super) fn outside(values: &[f32], quantisation: Quantisation) -> f64 {
    let Quantisation { scale, zero_point } = quantisation;
    let bound = |element: f64| (element - f64::from(zero_point)) * scale;
    let (low, high) = (bound(-128.5), bound(127.5));
    let outside = values.iter().filter(|&&value| !(low..=high).contains(&f64::from(value))).count();
    outside as f64 / values.len().max(1) as f64
}

/// Whether so many of `values` lie outside the range of `quantisation` that they are on another scale.
pub(super) fn is_outside(values: &[f32], quantisation: Quantisation) -> bool {
    outside(values, quantisation) > MOST_OUTSIDE
}

/// That `values` are on the scale that `quantisation` was made for.
///
/// # Errors
/// Why they cannot be.
pub(super) fn check_scale(values: &[f32], quantisation: Quantisation) -> Result<(), String> {
    let (low, high) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let Quantisation { scale, zero_point } = quantisation;
    let bound = |element: f64| (element - f64::from(zero_point)) * scale;
    let outside = outside(values, quantisation);
    let steps = f64::from(high - low) / scale;
    if outside <= MOST_OUTSIDE && steps >= FEWEST_STEPS {
        return Ok(());
    }
    Err(format!(
        "the values reach from {low:.4} to {high:.4}, but the model's input from {:.4} to {:.4}: {}; scale them exactly as the \
         data that the model was trained on",
        bound(-128.0),
        bound(127.0),
        if outside > MOST_OUTSIDE {
            format!("{:.0} % lie outside", 100.0 * outside)
        } else {
            format!("they differ by {steps:.1} of its 255 steps")
        }
    ))
}

/// Why most of the training `values` share few steps of their quantisation, and what to do; `None` where they do not.
pub(super) fn crowded(values: &[f32], quantisation: Quantisation) -> Option<String> {
    let spread = Spread::of(values);
    let (low, high) = (spread.low, spread.high);
    let steps = (high - low) / quantisation.scale;
    // Where nearly all values are equal, as in sparse data, the others carry what there is.
    if steps >= FEW_STEPS || low == high {
        return None;
    }
    // As many as they would have with 0 alone: with enough of them it is others, further out, that take the range.
    let beside_zero = 255.0 * (high - low) / (high.max(0.0) - low.min(0.0)).max(f64::MIN_POSITIVE);
    Some(if beside_zero < FEW_STEPS {
        format!(
            "98 % of the inputs lie from {low:.4} to {high:.4}, which are {steps:.0} of 255 steps, as the range must contain 0: subtract \
             the training part's mean from all parts, `m = x_train.mean(); x_train, x_test = x_train - m, x_test - m`"
        )
    } else {
        let (least, most) = extremes(values);
        let furthest = if -least > most { least } else { most };
        format!(
            "98 % of the inputs lie within {steps:.0} of 255 steps, from {low:.4} to {high:.4}, as a few others are far outside, up to \
             {furthest}: limit them in all parts, `x_train, x_test = np.clip(x_train, {low:e}, {high:e}), np.clip(x_test, {low:e}, {high:e})`, or \
             take logarithms"
        )
    })
}

/// How values are distributed, but for the last hundredth at both ends.
#[derive(Debug, Clone, Copy)]
struct Spread {
    /// A hundredth of the values is smaller.
    low: f64,
    /// A hundredth of the values is larger.
    high: f64,
    mean: f64,
    deviation: f64,
    /// Part of the values that are below 0, 0 to 1.
    negative: f64,
}

impl Spread {
    fn of(values: &[f32]) -> Self {
        let mut sorted: Vec<f64> = sample(values).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let count = sorted.len().max(1) as f64;
        let at = |part: f64| sorted.get(((count - 1.0) * part).round() as usize).copied().unwrap_or_default();
        let (low, high) = (at(0.01), at(0.99));
        let limited = || sorted.iter().map(|value| value.clamp(low, high));
        let mean = limited().sum::<f64>() / count;
        let deviation = (limited().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let negative = sorted.iter().filter(|&&value| value < 0.0).count() as f64 / count;
        Self { low, high, mean, deviation, negative }
    }
}

/// In words, that `part` is probably not on the scale of the training values, if it is not. Parts of one source, recorded by different
/// people or devices, differ by less.
pub(super) fn differs(train: &[f32], part: &[f32]) -> Option<String> {
    let (whole, other) = (Spread::of(train), Spread::of(part));
    if whole.deviation == 0.0 {
        return None;
    }
    let ratio = other.deviation / whole.deviation;
    let is_shifted = (other.mean - whole.mean).abs() > MOST_SHIFT * whole.deviation;
    let is_scaled = !(1.0 / MOST_RATIO..=MOST_RATIO).contains(&ratio);
    // -1..1 beside 0..1.
    let has_other_signs = [(whole, other), (other, whole)]
        .iter()
        .any(|(one, another)| one.negative > MANY_NEGATIVE && another.negative == 0.0);
    let describe = |spread: Spread| {
        format!("from {:.4} to {:.4} (98 % of them) with mean {:.4}", spread.low, spread.high, spread.mean)
    };
    (is_shifted || is_scaled || has_other_signs).then(|| {
        format!(
            "the values of x_test are {}, those of x_train {}: if the two were scaled in different ways, scale all parts with the same \
             numbers, those of the training part",
            describe(other),
            describe(whole)
        )
    })
}

/// What is odd about training values [N, H, W, C] and their quantisation: one line each, with a remedy.
pub(super) fn warnings(values: &[f32], channels: usize, quantisation: Quantisation) -> Vec<String> {
    let mut warnings: Vec<String> = crowded(values, quantisation).into_iter().collect();
    let deviations = deviations(values, channels);
    let widest = deviations.iter().fold(0.0, |a: f64, &b| a.max(b));
    let narrow = deviations.iter().enumerate().find(|&(_, &deviation)| {
        deviation > 0.0
            && deviation < FEW_STEPS_OF_CHANNEL * quantisation.scale
            && deviation * CHANNELS_APART < widest
    });
    if let Some((channel, deviation)) = narrow {
        warnings.push(format!(
            "channel {channel} varies by {:.2} steps of int8, another one by {:.0}, so the network hardly sees it: scale channels \
             alike in all parts, `s = np.maximum(x_train.std(axis=(0, 1, 2)), 1e-30); x_train, x_test = x_train / s, x_test / s`",
            deviation / quantisation.scale,
            widest / quantisation.scale
        ));
    }
    warnings
}

/// Standard deviation of each channel.
fn deviations(values: &[f32], channels: usize) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; channels];
    for image in values.chunks_exact(channels) {
        for (sum, &value) in sums.iter_mut().zip(image) {
            let value = f64::from(value);
            sum[0] += value;
            sum[1] += value * value;
        }
    }
    let count = (values.len() / channels).max(1) as f64;
    sums.iter().map(|[sum, squares]| (squares / count - (sum / count).powi(2)).max(0.0).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(count: usize) -> impl Iterator<Item = f32> {
        (0..count).map(|i| ((i as f64 * 12.9898).sin() * (i as f64 * 78.233).cos()) as f32)
    }

    fn mean_error(values: &[f32], quantisation: Quantisation) -> f64 {
        let values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
        error(&values, quantisation, f64::INFINITY) / values.len() as f64
    }

    #[test]
    fn the_range_fits_whatever_the_unit() {
        for (unit, offset) in [(1.0, 0.0), (1e-12, 0.0), (3e9, 0.0), (0.02, 0.015), (5.0, -4.0)] {
            let values: Vec<f32> = waves(5_000).map(|value| value * unit + offset).collect();
            let quantisation = calibrate(&values).unwrap();
            assert_eq!(quantisation.scale, f64::from(quantisation.scale as f32));
            let zero = quantise(0.0, quantisation);
            assert_eq!(i16::from(zero) - 128, i16::from(quantisation.zero_point), "0 is exact");
            // The error of rounding alone is step^2 / 12.
            let range = extremes(&values);
            let full = f64::from(range.1 - range.0) / 255.0;
            assert!(
                quantisation.scale <= full * 1.001 && quantisation.scale > full * 0.8,
                "{quantisation:?}"
            );
            assert!(mean_error(&values, quantisation) < full * full / 10.0);
        }
    }

    #[test]
    fn a_lone_outlier_does_not_take_the_steps_of_all_others() {
        let mut values: Vec<f32> = waves(200_000).collect();
        values[1] = 40.0;
        let quantisation = calibrate(&values).unwrap();
        assert!(quantisation.scale < 0.1 * of_range(-1.0, 40.0).scale, "{quantisation:?}");
        assert_eq!(outside(&values, quantisation), 1.0 / 200_000.0);
    }

    #[test]
    fn absurd_values_are_refused() {
        for bad in [vec![0.0; 9], vec![1e30, 0.0], vec![1e-30, -1e-20]] {
            assert!(calibrate(&bad).unwrap_err().contains("m = np.abs(x_train).max()"), "{bad:?}");
        }
        assert!(calibrate(&[1.5; 9]).unwrap_err().contains("all values are 1.5"));
    }

    #[test]
    fn quantising_is_onnx_and_saturates() {
        let quantisation = Quantisation { scale: 0.5, zero_point: 3 };
        for (value, element) in
            [(0.0, 3), (0.25, 3), (0.75, 5), (-0.25, 3), (1.0, 5), (1e9, 127), (-1e9, -128)]
        {
            assert_eq!((quantise(value, quantisation) ^ 0x80) as i8, element, "{value}");
        }
    }

    #[test]
    fn what_wastes_steps_is_said() {
        let warn = |values: Vec<f32>, channels| {
            let quantisation = calibrate(&values).unwrap();
            warnings(&values, channels, quantisation)
        };
        assert!(warn(waves(4_000).collect(), 1).is_empty());
        let far = warn(waves(4_000).map(|value| value + 30.0).collect(), 1);
        assert!(far.len() == 1 && far[0].contains("x_train - m"), "{far:?}");
        let apart =
            warn(waves(4_000).enumerate().map(|(i, v)| if i % 2 == 0 { v * 1e-3 } else { v }).collect(), 2);
        assert!(apart.len() == 1 && apart[0].starts_with("channel 0 varies"), "{apart:?}");
    }

    #[test]
    fn another_scale_is_noticed() {
        let values: Vec<f32> = waves(4_000).collect();
        let quantisation = calibrate(&values).unwrap();
        check_scale(&values, quantisation).unwrap();
        let of = |factor: f32| values.iter().map(|value| value * factor).collect::<Vec<_>>();
        assert!(check_scale(&of(100.0), quantisation).unwrap_err().contains("lie outside"));
        assert!(check_scale(&of(0.001), quantisation).unwrap_err().contains("of its 255 steps"));
    }
}
