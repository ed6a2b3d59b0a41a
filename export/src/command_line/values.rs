//! Values that many options take, with refusals that say what is accepted.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A whole number within `range`.
pub fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.trim().parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("it must be a whole number from {} to {}, in digits alone", range.start(), range.end())
        })
    }
}

/// A part of a whole, 0 to 1.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn fraction(text: &str) -> Result<f64, String> {
    let part: Option<f64> = text.parse().ok();
    match part {
        Some(part) if (0.0..=1.0).contains(&part) => Ok(part),
        Some(percent) if (1.0..=100.0).contains(&percent) => Err(format!(
            "it must be a part from 0 to 1: for {text} % write {}",
            (percent * 1e8).round() / 1e10
        )),
        _ => Err("it must be a part from 0 to 1, for example 0.99".into()),
    }
}

/// Parses yes or no.
///
/// # Errors
/// A sentence that says what is accepted.
pub fn truth(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "y" | "1" => Ok(true),
        "no" | "false" | "off" | "n" | "0" => Ok(false),
        _ => Err("it must be yes or no (also taken: true, false, on, off)".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_their_range() {
        let trials = whole(1..=1_000_000u64);
        assert_eq!(trials("12"), Ok(12));
        for text in ["0", "-1", "3,4", "1e3", "", "1000001", "1.0", "99999999999999999999999"] {
            assert!(trials(text).unwrap_err().contains("from 1 to 1000000"), "{text}");
        }
        assert_eq!(fraction("0.5"), Ok(0.5));
        assert!(fraction("99.9").unwrap_err().contains("write 0.999"));
        for text in ["-1", "NaN", "inf", "half", "101"] {
            assert!(fraction(text).unwrap_err().contains("from 0 to 1"), "{text}");
        }
    }

    #[test]
    fn yes_and_no() {
        for text in ["yes", "YES", "true", "on", "1"] {
            assert_eq!(truth(text), Ok(true));
        }
        for text in ["no", "False", "off", "0"] {
            assert_eq!(truth(text), Ok(false));
        }
        assert!(truth("maybe").unwrap_err().contains("yes or no"));
    }
}
