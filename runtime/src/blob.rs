//! The packed format, version 1: the layout of header, layer records and channel records as `FORMAT.md` documents them.
//!
//! All structs are plain bytes of alignment 1 in file order, so a blob can lie at any address and is viewed in place.
//! Nothing here judges values; [`crate::layer`] does.

use bytemuck::{Pod, Zeroable};

use crate::quant::{Multiplier, packed_len};

/// First four bytes of every blob.
pub const MAGIC: [u8; 4] = *b"BOMP";
/// Version of the format that this runtime reads.
pub const VERSION: u16 = 1;
/// Bytes of the CRC-32 at the end.
pub const CHECKSUM_BYTES: usize = 4;
/// Largest number of layers.
pub const MAX_LAYERS: usize = 1_024;
/// Largest blob, in bytes: 256 MiB, so that a bit index fits 32 bits.
pub const MAX_BLOB: usize = 1 << 28;
/// Bytes of an add's two factors.
pub const ADD_BYTES: usize = 8;
/// Bytes of an average pool's factor.
pub const POOL_BYTES: usize = 4;

/// Header, 36 bytes at offset 0. Multi-byte fields are little-endian.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// u16, [`VERSION`].
    pub version: [u8; 2],
    /// u16, 1..=[`MAX_LAYERS`].
    pub layer_count: [u8; 2],
    /// u32, length of the whole file in bytes, checksum included.
    pub total_len: [u8; 4],
    /// u32, bytes of RAM that the activations need.
    pub arena_size: [u8; 4],
    /// u32, where the input tensor lies in the arena.
    pub input_offset: [u8; 4],
    /// u16, at least 1.
    pub input_height: [u8; 2],
    /// u16, at least 1.
    pub input_width: [u8; 2],
    /// u16, at least 1.
    pub input_channels: [u8; 2],
    /// int8 value that stands for the real number 0.
    pub input_zero_point: i8,
    /// 0.
    pub reserved: u8,
    /// IEEE 754 binary32: real step of one input unit. The runtime never uses it.
    pub input_scale: [u8; 4],
    /// IEEE 754 binary32: real step of one logit unit. The runtime never uses it.
    pub output_scale: [u8; 4],
}

/// One layer, 20 bytes, in execution order from offset 36.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Record {
    /// Bits 0..3: kind (see [`crate::layer::Kind`]); bit 3: wide, see [`Fine`]; bits 4..8: weight width, 4..=8, or 0 without
    /// weights.
    pub kind_bits: u8,
    /// Bits 0..4: kernel height, bits 4..8: kernel width, 1..=15 each; 0 where the kind has no kernel.
    pub kernel: u8,
    /// Bits 0..4: rows of padding above, bits 4..8: columns of padding to the left; each less than the kernel.
    pub padding: u8,
    /// 1..=15 for kinds with a kernel, else 0.
    pub stride: u8,
    /// Zero point of the output; 0 for the classifier.
    pub zero_point: i8,
    /// Lower saturation bound; 0 for the classifier.
    pub min: i8,
    /// Upper saturation bound; 0 for the classifier.
    pub max: i8,
    /// Base shift of the multipliers, or the shift of an add or a pool.
    pub shift: u8,
    /// The input is tensor `layer - source` (tensor 0 is the network's input, tensor i + 1 the output of layer i).
    pub source: u8,
    /// The same for an add's second input; else 0.
    pub source_b: u8,
    /// u16, height of the output.
    pub height: [u8; 2],
    /// u16, width of the output.
    pub width: [u8; 2],
    /// u16, channels of the output.
    pub channels: [u8; 2],
    /// u32, where the output lies in the arena; 0 for the classifier.
    pub offset: [u8; 4],
}

/// Parameters of one output channel, 6 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Channel {
    /// i32, start value of the accumulator: bias less input zero point times the sum of the weights.
    pub bias: [u8; 4],
    /// u16, see [`Multiplier`].
    pub multiplier: [u8; 2],
}

impl Channel {
    /// From native values.
    #[must_use]
    pub const fn new(bias: i32, multiplier: Multiplier) -> Self {
        Self { bias: bias.to_le_bytes(), multiplier: multiplier.0.to_le_bytes() }
    }

    /// Start value of the accumulator.
    #[must_use]
    #[inline]
    pub const fn bias(&self) -> i32 {
        i32::from_le_bytes(self.bias)
    }

    /// Factor from the accumulator's step to the output's.
    #[must_use]
    #[inline]
    pub const fn multiplier(&self) -> Multiplier {
        Multiplier(u16::from_le_bytes(self.multiplier))
    }
}

/// u16, 0..=8191: 13 more bits of the fraction of an output channel's factor. A wide layer has one for each, after all its
/// [`Channel`]s; see [`crate::quant::Factor::wide`].
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Fine(pub [u8; 2]);

impl Fine {
    /// The bits.
    #[must_use]
    #[inline]
    pub const fn get(self) -> u16 {
        u16::from_le_bytes(self.0)
    }
}

impl Record {
    /// Bit of [`Self::kind_bits`] that makes a layer wide.
    pub const WIDE: u8 = 1 << 3;

    /// Number of the kind, 0..=7.
    #[must_use]
    #[inline]
    pub const fn kind_number(&self) -> u8 {
        self.kind_bits & 7
    }

    /// Whether the factors have 26 significant bits instead of 13.
    #[must_use]
    #[inline]
    pub const fn is_wide(&self) -> bool {
        self.kind_bits & Self::WIDE != 0
    }

    /// Width of the weights, 0 without weights.
    #[must_use]
    #[inline]
    pub const fn bits(&self) -> u8 {
        self.kind_bits >> 4
    }
}

/// Bytes of [`Header`].
pub const HEADER_BYTES: usize = size_of::<Header>();
/// Bytes of [`Record`].
pub const RECORD_BYTES: usize = size_of::<Record>();
/// Bytes of [`Channel`].
pub const CHANNEL_BYTES: usize = size_of::<Channel>();

/// Bytes of [`Fine`].
pub const FINE_BYTES: usize = size_of::<Fine>();

/// Bytes that a layer with weights takes in the data section: its channel records, what a wide layer adds to them, then its
/// packed weights. `fan_in` is the number of weights of one output channel.
#[must_use]
pub const fn weighted_data_bytes(channels: usize, fan_in: usize, bits: u8, wide: bool) -> usize {
    let channel_bytes = if wide { CHANNEL_BYTES + FINE_BYTES } else { CHANNEL_BYTES };
    channels * channel_bytes + packed_len(channels * fan_in, bits)
}

/// CRC-32 of ISO 3309 (polynomial 0x04C11DB7 reflected, initial value and final complement all ones) over `bytes`.
#[must_use]
pub const fn checksum(bytes: &[u8]) -> u32 {
    const CRC: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);
    CRC.checksum(bytes)
}
