//! What training minimises, as data; each backend has its own arithmetic for it.

use std::sync::Arc;

/// Softening of both outputs in the distillation (Hinton et al., "Distilling the knowledge in a neural network", 2015, section 2).
pub(super) const TEMPERATURE: f64 = 2.0;

/// Cross entropy, and the distance from a teacher's logits where the images have them.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    /// Part of each label that is spread over all classes.
    pub(super) label_smoothing: f64,
    /// Part of the loss that is the distance from the teacher, 0..=1.
    pub(super) distillation: f64,
    /// How much an image of each class counts, [CLASSES]; `None`: as 1.
    pub(super) class_weights: Option<Arc<[f64]>>,
}
