//! A finished network on its way from the search to the packer: `candidate/{network.json, weights.safetensors}`.
//!
//! `network.json` holds the network, the quantisation of every tensor and where it all came from; the safetensors file
//! holds for each layer with weights `NAME.weight` [C_OUT, C_IN, K, K] (C_IN is 1 for depthwise; the classifier has
//! [CLASSES, C, H, W] flattened to [CLASSES, C*H*W]), `NAME.bias` and `NAME.scale` `[C_OUT]`, all float32, batch-norm
//! folded. The JSON names the SHA-256 of the weights, so a pair that does not belong together is refused. Both files are
//! written to temporary files, synced and renamed, the JSON last.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::files::{self, WriteError};
use crate::ir::{IrError, Network};
use crate::text;

/// Affine quantisation of an int8 tensor: real = (element - zero_point) * scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantisation {
    /// Real step of one unit, positive.
    pub scale: f64,
    /// Element that stands for 0.
    pub zero_point: i8,
}

impl Quantisation {
    /// Pixels 0..=255 read as 0..1: the element is the pixel less 128.
    pub const IMAGE: Self = Self { scale: 1.0 / 255.0, zero_point: -128 };
}

/// Float parameters of a layer with weights.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerWeights {
    /// [C_OUT, C_IN, K, K], row-major.
    pub weight: Vec<f32>,
    /// `[C_OUT]`.
    pub bias: Vec<f32>,
    /// Quantisation step of each output channel, `[C_OUT]`, positive.
    pub scale: Vec<f32>,
}

/// Where a network came from and what was measured on it. All counts are images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the tool that wrote it.
    pub tool_version: String,
    /// Name of the study.
    pub study: String,
    /// Number of the trial in the study.
    pub trial: u64,
    /// Seed of the study.
    pub seed: u64,
    /// SHA-256 of the study's configuration.
    pub config_sha256: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// How it was quantised: `ptq` or `qaft`.
    pub quantisation: String,
    /// Name of the data set.
    pub dataset: String,
    /// Names of the classes in the order of the logits.
    pub class_names: Vec<String>,
    /// Test images.
    pub test_images: usize,
    /// Test images that the float network classifies correctly before quantisation.
    pub float_correct: usize,
    /// Test images that the packed network classifies correctly with the integer runtime.
    pub integer_correct: usize,
    /// Test images of each class, in the order of the logits; empty in files of versions that did not count them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_images: Vec<usize>,
    /// Of these, those that the packed network classifies correctly with the integer runtime.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_correct: Vec<usize>,
    /// Images trained on, for this network, all epochs together.
    pub trained_images: u64,
    /// SHA-256 of each packed model that was its teacher.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teacher_sha256: Vec<String>,
}

/// A network with its float weights and the quantisation that was trained for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Layers, shapes, bit widths.
    pub network: Network,
    /// Quantisation of the input and of each layer's output but the classifier's: as many as there are layers.
    pub tensors: Vec<Quantisation>,
    /// Parameters of each layer, `None` for layers without weights.
    pub weights: Vec<Option<LayerWeights>>,
    /// Where it came from.
    pub provenance: Provenance,
}

/// What can be wrong with a candidate's files.
#[derive(Debug, Error)]
pub enum CandidateError {
    /// A file cannot be read.
    #[error(
        "{path}: {source} (a candidate's folder holds network.json and weights.safetensors, as `bomp-search finalise` writes them: STUDY/final/trial-NNNN/candidate)"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// network.json is not a candidate.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        source: serde_json::Error,
    },
    /// The network cannot be packed.
    #[error("{path}: {source}")]
    Network {
        /// The file.
        path: PathBuf,
        /// Which layer, and why.
        source: IrError,
    },
    /// Weights that do not belong to this network, are damaged, or have the wrong shape.
    #[error("{path}: {problem}")]
    Weights {
        /// The file.
        path: PathBuf,
        /// Which tensor, and why.
        problem: String,
    },
}

