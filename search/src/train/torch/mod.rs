//! The network's arithmetic with libtorch's operations: on every device, for every network.
//!
//! Gradients are libtorch's own. It is what GPUs use, and what the host's arithmetic is compared with.

mod exact;
mod loss;
mod walk;

use bomp_export::ir::{Activation, Op};
use tch::{Tensor, no_grad};

use super::backend::{Backend, EPSILON, Gradient, Moments};
use super::fake::{FakeTensor, Rounding, activation};
use super::images::{DeviceImages, to_input, to_planes};
use super::loss::Loss;
use super::net::{Net, Pieces};
use super::order::Picked;
pub(super) use exact::exact_logits;
use walk::{spatial_mean, walk, weighted_sum};

/// A network in libtorch's arithmetic.
#[derive(Debug)]
pub(super) struct TorchBackend(Net);

impl TorchBackend {
    pub(super) fn new(net: &Net) -> Self {
        Self(net.clone())
    }
}

impl Backend for TorchBackend {
    fn logits(&mut self, values: &Tensor, images: &DeviceImages) -> Tensor {
        forward(&self.0, values, (&images.pixels, images.zero()), |_| ())
    }

    fn moments(&mut self, values: &Tensor, images: &DeviceImages) -> Vec<Moments> {
        let mut found = Vec::new();
        let _ = forward(&self.0, values, (&images.pixels, images.zero()), |seen| {
            if let Seen::Moments(moments) = seen {
                found.push(moments);
            }
        });
        found
    }

    fn gradient(&mut self, values: &Tensor, images: &Picked, loss: &Loss) -> Gradient {
        let values = values.detach().set_requires_grad(true);
        let logits = forward(&self.0, &values, (&images.pixels, images.zero), |_| ());
        let loss = loss::mean(loss, &logits, images);
        let gradients = Tensor::f_run_backward(&[&loss], &[&values], false, false)?;
        let gradient = gradients.into_iter().next().expect("one gradient for one tensor");
        Ok((loss.detach(), gradient))
    }
}

/// Shows `observe` the output [N, C, H, W] of each layer of `net`, with its index.
pub(super) fn outputs(
    net: &Net,
    values: &Tensor,
    images: &DeviceImages,
    mut observe: impl FnMut(usize, &Tensor),
) {
    let mut index = 0;
    no_grad(|| {
        let _ = forward(net, values, (&images.pixels, images.zero()), |seen| {
            if let Seen::Output(output) = seen {
                observe(index, output);
                index += 1;
            }
        });
    });
}

/// What can be seen on the way through a network, in the order of the layers.
enum Seen<'a> {
    Moments(Moments),
    Output(&'a Tensor),
}

/// Logits [N, CLASSES] for bytes [N, H, W, C], of which `zero` stands for 0.
fn forward(
    net: &Net,
    values: &Tensor,
    (bytes, zero): (&Tensor, u8),
    mut observe: impl FnMut(Seen<'_>),
) -> Tensor {
    let values = net.layout.split(values);
    let tensors = net.tensors.as_deref();
    let input = if tensors.is_some() { to_planes(bytes, zero) } else { to_input(bytes, zero) };
    walk(&net.network, input, |index, inputs| {
        let layer = &net.network.layers[index];
        // A layer without weights takes its inputs to the unit of its output.
        let to_output = |tensor: Tensor, input: usize| match tensors {
            Some(tensors) => tensor * (tensors[layer.inputs[input]].unit / tensors[index + 1].unit),
            None => tensor,
        };
        let sum = match (&layer.op, net.pieces[index]) {
            (Op::Add, _) => to_output(inputs[0].shallow_clone(), 0) + to_output(inputs[1].shallow_clone(), 1),
            (Op::AveragePool, _) => to_output(spatial_mean(inputs[0]), 0),
            (op, Some(Pieces::Biased { weight, bias })) => {
                weighted_sum(op, inputs[0], &values[weight], Some(&values[bias]))
            }
            (op, Some(Pieces::Normalised { weight, gamma, beta })) => {
                let sums = weighted_sum(op, inputs[0], &values[weight], None);
                let running = None::<&Tensor>;
                let (gamma, beta) = (Some(&values[gamma]), Some(&values[beta]));
                let (output, mean, deviation) =
                    sums.native_batch_norm(gamma, beta, running, running, true, 0.0, EPSILON);
                observe(Seen::Moments((mean, deviation)));
                output
            }
            (_, None) => unreachable!("every convolution and classifier has weights"),
        };
        let output = match tensors.and_then(|tensors| tensors.get(index + 1)) {
            Some(&tensor) => round(tensor, sum),
            None => activate(&layer.op, sum),
        };
        observe(Seen::Output(&output));
        output
    })
}

/// Applies the activation of `op` in place. Neither a convolution nor a batch norm needs its own output for the gradient.
fn activate(op: &Op, mut output: Tensor) -> Tensor {
    match activation(op) {
        Activation::Relu6 => output.relu6_(),
        Activation::Linear => output,
    }
}

/// Saturates and rounds `output`, which is in units of `tensor`, in place.
fn round(tensor: FakeTensor, mut output: Tensor) -> Tensor {
    // `data` shares the memory, but not the history: the gradient does not see what happens to it.
    match tensor.rounding {
        Rounding::Relu6 { steps } => {
            let output = output.relu6_();
            let _ = output.data().g_mul_scalar_(steps / 6.0).round_().g_mul_scalar_(6.0 / steps);
            output
        }
        Rounding::Integers { min, max } => {
            let output = output.clamp_(min, max);
            let _ = output.data().round_();
            output
        }
    }
}
