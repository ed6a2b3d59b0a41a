//! Mistakes that people make, and how each is answered: exit code 2 and one line that names the place and the remedy.
//!
//! A row says what was typed, `{name}` being a file of [`made`], and words of the answer. What is no mistake any more because the
//! program now does what was meant is in `understood`.

mod export;
mod made;
mod passwords;
mod schemas;
mod search;
mod sim;

use bomp_tests::{refuse, succeed};
use made::made;

/// A mistake: the command, words of the place, words of the remedy.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// The arguments of a command line, with the files in their places.
fn arguments(line: &str) -> Vec<String> {
    line.split(' ')
        .map(|word| {
            let word = word.replace('~', " ");
            match (word.find('{'), word.find('}')) {
                (Some(start), Some(end)) => {
                    format!("{}{}{}", &word[..start], made().at(&word[start + 1..end]), &word[end + 1..])
                }
                _ => word,
            }
        })
        .collect()
}

/// Holds each row of a program.
fn hold(program: &str, rows: &[Row]) {
    for (line, place, remedy) in rows {
        let arguments = arguments(line);
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let answer = refuse(program, &words);
        for word in place.iter().chain(*remedy) {
            assert!(answer.contains(word), "{program} {line}: `{word}` is not in: {answer}");
        }
        let twice = answer.matches("No such file").count();
        assert!(twice <= 1, "{program} {line}: told twice: {answer}");
    }
}

/// What the program does that was meant.
fn understood(program: &str, lines: &[(&str, &str)]) {
    for (line, word) in lines {
        let arguments = arguments(line);
        let printed = succeed(program, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(printed.contains(word), "{program} {line}: `{word}` is not in: {printed}");
    }
}
