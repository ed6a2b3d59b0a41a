//! Text that comes from files, made harmless for the place it is put into: a terminal, JSON, C, HTML, SVG.
//!
//! Names of layers, classes and studies may hold anything: escape sequences that rewrite the terminal, line ends that forge a
//! line of the output, characters that reverse the direction of writing, so that a text reads as what it is not. Everything
//! that does not show as itself is shown by its number, `\u{202e}`; the rest stays as it is.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Whether a character does not show as itself: controls, line and paragraph separators, and Unicode's format characters (the
/// category `Cf`: directions of writing, joiners and marks without width, tags).
#[must_use]
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

/// Part of a line of a terminal or of a log: no character of it moves the cursor, ends the line or is hidden.
#[must_use]
pub fn line(text: &str) -> String {
    shown(text, |_| None)
}

/// An argument of a command that can be copied into a shell: quoted where it has to be.
#[must_use]
pub fn argument(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./+:,@%=^".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Lines of a terminal: as [`line()`], but line ends stay. For what a program says in many lines, not for a text inside of one.
#[must_use]
pub fn lines(text: &str) -> String {
    shown(text, |letter| (letter == '\n').then_some("\n"))
}

/// As [`line()`] for a path, whose bytes that are not UTF-8 become U+FFFD.
#[must_use]
pub fn path(path: &std::path::Path) -> String {
    line(&path.to_string_lossy())
}

/// Content or attribute of an element of HTML, XML or SVG.
#[must_use]
pub fn markup(text: &str) -> String {
    shown(text, |letter| {
        Some(match letter {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\'' => "&#39;",
            '\n' => "\n",
            '\r' => "\r",
            '\t' => "\t",
            // XML forbids these two altogether.
            '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
            _ => return None,
        })
    })
}

/// Part of a comment of C between `/*` and `*/`: it neither ends the comment nor begins another, which compilers warn of, and
/// there are no trigraphs in it.
#[must_use]
pub fn c_comment(text: &str) -> String {
    let text = line(text).replace("*/", "* /").replace("/*", "/ *");
    // Twice, because of three in a row the first leaves two.
    let text = text.replace("??", "? ?").replace("??", "? ?");
    // The text may join what is written around it.
    text.trim_matches(['*', '/', '?', '\\']).to_owned()
}

/// Inside of a string literal of C: UTF-8 bytes beyond printable ASCII in octal, of fixed length so that no following digit
/// joins them; a question mark escaped, so that there are no trigraphs. The program has the text as it is.
#[must_use]
pub fn c_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' => {
                literal.push('\\');
                literal.push(char::from(byte));
            }
            b' '..=b'~' => literal.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(literal, "\\{byte:03o}");
            }
        }
    }
    literal
}

/// A JSON document without hidden characters but its own spaces and line ends: in strings, the only place where there can be
/// others, they are `\u` and four digits. It means what it meant.
#[must_use]
pub fn json(document: &str) -> String {
    let mut safe = String::with_capacity(document.len());
    for letter in document.chars() {
        if is_hidden(letter) && !matches!(letter, '\n' | '\r' | '\t') {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// A terminal that whatever is written to cannot command: hidden characters but line ends are shown by their numbers. What
/// must stay on its line goes through [`line()`] besides.
pub struct Terminal<W: Write> {
    to: W,
    /// The beginning of a character whose other bytes have not been written yet.
    begun: Vec<u8>,
}

impl<W: Write> Terminal<W> {
    /// On top of `to`.
    pub fn new(to: W) -> Self {
        Self { to, begun: Vec::new() }
    }
}

impl<W: Write> Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.begun.len(),
        };
        let text = String::from_utf8_lossy(&self.begun[..whole]);
        self.to.write_all(lines(&text).as_bytes())?;
        self.begun.drain(..whole);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// `text` with hidden characters by their numbers, and those that `special` knows as it says.
fn shown(text: &str, special: impl Fn(char) -> Option<&'static str>) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match special(letter) {
            Some(instead) => shown.push_str(instead),
            None if is_hidden(letter) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
            }
            None => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_shows_all_that_is_in_it() {
        assert_eq!(line("T-shirt/top größe 火 🙂"), "T-shirt/top größe 火 🙂");
        assert_eq!(
            line("a\nb\u{1b}[2J\u{202e}c\u{2028}\u{9b}d"),
            "a\\u{a}b\\u{1b}[2J\\u{202e}c\\u{2028}\\u{9b}d"
        );
    }

    #[test]
    fn markup_has_no_tags_of_its_own() {
        assert_eq!(markup("<b title='x'>&\u{202e}\u{0}"), "&lt;b title=&#39;x&#39;&gt;&amp;\\u{202e}\\u{0}");
    }

    #[test]
    fn comments_of_c_end_where_they_end() {
        assert_eq!(c_comment("x */ int y;\n"), "x * / int y;\\u{a}");
        assert_eq!(c_comment("a /* b \u{202e} ??/ c"), "a / * b \\u{202e} ? ?/ c");
        for hostile in ["*/*/", "/*/*/", "**//", "/**/", "???/", "a???/b", "*", "/", "\\"] {
            let comment = format!("/* {} */", c_comment(hostile));
            assert_eq!(
                (comment.find("*/"), comment.rfind("/*")),
                (Some(comment.len() - 2), Some(0)),
                "{comment}"
            );
            assert!(!comment.contains("??"), "{comment}");
        }
    }

    #[test]
    fn literals_of_c_stay_what_they_are() {
        assert_eq!(c_literal("T-shirt/top"), "T-shirt/top");
        assert_eq!(c_literal("a\"b\\c\n7??="), "a\\\"b\\\\c\\0127\\?\\?=");
        assert_eq!(c_literal("é"), "\\303\\251");
    }

    #[test]
    fn json_means_what_it_meant() {
        let text = "a\u{202e}\u{e0041}\u{7f}b\n\u{1b}";
        let document = serde_json::to_string_pretty(&[text]).unwrap();
        let safe = json(&document);
        assert!(safe.chars().all(|letter| letter == '\n' || !is_hidden(letter)), "{safe}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&safe).unwrap(), [text]);
    }

    #[test]
    fn a_terminal_is_not_commanded_however_the_bytes_come() {
        let text = "é\u{1b}[31m\u{202e}\nok\u{9b}";
        for size in 1..=text.len() {
            let mut terminal = Terminal::new(Vec::new());
            for bytes in text.as_bytes().chunks(size) {
                terminal.write_all(bytes).unwrap();
            }
            assert_eq!(String::from_utf8(terminal.to).unwrap(), "é\\u{1b}[31m\\u{202e}\nok\\u{9b}");
        }
        let mut terminal = Terminal::new(Vec::new());
        terminal.write_all(b"a\xff\x1b").unwrap();
        assert_eq!(terminal.to, "a\u{fffd}\\u{1b}".as_bytes());
    }
}
