//! A golden model under alteration: fields by their names in FORMAT.md, length and checksum made right again on demand.

use std::fs;

use bomp_runtime::blob::{CHECKSUM_BYTES, HEADER_BYTES, RECORD_BYTES};

use crate::workspace;

/// CRC-32 by table: the runtime's own is small, and a million mutants need many.
const CRC: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

/// A golden model.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Its name.
    pub name: &'static str,
    /// The blob.
    pub blob: Vec<u8>,
    /// Elements of its images, one after the other.
    pub images: Vec<i8>,
}

impl Golden {
    /// Those of version 1; `wide` has layers with factors of 26 bits.
    ///
    /// # Panics
    /// If they are not in the repository.
    #[must_use]
    pub fn all() -> [Self; 4] {
        ["bottlenecks", "odd", "classifier", "wide"].map(|name| {
            let path = workspace().join("runtime/tests/golden/v1").join(name);
            let read = |extension| fs::read(path.with_extension(extension)).expect("golden models are kept");
            let images = read("inputs").into_iter().map(|byte| byte as i8).collect();
            Self { name, blob: read("bomp"), images }
        })
    }
}

/// Bytes of a blob that are altered field by field.
#[derive(Clone, Debug)]
pub struct Alterable(Vec<u8>);

impl Alterable {
    /// Of a blob.
    #[must_use]
    pub fn new(blob: &[u8]) -> Self {
        Self(blob.to_vec())
    }

    /// Number of layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        usize::from(u16::from_le_bytes([self.0[6], self.0[7]]))
    }

    /// A u32 of the header.
    #[must_use]
    pub fn header_u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.0[offset..offset + 4].try_into().expect("four bytes"))
    }

    /// Where a field of a layer's record is.
    #[must_use]
    pub fn record(layer: usize, field: usize) -> usize {
        HEADER_BYTES + layer * RECORD_BYTES + field
    }

    /// Overwrites bytes.
    #[must_use]
    pub fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Changes a field of a layer's record.
    #[must_use]
    pub fn layer(self, layer: usize, field: usize, bytes: &[u8]) -> Self {
        self.put(Self::record(layer, field), bytes)
    }

    /// Changes bytes of the data section.
    #[must_use]
    pub fn data(self, offset: usize, bytes: &[u8]) -> Self {
        let start = Self::record(self.layers(), 0);
        self.put(start + offset, bytes)
    }

    /// Removes bytes.
    #[must_use]
    pub fn without(mut self, at: usize, count: usize) -> Self {
        self.0.drain(at..at + count);
        self
    }

    /// Inserts bytes.
    #[must_use]
    pub fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0.splice(at..at, bytes.iter().copied());
        self
    }

    /// Position of the checksum.
    #[must_use]
    pub fn end(&self) -> usize {
        self.0.len() - CHECKSUM_BYTES
    }

    /// As it is: whatever was altered, length and checksum are those of the golden model.
    #[must_use]
    pub fn raw(self) -> Vec<u8> {
        self.0
    }

    /// With the checksum made right, the stated length as it is.
    #[must_use]
    pub fn summed(mut self) -> Vec<u8> {
        let end = self.end();
        let sum = CRC.checksum(&self.0[..end]);
        self.0[end..].copy_from_slice(&sum.to_le_bytes());
        self.0
    }

    /// With length and checksum made right.
    #[must_use]
    pub fn sealed(mut self) -> Vec<u8> {
        let length = self.0.len() as u32;
        if let Some(place) = self.0.get_mut(8..12) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        self.summed()
    }
}
