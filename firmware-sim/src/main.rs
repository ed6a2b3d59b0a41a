//! `bomp-sim`: a packed model on an emulated board. Exit codes: 0 the device agrees with the host, 1 it does not, 2 what was
//! asked for is wrong, 3 this machine or the firmware failed, 130 interrupted.

#[macro_use(print, println, eprintln)]
extern crate bomp_export;

mod cli;

use std::process::ExitCode;

use bomp_export::command_line;

fn main() -> ExitCode {
    let arguments: cli::Arguments = match command_line::parse() {
        Ok(arguments) => arguments,
        Err(line) => {
            eprintln!("error: {line}");
            return ExitCode::from(2);
        }
    };
    match arguments.run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", cli::line(&error));
            cli::exit_code(&error)
        }
    }
}
