//! Signing of models for devices that run only what their maker has released: Ed25519 keys in the files that OpenSSL reads and
//! writes, too (PKCS#8 and SubjectPublicKeyInfo in PEM), and the signed container of `FORMAT.md`.

use std::io::Write;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use thiserror::Error;

use bomp_runtime::signed::Trailer;

use crate::files;

/// Why keys could not be made or read.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The operating system has no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Random(String),
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file would be overwritten that may be a key, or what is left of one.
    #[error(
        "{path}: there is a file already, and keys are not overwritten, because what they have signed could not be updated \
         any more: name another file with -o, or move this one away"
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A key cannot be written.
    #[error("{path}: cannot be written: {source}")]
    Private {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not a key, or of another kind.
    #[error("{path}: not an Ed25519 {what} key in PEM; `bomp-export keygen` makes one")]
    Format {
        /// The file.
        path: PathBuf,
        /// `private` or `public`.
        what: &'static str,
    },
}

/// A new key pair: the private key at `private`, readable by its owner only, the public key at `public`.
///
/// # Errors
/// See [`KeyError`]. Nothing is written then, and a file that is there already is never touched.
pub fn generate(private: &Path, public: &Path) -> Result<VerifyingKey, KeyError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| KeyError::Random(error.to_string()))?;
    let key = SigningKey::from_bytes(&seed);
    let unlikely = |_| KeyError::Format { path: private.to_owned(), what: "private" };
    let text = key.to_pkcs8_pem(LineEnding::LF).map_err(unlikely)?;
    let public_text = key.verifying_key().to_public_key_pem(LineEnding::LF);
    let public_text =
        public_text.map_err(|_| KeyError::Format { path: public.to_owned(), what: "public" })?;
    write_new(public, public_text.as_bytes(), 0o666)?;
    // One half of a pair is of no use.
    write_new(private, text.as_bytes(), 0o600).inspect_err(|_| drop(std::fs::remove_file(public)))?;
    Ok(key.verifying_key())
}

/// Writes a file that was not there before, with no more rights than `mode` from its first byte on; whole, or not at all.
fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let write = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(mode));
        }
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
        _ => KeyError::Private { path: path.to_owned(), source },
    })
}

/// The rights of the file `path`, where others than its owner can read it.
#[must_use]
pub fn readable_by_others(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
        (mode & 0o044 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    files::read_untrusted_text(path, files::limit::TEXT)
        .map_err(|source| KeyError::Read { path: path.to_owned(), source })
}

/// Reads a private key.
///
/// # Errors
/// See [`KeyError`].
pub fn private_key(path: &Path) -> Result<SigningKey, KeyError> {
    let text = read(path)?;
    SigningKey::from_pkcs8_pem(&text).map_err(|_| KeyError::Format { path: path.to_owned(), what: "private" })
}

/// Reads a public key.
///
/// # Errors
/// See [`KeyError`].
pub fn public_key(path: &Path) -> Result<VerifyingKey, KeyError> {
    let text = read(path)?;
    VerifyingKey::from_public_key_pem(&text)
        .map_err(|_| KeyError::Format { path: path.to_owned(), what: "public" })
}

/// The signed file of a blob: blob, trailer with `counter`, signature.
#[must_use]
pub fn sign(blob: &[u8], key: &SigningKey, counter: u64) -> Vec<u8> {
    let mut file = [blob, bytemuck::bytes_of(&Trailer::new(counter))].concat();
    let signature = key.sign(&file);
    file.extend(signature.to_bytes());
    file
}
