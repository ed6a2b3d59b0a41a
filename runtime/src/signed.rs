//! Signed models (feature `signed`): a blob followed by a version counter and an Ed25519 signature, as `FORMAT.md` documents.
//!
//! [`open`] accepts a file only if its signature is right under the given key, its counter is at least the given minimum,
//! and the blob in it is valid. No allocation; the key, the minimum and where they are kept are the firmware's.

use core::fmt;

use bytemuck::{Pod, Zeroable};
use ed25519_dalek::{Signature, VerifyingKey};

use crate::engine::Model;
use crate::error::ModelError;

/// First four bytes of the trailer.
pub const MAGIC: [u8; 4] = *b"BOMS";
/// Version of the trailer.
pub const VERSION: u16 = 1;
/// Bytes of a public key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// What stands between the blob and the signature, 16 bytes. Multi-byte fields are little-endian.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Trailer {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// u16, [`VERSION`].
    pub version: [u8; 2],
    /// 0.
    pub reserved: [u8; 2],
    /// u64, grows with every release of the model.
    pub counter: [u8; 8],
}

impl Trailer {
    /// The trailer of a release.
    #[must_use]
    pub const fn new(counter: u64) -> Self {
        Self {
            magic: MAGIC,
            version: VERSION.to_le_bytes(),
            reserved: [0; 2],
            counter: counter.to_le_bytes(),
        }
    }
}

/// A signed file whose signature and counter are right.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The model, checked as by [`Model::new`].
    pub model: Model<'a>,
    /// Bytes of the blob without trailer and signature.
    pub blob: &'a [u8],
    /// The file's counter: what the firmware keeps as the next minimum, once it trusts the model.
    pub counter: u64,
}

/// Why a signed file is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignedError {
    /// Too short for a signature, or there is none where it should be.
    NotSigned,
    /// A version of the trailer that this runtime does not know, or a reserved byte that is not 0.
    UnsupportedTrailer,
    /// The key is no Ed25519 public key.
    BadKey,
    /// The signature is not that of this file under this key.
    BadSignature,
    /// The file is older than what the device has run.
    Downgrade {
        /// The file's counter.
        counter: u64,
        /// The smallest counter that is accepted.
        minimum: u64,
    },
    /// The signature is right, the blob is not.
    Model(ModelError),
}

impl fmt::Display for SignedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotSigned => f.write_str("the file is not signed"),
            Self::UnsupportedTrailer => {
                f.write_str("the version of the signature's trailer is not supported")
            }
            Self::BadKey => f.write_str("the key is not an Ed25519 public key"),
            Self::BadSignature => {
                f.write_str("the signature does not match: the file was altered or signed with another key")
            }
            Self::Downgrade { counter, minimum } => {
                write!(f, "counter {counter} is below {minimum}: an older model than the device has run")
            }
            Self::Model(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SignedError {}

/// Splits a signed file into blob, trailer and signature, without judging any of them but the trailer's magic and version.
///
/// # Errors
/// [`SignedError::NotSigned`], [`SignedError::UnsupportedTrailer`].
pub fn split(file: &[u8]) -> Result<(&[u8], Trailer, &[u8; SIGNATURE_BYTES]), SignedError> {
    let (message, signature) = file.split_last_chunk().ok_or(SignedError::NotSigned)?;
    let (blob, trailer) = message.split_last_chunk().ok_or(SignedError::NotSigned)?;
    let trailer: Trailer = bytemuck::cast::<[u8; size_of::<Trailer>()], _>(*trailer);
    if trailer.magic != MAGIC {
        return Err(SignedError::NotSigned);
    }
    if u16::from_le_bytes(trailer.version) != VERSION || trailer.reserved != [0; 2] {
        return Err(SignedError::UnsupportedTrailer);
    }
    Ok((blob, trailer, signature))
}

/// Checks a signed file completely: signature under `key`, counter of at least `minimum`, the model itself.
///
/// The signature is checked strictly: keys of small order and other encodings of the same signature are refused.
///
/// # Errors
/// The first thing that is wrong; see [`SignedError`].
pub fn open<'a>(file: &'a [u8], key: &[u8; KEY_BYTES], minimum: u64) -> Result<Signed<'a>, SignedError> {
    let (blob, trailer, signature) = split(file)?;
    let message = file.get(..file.len().saturating_sub(SIGNATURE_BYTES)).ok_or(SignedError::NotSigned)?;
    let key = VerifyingKey::from_bytes(key).map_err(|_| SignedError::BadKey)?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| SignedError::BadSignature)?;
    let counter = u64::from_le_bytes(trailer.counter);
    if counter < minimum {
        return Err(SignedError::Downgrade { counter, minimum });
    }
    let model = Model::new(blob).map_err(SignedError::Model)?;
    Ok(Signed { model, blob, counter })
}
