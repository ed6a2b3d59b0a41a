//! Arguments as people write them, before clap reads them: what belongs to one option is made one argument.

use std::ffi::OsString;

/// Units that may stand apart from their number.
const UNITS: [&str; 14] =
    ["B", "kB", "KB", "kb", "MB", "mb", "KiB", "MiB", "k", "K", "M", "G", "byte", "bytes"];

/// `--epochs -1` as `--epochs=-1`, so that the option can say what is wrong with it instead of an option `-1` being looked for;
/// `--max-size 10 kB` as `--max-size=10 kB`.
pub(super) fn joined(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut rest = arguments.into_iter().peekable();
    while let Some(mut argument) = rest.next() {
        if argument == "--" {
            joined.push(argument);
            joined.extend(rest);
            break;
        }
        let is_option = argument.to_str().is_some_and(|text| text.starts_with("--"));
        let is_alone = is_option && !argument.to_str().is_some_and(|text| text.contains('='));
        if is_alone && rest.peek().and_then(|next| next.to_str()).is_some_and(is_negative) {
            argument.push("=");
            argument.extend(rest.next());
        } else if is_alone
            && rest.peek().and_then(|next| next.to_str()).is_some_and(is_number)
            && let Some(number) = rest.next()
        {
            match rest.next_if(|next| next.to_str().is_some_and(|next| UNITS.contains(&next))) {
                Some(unit) => {
                    argument.push("=");
                    argument.push(number);
                    argument.push(" ");
                    argument.push(unit);
                }
                None => {
                    joined.push(argument);
                    argument = number;
                }
            }
        }
        joined.push(argument);
    }
    joined
}

/// `-1`, `-.5`, `-5kB`.
fn is_negative(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|text| text.trim_start_matches('.').starts_with(|first: char| first.is_ascii_digit()))
}

fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.bytes().all(|byte| byte.is_ascii_digit() || b".,_'".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_is_one_argument() {
        for (given, expected) in [
            ("run --epochs -1 --flip", "run|--epochs=-1|--flip"),
            ("run --max-size -5kB", "run|--max-size=-5kB"),
            ("run --max-size 10 kB study", "run|--max-size=10 kB|study"),
            ("run --max-size 10 study", "run|--max-size|10|study"),
            ("run --trials 5 --max-size 1.5 MB", "run|--trials|5|--max-size=1.5 MB"),
            ("run --max-size=10 -o x", "run|--max-size=10|-o|x"),
            ("run --study -- -1 kB", "run|--study|--|-1|kB"),
            ("run -1", "run|-1"),
            ("run --json -x", "run|--json|-x"),
            ("run --trials", "run|--trials"),
        ] {
            let arguments = given.split(' ').map(OsString::from).collect();
            let joined: Vec<_> =
                joined(arguments).into_iter().map(|text| text.into_string().unwrap()).collect();
            assert_eq!(joined.join("|"), expected);
        }
    }
}