#[derive(Serialize, Deserialize)]
struct NetworkFile {
    format: u32,
    network: Network,
    tensors: Vec<Quantisation>,
    provenance: Provenance,
    weights_sha256: String,
}

const FORMAT: u32 = 1;
/// What a candidate's folder holds.
pub const FILES: [&str; 2] = [NETWORK_FILE, WEIGHTS_FILE];

const NETWORK_FILE: &str = "network.json";
const WEIGHTS_FILE: &str = "weights.safetensors";

/// The candidate's folder that `given` stands for: that folder, one of its files, or the folder above it.
///
/// # Errors
/// What `given` is instead, and what to name.
pub fn locate(given: &Path) -> Result<PathBuf, String> {
    let has_network = |folder: &Path| folder.join(NETWORK_FILE).is_file();
    if given.is_file() && given.file_name().is_some_and(|name| FILES.iter().any(|file| name == *file)) {
        let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty());
        return Ok(folder.unwrap_or(Path::new(".")).to_owned());
    }
    let below = given.join("candidate");
    if has_network(given) || !has_network(&below) {
        // A folder of several, or a study: one has to be named.
        let several = [given.to_owned(), given.join("final")].into_iter().find_map(|folder| {
            let mut found: Vec<PathBuf> =
                std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
            found.retain(|folder| has_network(&folder.join("candidate")));
            found.sort();
            (!found.is_empty()).then_some(found)
        });
        return match several {
            Some(found) if !has_network(given) => Err(format!(
                "{}: {} finished networks are in it; name one, such as {}",
                given.display(),
                found.len(),
                found[0].display()
            )),
            _ if given.join("study.sqlite").is_file() => Err(format!(
                "{}: a study without finished networks; `bomp-search finalise {}` trains them to the end",
                given.display(),
                text::argument(&given.display().to_string())
            )),
            _ => Ok(given.to_owned()),
        };
    }
    Ok(below)
}

impl Candidate {
    /// Writes both files into `folder`, which is made if it is absent.
    ///
    /// # Errors
    /// The file that could not be written; what was there before is still whole.
    pub fn save(&self, folder: &Path) -> Result<(), CandidateError> {
        let shapes = self.network.shapes();
        let mut tensors: BTreeMap<String, (Vec<usize>, &[f32])> = BTreeMap::new();
        for (index, (layer, weights)) in self.network.layers.iter().zip(&self.weights).enumerate() {
            let Some(weights) = weights else { continue };
            let channels = shapes[index + 1].channels;
            let shape = weight_shape(&self.network, index, &shapes);
            tensors.insert(format!("{}.weight", layer.name), (shape, &weights.weight));
            tensors.insert(format!("{}.bias", layer.name), (vec![channels], &weights.bias));
            tensors.insert(format!("{}.scale", layer.name), (vec![channels], &weights.scale));
        }
        let weights_path = folder.join(WEIGHTS_FILE);
        let failed =
            |error| CandidateError::Weights { path: weights_path.clone(), problem: format!("{error}") };
        let views = tensors.iter().map(|(name, (shape, values))| {
            TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map(|view| (name, view))
        });
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(failed)?;
        let bytes = safetensors::serialize(views, None).map_err(failed)?;
        let file = NetworkFile {
            format: FORMAT,
            network: self.network.clone(),
            tensors: self.tensors.clone(),
            provenance: self.provenance.clone(),
            weights_sha256: files::sha256(&bytes),
        };
        files::write(&weights_path, &bytes)?;
        files::write_json(&folder.join(NETWORK_FILE), &file)?;
        Ok(())
    }

