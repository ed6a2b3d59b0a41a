//! Whether a file goes on to the end of its image. Decoders of JPEG and WebP accept files that do not and fill the rest with grey.

/// True when the marker "end of image" is where the last scan ends.
///
/// Segments are stepped over by their lengths, so the picture in miniature that cameras put into a segment is not taken for it.
pub(super) fn jpeg(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut at = 2;
    loop {
        // To the next marker: 0xff and neither a stuffed zero nor a restart. Whatever lies before it is scan or padding.
        let Some(found) = bytes.get(at..).and_then(|rest| {
            rest.windows(2)
                .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd8 | 0xff))
        }) else {
            return false;
        };
        at += found + 2;
        let marker = bytes[at - 1];
        if marker == END {
            return true;
        }
        let Some(&[high, low]) = bytes.get(at..at + 2) else { return false };
        // The length counts itself. The header of a scan is a segment as well.
        at += usize::from(u16::from_be_bytes([high, low])).max(2);
    }
}

/// True when the file is as long as its outermost chunk says.
pub(super) fn webp(bytes: &[u8]) -> bool {
    match bytes.get(4..8) {
        Some(&[a, b, c, d]) => bytes.len() as u64 >= u64::from(u32::from_le_bytes([a, b, c, d])) + 8,
        _ => false,
    }
}
