//! Amounts on the command line: `10kB`, `16KiB`, `2M`, `1500000`. Decimal prefixes are powers of 1000, binary ones of 1024.

use bomp_export::board::Board;

/// Parses a number of bytes: digits, optionally a fraction, then `B`, `kB`, `MB`, `KiB`, `MiB` or nothing.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 5] =
        [("KiB", 1024.0), ("MiB", 1_048_576.0), ("kB", 1e3), ("MB", 1e6), ("B", 1.0)];
    parse(text, &UNITS).ok_or_else(|| {
        format!("`{text}` is not an amount of memory: write for example 10kB (10,000 bytes), 16KiB or 9500")
    })
}

/// A limit of RAM: so many bytes of arena, or what a board has for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ram {
    /// Bytes.
    Bytes(u64),
    /// All that the board leaves beside the firmware, an image and the logits.
    Board(&'static Board),
}

impl Ram {
    /// The largest arena for images of `elements` elements and `classes` classes.
    ///
    /// # Errors
    /// The board's RAM is too small for these images.
    pub fn arena(self, elements: usize, classes: usize) -> Result<u64, String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Board(board) => board.largest_arena(elements, classes).map(|bytes| bytes as u64).ok_or_else(|| {
                format!(
                    "{}: its RAM of {} bytes does not hold the firmware and one image of {elements} bytes",
                    board.name, board.ram.length
                )
            }),
        }
    }
}

/// Parses a number of bytes as [`bytes`] does, or a board's name.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn ram(text: &str) -> Result<Ram, String> {
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
        return bytes(text).map(Ram::Bytes);
    }
    Board::find(text).map(Ram::Board).map_err(|error| format!("{error}; or write an amount such as 16kB"))
}

/// Parses a count: digits, optionally a fraction, then `k`, `M`, `G` or nothing.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn count(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 3] = [("k", 1e3), ("M", 1e6), ("G", 1e9)];
    parse(text, &UNITS)
        .ok_or_else(|| format!("`{text}` is not a count: write for example 2M, 1.5M or 800000"))
}

/// A positive whole amount of at most 2^53, so that nothing is lost in the fraction.
fn parse(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|&(unit, factor)| text.strip_suffix(unit).map(|number| (number, factor)))
        .unwrap_or((text, 1.0));
    let number = number.trim_end();
    let plain = number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let amount = if plain { number.parse::<f64>().ok()? * factor } else { return None };
    let whole = amount.fract() == 0.0 && (1.0..=9_007_199_254_740_992.0).contains(&amount);
    whole.then_some(amount as u64)
}

#[cfg(test)]
mod tests {
    use super::{Ram, bytes, count, ram};

    #[test]
    fn amounts_and_their_units() {
        for (text, expected) in [
            ("10kB", 10_000),
            ("16KiB", 16_384),
            ("1.5 kB", 1_500),
            ("9500", 9_500),
            ("2MB", 2_000_000),
            ("7B", 7),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("800000"), Ok(800_000));
    }

    #[test]
    fn ram_is_an_amount_or_a_board() {
        assert_eq!(ram("16kB"), Ok(Ram::Bytes(16_000)));
        let board = ram("microbit").unwrap();
        let arena = board.arena(784, 10).unwrap();
        assert!(arena < 16 * 1024 - 784 - 40 && arena > 8 * 1024, "{arena}");
        assert!(board.arena(16_000, 10).unwrap_err().contains("microbit"));
        for text in ["-3kB", "", "arduino", "10 bananas"] {
            assert!(ram(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in [
            "",
            "-3",
            "-3kB",
            "0",
            "kB",
            "1e9",
            "NaN",
            "inf",
            "1.0005kB",
            "10 bananas",
            "99999999999999999999",
            "+5",
            "1..2",
        ] {
            assert!(bytes(text).is_err(), "{text}");
            assert!(count(text).is_err(), "{text}");
        }
    }
}
