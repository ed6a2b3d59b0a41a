//! Batch-norm folding: from a trained float network to convolutions with a bias, which is what is quantised and packed.
//!
//! Batch norms are folded with the statistics of the final weights ([`super::statistics`]). A folded network is the float
//! network in inference mode: equal but for rounding.

use std::sync::Arc;

use bomp_export::ir::{Network, Op};
use tch::{Kind, Tensor, no_grad};

use super::error::TrainError;
use super::float::{FloatNet, Pieces, activate};
use super::host::Arithmetic;
use super::images::{DeviceImages, to_input};
use super::net::{forward, spatial_mean, weighted_sum};
use super::on_host::{self, FoldedOnHost, bytes, classes, floats};
use super::parallel::map_chunks;
use super::statistics::{Statistics, measure, moments};

/// Images that go through a network at once outside training.
pub(super) const CHUNK: usize = 128;

/// A float network without batch norms.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) network: Arc<Network>,
    /// Weight, [C_OUT, C_IN, K, K] or [CLASSES, INPUTS], and bias of each layer, `None` without weights.
    pub(super) parameters: Vec<Option<(Tensor, Tensor)>>,
    /// Of the sums, without the bias, of each layer that a batch norm followed.
    pub(super) statistics: Vec<Option<Statistics>>,
}

/// Folds the network `net` with the flat vector `parameters`; statistics over `images`, which it was trained on.
pub(super) fn fold(
    net: &FloatNet,
    parameters: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Folded, TrainError> {
    let mut measured = statistics(net, parameters, images, threads)?.into_iter();
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

/// Measures the statistics of the batch norms of `net`.
fn statistics(
    net: &FloatNet,
    parameters: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Vec<Statistics>, TrainError> {
    measure(images, threads, || {
        let (net, parameters) = (net.clone(), parameters.shallow_clone());
        let mut host = on_host::on_host(&net.network, parameters.device());
        let (values, arithmetic) = (floats(&parameters), Arithmetic::real(&net.network, images.zero()));
        move |images: &DeviceImages| {
            if let Some(host) = &mut host {
                let _ = host.forward(&bytes(&images.pixels), &net.weights(&values), &arithmetic);
                return moments(host);
            }
            let mut found = Vec::new();
            let _ = net
                .logits(&parameters, to_input(&images.pixels, images.zero()), |moments| found.push(moments));
            found
        }
    })
}

impl Folded {
    /// Another handle to the same memory, for another thread.
    pub(super) fn share(&self) -> Self {
        let share = |pair: &(Tensor, Tensor)| (pair.0.shallow_clone(), pair.1.shallow_clone());
        let parameters = self.parameters.iter().map(|pair| pair.as_ref().map(share)).collect();
        let statistics = self.statistics.iter().map(|of_sums| of_sums.as_ref().map(Statistics::share));
        Self { network: Arc::clone(&self.network), parameters, statistics: statistics.collect() }
    }

    /// The same weights for `network`, which differs in nothing but the bit widths of its layers.
    pub(super) fn with_policy(&self, network: &Network) -> Self {
        Self { network: Arc::new(network.clone()), ..self.share() }
    }

    /// Logits [N, CLASSES] for `input` [N, C, H, W]. `observe(layer, output)` sees what each layer puts out.
    pub(super) fn logits(&self, input: Tensor, mut observe: impl FnMut(usize, &Tensor)) -> Tensor {
        forward(&self.network, input, |index, inputs| {
            let op = &self.network.layers[index].op;
            let output = match (op, &self.parameters[index]) {
                (Op::Add, _) => inputs[0] + inputs[1],
                (Op::AveragePool, _) => spatial_mean(inputs[0]),
                (_, Some((weight, bias))) => activate(op, weighted_sum(op, inputs[0], weight, Some(bias))),
                (_, None) => unreachable!("every convolution and classifier has weights"),
            };
            observe(index, &output);
            output
        })
    }

    /// Number of `images` of each class that the float network classifies correctly.
    pub(super) fn correct(&self, images: &DeviceImages, threads: usize) -> Result<Vec<usize>, TrainError> {
        let counts = map_chunks(images, CHUNK, threads, || {
            let (folded, mut host) = (self.share(), FoldedOnHost::new(self, images.zero()));
            move |images| match &mut host {
                Some(host) => {
                    on_host::correct(&host.logits(&bytes(&images.pixels)), &classes(&images.labels))
                }
                None => correct(
                    &folded.logits(to_input(&images.pixels, images.zero()), |_, _| ()),
                    &images.labels,
                ),
            }
        })?;
        Ok(total(&counts))
    }
}

/// The sums of `counts` by class.
pub(super) fn total(counts: &[Vec<usize>]) -> Vec<usize> {
    let classes = counts.first().map_or(0, Vec::len);
    (0..classes).map(|class| counts.iter().map(|part| part[class]).sum()).collect()
}

/// Rows of each class of `logits` [N, CLASSES] whose largest value, the first of equals, is at the label.
pub(super) fn correct(logits: &Tensor, labels: &Tensor) -> Vec<usize> {
    // argmax leaves open which of equal values it names.
    let largest = logits.amax([1i64].as_slice(), true);
    let classes = logits.size()[1];
    let candidates = Tensor::arange(classes, (Kind::Int64, logits.device()));
    let first =
        candidates.where_self(&logits.eq_tensor(&largest), &Tensor::from(classes).to_device(logits.device()));
    let first = first.amin([1i64].as_slice(), false);
    let right = labels.masked_select(&first.eq_tensor(labels));
    let counts = Vec::<i64>::try_from(right.bincount(None::<&Tensor>, classes)).expect("counts are integers");
    counts.into_iter().map(|count| count as usize).collect()
}
