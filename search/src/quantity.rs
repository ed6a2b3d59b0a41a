//! Amounts on the command line: `10kB`, `16KiB`, `2M`, `1500000`, and percentages, in presets too. Decimal prefixes are powers of 1000, binary ones, which have an
//! `i`, of 1024. What can be read in two ways is asked back, with one exception: `KB` is 1000 bytes, as `kB` is. Some data sheets
//! mean 1024 by it; what keeps within the smaller amount is within both.

use std::str::FromStr;

use bomp_export::board::{BOARDS, Board};
use serde::{Deserialize, Serialize};

/// A unit, how it may be written, and its factor.
type Units<'a> = [(&'a str, f64)];

/// Parses a number of bytes: digits, optionally a fraction, then a unit or nothing: `B`, `kB`, `KB`, `k`, `KiB`, `Ki`, `MB`, `M`,
/// `MiB`, `Mi`.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 13] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("bytes", 1.0),
        ("byte", 1.0),
        ("k", 1e3),
        ("K", 1e3),
        ("M", 1e6),
        ("B", 1.0),
    ];
    parse(text, &UNITS).map_err(|problem| {
        let question = match unit(text) {
            "kb" | "b" | "Kb" | "mb" | "Mb" | "kbit" | "Mbit" => "bits or bytes? ",
            _ => "",
        };
        format!("{question}{problem}, for example 10kB (10,000 bytes), 16KiB (16,384 bytes) or 9500")
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
    if text.starts_with(|c: char| c.is_ascii_digit() || "-+.".contains(c)) {
        return bytes(text).map(Ram::Bytes);
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', '_', ' '], "");
    Board::find(text).map(Ram::Board).map_err(|error| match BOARDS.iter().find(|board| plain(board.name) == plain(text)) {
        Some(board) => format!("did you mean the board {}?", board.name),
        None => format!(
            "no board of this name (known are {}: emulated machines). For a chip write an amount: the SRAM of its data sheet \
             less what the rest of your firmware needs, such as 16KiB",
            error.known
        ),
    })
}

/// Parses a count: digits, optionally a fraction, then `k`, `M`, `G` or nothing.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn count(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, f64); 4] = [("k", 1e3), ("K", 1e3), ("M", 1e6), ("G", 1e9)];
    parse(text, &UNITS).map_err(|problem| {
        let question = if unit(text) == "m" { "m is a thousandth, M a million. " } else { "" };
        format!("{question}{problem}, for example 2M, 1.5M or 800000")
    })
}

/// What follows the number.
fn unit(text: &str) -> &str {
    text.trim_start_matches(|letter: char| !letter.is_ascii_alphabetic())
}

/// A percentage from 0 up to but not including 100. In text and in TOML `80` and `80%` are 80 %; a number between 0 and 1 without
/// the sign is refused, because a fraction may be meant.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Percent(f64);

impl Percent {
    /// This many percent.
    ///
    /// # Errors
    /// A sentence that says what is accepted.
    pub fn new(percent: f64) -> Result<Self, String> {
        if (0.0..100.0).contains(&percent) {
            return Ok(Self(percent));
        }
        Err(format!(
            "`{percent}` is not a percentage from 0 up to but not including 100: write for example 80 for 80 %"
        ))
    }

    /// In percent.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Of what is written without the sign.
    fn plain(percent: f64) -> Result<Self, String> {
        if percent > 0.0 && percent < 1.0 {
            let whole = (percent * 1e10).round() / 1e8;
            return Err(format!(
                "`{percent}`: is that {percent} % or {whole} %? Write {whole} for {whole} %, or \"{percent}%\" for {percent} %"
            ));
        }
        Self::new(percent)
    }
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let parsed = match text.strip_suffix('%') {
            Some(text) => number(text).map(Self::new),
            None => number(text).map(Self::plain),
        };
        parsed.unwrap_or_else(|| Err(format!("`{text}` is not a percentage: write for example 80 for 80 %")))
    }
}

/// A percentage in TOML and JSON: a number, or text for one below 1.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a percentage such as 80")]
enum Written {
    Number(f64),
    Text(String),
}

