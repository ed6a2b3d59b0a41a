//! Readers that read folders: one of this process in memory, and a candidate to alter.

use std::fs;
use std::path::Path;

use bomp_export::candidate::Candidate;
use tempfile::TempDir;

/// A folder of this process, in memory where the machine has such a place.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Default for Folder {
    fn default() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        Self(folder.expect("a temporary folder"))
    }
}

impl Folder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file of it.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).expect("the folder is writable");
    }
}

/// `network.json` and `weights.safetensors` of a small valid candidate: convolution, depthwise, pool, classifier.
#[must_use]
pub fn candidate() -> (Vec<u8>, Vec<u8>) {
    const SEED: &str = include_str!("../corpus/network_json/four-layers");
    let mut json = serde_json::from_str::<serde_json::Value>(SEED).expect("the seed is JSON");
    let weights = include_bytes!("../corpus/weights/four-layers").to_vec();
    json["weights_sha256"] = bomp_export::files::sha256(&weights).into();
    (json.to_string().into_bytes(), weights)
}

/// What has been loaded can be packed, or is refused with an error; what is packed is valid.
pub fn pack(candidate: &Candidate) {
    let Ok(lowered) = bomp_export::lower::lower(candidate) else { return };
    let Ok(blob) = bomp_export::write::blob(&lowered) else { return };
    assert!(bomp_runtime::Model::new(&blob).is_ok(), "the exporter wrote a blob that the runtime refuses");
}
