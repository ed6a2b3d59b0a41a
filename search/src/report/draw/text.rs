//! How wide text is, by the font that is part of the program.
//!
//! Pages name DejaVu Sans and then Verdana, whose letters are as wide; any other sans-serif is narrower, so what does not
//! overlap here overlaps nowhere.

use std::sync::LazyLock;

use ttf_parser::Face;

/// The font, under Bitstream's and DejaVu's free licence.
pub(super) fn font() -> &'static [u8] {
    dejavu::sans::regular()
}

/// `text`, or as much of its beginning as fits into `room` pixels and an ellipsis.
pub(in crate::report) fn fitted(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while short.pop().is_some() && width(&short, size) + width("\u{2026}", size) > room {}
    short.push('\u{2026}');
    short
}

/// Pixels that `text` takes at this size.
pub(in crate::report) fn width(text: &str, size: f64) -> f64 {
    static FACE: LazyLock<Face<'static>> =
        LazyLock::new(|| Face::parse(font(), 0).expect("the font that is part of the program"));
    let advance = |letter: char| {
        let glyph = FACE.glyph_index(letter).unwrap_or_default();
        f64::from(FACE.glyph_hor_advance(glyph).unwrap_or_default())
    };
    text.chars().map(advance).sum::<f64>() * size / f64::from(FACE.units_per_em())
}

#[cfg(test)]
mod tests {
    use super::{fitted, width};

    #[test]
    fn long_text_is_cut_to_its_room_and_short_text_is_not() {
        let cut = fitted(&"wide ".repeat(40), 12.0, 100.0);
        assert!(cut.ends_with('\u{2026}') && width(&cut, 12.0) <= 100.0 && width(&cut, 12.0) > 80.0);
        assert_eq!(fitted("short", 12.0, 100.0), "short");
    }

    #[test]
    fn widths_are_those_of_dejavu_sans() {
        // Its digits are 1303 of 2048 units wide.
        assert!((width("0123", 10.0) - 4.0 * 13.03 / 2.048).abs() < 1e-9);
        assert!(width("iii", 12.0) < width("WWW", 12.0));
    }
}
