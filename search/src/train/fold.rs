//! Batch-norm folding: from a trained float network to convolutions with a bias, which is what is quantised and packed.
//!
//! The statistics of each batch norm are measured here, with the final weights, over training images. A folded network
//! is the float network in inference mode: equal but for rounding.

use std::sync::Arc;

use bomp_export::ir::{Network, Op};
use tch::{Kind, Tensor, no_grad};

use super::error::TrainError;
use super::float::{EPSILON, FloatNet, Pieces, activate};
use super::host::Arithmetic;
use super::images::{DeviceImages, to_input};
use super::net::{forward, spatial_mean, weighted_sum};
use super::on_host::{self, FoldedOnHost, bytes, classes, floats};
use super::parallel::map_chunks;

/// Images over which the statistics of batch norms are measured, at most.
const STATISTICS_IMAGES: usize = 2_048;
/// Images that go through a network at once outside training.
pub(super) const CHUNK: usize = 128;

/// A float network without batch norms: for each layer weights, [C_OUT, C_IN, K, K] or [CLASSES, INPUTS], and a bias.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) network: Arc<Network>,
    /// (weight, bias) of each layer, `None` without weights.
    pub(super) parameters: Vec<Option<(Tensor, Tensor)>>,
}

/// Mean and biased variance of each channel over a number of images, [C].
struct Statistics {
    mean: Tensor,
    variance: Tensor,
}

/// Folds the network `net` with the flat vector `parameters`; statistics over `images`, which it was trained on.
pub(super) fn fold(
    net: &FloatNet,
    parameters: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Folded, TrainError> {
    let statistics = measure(net, parameters, &images.spread(STATISTICS_IMAGES), threads)?;
    no_grad(|| {
        let values = net.layout.split(parameters);
        let mut statistics = statistics.into_iter();
        let folded = net.pieces.iter().map(|pieces| {
            Some(match (*pieces)? {
                Pieces::Biased { weight, bias } => (values[weight].copy(), values[bias].copy()),
                Pieces::Normalised { weight, gamma, beta } => {
                    let Statistics { mean, variance } =
                        statistics.next().expect("statistics of each batch norm");
                    let factor = &values[gamma] / (variance + EPSILON).sqrt();
                    let bias = &values[beta] - mean * &factor;
                    (&values[weight] * factor.view([-1, 1, 1, 1]), bias)
                }
            })
        });
        Ok(Folded { network: Arc::clone(&net.network), parameters: folded.collect() })
    })
}

/// The statistics of each batch norm in the order of the layers: those of all images, where each chunk is normalised with
/// its own, as in training.
fn measure(
    net: &FloatNet,
    parameters: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Vec<Statistics>, TrainError> {
    let chunks = map_chunks(images, CHUNK, threads, || {
        let (net, parameters) = (net.clone(), parameters.shallow_clone());
        let mut host = on_host::on_host(&net.network, parameters.device());
        let (values, arithmetic) = (floats(&parameters), Arithmetic::real(&net.network));
        move |images| {
            let mut found = Vec::new();
            if let Some(host) = &mut host {
                let _ = host.forward(&bytes(&images.pixels), &net.weights(&values), &arithmetic);
                for moments in host.moments() {
                    let (mean, variance): (Vec<f64>, Vec<f64>) =
                        moments.iter().map(|&(mean, deviation)| (mean, deviation.powi(-2) - EPSILON)).unzip();
                    let [mean, variance] = [mean, variance].map(|values| Tensor::from_slice(&values));
                    found.push((mean, variance, images.len() as f64));
                }
                return found;
            }
            let _ = net.logits(&parameters, to_input(&images.pixels), |mean, deviation| {
                // Where the variance is lost beside EPSILON, it does not matter either.
                found.push((mean, deviation.pow_tensor_scalar(-2) - EPSILON, images.len() as f64));
            });
            found
        }
    })?;
    let total = images.len() as f64;
    let layers = chunks.first().map_or(0, Vec::len);
    let average = |layer: usize, value: &dyn Fn(&(Tensor, Tensor, f64)) -> Tensor| {
        let weighted =
            chunks.iter().map(|chunk| value(&chunk[layer]).to_kind(Kind::Double) * (chunk[layer].2 / total));
        weighted.reduce(|a, b| a + b).expect("at least one chunk")
    };
    let statistics = (0..layers).map(|layer| {
        let mean = average(layer, &|(mean, _, _)| mean.shallow_clone());
        // The law of total variance.
        let variance = average(layer, &|(other, variance, _)| variance + (other - &mean).square());
        Statistics { mean: mean.to_kind(Kind::Float), variance: variance.to_kind(Kind::Float) }
    });
    Ok(statistics.collect())
}

impl Folded {
    /// Another handle to the same memory, for another thread.
    pub(super) fn share(&self) -> Self {
        let share = |pair: &(Tensor, Tensor)| (pair.0.shallow_clone(), pair.1.shallow_clone());
        let parameters = self.parameters.iter().map(|pair| pair.as_ref().map(share)).collect();
        Self { network: Arc::clone(&self.network), parameters }
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

    /// Number of `images` that the float network classifies correctly.
    pub(super) fn correct(&self, images: &DeviceImages, threads: usize) -> Result<usize, TrainError> {
        let counts = map_chunks(images, CHUNK, threads, || {
            let (folded, mut host) = (self.share(), FoldedOnHost::new(self));
            move |images| match &mut host {
                Some(host) => {
                    on_host::correct(&host.logits(&bytes(&images.pixels)), &classes(&images.labels))
                }
                None => correct(&folded.logits(to_input(&images.pixels), |_, _| ()), &images.labels),
            }
        })?;
        Ok(counts.iter().sum())
    }
}

/// Rows of `logits` [N, CLASSES] whose largest value, the first of equals, is at the label.
pub(super) fn correct(logits: &Tensor, labels: &Tensor) -> usize {
    // argmax leaves open which of equal values it names.
    let largest = logits.amax([1i64].as_slice(), true);
    let classes = logits.size()[1];
    let candidates = Tensor::arange(classes, (Kind::Int64, logits.device()));
    let first =
        candidates.where_self(&logits.eq_tensor(&largest), &Tensor::from(classes).to_device(logits.device()));
    let first = first.amin([1i64].as_slice(), false);
    first.eq_tensor(labels).sum(Kind::Int64).int64_value(&[]) as usize
}
