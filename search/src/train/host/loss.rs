//! The loss and its gradient by the logits.

/// Softening of both outputs in the distillation.
pub(in crate::train) const TEMPERATURE: f64 = 2.0;

/// A teacher's logits [N, CLASSES], and the part of the loss that is the distance from them.
#[derive(Clone, Copy, Debug)]
pub(in crate::train) struct Teacher<'a> {
    pub(in crate::train) logits: &'a [f32],
    pub(in crate::train) part: f64,
}

/// Mean cross entropy of `logits` [N, CLASSES] against `labels` [N] of which a part `smoothing` is spread over all classes,
/// mixed with the distance from a teacher; and its gradient [N, CLASSES]. An image counts by the weight of its class in
/// `class_weights` [CLASSES], or as 1; the mean is over the number of images, whatever their weights.
pub(in crate::train) fn cross_entropy(
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
            // Hinton et al., "Distilling the knowledge in a neural network", 2015, section 2.
            let opinions = log_softmax(&teacher[image * classes..][..classes], TEMPERATURE);
            let softened = log_softmax(logits, TEMPERATURE);
            for ((to, opinion), softened) in row.iter_mut().zip(opinions).zip(softened) {
                let opinion = opinion.exp();
                loss -= part * TEMPERATURE * TEMPERATURE * share * opinion * softened;
                *to += part * TEMPERATURE * share * (softened.exp() - opinion);
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
