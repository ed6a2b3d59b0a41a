//! Trained float networks on disk, so that further policies of bit widths can be tried on them at any time.
//!
//! A file is a cache: what cannot be read, or belongs to something else, counts as absent, and the network is trained again,
//! to the same weights.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bomp_export::files::{self, WriteError};
use bomp_export::ir::{Network, Op};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Device, Kind, Tensor};

use super::fold::Folded;
use super::net::weight_shapes;
use super::statistics::Statistics;
use super::trial::TrainedFloat;

/// Writes `float`, called `identity`, to `path`.
///
/// # Errors
/// The file cannot be written; what was there before is whole.
pub fn save(float: &TrainedFloat, identity: &str, path: &Path) -> Result<(), WriteError> {
    let floats = |tensor: &Tensor| -> Vec<u8> {
        let values = Vec::<f32>::try_from(tensor.flatten(0, -1).to_kind(Kind::Float));
        values.expect("a float tensor").iter().flat_map(|value| value.to_le_bytes()).collect()
    };
    let parameters = float.folded.parameters.iter().enumerate();
    let parameters = parameters
        .filter_map(|(index, parameters)| Some((index, parameters.as_ref()?)))
        .flat_map(|(index, (weight, bias))| [(name(index, "weight"), weight), (name(index, "bias"), bias)]);
    let statistics = float.folded.statistics.iter().enumerate();
    let statistics = statistics.filter_map(|(index, of_sums)| Some((index, of_sums.as_ref()?))).flat_map(
        |(index, Statistics { mean, variance })| {
            [(name(index, "mean"), mean), (name(index, "variance"), variance)]
        },
    );
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = parameters
        .chain(statistics)
        .map(|(name, tensor)| {
            let shape = tensor.size().into_iter().map(|size| size as usize).collect();
            (name, shape, floats(tensor))
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.expect("as many bytes as the shape says"))
    });
    let metadata = HashMap::from([
        ("identity".to_owned(), identity.to_owned()),
        ("correct".to_owned(), float.correct.to_string()),
        ("images".to_owned(), float.images.to_string()),
        ("class_correct".to_owned(), serde_json::to_string(&float.class_correct).expect("a list of numbers")),
    ]);
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| WriteError { path: path.to_owned(), source: std::io::Error::other(error) })?;
    files::write(path, &bytes)
}

/// The float network called `identity` in the file at `path`, for an architecture of which `network` is a policy.
#[must_use]
pub fn load(identity: &str, path: &Path, network: &Network, device: Device) -> Option<TrainedFloat> {
    let bytes = std::fs::read(path).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let metadata = header.metadata().as_ref()?;
    if metadata.get("identity")? != identity {
        return None;
    }
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let read = |index: usize, field: &str, shape: &[i64]| {
        let view = tensors.tensor(&name(index, field)).ok()?;
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")))
            .collect();
        let fits = view.dtype() == Dtype::F32 && values.len() as i64 == shape.iter().product::<i64>();
        fits.then(|| Tensor::from_slice(&values).view(shape).to_device(device))
    };
    let (mut parameters, mut statistics) = (Vec::new(), Vec::new());
    for ((index, layer), shape) in network.layers.iter().enumerate().zip(weight_shapes(network)) {
        parameters.push(match &shape {
            Some(shape) => Some((read(index, "weight", shape)?, read(index, "bias", &shape[..1])?)),
            None => None,
        });
        statistics.push(match &shape {
            Some(shape) if !matches!(layer.op, Op::Classifier { .. }) => {
                let [mean, variance] = ["mean", "variance"].map(|field| read(index, field, &shape[..1]));
                Some(Statistics { mean: mean?, variance: variance? })
            }
            _ => None,
        });
    }
    Some(TrainedFloat {
        folded: Folded { network: Arc::new(network.clone()), parameters, statistics },
        correct: metadata.get("correct")?.parse().ok()?,
        images: metadata.get("images")?.parse().ok()?,
        class_correct: serde_json::from_str(metadata.get("class_correct")?).ok()?,
        halfway: None,
        trained_images: 0,
        seconds: 0.0,
    })
}

fn name(layer: usize, field: &str) -> String {
    format!("{layer}.{field}")
}
