//! Checksums of what a study keeps: the first 64 bits of a SHA-256, in hexadecimal. They find accidents, not attackers.

use bomp_export::files;

/// Characters of a checksum.
pub(super) const DIGITS: usize = 16;

pub(super) fn of(bytes: &[u8]) -> String {
    let mut text = files::sha256(bytes);
    text.truncate(DIGITS);
    text
}
