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

/// An element type as far as data sets have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Integer(Integer),
    /// True or false, a byte each.
    Bool,
    Float(Float),
    /// Text of so many characters, four bytes each, zeros after its end.
    Text {
        big_endian: bool,
        length: usize,
    },
    /// Text of so many bytes, zeros after its end.
    Bytes {
        length: usize,
    },
    /// Pickled Python objects.
    Object,
    Other,
}

impl Element {
    /// Bytes of an element; `None` where elements are not read.
    pub(super) fn size(self) -> Option<usize> {
        match self {
            Element::Integer(integer) => Some(integer.bytes),
            Element::Float(float) => Some(float.bytes),
            Element::Bool => Some(1),
            Element::Text { length, .. } => length.checked_mul(4),
            Element::Bytes { length } => Some(length),
            Element::Object | Element::Other => None,
        }
    }
}

/// A floating-point element type of 2, 4 or 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Float {
    pub(super) big_endian: bool,
    pub(super) bytes: usize,
}

impl Float {
    /// The value of one element; `element` has [`Float::bytes`] bytes.
    pub(super) fn value(self, element: &[u8]) -> f64 {
        let shift = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        let bits = match self.big_endian {
            true => element.iter().fold(0, shift),
            false => element.iter().rev().fold(0, shift),
        };
        match self.bytes {
            2 => half(bits as u16),
            4 => f64::from(f32::from_bits(bits as u32)),
            _ => f64::from_bits(bits),
        }
    }
}

/// The value of a float16.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (fraction + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// A plain integer element type.
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
    pub(super) element: Element,
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
                Ok(Header { descr: descr.to_owned(), element: element(descr), fortran_order, shape })
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

/// Understands `<i8`, `|u1`, `>f4`, `|b1`, `<U7`, `|S7`, `|O` and the like.
fn element(descr: &str) -> Element {
    known(descr).unwrap_or(Element::Other)
}

fn known(descr: &str) -> Option<Element> {
    let mut characters = descr.chars();
    let order = characters.next()?;
    let kind = characters.next()?;
    let size = characters.as_str();
    let big_endian = order == '>';
    let ordered = big_endian || order == '<';
    // Only digits: `parse` would take a sign.
    let number =
        || size.bytes().all(|byte| byte.is_ascii_digit()).then(|| size.parse::<usize>().ok()).flatten();
    Some(match (kind, number()) {
        ('i' | 'u', Some(bytes @ (1 | 2 | 4 | 8))) if ordered || bytes == 1 && order == '|' => {
            Element::Integer(Integer { signed: kind == 'i', big_endian, bytes })
        }
        ('f', Some(bytes @ (2 | 4 | 8))) if ordered => Element::Float(Float { big_endian, bytes }),
        ('b', Some(1)) if order == '|' => Element::Bool,
        ('U', Some(length)) if ordered => Element::Text { big_endian, length },
        ('S', Some(length)) if order == '|' => Element::Bytes { length },
        ('O', _) if order == '|' => Element::Object,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_types_are_told_apart() {
        let float = |big_endian, bytes| Element::Float(Float { big_endian, bytes });
        let integer = |signed, big_endian, bytes| Element::Integer(Integer { signed, big_endian, bytes });
        for (descr, expected) in [
            ("|u1", integer(false, false, 1)),
            (">i8", integer(true, true, 8)),
            ("<f2", float(false, 2)),
            (">f8", float(true, 8)),
            ("|b1", Element::Bool),
            ("<U7", Element::Text { big_endian: false, length: 7 }),
            ("|S12", Element::Bytes { length: 12 }),
            ("|O", Element::Object),
        ] {
            assert_eq!(element(descr), expected, "{descr}");
        }
        for descr in ["", "<", "|u2", "<i3", "<f16", "<c8", "<M8[s]", "<U", "<U+1", "|V8", "?b1"] {
            assert_eq!(element(descr), Element::Other, "{descr}");
        }
    }

    #[test]
    fn floats_are_what_numpy_writes() {
        let value = |big_endian, element: &[u8]| Float { big_endian, bytes: element.len() }.value(element);
        // np.float16([1, -2, 65504, 6e-8, 0.33325, -0.0])
        for (bits, expected) in [
            (0x3c00u16, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x3555, 0.333_251_953_125),
            (0x8000, 0.0),
        ] {
            assert_eq!(value(false, &bits.to_le_bytes()), expected);
            assert_eq!(value(true, &bits.to_be_bytes()), expected);
        }
        assert_eq!(value(false, &0x7c00u16.to_le_bytes()), f64::INFINITY);
        assert_eq!(value(false, &0xfc00u16.to_le_bytes()), f64::NEG_INFINITY);
        assert!(value(false, &0x7e00u16.to_le_bytes()).is_nan());
        assert_eq!(value(true, &1.5f32.to_be_bytes()), 1.5);
        assert_eq!(value(false, &(-0.1f64).to_le_bytes()), -0.1);
    }
}
