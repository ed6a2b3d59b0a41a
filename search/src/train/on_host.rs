//! Between libtorch's tensors and the host's own arithmetic.

use bomp_export::ir::Network;
use tch::{Device, Kind, Tensor};

use super::float::EPSILON;
use super::fold::Folded;
use super::host::{After, Arithmetic, HostNet, Weights};

/// The host's own arithmetic for `network`, where it is the right one.
pub(super) fn on_host(network: &Network, device: Device) -> Option<HostNet> {
    (device == Device::Cpu && HostNet::supports(network)).then(|| HostNet::new(network, EPSILON))
}

/// The bytes of `pixels`, in their order.
pub(super) fn bytes(pixels: &Tensor) -> Vec<u8> {
    Vec::try_from(pixels.flatten(0, -1)).expect("pixels are bytes")
}

/// Elements of `labels`.
pub(super) fn classes(labels: &Tensor) -> Vec<i64> {
    Vec::try_from(labels).expect("labels are integers")
}

/// Elements of a tensor of floats, in their order.
pub(super) fn floats(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Float)).expect("a float tensor")
}

/// Rows of each class of `logits` [N, CLASSES] whose largest value, the first of equals, is at the label. A row with what is
/// not a number is wrong.
pub(super) fn correct<T: PartialOrd + Copy>(logits: &[T], labels: &[i64]) -> Vec<usize> {
    let classes = logits.len() / labels.len().max(1);
    let mut counts = vec![0; classes];
    for (row, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
        let Some(label) = usize::try_from(label).ok().filter(|&label| label < classes) else { continue };
        let (value, (before, after)) = (row[label], row.split_at(label));
        let largest = before.iter().all(|other| *other < value) && after.iter().all(|other| *other <= value);
        counts[label] += usize::from(largest);
    }
    counts
}

/// A folded network in the host's arithmetic.
#[derive(Debug)]
pub(super) struct FoldedOnHost {
    net: HostNet,
    arithmetic: Arithmetic,
    /// Weights and biases of each layer.
    parameters: Vec<Option<(Vec<f32>, Vec<f32>)>>,
}

impl FoldedOnHost {
    /// For bytes of which `zero` stands for 0; `None` where libtorch's arithmetic is the right one.
    pub(super) fn new(folded: &Folded, zero: u8) -> Option<Self> {
        let (weight, _) = folded.parameters.iter().flatten().next()?;
        let net = on_host(&folded.network, weight.device())?;
        let pair = |(weight, bias): &(Tensor, Tensor)| (floats(weight), floats(bias));
        let parameters = folded.parameters.iter().map(|parameters| parameters.as_ref().map(pair)).collect();
        Some(Self { net, arithmetic: Arithmetic::real(&folded.network, zero), parameters })
    }

    /// Logits [N, CLASSES] for `pixels` [N, H, W, C].
    pub(super) fn logits(&mut self, pixels: &[u8]) -> Vec<f32> {
        let weights: Vec<_> = self
            .parameters
            .iter()
            .map(|parameters| {
                let (weight, bias) = parameters.as_ref()?;
                Some(Weights { weight, after: After::Bias(bias) })
            })
            .collect();
        self.net.forward(pixels, &weights, &self.arithmetic)
    }
}
