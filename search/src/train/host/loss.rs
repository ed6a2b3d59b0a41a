//! The loss and its gradient w.r.t. the logits.

use crate::train::loss::TEMPERATURE;

/// A teacher's logits [N, CLASSES], and the part of the loss that is the distance from them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teacher<'a> {
    pub(super) logits: &'a [f32],
    pub(super) part: f64,
}

/// Mean cross entropy of `logits` [N, CLASSES] against `labels` [N] of which a part `smoothing` is spread over all classes,
/// mixed with the distance from a teacher; and its gradient [N, CLASSES]. An image counts by the weight of its class in
/// `class_weights` [CLASSES], or as 1; the mean is over the number of images, whatever their weights.
pub(super) fn cross_entropy(
    logits: &[f32],
    labels: &[i64],
    smoothing: f64,
    class_weights: Option<&[f64]>,
    teacher: Option<Teacher<'_>>,
) -> (f64, Vec<f32>) {
    let classes = logits.len() / labels.len();
    let spread = smoothing / classes as f64;
    let hard = 1.0 - teacher.map_or(0.0, |teacher| teacher.part);
    let mut loss = 0.0;
    let mut gradient = Vec::with_capacity(logits.len());
    for (image, (logits, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let weight = class_weights.map_or(1.0, |weights| weights[label as usize]);
        let share = weight / labels.len() as f64;
        let logarithms = log_softmax(logits, 1.0);
        let target = |class: usize| spread + if class as i64 == label { 1.0 - smoothing } else { 0.0 };
        let entropy = logarithms.iter().enumerate().map(|(class, value)| -target(class) * value);
        loss += hard * share * entropy.sum::<f64>();
        let mut row: Vec<f64> = logarithms
            .iter()
            .enumerate()
            .map(|(class, value)| hard * share * (value.exp() - target(class)))
            .collect();
        if let Some(Teacher { logits: teacher, part }) = teacher {
            let expected = log_softmax(&teacher[image * classes..][..classes], TEMPERATURE);
            let softened = log_softmax(logits, TEMPERATURE);
            for ((to, expected), softened) in row.iter_mut().zip(expected).zip(softened) {
                let expected = expected.exp();
                loss -= part * TEMPERATURE * TEMPERATURE * share * expected * softened;
                *to += part * TEMPERATURE * share * (softened.exp() - expected);
            }
        }
        gradient.extend(row.iter().map(|&value| value as f32));
    }
    (loss, gradient)
}

fn log_softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / temperature).collect();
    let largest = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scaled.iter().map(|value| (value - largest).exp()).sum();
    scaled.iter().map(|value| value - largest - total.ln()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of weight w is w images of weight 1, and parts of a batch add up.
    #[test]
    fn a_weight_is_a_repetition() {
        let logits: Vec<f32> = (0..15).map(|index| (index as f32 * 1.7).sin() * 2.0).collect();
        let weights = [1.0, 3.0, 1.0, 1.0, 1.0];
        let (loss, gradient) = cross_entropy(&logits, &[1, 0, 4], 0.1, Some(&weights), None);
        let repeated = [&logits[..5], &logits[..5], &logits].concat();
        let (expected, by_logits) = cross_entropy(&repeated, &[1, 1, 1, 0, 4], 0.1, None, None);
        assert!((loss * 3.0 - expected * 5.0).abs() < 1e-9, "{loss} and {expected}");
        for (index, value) in gradient.iter().enumerate() {
            let of_repeated: f32 = match index {
                0..5 => (0..3).map(|time| by_logits[5 * time + index]).sum(),
                _ => by_logits[10 + index],
            };
            assert!((value * 3.0 - of_repeated * 5.0).abs() < 1e-5, "{index}: {value} and {of_repeated}");
        }
    }
}
