//! What training minimises, and its gradient: on the host by this crate's own arithmetic, elsewhere by libtorch's.
//!
//! Both compute the same function; which one does depends on the device of the parameters alone.

use tch::{Device, Tensor, no_grad};

use super::error::TrainError;
use super::fake::fake_logits;
use super::float::FloatNet;
use super::fold::Folded;
use super::host::{self, Arithmetic, ByWeights, HostNet, TEMPERATURE, Teacher};
use super::images::{to_input, to_planes};
use super::on_host::{FoldedOnHost, bytes, classes, on_host};
use super::qaft::QaftNet;

/// Loss and gradient, both on the device of the parameters.
pub(super) type Gradient = Result<(Tensor, Tensor), TrainError>;

/// What training minimises: a mean loss over images as a function of one flat vector of parameters.
pub(super) trait Objective: Send {
    /// The loss for `pixels` [N, H, W, C] (u8) and `labels` [N], and its gradient by `parameters`.
    fn gradient(&mut self, parameters: &Tensor, pixels: &Tensor, labels: &Tensor) -> Gradient;

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

/// Cross entropy of the float network, with label smoothing.
#[derive(Debug)]
pub(super) struct FloatObjective {
    net: FloatNet,
    label_smoothing: f64,
    device: Device,
    host: Option<HostNet>,
}

impl FloatObjective {
    pub(super) fn new(net: FloatNet, label_smoothing: f64, device: Device) -> Self {
        let host = on_host(&net.network, device);
        Self { net, label_smoothing, device, host }
    }
}

impl Objective for FloatObjective {
    fn gradient(&mut self, parameters: &Tensor, pixels: &Tensor, labels: &Tensor) -> Gradient {
        let Self { net, label_smoothing, host, .. } = self;
        let Some(host) = host else {
            return derive(parameters, |parameters| {
                let logits = net.logits(parameters, to_input(pixels), |_, _| ());
                cross_entropy(&logits, labels, *label_smoothing)
            });
        };
        let values = Vec::<f32>::try_from(parameters)?;
        let weights = net.weights(&values);
        let arithmetic = Arithmetic::real(&net.network);
        let logits = host.forward(&bytes(pixels), &weights, &arithmetic);
        let (loss, by_logits) = host::cross_entropy(&logits, &classes(labels), *label_smoothing, None);
        let found = host.backward(&by_logits, &weights, &arithmetic);
        Ok((Tensor::from(loss as f32), Tensor::from_slice(&net.flatten(&found))))
    }

    fn replicate(&self) -> Box<dyn Objective> {
        Box::new(Self::new(self.net.clone(), self.label_smoothing, self.device))
    }
}

/// Cross entropy of the quantised network, and its distance from the float network's opinion.
#[derive(Debug)]
pub(super) struct QaftObjective {
    pub(super) net: QaftNet,
    label_smoothing: f64,
    /// The float network, and the part of the loss that is the distance from it (0..=1).
    teacher: Option<(Folded, f64)>,
    device: Device,
    host: Option<QaftOnHost>,
}

#[derive(Debug)]
struct QaftOnHost {
    student: HostNet,
    arithmetic: Arithmetic,
    teacher: Option<FoldedOnHost>,
}

impl QaftObjective {
    pub(super) fn new(
        net: QaftNet,
        label_smoothing: f64,
        teacher: Option<(Folded, f64)>,
        device: Device,
    ) -> Self {
        let host = on_host(net.network(), device).map(|student| QaftOnHost {
            student,
            arithmetic: net.arithmetic(),
            teacher: teacher.as_ref().and_then(|(folded, _)| FoldedOnHost::new(folded)),
        });
        Self { net, label_smoothing, teacher, device, host }
    }
}

impl Objective for QaftObjective {
    fn gradient(&mut self, parameters: &Tensor, pixels: &Tensor, labels: &Tensor) -> Gradient {
        let Self { net, label_smoothing, teacher, host, .. } = self;
        let smoothing = *label_smoothing;
        let Some(QaftOnHost { student, arithmetic, teacher: opinion }) = host else {
            return derive(parameters, |parameters| {
                let opinion = teacher.as_ref().map(|(folded, part)| {
                    let logits = no_grad(|| folded.logits(to_input(pixels), |_, _| ()));
                    (logits, *part)
                });
                let rounded = net.rounded(parameters);
                let logits = fake_logits(net.network(), &rounded, net.tensors(), to_planes(pixels));
                distilled(&logits, labels, smoothing, opinion)
            });
        };
        let parameters = parameters.detach().set_requires_grad(true);
        let (weights, biases) = net.rounded_flat(&parameters);
        let (values, offsets) = (Vec::<f32>::try_from(&weights)?, Vec::<f32>::try_from(&biases)?);
        let cut = net.weights(&values, &offsets);
        let pixels = bytes(pixels);
        let logits = student.forward(&pixels, &cut, arithmetic);
        let opinion = opinion.as_mut().map(|teacher| teacher.logits(&pixels));
        let opinion = opinion.as_ref().zip(teacher.as_ref());
        let opinion = opinion.map(|(logits, &(_, part))| Teacher { logits, part });
        let (loss, by_logits) = host::cross_entropy(&logits, &classes(labels), smoothing, opinion);
        let found = student.backward(&by_logits, &cut, arithmetic);
        // libtorch takes the gradient on through the rounding of the weights, which is little work.
        let layers = || found.iter().flatten();
        let gather = |pick: fn(&ByWeights) -> &[f32]| {
            Tensor::from_slice(&layers().flat_map(pick).copied().collect::<Vec<_>>())
        };
        let product = (weights * gather(|layer| &layer.weight)).sum(None)
            + (biases * gather(|layer| &layer.offset)).sum(None);
        let gradients = Tensor::f_run_backward(&[&product], &[&parameters], false, false)?;
        let gradient = gradients.into_iter().next().expect("one gradient for one parameter");
        Ok((Tensor::from(loss as f32), gradient))
    }

    fn replicate(&self) -> Box<dyn Objective> {
        let teacher = self.teacher.as_ref().map(|(folded, part)| (folded.share(), *part));
        Box::new(Self::new(self.net.share(), self.label_smoothing, teacher, self.device))
    }
}

/// Mean cross entropy of `logits` [N, CLASSES] against `labels` [N] of which a part `smoothing` is spread over all
/// classes.
fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Tensor {
    logits.cross_entropy_loss(labels, None::<&Tensor>, tch::Reduction::Mean, -100, smoothing)
}

/// [`cross_entropy`] mixed with the distance from a teacher's logits, whose part of the loss is given with them.
fn distilled(logits: &Tensor, labels: &Tensor, smoothing: f64, teacher: Option<(Tensor, f64)>) -> Tensor {
    let hard = cross_entropy(logits, labels, smoothing);
    match teacher {
        None => hard,
        Some((opinion, part)) => {
            // Hinton et al., "Distilling the knowledge in a neural network", 2015, section 2.
            let opinion = (opinion / TEMPERATURE).softmax(-1, None);
            let softened = (logits / TEMPERATURE).log_softmax(-1, None);
            let soft = -(&opinion * softened).sum(None) / opinion.size()[0] as f64;
            hard * (1.0 - part) + soft * (part * TEMPERATURE * TEMPERATURE)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
