//! A reader that knows where it is: exact lengths, no trailing bytes, and an offset in every error.
//!
//! Lengths come from the file itself and may lie, so memory is only reserved up to what a file of this size can hold.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::files;

use super::error::{DataError, Place};

/// Deflate cannot expand a byte further than this.
const MAX_DEFLATE_RATIO: u64 = 1032;

const AGAIN: &str = "download, copy or save it again";

/// A plain, gzipped or archived sequence of bytes.
pub(super) struct Stream<'a> {
    place: Place,
    reader: Box<dyn Read + 'a>,
    /// No more than this many bytes can come out of the file.
    bound: u64,
    offset: u64,
}

impl Stream<'static> {
    /// Opens a file; one whose name ends in `.gz` is decompressed.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let refuse = |cause| DataError::Read { path: path.to_owned(), cause };
        let (file, length) = files::open_untrusted(path).map_err(refuse)?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let place = Place { path: path.to_owned(), entry: None };
        // Browsers unpack and keep the name.
        let start = file.fill_buf().map_err(refuse)?;
        if path.extension().is_some_and(|e| e == "gz") && !start.is_empty() && !start.starts_with(b"\x1f\x8b")
        {
            let problem = format!(
                "cannot be decompressed: the name ends in .gz, but the file is not gzipped; if it is unpacked already, rename it to `{}`, \
                 else {AGAIN}",
                path.file_stem().unwrap_or_default().display()
            );
            return Err(DataError::Malformed { place, offset: 0, problem });
        }
        Ok(if path.extension().is_some_and(|e| e == "gz") {
            Stream::new(place, MultiGzDecoder::new(file), length)
        } else {
            Stream { place, reader: Box::new(file), bound: length, offset: 0 }
        })
    }
}

impl<'a> Stream<'a> {
    /// Wraps a reader whose bytes come, possibly compressed, from a file of `file_length` bytes.
    pub(super) fn new(place: Place, reader: impl Read + 'a, file_length: u64) -> Self {
        let bound = file_length.saturating_mul(MAX_DEFLATE_RATIO);
        Stream { place, reader: Box::new(reader), bound, offset: 0 }
    }

    /// The file or archive entry.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Bytes read so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The error "this is wrong at that byte".
    pub(super) fn fault(&self, offset: u64, problem: impl Into<String>) -> DataError {
        DataError::Malformed { place: self.place.clone(), offset, problem: problem.into() }
    }

    /// Exactly `length` bytes, which are `what`.
    pub(super) fn bytes(&mut self, length: u64, what: &str) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let reserve = usize::try_from(length.min(self.bound)).unwrap_or(usize::MAX);
        if bytes.try_reserve_exact(reserve).is_err() {
            return Err(
                self.fault(self.offset, format!("{what} need {length} bytes: more memory than there is"))
            );
        }
        let result = (&mut self.reader).take(length).read_to_end(&mut bytes);
        let end = self.offset + bytes.len() as u64;
        result.map_err(|cause| self.refuse(end, cause))?;
        if (bytes.len() as u64) < length {
            return Err(self.fault(
                end,
                format!("the file ends here, but {what} go on to byte {}; {AGAIN}", self.offset + length),
            ));
        }
        self.offset = end;
        Ok(bytes)
    }

    /// A big-endian 32-bit number.
    pub(super) fn be_u32(&mut self, what: &str) -> Result<u32, DataError> {
        let bytes = self.bytes(4, what)?;
        Ok(bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let result = self.reader.read_to_end(&mut bytes);
        let end = self.offset + bytes.len() as u64;
        result.map_err(|cause| self.refuse(end, cause))?;
        self.offset = end;
        Ok(bytes)
    }

    /// Makes sure that nothing follows; this also checks a compressed stream's checksum, which stands at its end.
    pub(super) fn end(mut self) -> Result<(), DataError> {
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => {
                Err(self.fault(self.offset, format!("the data should end here, but bytes follow; {AGAIN}")))
            }
            Err(cause) => Err(self.refuse(self.offset, cause)),
        }
    }

    /// Tells a fault of the contents, which has an offset, from one of the disk.
    fn refuse(&self, offset: u64, cause: io::Error) -> DataError {
        match cause.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                self.fault(offset, format!("cannot be decompressed: {cause}; {AGAIN}"))
            }
            _ => DataError::Read { path: self.place.path.clone(), cause },
        }
    }
}
