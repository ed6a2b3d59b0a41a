//! What the targets share: a blob whose length and checksum are right, so that the fuzzer gets past them; changes of structure;
//! how much memory a call takes.

/// The checksum of a blob, by table: the runtime's own is small, not fast, and an independent one does no harm here.
const CRC: crc::Crc<u32, crc::Table<16>> = crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

/// `body` (a blob without its checksum) with the stated length and the checksum made right. Magic and version stay.
#[must_use]
pub fn sealed(body: &[u8]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(body.len() + 4);
    blob.extend_from_slice(body);
    if let Some(length) = blob.get_mut(8..12) {
        length.copy_from_slice(&(body.len() as u32 + 4).to_le_bytes());
    }
    blob.extend(CRC.checksum(&blob).to_le_bytes());
    blob
}

pub mod memory;
#[cfg(feature = "export")]
pub mod onnx;

#[cfg(feature = "export")]
mod folder;
#[cfg(feature = "export")]
pub use folder::{Folder, candidate, pack};
