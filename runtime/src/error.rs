//! What can be wrong with a blob or a call: small `Copy` enums that name the layer and the field.

use core::fmt;

use crate::kernels::Needs;

/// Why [`crate::Model::new`] refused a blob. `layer` counts from 0 in the order of the layer table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelError {
    /// Shorter than a header and a checksum.
    TooShort,
    /// The first four bytes are not `BOMP`.
    BadMagic,
    /// A version of the format that this runtime does not know.
    UnsupportedVersion(u16),
    /// The header's total length is not the number of bytes given (truncated or trailing bytes).
    LengthMismatch {
        /// Length that the header states, in bytes.
        stated: u32,
    },
    /// The CRC-32 at the end does not match.
    ChecksumMismatch,
    /// A header field is outside its range.
    BadHeader(&'static str),
    /// A field of a layer record is outside its range.
    BadLayer {
        /// Index of the layer.
        layer: u16,
        /// Name of the field, as `FORMAT.md` spells it.
        field: &'static str,
    },
    /// Parameters and weights of this layer reach past the end of the data section.
    DataOverrun {
        /// Index of the layer.
        layer: u16,
    },
    /// Bytes are left between the last layer's data and the checksum.
    TrailingData,
    /// A tensor lies outside the arena. Tensor 0 is the input, tensor `i + 1` the output of layer `i`.
    ArenaOverrun {
        /// Index of the tensor.
        tensor: u16,
    },
    /// A layer would overwrite a tensor that is still needed.
    ArenaOverlap {
        /// Layer whose output overlaps.
        layer: u16,
        /// Tensor that it would overwrite.
        tensor: u16,
    },
    /// A layer's scratch fits into no gap of the arena.
    ScratchOverrun {
        /// Index of the layer.
        layer: u16,
    },
    /// No layer reads this tensor.
    DeadTensor {
        /// Index of the tensor.
        tensor: u16,
    },
    /// This build has only the kernels that another model needs; see [`Needs`].
    MissingKernel {
        /// Index of the first layer that needs more.
        layer: u16,
        /// What is not there.
        missing: Needs,
    },
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooShort => f.write_str("the blob is shorter than a header"),
            Self::BadMagic => f.write_str("not a BOMP blob (wrong magic)"),
            Self::UnsupportedVersion(version) => write!(f, "format version {version} is not supported"),
            Self::LengthMismatch { stated } => {
                write!(
                    f,
                    "the header states {stated} bytes, which is not the length given (truncated or trailing bytes)"
                )
            }
            Self::ChecksumMismatch => f.write_str("the checksum does not match: the blob is corrupt"),
            Self::BadHeader(field) => write!(f, "header field `{field}` is out of range"),
            Self::BadLayer { layer, field } => write!(f, "layer {layer}: field `{field}` is out of range"),
            Self::DataOverrun { layer } => {
                write!(f, "layer {layer}: its data reach past the end of the blob")
            }
            Self::TrailingData => f.write_str("there are bytes after the last layer's data"),
            Self::ArenaOverrun { tensor } => write!(f, "tensor {tensor} lies outside the arena"),
            Self::ArenaOverlap { layer, tensor } => {
                write!(f, "the output of layer {layer} overlaps tensor {tensor}, which is still needed")
            }
            Self::ScratchOverrun { layer } => {
                write!(f, "layer {layer}: its scratch fits into no gap of the arena")
            }
            Self::DeadTensor { tensor } => write!(f, "no layer reads tensor {tensor}"),
            Self::MissingKernel { layer, missing } => {
                write!(f, "layer {layer} needs what this build was made without: {missing}")
            }
        }
    }
}

impl core::error::Error for ModelError {}

/// Why a call of [`crate::Model::run`] was refused. Nothing was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunError {
    /// The input has another number of elements than the network's input.
    InputLength {
        /// Elements needed.
        needed: usize,
    },
    /// The arena is too small.
    ArenaTooSmall {
        /// Bytes needed.
        needed: usize,
    },
    /// The arena does not begin at a multiple of 4; [`crate::Arena`] does.
    ArenaMisaligned,
    /// The output has another number of elements than the network has classes.
    OutputLength {
        /// Elements needed.
        needed: usize,
    },
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::InputLength { needed } => write!(f, "the input must have exactly {needed} elements"),
            Self::ArenaTooSmall { needed } => write!(f, "the arena must have at least {needed} bytes"),
            Self::ArenaMisaligned => {
                f.write_str("the arena must begin at an address that is a multiple of 4")
            }
            Self::OutputLength { needed } => write!(f, "the output must have exactly {needed} elements"),
        }
    }
}

impl core::error::Error for RunError {}
