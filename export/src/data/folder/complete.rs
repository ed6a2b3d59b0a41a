//! Whether a file is one whole image: that it goes on to its end, and that it is no animation. Decoders of JPEG and WebP accept files that do not and fill the rest with grey.

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

/// True for a WebP file of several frames.
pub(super) fn is_animated_webp(bytes: &[u8]) -> bool {
    const ANIMATION: u8 = 1 << 1;
    bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & ANIMATION != 0)
}

/// True for a PNG file of several frames (APNG): before the pixels, a chunk counts them.
pub(super) fn is_animated_png(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(8) {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        match &head[4..] {
            b"acTL" => return body.get(..4).is_some_and(|frames| frames > &[0, 0, 0, 1][..]),
            b"IDAT" | b"IEND" => return false,
            // A checksum of four bytes follows.
            _ => rest = length.checked_add(4).and_then(|end| body.get(end..)).unwrap_or_default(),
        }
    }
    false
}