impl TryFrom<Written> for Percent {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(percent) => Self::plain(percent),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Percent> for Written {
    fn from(Percent(percent): Percent) -> Self {
        if percent > 0.0 && percent < 1.0 { Self::Text(format!("{percent}%")) } else { Self::Number(percent) }
    }
}

/// A positive whole amount of at most 2^53, so that nothing is lost in the fraction.
fn parse(text: &str, units: &Units<'_>) -> Result<u64, String> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    let names = || units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let text = text.trim();
    let unit = unit(text);
    let number = text[..text.len() - unit.len()].trim_end();
    if number.starts_with('-') {
        return Err("it must be at least 1: write a number and a unit".into());
    }
    if number.contains([',', '\'', '_', ' ']) {
        return Err("write digits alone, with a point before a fraction: a number and a unit".into());
    }
    let plain = number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let Some(amount) = number.parse::<f64>().ok().filter(|_| plain) else {
        return Err("write a number and a unit".into());
    };
    let factor = match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => 1.0,
        None => {
            return Err(format!(
                "the unit `{unit}` is not known, but {}: write a number and a unit",
                names()
            ));
        }
    };
    let amount = amount * factor;
    if amount.fract() == 0.0 && (1.0..=MOST).contains(&amount) {
        Ok(amount as u64)
    } else {
        Err("it must be a whole number, at least 1 and at most 2^53: write a number and a unit".into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Percent, Ram, bytes, count, ram};

    #[test]
    fn amounts_and_their_units() {
        for (text, expected) in [
            ("10kB", 10_000),
            ("16KiB", 16_384),
            ("1.5 kB", 1_500),
            ("9500", 9_500),
            ("2MB", 2_000_000),
            ("7B", 7),
            ("20KB", 20_000),
            ("20k", 20_000),
            ("20K", 20_000),
            ("10 kB", 10_000),
            ("20 KiB", 20_480),
            ("20Ki", 20_480),
            ("1.5MB", 1_500_000),
            ("2M", 2_000_000),
            ("12 bytes", 12),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert_eq!(count("1.5M"), Ok(1_500_000));
        assert_eq!(count("800000"), Ok(800_000));
    }

    #[test]
    fn percentages_are_never_taken_for_fractions() {
        for (text, expected) in
            [("80", 80.0), ("80%", 80.0), ("0", 0.0), ("1", 1.0), ("0.8 %", 0.8), ("99.9", 99.9)]
        {
            assert_eq!(text.parse::<Percent>().map(Percent::get), Ok(expected), "{text}");
        }
        for (text, remedy) in
            [("0.8", "Write 80 for 80 %"), ("0.07", "Write 7 for 7 %"), ("0.123", "Write 12.3 for")]
        {
            let refused = text.parse::<Percent>().unwrap_err();
            assert!(refused.contains(remedy) && refused.contains(&format!("\"{text}%\"")), "{refused}");
        }
        for text in ["", "%", "-1", "100", "NaN", "inf", "1e400", "eighty", "0.8%%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_in_files_are_read_as_they_were_written() {
        for (json, expected) in [("80", 80.0), ("12.5", 12.5), ("\"0.8%\"", 0.8), ("0", 0.0)] {
            let read: Percent = serde_json::from_str(json).unwrap();
            assert_eq!(read.get(), expected);
            let again: Percent = serde_json::from_str(&serde_json::to_string(&read).unwrap()).unwrap();
            assert_eq!(again, read);
        }
        let refused = serde_json::from_str::<Percent>("0.8").unwrap_err().to_string();
        assert!(refused.contains("0.8 % or 80 %"), "{refused}");
        assert!(serde_json::from_str::<Percent>("[80]").unwrap_err().to_string().contains("such as 80"));
    }

    #[test]
    fn ram_is_an_amount_or_a_board() {
        assert_eq!(ram("16kB"), Ok(Ram::Bytes(16_000)));
        let board = ram("microbit").unwrap();
        let arena = board.arena(784, 10).unwrap();
        assert!(arena < 16 * 1024 - 784 - 40 && arena > 8 * 1024, "{arena}");
        assert!(board.arena(16_000, 10).unwrap_err().contains("microbit"));
        for text in ["-3kB", "", "10 bananas"] {
            assert!(ram(text).is_err(), "{text}");
        }
        let chip = ram("STM32L072").unwrap_err();
        assert!(chip.contains("microbit") && chip.contains("16KiB"), "{chip}");
        assert!(ram("Micro-bit").unwrap_err().contains("the board microbit"));
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
        for (text, told) in [
            ("20kb", "bits or bytes?"),
            ("8b", "bits or bytes?"),
            ("10,000", "digits alone"),
            ("1,5MB", "digits alone"),
            ("10 bananas", "`bananas` is not known"),
            ("-3", "at least 1"),
            ("1.0005kB", "whole number"),
        ] {
            let problem = bytes(text).unwrap_err();
            assert!(problem.contains(told) && problem.contains("16KiB"), "{text}: {problem}");
        }
        assert!(count("2m").unwrap_err().contains("a thousandth"));
    }
}
