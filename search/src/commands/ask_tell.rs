//! `bomp-search ask-tell`: the optimiser over standard input and output.

use std::io::{self, BufRead, Read, Write};

use anyhow::Result;
use bomp_search::ask_tell::{Definition, LONGEST_LINE, Lines, serve};
use bomp_search::bo::strategy::Score;

use super::{CommandOutcome, options};

/// What `paper` maximises: the client's costs are of an unknown unit, so the one of reference counts as the paper's 10^8
/// bits.
const SCORE: Score = Score { reference_size: 8.0, log_bits: None, reference_accuracy: None };

/// Serves one client until it closes standard input.
pub(crate) fn run(options: &options::AskTellOptions) -> Result<CommandOutcome> {
    let definition = Definition::read(&options.space)?;
    let strategy = options.strategy.strategy(options.initial.map(usize::from), SCORE);
    let mut lines = Standard { input: io::stdin().lock(), output: io::stdout().lock() };
    match serve(&definition, &*strategy, options.seed, &mut lines) {
        // A client that has gone is an end like any other.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(CommandOutcome::Done),
    }
}

/// The streams of the process.
struct Standard {
    input: io::StdinLock<'static>,
    output: io::StdoutLock<'static>,
}

impl Lines for Standard {
    fn receive(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let most = LONGEST_LINE as u64 + 1;
        if (&mut self.input).take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        // What is too much is passed over without being kept.
        if line.len() as u64 == most && !line.ends_with(b"\n") {
            self.input.skip_until(b'\n')?;
        }
        // What is no UTF-8 is no JSON either, and is answered as such.
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        self.output.write_all(line.as_bytes())?;
        self.output.write_all(b"\n")?;
        self.output.flush()
    }
}
