//! Trained float networks on disk, so that further policies of bit widths can be tried on them at any time.
//!
//! A file is a cache: what cannot be read, is damaged or belongs to something else is trained again, to the same weights. A
//! SHA-256 over everything that is in it tells damage from weights.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bomp_export::files::{self, WriteError};
use bomp_export::ir::{Network, Op};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tch::{Device, Tensor};
use thiserror::Error;

use super::fold::Folded;
use super::net::weight_shapes;
use super::parameters::floats;
use super::statistics::Statistics;
use super::trial::TrainedFloat;

/// What a file says beside its tensors.
const SAID: [&str; 4] = ["identity", "correct", "images", "class_correct"];

/// Writes `float`, called `identity`, to `path`.
///
/// # Errors
/// The file cannot be written; what was there before is whole.
pub(super) fn save(float: &TrainedFloat, identity: &str, path: &Path) -> Result<(), WriteError> {
    let bytes = |tensor: &Tensor| floats(tensor).iter().flat_map(|value| value.to_le_bytes()).collect();
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
            (name, shape, bytes(tensor))
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        (name, view.expect("as many bytes as the shape says"))
    });
    let class_correct = serde_json::to_string(&float.class_correct).expect("a list of numbers");
    let said = [identity.to_owned(), float.correct.to_string(), float.images.to_string(), class_correct];
    let contents = tensors.iter().map(|(name, shape, bytes)| (name.as_str(), &shape[..], &bytes[..]));
    let sha256 = digest(&said, contents.collect());
    let names = SAID.into_iter().chain(["sha256"]).map(str::to_owned);
    let metadata: HashMap<String, String> = names.zip(said.into_iter().chain([sha256])).collect();
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| WriteError { path: path.to_owned(), source: std::io::Error::other(error) })?;
    files::write(path, &bytes)
}

/// Why a float network that is on disk is trained again.
#[derive(Debug, Error)]
#[error("{path}: {problem}; this kept float network is trained again, to the same weights")]
pub(super) struct Unusable {
    pub(super) path: PathBuf,
    /// What is wrong with it.
    pub(super) problem: String,
}

/// The float network called `identity` in the file at `path`, for an architecture of which `network` is a policy. `None` if
/// there is no file, or it is of another network.
///
/// # Errors
/// The file is damaged.
pub(super) fn load(
    identity: &str,
    path: &Path,
    network: &Network,
    device: Device,
) -> Result<Option<TrainedFloat>, Unusable> {
    let unusable = |problem: String| Unusable { path: path.to_owned(), problem };
    let bytes = match files::read_untrusted(path, files::limit::LARGE) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error.to_string())),
    };
    let damaged = || unusable("it is damaged: its SHA-256 is not the one that it names".into());
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|_| damaged())?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|_| damaged())?;
    let Some(metadata) = header.metadata() else { return Err(damaged()) };
    let said = SAID.map(|name| metadata.get(name).cloned().unwrap_or_default());
    let views = tensors.iter().collect::<Vec<_>>();
    let contents = views.iter().map(|(name, view)| (*name, view.shape(), view.data())).collect();
    if metadata.get("sha256") != Some(&digest(&said, contents)) {
        return Err(damaged());
    }
    if said[0] != identity {
        return Ok(None);
    }
    let fits = assemble(&tensors, &said, network, device);
    fits.map(Some).ok_or_else(|| unusable("its weights do not fit the network".into()))
}

/// SHA-256 over what a file says and holds.
fn digest(said: &[String; 4], mut tensors: Vec<(&str, &[usize], &[u8])>) -> String {
    tensors.sort_unstable();
    let mut all = Vec::new();
    for part in said {
        all.extend(format!("{} {part}", part.len()).into_bytes());
    }
    for (name, shape, bytes) in tensors {
        all.extend(format!("{name} {shape:?} {}", bytes.len()).into_bytes());
        all.extend(bytes);
    }
    files::sha256(&all)
}

/// The network of tensors whose digest is right.
fn assemble(
    tensors: &SafeTensors<'_>,
    said: &[String; 4],
    network: &Network,
    device: Device,
) -> Option<TrainedFloat> {
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
        correct: said[1].parse().ok()?,
        images: said[2].parse().ok()?,
        class_correct: serde_json::from_str(&said[3]).ok()?,
        halfway: None,
        trained_images: 0,
        seconds: 0.0,
    })
}

fn name(layer: usize, field: &str) -> String {
    format!("{layer}.{field}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_export::ir::Shape;
    use tch::Kind;

    use crate::space::Space;

    #[test]
    fn damage_is_told_and_never_used() {
        let space = Space::open("micro").unwrap().with_input(Shape::new(8, 8, 1), 3).unwrap();
        let mut point = vec![0; space.genes().len()];
        space.canonicalise(&mut point);
        let network = space.network(&space.genotype(&point));
        let values = |shape: &[i64]| {
            Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)).view(shape) * 0.01
        };
        let shapes = weight_shapes(&network);
        let statistics = network.layers.iter().zip(&shapes).map(|(layer, shape)| {
            let shape = shape.as_ref().filter(|_| !matches!(layer.op, Op::Classifier { .. }))?;
            Some(Statistics { mean: values(&shape[..1]), variance: values(&shape[..1]) })
        });
        let statistics = statistics.collect();
        let parameters = shapes
            .iter()
            .map(|shape| shape.as_ref().map(|shape| (values(shape), values(&shape[..1]))))
            .collect();
        let folded = Folded { network: Arc::new(network.clone()), parameters, statistics };
        let float = TrainedFloat {
            folded,
            correct: 7,
            class_correct: vec![2, 4, 1],
            images: 9,
            halfway: None,
            trained_images: 0,
            seconds: 0.0,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("float.safetensors");
        save(&float, "trial 0", &path).unwrap();
        let load = |identity: &str| load(identity, &path, &network, Device::Cpu);
        let whole = load("trial 0").unwrap().expect("it is there");
        assert_eq!((whole.correct, whole.images, whole.class_correct), (7, 9, vec![2, 4, 1]));
        assert!(load("trial 1").unwrap().is_none(), "another network's");
        let bytes = std::fs::read(&path).unwrap();
        // Every bit of some bytes all over the file, and truncations.
        for at in (0..bytes.len()).step_by(bytes.len() / 300) {
            for damaged in
                (0..8).map(|bit| [&bytes[..at], &[bytes[at] ^ 1 << bit], &bytes[at + 1..]].concat())
            {
                std::fs::write(&path, damaged).unwrap();
                let line =
                    load("trial 0").err().unwrap_or_else(|| panic!("byte {at} was not noticed")).to_string();
                assert!(line.contains("float.safetensors: ") && line.contains("trained again"), "{line}");
            }
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(load("trial 0").is_err(), "cut off after {at} bytes");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(load("trial 0").unwrap().is_none());
    }
}
