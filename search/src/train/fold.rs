//! Batch-norm folding: from a trained float network to convolutions with a bias, which is what is quantised and packed.
//!
//! Batch norms are folded with the statistics of the final weights ([`super::statistics`]). A folded network is the float
//! network in inference mode: equal but for rounding.

use std::sync::Arc;

use bomp_export::ir::Network;
use tch::{Tensor, no_grad};

use super::count::correct_of;
use super::error::TrainError;
use super::images::DeviceImages;
use super::net::{Net, Pieces};
use super::statistics::{Statistics, measure};

/// A float network without batch norms.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) network: Arc<Network>,
    /// Weight, [C_OUT, C_IN, K, K] or [CLASSES, INPUTS], and bias of each layer, `None` without weights.
    pub(super) parameters: Vec<Option<(Tensor, Tensor)>>,
    /// Of the sums, without the bias, of each layer that a batch norm followed.
    pub(super) statistics: Vec<Option<Statistics>>,
}

/// Folds the float network `net` with the flat vector `parameters`; statistics over `images`, which it was trained on.
pub(super) fn fold(
    net: &Net,
    parameters: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Folded, TrainError> {
    let mut measured = measure(net, parameters, images, threads)?.into_iter();
    no_grad(|| {
        let values = net.layout.split(parameters);
        let (mut folded, mut statistics) = (vec![], vec![]);
        for pieces in net.pieces.iter() {
            let (parameters, of_sums) = match *pieces {
                None => (None, None),
                Some(Pieces::Biased { weight, bias }) => {
                    (Some((values[weight].copy(), values[bias].copy())), None)
                }
                Some(Pieces::Normalised { weight, gamma, beta }) => {
                    let of_sums = measured.next().expect("statistics of each batch norm");
                    let factor = &values[gamma] / of_sums.deviation();
                    let mean = of_sums.mean * &factor;
                    let variance = of_sums.variance * factor.square();
                    let bias = &values[beta] - &mean;
                    let weight = &values[weight] * factor.view([-1, 1, 1, 1]);
                    (Some((weight, bias)), Some(Statistics { mean, variance }))
                }
            };
            folded.push(parameters);
            statistics.push(of_sums);
        }
        Ok(Folded { network: Arc::clone(&net.network), parameters: folded, statistics })
    })
}

impl Folded {
    /// The same weights for `network`, which differs in nothing but the bit widths of its layers.
    pub(super) fn with_policy(&self, network: &Network) -> Self {
        let share = |pair: &(Tensor, Tensor)| (pair.0.shallow_clone(), pair.1.shallow_clone());
        let parameters = self.parameters.iter().map(|pair| pair.as_ref().map(share)).collect();
        let statistics = self.statistics.iter().map(|of_sums| of_sums.as_ref().map(Statistics::share));
        Self { network: Arc::new(network.clone()), parameters, statistics: statistics.collect() }
    }

    /// The network as a backend computes it, and its flat vector.
    pub(super) fn net(&self) -> (Net, Tensor) {
        Net::biased(&self.network, None, &self.parameters)
    }

    /// Number of `images` of each class that the float network classifies correctly.
    pub(super) fn correct(&self, images: &DeviceImages, threads: usize) -> Result<Vec<usize>, TrainError> {
        let (net, values) = self.net();
        correct_of(&net, &values, images, threads)
    }
}
