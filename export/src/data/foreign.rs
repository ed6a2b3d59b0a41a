//! Files that people have and that are not read: what each is, told by its first bytes or else by its name, and the way out.
//!
//! Nothing is read of a file but its first bytes, and nothing at all of what is no regular file.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;

use crate::files;

/// As far as any mark of a format lies from the beginning of its file.
const HEAD: u64 = 512;

/// A kind of file, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) what: &'static str,
    pub(super) remedy: &'static str,
}

const PICTURE: &str =
    "convert it to PNG (for example `mogrify -format png FILE` of ImageMagick) and remove the original";
const UNPACK: &str = "unpack it and name the folder that comes out";
const ARRAYS: &str = "save the images as arrays: `np.savez(\"data.npz\", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)`, images uint8 [N, H, W, C], labels [N]";
const SOUND: &str = "compute spectrograms and save them as float32 arrays [N, H, W] in an .npz file: x_train, y_train, x_test, y_test";
const VIDEO: &str = "save single frames of it as PNG files in the folder of their class";
const MODEL: &str = "--data names images: a folder or an .npz file";
const LABELS: &str = "labels and annotations are not read: an image's class is the name of its folder; move this file out of the class folders. \
                      Regression, several labels for one image and detection are not supported";
const TABLE: &str = "labels and annotations beside images are not read: an image's class is the name of its folder; move this file out of the class \
                     folders. Save a table of numbers with the label in the first column as arrays: \
                     `d = np.loadtxt(\"FILE\", delimiter=\",\", skiprows=1); i = np.random.default_rng(0).permutation(len(d)); x, y = d[i, 1:], d[i, 0]; \
                     n = len(d) // 5; np.savez(\"data.npz\", x_train=x[n:], y_train=y[n:], x_test=x[:n], y_test=y[:n])`";
const AGAIN: &str = "download or copy it again, or remove it";
const REMOVE: &str = "move it out of the data's folder";

