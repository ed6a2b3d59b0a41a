//! Data for a packed model: features are quantised as the model's header says, whatever range they have themselves.
//!
//! A model of features gets no pixels and a model of pixels no features. A header alone does not tell a model of features from an
//! imported one whose real input is a pixel over 255 in other steps; the file beside the blob does.

use std::path::{Path, PathBuf};

use bomp_runtime::Model;
use thiserror::Error;

use crate::candidate::Quantisation;
use crate::evaluate::{self, EvaluateError};
use crate::sidecar::Sidecar;

use super::{DataError, Dataset, Format, load_for};

/// Why there is no data for a model.
#[derive(Debug, Error)]
pub enum ModelDataError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model's header.
    #[error("{path}: {cause}")]
    Header {
        /// The model.
        path: PathBuf,
        /// Why it cannot be used.
        cause: EvaluateError,
    },
    /// Pixels for a model of features.
    #[error(
        "{data}: these are pixels, but {model} was trained on features, real numbers with step {:e} and zero point {}: name data as \
         it was trained on, an .npz of the same real numbers", .input.scale, .input.zero_point
    )]
    Pixels {
        /// The data.
        data: PathBuf,
        /// The model.
        model: PathBuf,
        /// Quantisation of the model's input.
        input: Quantisation,
    },
}

/// Loads the data at `path` for `model`, whose bytes are `blob` and lie at `model_path`.
///
/// # Errors
/// See [`ModelDataError`].
pub fn for_model(
    model: &Model<'_>,
    (model_path, blob): (&Path, &[u8]),
    path: &Path,
    format: Format,
) -> Result<Dataset, ModelDataError> {
    let header = |cause| ModelDataError::Header { path: model_path.to_owned(), cause };
    let input = evaluate::input(model).map_err(header)?;
    let dataset = load_for(path, format, input)?;
    if input != Quantisation::IMAGE && dataset.train.are_pixels() {
        // A file beside the blob that cannot be read is complained about where it is needed.
        let sidecar = Sidecar::load(model_path, blob).ok().flatten();
        if sidecar.is_some_and(|sidecar| !sidecar.provenance.study.is_empty()) {
            let (data, model) = (path.to_owned(), model_path.to_owned());
            return Err(ModelDataError::Pixels { data, model, input });
        }
    }
    Ok(dataset)
}
