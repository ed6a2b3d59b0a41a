//! What every call returns: one number for each thing that can be wrong.

use core::ffi::{CStr, c_char};

use bomp_runtime::{ModelError, RunError};

/// How a call ended. 0 is success; from 16 on the model itself is refused. Values never change their meaning.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BompStatus {
    /// Done.
    Ok = 0,
    /// A pointer is null.
    NullPointer = 1,
    /// A pointer is not aligned as its argument needs.
    Misaligned = 2,
    /// A buffer that is written overlaps another one.
    Overlap = 3,
    /// A buffer reaches past the end of the address space.
    AddressRange = 4,
    /// The `bomp_model` was not filled by a successful `bomp_model_check`, or has been altered since.
    NotChecked = 5,
    /// The input has another number of elements than `bomp_input_len`.
    InputLength = 6,
    /// The arena has fewer bytes than `bomp_arena_size`.
    ArenaTooSmall = 7,
    /// The logits have another number of elements than `bomp_classes`.
    LogitsLength = 8,
    /// The runtime refused the call for a reason that this header does not know.
    RunRefused = 9,
    /// Shorter than a header and a checksum.
    ModelTooShort = 16,
    /// The first four bytes are not `BOMP`.
    ModelMagic = 17,
    /// A version of the format that this library does not know.
    ModelVersion = 18,
    /// The header's length is not the number of bytes given.
    ModelLength = 19,
    /// The checksum does not match: the model is corrupt.
    ModelChecksum = 20,
    /// A header field is outside its range.
    ModelHeader = 21,
    /// A field of a layer is outside its range.
    ModelLayer = 22,
    /// The layers' data end too early or too late.
    ModelData = 23,
    /// The placement of the tensors in the arena is unsound.
    ModelArena = 24,
    /// The model is refused for a reason that this header does not know.
    ModelRefused = 25,
    /// There is no signature.
    NotSigned = 32,
    /// A version of the signature's trailer that this library does not know.
    SignedVersion = 33,
    /// The key is no Ed25519 public key.
    SignedKey = 34,
    /// The signature does not match: the file was altered, or signed with another key.
    SignedSignature = 35,
    /// The file's counter is below the minimum.
    SignedDowngrade = 36,
}

impl BompStatus {
    /// In the order of the numbers, with the text that [`bomp_status_text`] gives.
    const TEXTS: [(Self, &'static CStr); 25] = [
        (Self::Ok, c"ok"),
        (Self::NullPointer, c"a pointer is null"),
        (Self::Misaligned, c"a pointer is misaligned"),
        (Self::Overlap, c"a buffer that is written overlaps another one"),
        (Self::AddressRange, c"a buffer reaches past the end of the address space"),
        (Self::NotChecked, c"the bomp_model was not filled by bomp_model_check"),
        (Self::InputLength, c"the input has the wrong number of elements"),
        (Self::ArenaTooSmall, c"the arena is too small"),
        (Self::LogitsLength, c"the logits have the wrong number of elements"),
        (Self::RunRefused, c"the runtime refused the call"),
        (Self::ModelTooShort, c"the model is shorter than a header"),
        (Self::ModelMagic, c"not a BOMP model (wrong magic)"),
        (Self::ModelVersion, c"the model's format version is not supported"),
        (Self::ModelLength, c"the model's length is not the one its header states"),
        (Self::ModelChecksum, c"the model's checksum does not match: it is corrupt"),
        (Self::ModelHeader, c"a field of the model's header is out of range"),
        (Self::ModelLayer, c"a field of one of the model's layers is out of range"),
        (Self::ModelData, c"the model's data end too early or too late"),
        (Self::ModelArena, c"the model's arena placement is unsound"),
        (Self::ModelRefused, c"the model is refused"),
        (Self::NotSigned, c"the model is not signed"),
        (Self::SignedVersion, c"the version of the signature's trailer is not supported"),
        (Self::SignedKey, c"the key is not an Ed25519 public key"),
        (Self::SignedSignature, c"the signature does not match"),
        (Self::SignedDowngrade, c"the model is older than the minimum"),
    ];
}

impl From<ModelError> for BompStatus {
    fn from(error: ModelError) -> Self {
        match error {
            ModelError::TooShort => Self::ModelTooShort,
            ModelError::BadMagic => Self::ModelMagic,
            ModelError::UnsupportedVersion(_) => Self::ModelVersion,
            ModelError::LengthMismatch { .. } => Self::ModelLength,
            ModelError::ChecksumMismatch => Self::ModelChecksum,
            ModelError::BadHeader(_) => Self::ModelHeader,
            ModelError::BadLayer { .. } => Self::ModelLayer,
            ModelError::DataOverrun { .. } | ModelError::TrailingData => Self::ModelData,
            ModelError::ArenaOverrun { .. }
            | ModelError::ArenaOverlap { .. }
            | ModelError::DeadTensor { .. } => Self::ModelArena,
            _ => Self::ModelRefused,
        }
    }
}

#[cfg(feature = "signed")]
impl From<bomp_runtime::signed::SignedError> for BompStatus {
    fn from(error: bomp_runtime::signed::SignedError) -> Self {
        use bomp_runtime::signed::SignedError;
        match error {
            SignedError::NotSigned => Self::NotSigned,
            SignedError::UnsupportedTrailer => Self::SignedVersion,
            SignedError::BadKey => Self::SignedKey,
            SignedError::BadSignature => Self::SignedSignature,
            SignedError::Downgrade { .. } => Self::SignedDowngrade,
            SignedError::Model(error) => error.into(),
            _ => Self::ModelRefused,
        }
    }
}

impl From<RunError> for BompStatus {
    fn from(error: RunError) -> Self {
        match error {
            RunError::InputLength { .. } => Self::InputLength,
            RunError::ArenaTooSmall { .. } => Self::ArenaTooSmall,
            RunError::OutputLength { .. } => Self::LogitsLength,
            RunError::ArenaMisaligned => Self::Misaligned,
            _ => Self::RunRefused,
        }
    }
}

/// A status in words, for a log: a constant string without a final full stop. Any number is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn bomp_status_text(status: i32) -> *const c_char {
    let known = BompStatus::TEXTS.iter().find(|(known, _)| *known as i32 == status);
    known.map_or(c"unknown status", |(_, text)| *text).as_ptr()
}
