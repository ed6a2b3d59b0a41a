//! The optimiser's conversation: the first line is the problem, the others are what a client says.
#![no_main]

use std::io;

use bomp_search::ask_tell::{Definition, Lines, serve};
use bomp_search::bo::strategy::Random;
use libfuzzer_sys::fuzz_target;

/// The client.
struct Client<'a> {
    lines: std::str::Lines<'a>,
    answers: usize,
}

impl Lines for Client<'_> {
    fn receive(&mut self) -> io::Result<Option<String>> {
        Ok(self.lines.next().map(str::to_owned))
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        self.answers += 1;
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "an answer is not JSON: {line}");
        Ok(())
    }
}

/// A number of trials that is asked for costs time, as it must.
fn is_large(line: &str) -> bool {
    line.contains("ask") && line.bytes().filter(u8::is_ascii_digit).count() > 2
}

fuzz_target!(|text: &str| {
    let (problem, lines) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(definition) = Definition::parse("fuzz", problem) else { return };
    if lines.lines().any(is_large) || lines.lines().count() > 12 {
        return;
    }
    let mut client = Client { lines: lines.lines(), answers: 0 };
    serve(&definition, &Random, 1, &mut client).expect("these streams do not fail");
});
