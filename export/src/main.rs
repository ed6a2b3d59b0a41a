//! `bomp-export`: from a finished network to a blob and an ONNX file, and the proof that they are right.
//!
//! Exit codes: 0 done and, where something is compared, equal; 1 a comparison failed; 2 what was asked for or given is
//! wrong. Errors are one line.

mod commands;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use commands::{Cli, Outcome};

fn main() -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = Cli::from_command_line().and_then(|cli| {
        let outcome = cli.run(&mut out)?;
        out.flush()?;
        Ok(outcome)
    });
    let (message, code) = match result {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::Failed(message)) => (format!("failed: {message}"), 1),
        // Whoever reads the output has seen enough, as in `bomp-export inspect MODEL | head -1`.
        Err(error) if is_broken_pipe(&error) => return ExitCode::SUCCESS,
        Err(error) => (format!("error: {error}"), 2),
    };
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    // There is nobody left to tell when this fails.
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(code)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
