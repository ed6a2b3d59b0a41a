//! What a training minimises as a function of its parameters: the loss of the float network, or that of the quantised one.

use tch::{Device, Tensor};

use super::backend::{Backend, Gradient};
use super::loss::Loss;
use super::net::Net;
use super::optimiser::Frozen;
use super::order::Picked;
use super::qaft::QaftNet;
use super::select;

/// How often parameters are frozen.
pub(super) const STAGES: usize = 32;

/// What training minimises: a mean loss over images as a function of one flat vector of parameters.
pub(super) trait Objective: Send {
    /// The loss for `images`, and its gradient w.r.t. `parameters`.
    fn gradient(&mut self, parameters: &Tensor, images: &Picked) -> Gradient;

    /// Which of the `parameters` are frozen after the part `progress` (above 0, at most 1) of the training; it is asked
    /// [`STAGES`] times.
    fn freeze(&self, _parameters: &Tensor, _progress: f64) -> Option<Frozen> {
        None
    }

    /// The same objective for another thread.
    fn replicate(&self) -> Box<dyn Objective>;
}

/// The loss of the float network.
#[derive(Debug)]
pub(super) struct FloatObjective {
    net: Net,
    loss: Loss,
    device: Device,
    backend: Box<dyn Backend>,
}

impl FloatObjective {
    pub(super) fn new(net: Net, loss: Loss, device: Device) -> Self {
        Self { backend: select::backend(&net, device), net, loss, device }
    }
}

impl Objective for FloatObjective {
    fn gradient(&mut self, parameters: &Tensor, images: &Picked) -> Gradient {
        self.backend.gradient(parameters, images, &self.loss)
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
    backend: Box<dyn Backend>,
}

impl QaftObjective {
    pub(super) fn new(net: QaftNet, loss: Loss, device: Device) -> Self {
        Self { backend: select::backend(&net.net, device), net, loss, device }
    }
}

impl Objective for QaftObjective {
    fn gradient(&mut self, parameters: &Tensor, images: &Picked) -> Gradient {
        let parameters = parameters.detach().set_requires_grad(true);
        let values = self.net.values(&parameters);
        let (loss, gradient) = self.backend.gradient(&values.detach(), images, &self.loss)?;
        // A function whose gradient w.r.t. each value is the one found: libtorch takes it on to the parameters, which is little
        // work.
        let product = (values * gradient).sum(None);
        let gradients = Tensor::f_run_backward(&[&product], &[&parameters], false, false)?;
        let gradient = gradients.into_iter().next().expect("one gradient for one parameter");
        Ok((loss, gradient))
    }

    fn freeze(&self, parameters: &Tensor, progress: f64) -> Option<Frozen> {
        Some(self.net.freeze(parameters, progress))
    }

    fn replicate(&self) -> Box<dyn Objective> {
        Box::new(Self::new(self.net.share(), self.loss.clone(), self.device))
    }
}

#[cfg(test)]
pub(super) mod tests;
