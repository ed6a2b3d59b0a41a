//! What training minimises, and its gradient: on the host by this crate's own arithmetic, elsewhere by libtorch's.
//!
//! Both compute the same function; which one does depends on the device of the parameters alone.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::error::TrainError;
use super::float::FloatNet;
use super::host::{self, Arithmetic, HostNet, TEMPERATURE, Teacher};
use super::images::to_input;
use super::on_host::{bytes, classes, floats, on_host};
use super::optimiser::Settled;
use super::order::Picked;
use super::qaft::QaftNet;

/// Loss and gradient, both on the device of the parameters.
pub(super) type Gradient = Result<(Tensor, Tensor), TrainError>;

/// How often parameters are settled.
pub(super) const STAGES: usize = 32;

/// What training minimises: a mean loss over images as a function of one flat vector of parameters.
pub(super) trait Objective: Send {
    /// The loss for `images`, and its gradient by `parameters`.
    fn gradient(&mut self, parameters: &Tensor, images: &Picked) -> Gradient;

    /// Which of the `parameters` are settled after the part `progress` (above 0, at most 1) of the training; it is asked
    /// [`STAGES`] times.
    fn settle(&self, _parameters: &Tensor, _progress: f64) -> Option<Settled> {
        None
    }

    /// The same objective for another thread.
    fn replicate(&self) -> Box<dyn Objective>;
}

/// Loss and gradient of a differentiable function of `parameters`.
fn derive(parameters: &Tensor, loss: impl FnOnce(&Tensor) -> Tensor) -> Gradient {
    let parameters = parameters.detach().set_requires_grad(true);
    let loss = loss(&parameters);
    let gradients = Tensor::f_run_backward(&[&loss], &[&parameters], false, false)?;
    let gradient = gradients.into_iter().next().expect("one gradient for one parameter");
    Ok((loss.detach(), gradient))
}

/// Cross entropy, and the distance from a teacher's opinions where the images have them.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    /// Part of each label that is spread over all classes.
    pub(super) label_smoothing: f64,
    /// Part of the loss that is the distance from the teacher, 0..=1.
    pub(super) distillation: f64,
    /// How much an image of each class counts, [CLASSES]; `None`: as 1.
    pub(super) class_weights: Option<Arc<[f64]>>,
}

impl Loss {
    /// The mean over `images`, whose `logits` are [N, CLASSES], and its gradient by them.
    fn on_host(&self, logits: &[f32], images: &Picked) -> (f64, Vec<f32>) {
        let opinions = images.opinions.as_ref().map(floats);
        let teacher = opinions.as_ref().map(|logits| Teacher { logits, part: self.distillation });
        let weights = self.class_weights.as_deref();
        host::cross_entropy(logits, &classes(&images.labels), self.label_smoothing, weights, teacher)
    }

    /// The mean over `images`, whose `logits` are [N, CLASSES].
    fn of(&self, logits: &Tensor, images: &Picked) -> Tensor {
        // libtorch's own class weights divide by their sum over the batch, which its parts on several threads do not
        // know, and smooth labels in another way.
        let weights = self.class_weights.as_ref().map(|weights| {
            let weights = Tensor::from_slice(weights).to_kind(Kind::Float).to_device(logits.device());
            weights.index_select(0, &images.labels)
        });
        let reduction = if weights.is_some() { tch::Reduction::None } else { tch::Reduction::Mean };
        let none = None::<&Tensor>;
        let hard = logits.cross_entropy_loss(&images.labels, none, reduction, -100, self.label_smoothing);
        let hard = match &weights {
            Some(weights) => (hard * weights).mean(None),
            None => hard,
        };
        let Some(opinions) = &images.opinions else { return hard };
        // Hinton et al., "Distilling the knowledge in a neural network", 2015, section 2.
        let opinions = (opinions / TEMPERATURE).softmax(-1, None);
        let softened = (logits / TEMPERATURE).log_softmax(-1, None);
        let distance = &opinions * softened;
        let distance = match &weights {
            Some(weights) => distance * weights.unsqueeze(1),
            None => distance,
        };
        let soft = -distance.sum(None) / opinions.size()[0] as f64;
        hard * (1.0 - self.distillation) + soft * (self.distillation * TEMPERATURE * TEMPERATURE)
    }
}

/// The loss of the float network.
#[derive(Debug)]
pub(super) struct FloatObjective {
    net: FloatNet,
    loss: Loss,
    device: Device,
    host: Option<HostNet>,
}

impl FloatObjective {
    pub(super) fn new(net: FloatNet, loss: Loss, device: Device) -> Self {
        let host = on_host(&net.network, device);
        Self { net, loss, device, host }
    }
}

impl Objective for FloatObjective {
    fn gradient(&mut self, parameters: &Tensor, images: &Picked) -> Gradient {
        let Self { net, loss, host, .. } = self;
        let Some(host) = host else {
            return derive(parameters, |parameters| {
                loss.of(&net.logits(parameters, to_input(&images.pixels, images.zero), |_| ()), images)
            });
        };
        let values = Vec::<f32>::try_from(parameters)?;
        let weights = net.weights(&values);
        let arithmetic = Arithmetic::real(&net.network, images.zero);
        let logits = host.forward(&bytes(&images.pixels), &weights, &arithmetic);
        let (loss, by_logits) = loss.on_host(&logits, images);
        let found = host.backward(&by_logits, &weights, &arithmetic);
        Ok((Tensor::from(loss as f32), Tensor::from_slice(&net.flatten(&found))))
    }

    fn replicate(&self) -> Box<dyn Objective> {
        Box::new(Self::new(self.net.clone(), self.loss.clone(), self.device))
    }
}

/// The loss of the quantised network.
#[derive(Debug)]
pub(super) struct QaftObjective {
    pub(super) net: QaftNet,
    loss: Loss,
    device: Device,
    host: Option<(HostNet, Arithmetic)>,
}

impl QaftObjective {
    pub(super) fn new(net: QaftNet, loss: Loss, device: Device) -> Self {
        let host = on_host(net.network(), device).map(|host| (host, net.arithmetic()));
        Self { net, loss, device, host }
    }
}

impl Objective for QaftObjective {
    fn gradient(&mut self, parameters: &Tensor, images: &Picked) -> Gradient {
        let Self { net, loss, host, .. } = self;
        let Some((host, arithmetic)) = host else {
            return derive(parameters, |parameters| {
                loss.of(&net.logits(&net.scaled(parameters), &images.pixels, |_| ()), images)
            });
        };
        let parameters = parameters.detach().set_requires_grad(true);
        let scaled = net.scaled(&parameters);
        let values = scaled.on_host();
        let weights = net.weights(&values);
        let logits = host.forward(&bytes(&images.pixels), &weights, arithmetic);
        let (loss, by_logits) = loss.on_host(&logits, images);
        let found = host.backward(&by_logits, &weights, arithmetic);
        // libtorch takes the gradient on to the parameters, which is little work.
        let product = scaled.product(&found);
        let gradients = Tensor::f_run_backward(&[&product], &[&parameters], false, false)?;
        let gradient = gradients.into_iter().next().expect("one gradient for one parameter");
        Ok((Tensor::from(loss as f32), gradient))
    }

    fn settle(&self, parameters: &Tensor, progress: f64) -> Option<Settled> {
        Some(self.net.settle(parameters, progress))
    }

    fn replicate(&self) -> Box<dyn Objective> {
        Box::new(Self::new(self.net.share(), self.loss.clone(), self.device))
    }
}

#[cfg(test)]
pub(super) mod tests;
