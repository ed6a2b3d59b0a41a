//! Statistics of batch norms: of the inputs of each, over training images, with the final weights. Running averages, which
//! only approximate them, are not kept.

use tch::{Kind, Tensor};

use super::error::TrainError;
use super::float::EPSILON;
use super::fold::CHUNK;
use super::host::HostNet;
use super::images::DeviceImages;
use super::parallel::map_chunks;

/// Images over which the statistics are measured, at most.
const IMAGES: usize = 2_048;

/// Mean and biased variance of each channel over a number of images, [C].
#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) mean: Tensor,
    pub(super) variance: Tensor,
}

/// Mean [C] and 1 / sqrt(variance + [`EPSILON`]) [C] of a batch norm's inputs in a forward pass.
pub(super) type Moments = (Tensor, Tensor);

impl Statistics {
    /// Another handle to the same memory.
    pub(super) fn share(&self) -> Self {
        Self { mean: self.mean.shallow_clone(), variance: self.variance.shallow_clone() }
    }

    /// sqrt(variance + [`EPSILON`]): what a batch norm divides by.
    pub(super) fn deviation(&self) -> Tensor {
        (&self.variance + EPSILON).sqrt()
    }
}

/// The statistics of each batch norm in the order of the layers, over some of `images`: those of all of them, where each chunk is
/// normalised with its own, as in training. `make` makes, for each thread, the forward pass whose moments they are.
pub(super) fn measure<F>(
    images: &DeviceImages,
    threads: usize,
    make: impl Fn() -> F,
) -> Result<Vec<Statistics>, TrainError>
where
    F: FnMut(&DeviceImages) -> Vec<Moments> + Send,
{
    let images = images.spread(IMAGES);
    let chunks = map_chunks(&images, CHUNK, threads, || {
        let mut forward = make();
        move |images| (forward(&images), images.len() as f64)
    })?;
    let total = images.len() as f64;
    let layers = chunks.first().map_or(0, |(moments, _)| moments.len());
    let average = |layer: usize, value: &dyn Fn(&Tensor, &Tensor) -> Tensor| {
        let weighted = chunks.iter().map(|(moments, count)| {
            let (mean, deviation) = &moments[layer];
            value(&mean.to_kind(Kind::Double), &deviation.to_kind(Kind::Double)) * (count / total)
        });
        weighted.reduce(|a, b| a + b).expect("at least one chunk")
    };
    let statistics = (0..layers).map(|layer| {
        let mean = average(layer, &|mean, _| mean.shallow_clone());
        // The law of total variance. Where a variance is lost beside EPSILON, it does not matter either.
        let variance = average(layer, &|other, deviation| {
            deviation.pow_tensor_scalar(-2) - EPSILON + (other - &mean).square()
        });
        Statistics { mean: mean.to_kind(Kind::Float), variance: variance.to_kind(Kind::Float) }
    });
    Ok(statistics.collect())
}

/// The moments of the last forward pass of `host`.
pub(super) fn moments(host: &HostNet) -> Vec<Moments> {
    let tensors = host.moments().map(|moments| {
        let (means, deviations): (Vec<f64>, Vec<f64>) = moments.iter().copied().unzip();
        (Tensor::from_slice(&means), Tensor::from_slice(&deviations))
    });
    tensors.collect()
}