/// Marks in the first bytes: offset, bytes, kind, remedy.
const MARKS: &[(usize, &[u8], &str, &str)] = &[
    (
        0,
        b"version https://git-lfs",
        "a Git LFS pointer, not the file itself",
        "fetch the contents with `git lfs pull`",
    ),
    (0, b"<!DOCTYPE html", "a web page, as a failed download leaves it", AGAIN),
    (0, b"<!doctype html", "a web page, as a failed download leaves it", AGAIN),
    (0, b"<html", "a web page, as a failed download leaves it", AGAIN),
    (0, b"GIF8", "a GIF image", PICTURE),
    (0, b"II*\0", "a TIFF image", PICTURE),
    (0, b"MM\0*", "a TIFF image", PICTURE),
    (0, b"8BPS", "a Photoshop image", PICTURE),
    (0, b"\xff\x0a", "a JPEG XL image", PICTURE),
    (4, b"JXL ", "a JPEG XL image", PICTURE),
    (4, b"jP  ", "a JPEG 2000 image", PICTURE),
    (4, b"ftypavif", "an AVIF image", PICTURE),
    (4, b"ftyphei", "a HEIC image", PICTURE),
    (4, b"ftypmif1", "a HEIC image", PICTURE),
    (4, b"ftyp", "a video", VIDEO),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image", PICTURE),
    (0, b"<svg", "an SVG drawing", PICTURE),
    (128, b"DICM", "a DICOM image", "save its pixels as a 16-bit PNG, or all of them as an .npz file"),
    (8, b"WAVE", "a sound", SOUND),
    (0, b"fLaC", "a sound", SOUND),
    (0, b"ID3", "a sound", SOUND),
    (0, b"OggS", "a sound", SOUND),
    (8, b"AVI ", "a video", VIDEO),
    (0, b"\x1a\x45\xdf\xa3", "a video", VIDEO),
    (0, b"\x89HDF", "an HDF5 file", ARRAYS),
    (0, b"PAR1", "a Parquet table", ARRAYS),
    (0, b"ARROW1", "an Arrow table", ARRAYS),
    (0, b"MATLAB", "a MATLAB file", ARRAYS),
    (0, b"SQLite format 3", "an SQLite database", MODEL),
    (0, b"\x93NUMPY", "a single array", ARRAYS),
    (0, b"%PDF", "a PDF document", PICTURE),
    (0, b"BOMP", "a packed model", MODEL),
    (4, b"TFL3", "a TensorFlow Lite model", MODEL),
    (0, b"7z\xbc\xaf", "a 7z archive", UNPACK),
    (0, b"Rar!", "a RAR archive", UNPACK),
    (0, b"\xfd7zXZ", "an xz archive", UNPACK),
    (0, b"BZh", "a bzip2 archive", UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (257, b"ustar", "a tar archive", UNPACK),
];

/// Endings of names, in lower case: endings, kind, remedy.
const ENDINGS: &[(&[&str], &str, &str)] = &[
    (&["npz"], "an .npz archive", "an .npz file stands alone: name the file itself, without `--format`"),
    (&["onnx", "tflite", "pb", "keras", "safetensors", "gguf", "bomp"], "a model", MODEL),
    (
        &["pt", "pth", "pkl", "pickle", "joblib"],
        "a Python pickle, which may run code when it is opened",
        ARRAYS,
    ),
    (&["h5", "hdf5", "mat", "npy", "rds"], "a file of arrays", ARRAYS),
    (&["tfrecord", "tfrecords", "array_record", "parquet", "arrow", "feather"], "a file of records", ARRAYS),
    (&["zip", "tar", "tgz", "gz", "7z", "rar", "xz", "bz2", "zst"], "an archive", UNPACK),
    (&["wav", "mp3", "flac", "ogg", "m4a"], "a sound", SOUND),
    (&["mp4", "avi", "mov", "mkv", "webm"], "a video", VIDEO),
    (&["csv"], "a table", TABLE),
    (&["tsv", "json", "jsonl", "xml", "yaml", "yml", "xlsx"], "a table or text", LABELS),
    (&["txt", "md", "rst", "html", "pdf", "log"], "a text", REMOVE),
    (
        &[
            "svg", "ico", "tga", "heic", "avif", "jxl", "jp2", "gif", "tif", "tiff", "psd", "dds", "exr",
            "hdr", "qoi", "raw", "nef", "cr2", "dng",
        ],
        "an image of a kind that is not read",
        PICTURE,
    ),
    (&["dcm", "nii"], "a medical image", "save its pixels as a 16-bit PNG, or all of them as an .npz file"),
    (&["py", "ipynb", "sh", "rs", "c", "h"], "a program", REMOVE),
];

/// Endings of the images that are read.
const READ: &[&str] =
    &["png", "jpg", "jpeg", "jpe", "jfif", "bmp", "webp", "pnm", "pgm", "ppm", "pbm", "pam"];

/// What a file is that is none of those that are read; `None` when nothing is known of it.
pub(super) fn describe(path: &Path) -> Option<Foreign> {
    let head = head(path)?;
    if head.is_empty() {
        return Some(Foreign { what: "an empty file", remedy: AGAIN });
    }
    let marked = |&&(offset, mark, _, _): &&(usize, &[u8], &str, &str)| {
        head.get(offset..).is_some_and(|bytes| bytes.starts_with(mark))
    };
    if let Some(&(_, _, what, remedy)) = MARKS.iter().find(marked) {
        return Some(Foreign { what, remedy });
    }
    // The beginnings of zip and gzip say little: arrays, models and pickles are zip files too.
    let ending = ending(path);
    let ends =
        |&&(endings, _, _): &&(&[&str], &'static str, &'static str)| endings.contains(&ending.as_str());
    if let Some(&(_, what, remedy)) = ENDINGS.iter().find(ends) {
        return Some(Foreign { what, remedy });
    }
    let packed = head.starts_with(b"PK\x03\x04") || head.starts_with(b"\x1f\x8b");
    packed.then_some(Foreign { what: "an archive", remedy: UNPACK })
}

/// True for what looks like an image by its beginning or its name, whether it is read or not.
pub(super) fn is_image(path: &Path) -> bool {
    READ.contains(&ending(path).as_str())
        || head(path).is_some_and(|head| image::guess_format(&head).is_ok())
        || describe(path).is_some_and(|foreign| foreign.remedy == PICTURE)
}

/// The ending of the name in lower case.
fn ending(path: &Path) -> String {
    path.extension().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase()
}

/// The first bytes of a regular file.
fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    files::open_untrusted(path).ok()?.0.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}
