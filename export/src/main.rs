//! `bomp-export`: from a finished network to a blob and an ONNX file, and the proof that they are right.
//!
//! Exit codes: 0 done and, where something is compared, equal; 1 a comparison failed; 2 what was asked for or given is
//! wrong. Errors are one line.

mod commands;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use bomp_export::command_line;
use bomp_export::output::Output;
use bomp_export::text::{self, Terminal};
use commands::{Cli, Outcome};

fn main() -> ExitCode {
    // Whatever a file says, it cannot command the terminal.
    let mut out = Terminal::new(BufWriter::new(Output));
    let result = Cli::from_command_line().and_then(|cli| {
        let outcome = cli.run(&mut out)?;
        out.flush()?;
        Ok(outcome)
    });
    let (message, code) = match result {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::Failed(message)) => (format!("failed: {message}"), 1),
        Err(error) => (format!("error: {}", command_line::of_error(&error)), 2),
    };
    let line = text::line(&message.split_whitespace().collect::<Vec<_>>().join(" "));
    // There is nobody left to tell when this fails.
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(code)
}
