//! Statistics of batch norms: of the inputs of each, over training images, with the final weights. Running averages, which
//! only approximate them, are not kept.

use tch::{Kind, Tensor};

use super::backend::EPSILON;
use super::error::TrainError;
use super::images::DeviceImages;
use super::net::Net;
use super::parallel::map_chunks;
use super::select;

/// Images over which the statistics are measured, at most.
const IMAGES: usize = 2_048;

/// Mean and biased variance of each channel over a number of images, [C].
#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) mean: Tensor,
    pub(super) variance: Tensor,
}

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

/// The statistics of each batch norm of `net` with `values`, in the order of the layers, over some of `images`: those of all
/// of them, where each chunk is normalised with its own, as in training.
pub(super) fn measure(
    net: &Net,
    values: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Vec<Statistics>, TrainError> {
    let images = images.spread(IMAGES);
    let chunks = map_chunks(&images, threads, || {
        let (mut backend, values) = (select::backend(net, values.device()), values.detach());
        move |images: DeviceImages| (backend.moments(&values, &images), images.len() as f64)
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