    /// The same integers for an input whose real step is `scale`: the first layers' weights become smaller as much as the step
    /// becomes larger. `None` where the input goes into a layer without weights.
    #[must_use]
    pub fn with_input_scale(mut self, scale: f64) -> Option<Self> {
        let ratio = self.tensors[0].scale / scale;
        if self.tensors[0].scale == scale {
            return Some(self);
        }
        self.tensors[0].scale = scale;
        for (layer, weights) in self.network.layers.iter().zip(&mut self.weights) {
            if !layer.inputs.contains(&0) {
                continue;
            }
            let LayerWeights { weight, scale, .. } = weights.as_mut()?;
            for value in weight.iter_mut().chain(scale) {
                *value = (f64::from(*value) * ratio) as f32;
            }
        }
        Some(self)
    }

    /// Reads both files from `folder` and checks that they belong together.
    ///
    /// # Errors
    /// The file and what is wrong with it.
    pub fn load(folder: &Path) -> Result<Self, CandidateError> {
        let read = |path: &Path, limit: u64| {
            files::read_untrusted(path, limit)
                .map_err(|source| CandidateError::Read { path: path.to_owned(), source })
        };
        let path = folder.join(NETWORK_FILE);
        let json = |source| CandidateError::Json { path: path.clone(), source };
        let file: NetworkFile = serde_json::from_slice(&read(&path, files::limit::JSON)?).map_err(json)?;
        if file.format != FORMAT {
            let problem = format!("format {} is not supported, this version reads {FORMAT}", file.format);
            return Err(CandidateError::Weights { path, problem });
        }
        file.network.validate().map_err(|source| CandidateError::Network { path: path.clone(), source })?;
        if file.tensors.len() != file.network.layers.len() {
            let problem = format!(
                "`tensors` has {} entries, the network needs {}",
                file.tensors.len(),
                file.network.layers.len()
            );
            return Err(CandidateError::Weights { path, problem });
        }
        let weights_path = folder.join(WEIGHTS_FILE);
        let bytes = read(&weights_path, files::limit::LARGE)?;
        let weights_error = |problem: String| CandidateError::Weights { path: weights_path.clone(), problem };
        if files::sha256(&bytes) != file.weights_sha256 {
            return Err(weights_error(format!(
                "its SHA-256 is not the one that {NETWORK_FILE} names: the two files do not belong together or are damaged"
            )));
        }
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| weights_error(error.to_string()))?;
        let shapes = file.network.shapes();
        let mut weights = Vec::with_capacity(file.network.layers.len());
        for (index, layer) in file.network.layers.iter().enumerate() {
            if layer.op.bits().is_none() {
                weights.push(None);
                continue;
            }
            let floats = |field: &str, shape: &[usize]| {
                let name = format!("{}.{field}", layer.name);
                let view =
                    tensors.tensor(&name).map_err(|error| weights_error(format!("{name}: {error}")))?;
                if view.dtype() != Dtype::F32 || view.shape() != shape {
                    return Err(weights_error(format!(
                        "{name} is {:?} {:?}, the network needs F32 {shape:?}",
                        view.dtype(),
                        view.shape()
                    )));
                }
                Ok(bytemuck::pod_collect_to_vec::<u8, f32>(view.data()))
            };
            let channels = shapes[index + 1].channels;
            weights.push(Some(LayerWeights {
                weight: floats("weight", &weight_shape(&file.network, index, &shapes))?,
                bias: floats("bias", &[channels])?,
                scale: floats("scale", &[channels])?,
            }));
        }
        Ok(Self { network: file.network, tensors: file.tensors, weights, provenance: file.provenance })
    }
}

/// Shape of a layer's float weights as they are stored.
#[must_use]
pub fn weight_shape(network: &Network, index: usize, shapes: &[crate::ir::Shape]) -> Vec<usize> {
    use crate::ir::Op;
    let layer = &network.layers[index];
    let input = shapes[layer.inputs[0]];
    match &layer.op {
        Op::Convolution { window, filters, .. } => {
            vec![*filters, input.channels, window.kernel, window.kernel]
        }
        Op::Depthwise { window, .. } => vec![input.channels, 1, window.kernel, window.kernel],
        Op::Classifier { classes, .. } => vec![*classes, input.elements()],
        Op::Add | Op::AveragePool => Vec::new(),
    }
}
