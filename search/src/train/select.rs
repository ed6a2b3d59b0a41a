//! Which backend computes a network: this crate's own kernels on the processor, wherever they cover it; else libtorch.

use std::sync::Arc;

use tch::Device;

use super::backend::{Backend, Logits};
use super::exact::ExactNet;
use super::net::Net;
use super::{host, torch};

/// The backend of `net` for values and images on `device`.
pub(super) fn backend(net: &Net, device: Device) -> Box<dyn Backend> {
    match host::HostBackend::new(net).filter(|_| device == Device::Cpu) {
        Some(host) => Box::new(host),
        None => Box::new(torch::TorchBackend::new(net)),
    }
}

/// The integer logits of `net` for images on `device`, in double precision.
pub(super) fn exact(net: &Arc<ExactNet>, device: Device) -> Logits {
    host::exact_logits(net)
        .filter(|_| device == Device::Cpu)
        .unwrap_or_else(|| torch::exact_logits(net, device))
}
