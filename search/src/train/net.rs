//! A network whose parameters lie in one flat vector, and the numbers that it is computed in: what every backend is given.

use std::sync::Arc;

use bomp_export::candidate::weight_shape;
use bomp_export::ir::Network;
use tch::Tensor;

use super::fake::FakeTensor;
use super::parameters::Layout;

/// Where a layer's parameters are among the pieces of the flat vector. Weights are shaped as [`weight_shapes`] says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pieces {
    /// A batch norm over the images at hand follows the sums, with the factor and the offset of each channel.
    Normalised { weight: usize, gamma: usize, beta: usize },
    /// A bias for each channel follows the sums.
    Biased { weight: usize, bias: usize },
}

/// A network without the values of its parameters.
#[derive(Clone, Debug)]
pub(super) struct Net {
    pub(super) network: Arc<Network>,
    pub(super) layout: Arc<Layout>,
    /// Of each layer, `None` without weights.
    pub(super) pieces: Arc<[Option<Pieces>]>,
    /// How the input and the outputs of all layers but the classifier are held and rounded; weights are in units of their
    /// layer's input and of its output before it is rounded. `None`: real numbers, 255 steps of the input being 1.
    pub(super) tensors: Option<Arc<[FakeTensor]>>,
}

impl Net {
    /// `network` with the weight and the bias of each layer in `parameters`, and its flat vector.
    pub(super) fn biased(
        network: &Arc<Network>,
        tensors: Option<Vec<FakeTensor>>,
        parameters: &[Option<(Tensor, Tensor)>],
    ) -> (Self, Tensor) {
        let (mut layout, mut values) = (Layout::default(), Vec::new());
        let mut push = |tensor: &Tensor| {
            values.push(tensor.flatten(0, -1));
            layout.push(&tensor.size())
        };
        let pieces = parameters.iter().map(|pair| {
            let (weight, bias) = pair.as_ref()?;
            Some(Pieces::Biased { weight: push(weight), bias: push(bias) })
        });
        let pieces = pieces.collect();
        let tensors = tensors.map(Into::into);
        let net = Self { network: Arc::clone(network), layout: Arc::new(layout), pieces, tensors };
        (net, Tensor::cat(&values, 0))
    }
}

/// Shape of each layer's weights, [C_OUT, C_IN, K, K] or [CLASSES, INPUTS]; `None` without weights.
pub(super) fn weight_shapes(network: &Network) -> Vec<Option<Vec<i64>>> {
    let shapes = network.shapes();
    let shape = |index| weight_shape(network, index, &shapes).into_iter().map(|size| size as i64).collect();
    let weighted = |index: usize| network.layers[index].op.bits().is_some();
    (0..network.layers.len()).map(|index| weighted(index).then(|| shape(index))).collect()
}
