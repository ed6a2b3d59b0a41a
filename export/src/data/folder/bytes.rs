//! From any picture to 8 bits for each channel, grey or colour, without transparency.

use image::{DynamicImage, GrayImage, RgbImage};

/// The bits that hold every 16-bit value up to `largest`, at least 8: cameras store 10, 12 or 14 bits in 16.
pub(super) fn bits(largest: u16) -> u32 {
    (u16::BITS - largest.leading_zeros()).max(8)
}

/// The largest value of a picture of 16 bits for each channel; transparency does not count. 0 for other pictures.
pub(super) fn largest(image: &DynamicImage) -> u16 {
    let of = |values: &[u16], channels: usize, colours: usize| {
        values.chunks_exact(channels).flat_map(|pixel| &pixel[..colours]).copied().max().unwrap_or_default()
    };
    match image {
        DynamicImage::ImageLuma16(image) => of(image.as_raw(), 1, 1),
        DynamicImage::ImageLumaA16(image) => of(image.as_raw(), 2, 1),
        DynamicImage::ImageRgb16(image) => of(image.as_raw(), 3, 3),
        DynamicImage::ImageRgba16(image) => of(image.as_raw(), 4, 3),
        _ => 0,
    }
}

/// 8 bits for each channel: values of 16-bit pictures lose all but the highest 8 of their `bits`, and what is transparent is laid
/// on black.
pub(super) fn eight_bits(image: DynamicImage, bits: u32) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    let shift = bits - 8;
    let low = |value: u16| (value >> shift).min(255) as u8;
    // Transparency has all 16 bits, whatever the colours have.
    let deep = |values: &[u16], colours: usize| -> Vec<u8> {
        let pixel = |pixel: &[u16]| {
            let alpha = (pixel[colours] >> 8) as u8;
            pixel[..colours].iter().map(move |&value| on_black(low(value), alpha)).collect::<Vec<u8>>()
        };
        values.chunks_exact(colours + 1).flat_map(pixel).collect()
    };
    let shallow = |values: &[u8], colours: usize| -> Vec<u8> {
        let pixel = |pixel: &[u8]| {
            let alpha = pixel[colours];
            pixel[..colours].iter().map(move |&value| on_black(value, alpha)).collect::<Vec<u8>>()
        };
        values.chunks_exact(colours + 1).flat_map(pixel).collect()
    };
    let (pixels, is_colour) = match &image {
        DynamicImage::ImageLumaA8(image) => (shallow(image.as_raw(), 1), false),
        DynamicImage::ImageRgba8(image) => (shallow(image.as_raw(), 3), true),
        DynamicImage::ImageLuma16(image) => (image.as_raw().iter().copied().map(low).collect(), false),
        DynamicImage::ImageRgb16(image) => (image.as_raw().iter().copied().map(low).collect(), true),
        DynamicImage::ImageLumaA16(image) => (deep(image.as_raw(), 1), false),
        DynamicImage::ImageRgba16(image) => (deep(image.as_raw(), 3), true),
        _ => return image,
    };
    // The number of pixels has not changed, so neither of the two fails.
    let image = if is_colour {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::from)
    };
    image.unwrap_or_default()
}

fn on_black(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8
}
