//! One image file: what its header says, and its pixels as they are meant to be seen.
//!
//! Only regular files are opened, of at most [`MAX_FILE`] bytes; no more than [`MAX_DECODED`] bytes are allocated for the pixels of
//! one, and that only after its header was read. A file that ends too early is refused: decoders fill what is missing with grey.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits};

use crate::files;

use super::super::error::DataError;
use super::super::foreign;
use super::{complete, names, unusable};

/// No image file may be larger, in bytes.
const MAX_FILE: u64 = 1 << 28;
/// The decoded pixels of no image may be larger, in bytes.
const MAX_DECODED: u64 = 1 << 28;

/// What is known of an image before its pixels are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Upright.
    pub(super) width: u32,
    /// Upright.
    pub(super) height: u32,
    /// 1: grey, 3: colour.
    pub(super) channels: usize,
    /// 16 bits for each channel.
    pub(super) is_deep: bool,
    pub(super) has_transparency: bool,
    /// Its EXIF note says that it is to be turned or mirrored.
    pub(super) is_turned: bool,
    /// Bytes of the file.
    pub(super) file: u64,
    /// Bytes of the decoded pixels.
    pub(super) decoded: u64,
}

/// Reads the header of an image.
pub(super) fn header(path: &Path) -> Result<Header, DataError> {
    let file = regular(path)?;
    let read = |reader: ImageReader<BufReader<File>>| {
        let mut decoder = reader.into_decoder()?;
        Ok((facts(&mut decoder), decoder.orientation()?))
    };
    let refuse = |cause| DataError::Read { path: path.to_owned(), cause };
    let mut opened = BufReader::new(files::open_untrusted(path).map_err(refuse)?.0);
    let start = opened.fill_buf().map_err(refuse)?.to_vec();
    let reader = ImageReader::new(opened);
    let mut reader = reader.with_guessed_format().map_err(refuse)?;
    reader.limits(limits());
    refuse_animation(path, reader.format(), &start)?;
    if reader.format().is_none() {
        return Err(unreadable(path, "its first bytes are those of no image format that is read"));
    }
    let ((width, height, color, decoded), orientation) = guarded(path, || read(reader))?;
    if width == 0 || height == 0 {
        return Err(unusable(path, "the image has no pixels"));
    }
    if decoded > MAX_DECODED {
        let problem = format!(
            "{width} x {height} pixels would take {} MB; no image may take more than {}: scale it down, for example `mogrify -resize 512x512 FILE` of ImageMagick",
            decoded / 1_000_000,
            MAX_DECODED / 1_000_000
        );
        return Err(unusable(path, problem));
    }
    // As in EXIF, a turn by a quarter swaps the sides.
    use image::metadata::Orientation::{NoTransforms, Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let swapped = matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let (width, height) = if swapped { (height, width) } else { (width, height) };
    Ok(Header {
        width,
        height,
        channels: if color.has_color() { 3 } else { 1 },
        is_deep: color.bytes_per_pixel() > color.channel_count(),
        has_transparency: color.has_alpha(),
        is_turned: orientation != NoTransforms,
        file,
        decoded,
    })
}

fn facts(decoder: &mut impl ImageDecoder) -> (u32, u32, image::ColorType, u64) {
    let (width, height) = decoder.dimensions();
    (width, height, decoder.color_type(), decoder.total_bytes())
}

/// Reads the pixels of an image and turns it upright.
pub(super) fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    regular(path)?;
    let bytes = files::read_untrusted(path, MAX_FILE)
        .map_err(|cause| DataError::Read { path: path.to_owned(), cause })?;
    let mut reader = ImageReader::new(Cursor::new(bytes.as_slice()))
        .with_guessed_format()
        .map_err(|cause| DataError::Read { path: path.to_owned(), cause })?;
    reader.limits(limits());
    refuse_animation(path, reader.format(), &bytes)?;
    let is_complete = match reader.format() {
        Some(ImageFormat::Jpeg) => complete::jpeg(&bytes),
        Some(ImageFormat::WebP) => complete::webp(&bytes),
        // The other decoders say so themselves.
        _ => true,
    };
    if !is_complete {
        return Err(unusable(
            path,
            "the file ends before the image does; download or copy it again, or remove it",
        ));
    }
    guarded(path, || {
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok(image)
    })
}

/// Refuses a file of several pictures, as far as `bytes`, its beginning or all of it, show that.
fn refuse_animation(path: &Path, format: Option<ImageFormat>, bytes: &[u8]) -> Result<(), DataError> {
    let kind = match format {
        Some(ImageFormat::WebP) if complete::is_animated_webp(bytes) => "WebP",
        Some(ImageFormat::Png) if complete::is_animated_png(bytes) => "PNG",
        _ => return Ok(()),
    };
    let problem = format!(
        "an animated {kind} image, several pictures in one file; save single frames of it as PNG files (for example \
         `convert FILE frame.png` of ImageMagick) and remove the original"
    );
    Err(unusable(path, problem))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    // The decoder's own buffers come on top of the pixels.
    limits.max_alloc = Some(2 * MAX_DECODED);
    limits
}

/// The bytes of a file, which is neither a folder nor a device and not too large.
fn regular(path: &Path) -> Result<u64, DataError> {
    if names::is_dead_link(path) {
        return Err(names::dead_link(path));
    }
    let metadata = fs::metadata(path).map_err(|cause| DataError::Read { path: path.to_owned(), cause })?;
    if !metadata.is_file() {
        return Err(unusable(path, "not a regular file; remove it or move it out of the data's folder"));
    }
    if metadata.len() > MAX_FILE {
        let problem = format!("{} bytes; an image file may have at most {MAX_FILE}", metadata.len());
        return Err(unusable(path, problem));
    }
    Ok(metadata.len())
}

/// The decoders are other people's and read hostile files: should one panic, that is this file's fault, not the end.
fn guarded<T>(path: &Path, read: impl FnOnce() -> ImageResult<T>) -> Result<T, DataError> {
    let result =
        catch_unwind(AssertUnwindSafe(read)).map_err(|_| unusable(path, "the image's decoder failed"))?;
    result.map_err(|error| unreadable(path, &error.to_string()))
}

fn unreadable(path: &Path, reason: &str) -> DataError {
    let problem = match foreign::describe(path) {
        Some(foreign) => format!("not a readable image but {}; {}", foreign.what, foreign.remedy),
        None => {
            let reason = reason.replace(['\n', '\r'], " ");
            format!(
                "not a readable image: {reason}; copy it again, remove it, or move it out of the data's folder"
            )
        }
    };
    unusable(path, problem)
}
