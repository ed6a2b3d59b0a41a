//! The header of NumPy's array format (NEP 1, versions 1 to 3): element type, order and shape.
//!
//! After `\x93NUMPY`, two version bytes and a little-endian length (16 bit in version 1, else 32 bit) comes the text
//! of a Python dictionary with exactly the keys `descr`, `fortran_order` and `shape`. Only that is parsed: no other
//! Python, no nesting, so no header can exhaust stack or memory.

use super::error::DataError;
use super::stream::Stream;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// NumPy pads to 64 bytes and itself refuses more than 10,000.
const MAX_TEXT: u32 = 10_000;

/// A plain integer element type; everything else is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Integer {
    pub(super) signed: bool,
    pub(super) big_endian: bool,
    /// 1, 2, 4 or 8.
    pub(super) bytes: usize,
}

impl Integer {
    /// The value of one element; `element` has [`Integer::bytes`] bytes.
    pub(super) fn value(self, element: &[u8]) -> i128 {
        let shift = |value: i128, &byte: &u8| value << 8 | i128::from(byte);
        let unsigned = match self.big_endian {
            true => element.iter().fold(0, shift),
            false => element.iter().rev().fold(0, shift),
        };
        let modulus = 1 << (8 * element.len());
        if self.signed && unsigned >= modulus / 2 { unsigned - modulus } else { unsigned }
    }
}

/// What an array's header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The element type as written, for messages.
    pub(super) descr: String,
    /// The element type, when it is an integer.
    pub(super) integer: Option<Integer>,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<u64>,
}

/// Reads the header and leaves the stream at the first element.
pub(super) fn read_header(stream: &mut Stream) -> Result<Header, DataError> {
    let start = stream.bytes(8, "the magic number and the version")?;
    if &start[..6] != MAGIC {
        return Err(stream.fault(0, "not a NumPy array: the magic number is missing"));
    }
    let width = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => {
            return Err(stream.fault(6, format!("version {version} of the NumPy format; 1 to 3 are read")));
        }
    };
    let length = stream.bytes(width, "the header's length")?;
    let length = length.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte));
    if length > MAX_TEXT {
        return Err(stream.fault(8, format!("a header of {length} bytes; at most {MAX_TEXT} are read")));
    }
    let base = stream.offset();
    let text = stream.bytes(u64::from(length), "the header")?;
    Parser { text: &text, at: 0 }
        .dictionary()
        .map_err(|(at, problem)| stream.fault(base + at as u64, format!("{problem} in the array's header")))
}

/// A fault: the position in the text and what was expected there.
type Fault = (usize, &'static str);

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn dictionary(mut self) -> Result<Header, Fault> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{', "`{` expected")?;
        while !self.accept(b'}') {
            let start = self.at;
            let key = self.string()?;
            self.expect(b':', "`:` expected")?;
            match key {
                "descr" if descr.is_none() => descr = Some(self.string()?),
                "fortran_order" if fortran_order.is_none() => fortran_order = Some(self.boolean()?),
                "shape" if shape.is_none() => shape = Some(self.tuple()?),
                _ => return Err((start, "unknown or repeated key")),
            }
            if !self.accept(b',') {
                self.expect(b'}', "`,` or `}` expected")?;
                break;
            }
        }
        self.skip_space();
        if self.at != self.text.len() {
            return Err((self.at, "text after the dictionary"));
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => {
                Ok(Header { descr: descr.to_owned(), integer: integer(descr), fortran_order, shape })
            }
            _ => Err((self.at, "key descr, fortran_order or shape missing")),
        }
    }

    fn skip_space(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    fn accept(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.text.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), Fault> {
        if self.accept(byte) { Ok(()) } else { Err((self.at, problem)) }
    }

    fn take_while(&mut self, part: impl Fn(u8) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|&&byte| byte.is_ascii() && part(byte)).count();
        self.at += length;
        // Only ASCII bytes were taken.
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }

    fn string(&mut self) -> Result<&'a str, Fault> {
        let quote = if self.accept(b'"') { b'"' } else { b'\'' };
        if quote == b'\'' {
            self.expect(b'\'', "quoted text expected (a structured element type is not read)")?;
        }
        let string = self.take_while(|byte| byte != quote && byte != b'\\');
        self.expect(quote, "closing quote expected")?;
        Ok(string)
    }

    fn boolean(&mut self) -> Result<bool, Fault> {
        self.skip_space();
        let start = self.at;
        match self.take_while(|byte| byte.is_ascii_alphabetic()) {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => Err((start, "True or False expected")),
        }
    }

    fn tuple(&mut self) -> Result<Vec<u64>, Fault> {
        let mut numbers = Vec::new();
        self.expect(b'(', "`(` expected")?;
        while !self.accept(b')') {
            let start = self.at;
            let digits = self.take_while(|byte| byte.is_ascii_digit());
            numbers.push(digits.parse().map_err(|_| (start, "dimension expected"))?);
            if !self.accept(b',') {
                self.expect(b')', "`,` or `)` expected")?;
                break;
            }
        }
        Ok(numbers)
    }
}

/// Understands `<i8`, `|u1`, `>u2` and the like.
fn integer(descr: &str) -> Option<Integer> {
    let mut characters = descr.chars();
    let order = characters.next()?;
    let signed = match characters.next()? {
        'i' => true,
        'u' => false,
        _ => return None,
    };
    let bytes = match characters.as_str() {
        "1" => 1,
        "2" => 2,
        "4" => 4,
        "8" => 8,
        _ => return None,
    };
    let big_endian = match order {
        '<' => false,
        '>' => true,
        '|' if bytes == 1 => false,
        _ => return None,
    };
    Some(Integer { signed, big_endian, bytes })
}
