//! Opening files that anybody may have made: only regular files, and no more bytes than a file of that kind can need.
//!
//! An archive can hold links to devices and named pipes. A pipe would be waited for without end, and `/dev/zero` would be
//! read without end, so neither is opened; a link is followed, and what it leads to must be a regular file.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of each kind of file.
pub mod limit {
    /// Class names, keys, presets, search spaces: 1 MiB.
    pub const TEXT: u64 = 1 << 20;
    /// `network.json`, the file beside a blob, the definition of an optimisation problem: 64 MiB.
    pub const JSON: u64 = 1 << 26;
    /// A packed model, signed or not: 256 MiB, more than any layer's shape allows.
    pub const MODEL: u64 = 1 << 28;
    /// An ONNX file: 256 MiB.
    pub const ONNX: u64 = 1 << 28;
    /// Float weights of a candidate, and what `bomp-search status --json` prints: 1 GiB.
    pub const LARGE: u64 = 1 << 30;
}

/// Opens `path` for reading if it is a regular file, and returns its length in bytes with it.
///
/// # Errors
/// The operating system's, and [`io::ErrorKind::InvalidInput`] for anything that is not a regular file, with the remedy.
pub fn open_untrusted(path: &Path) -> io::Result<(File, u64)> {
    // Before it is opened, because opening a device can have effects.
    regular(std::fs::metadata(path)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Another process may have put a pipe there in between: then this does not wait for its other end.
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    regular(metadata.file_type())?;
    Ok((file, metadata.len()))
}

/// All bytes of the regular file `path`, at most `limit` of them.
///
/// # Errors
/// As [`open_untrusted`], and [`io::ErrorKind::FileTooLarge`] for a longer file.
pub fn read_untrusted(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let too_large = |length: &dyn std::fmt::Display| {
        let problem = format!(
            "it has {length} bytes, and a file of this kind has at most {limit}: is it the right file?"
        );
        io::Error::new(io::ErrorKind::FileTooLarge, problem)
    };
    let (file, length) = open_untrusted(path)?;
    if length > limit {
        return Err(too_large(&length));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    // A file may grow while it is read, and files of /proc say that they have no bytes.
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(too_large(&"more")) } else { Ok(bytes) }
}

/// The text of the regular file `path`, at most `limit` bytes of UTF-8.
///
/// # Errors
/// As [`read_untrusted`], and [`io::ErrorKind::InvalidData`] for what is not UTF-8.
pub fn read_untrusted_text(path: &Path, limit: u64) -> io::Result<String> {
    String::from_utf8(read_untrusted(path, limit)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("byte {at} is not UTF-8 text"))
    })
}

fn regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let refuse = |problem: String| Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    if kind.is_dir() {
        return refuse("it is a folder, and a file is needed: name a file in it".into());
    }
    let what = special(kind);
    refuse(format!(
        "it is {what}, or a link to one, and only regular files are read: copy what it holds into a file and name that"
    ))
}

#[cfg(unix)]
fn special(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(not(unix))]
fn special(_: FileType) -> &'static str {
    "a device"
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "abcd").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read_untrusted_text(&link, 4).unwrap(), "abcd");
        let error = read_untrusted(&path, 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("4 bytes"), "{error}");
        // It says that it has no bytes.
        assert!(
            read_untrusted(Path::new("/proc/self/maps"), 10).unwrap_err().to_string().contains("at most 10")
        );
        std::fs::write(&path, b"ab\xff").unwrap();
        assert!(read_untrusted_text(&path, 4).unwrap_err().to_string().contains("byte 2"));
        assert_eq!(
            read_untrusted(&folder.path().join("none"), 4).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("device");
        std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, what) in [
            (&device, "a device"),
            (&pipe, "a named pipe"),
            (&socket, "a socket"),
            (&folder.path().into(), "a folder"),
        ] {
            let error = read_untrusted(path, limit::TEXT).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains(what), "{}: {error}", path.display());
        }
    }
}
