//! What is known of a blob but does not belong into flash: where it comes from, what its layers are called, what accuracy was
//! measured. It lies beside the blob as `MODEL.json` (`model.bomp.json`) and names the blob's SHA-256.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::candidate::Provenance;
use crate::files::{self, WriteError};

/// Version of the file.
const SCHEMA: u32 = 1;

/// The file beside a blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sidecar {
    /// Version of this file's format.
    pub schema: u32,
    /// SHA-256 of the blob that it describes.
    pub blob_sha256: String,
    /// Version of the program that packed the blob.
    pub packed_by: String,
    /// Git commit that this program was built from; `None` where the build did not say.
    pub git_commit: Option<String>,
    /// Names of the layers in execution order.
    pub layers: Vec<String>,
    /// Where the network comes from and what was measured when it was finished.
    pub provenance: Provenance,
    /// What `bomp-export validate --record` measured last.
    pub validated: Option<Validated>,
}

/// A measured accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validated {
    /// Name of the data set.
    pub dataset: String,
    /// SHA-256 of the data set.
    pub data_sha256: String,
    /// Test images classified.
    pub images: usize,
    /// Of these classified correctly by the integer runtime.
    pub correct: usize,
}

/// Why the file beside a blob is of no use.
#[derive(Debug, Error)]
pub enum SidecarError {
    /// The operating system refused to read it.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not such a file.
    #[error(
        "{path}: not the description of a blob: {source} (`bomp-export pack` writes it; it may be deleted)"
    )]
    Json {
        /// The file.
        path: PathBuf,
        /// Why, with line and column.
        source: serde_json::Error,
    },
    /// It describes another blob, or is of a later version.
    #[error("{path}: {problem} (`bomp-export pack` writes it; it may be deleted)")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
}

impl Sidecar {
    /// Of a blob with these layers.
    #[must_use]
    pub fn new(blob: &[u8], layers: Vec<String>, provenance: Provenance, git_commit: Option<&str>) -> Self {
        Self {
            schema: SCHEMA,
            blob_sha256: files::sha256(blob),
            packed_by: env!("CARGO_PKG_VERSION").into(),
            git_commit: git_commit.map(str::to_owned),
            layers,
            provenance,
            validated: None,
        }
    }

    /// The file beside the blob at `blob`.
    #[must_use]
    pub fn path(blob: &Path) -> PathBuf {
        let mut name = blob.as_os_str().to_owned();
        name.push(".json");
        name.into()
    }

    /// Writes it beside the blob at `path`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), WriteError> {
        files::write_json(&Self::path(path), self)
    }

    /// Reads what lies beside the blob at `path`, whose bytes are `blob`; `None` where there is no such file.
    ///
    /// # Errors
    /// See [`SidecarError`].
    pub fn load(path: &Path, blob: &[u8]) -> Result<Option<Self>, SidecarError> {
        let path = Self::path(path);
        let text = match files::read_untrusted(&path, files::limit::JSON) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SidecarError::Read { path, source }),
        };
        let sidecar: Self = match serde_json::from_slice(&text) {
            Ok(sidecar) => sidecar,
            Err(source) => return Err(SidecarError::Json { path, source }),
        };
        if sidecar.schema != SCHEMA {
            let problem = format!("schema {} is not supported, this version reads {SCHEMA}", sidecar.schema);
            return Err(SidecarError::Foreign { path, problem });
        }
        if sidecar.blob_sha256 != files::sha256(blob) {
            let problem = "it describes another blob".into();
            return Err(SidecarError::Foreign { path, problem });
        }
        Ok(Some(sidecar))
    }

    /// The measured accuracy: the last that was recorded, or else what was measured when the network was finished.
    #[must_use]
    pub fn accuracy(&self) -> Option<Validated> {
        let Provenance { dataset, data_sha256, test_images, integer_correct, .. } = &self.provenance;
        let finished = (*test_images > 0).then(|| Validated {
            dataset: dataset.clone(),
            data_sha256: data_sha256.clone(),
            images: *test_images,
            correct: *integer_correct,
        });
        self.validated.clone().or(finished)
    }
}
