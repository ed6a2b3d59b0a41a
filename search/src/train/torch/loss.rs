//! The loss with tensor operations.

use tch::{Kind, Tensor};

use crate::train::loss::{Loss, TEMPERATURE};
use crate::train::order::Picked;

/// The mean of `loss` over `images`, whose `logits` are [N, CLASSES].
pub(super) fn mean(loss: &Loss, logits: &Tensor, images: &Picked) -> Tensor {
    // libtorch's own class weights divide by their sum over the batch, which its parts on several threads do not
    // know, and smooth labels in another way.
    let weights = loss.class_weights.as_ref().map(|weights| {
        let weights = Tensor::from_slice(weights).to_kind(Kind::Float).to_device(logits.device());
        weights.index_select(0, &images.labels)
    });
    let reduction = if weights.is_some() { tch::Reduction::None } else { tch::Reduction::Mean };
    let none = None::<&Tensor>;
    let hard = logits.cross_entropy_loss(&images.labels, none, reduction, -100, loss.label_smoothing);
    let hard = match &weights {
        Some(weights) => (hard * weights).mean(None),
        None => hard,
    };
    let Some(teacher) = &images.teacher_logits else { return hard };
    let teacher = (teacher / TEMPERATURE).softmax(-1, None);
    let softened = (logits / TEMPERATURE).log_softmax(-1, None);
    let distance = &teacher * softened;
    let distance = match &weights {
        Some(weights) => distance * weights.unsqueeze(1),
        None => distance,
    };
    let soft = -distance.sum(None) / teacher.size()[0] as f64;
    hard * (1.0 - loss.distillation) + soft * (loss.distillation * TEMPERATURE * TEMPERATURE)
}
