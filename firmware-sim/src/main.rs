//! `bomp-sim`: a packed model on an emulated board. Exit codes: 0 the device agrees with the host, 1 it does not, 2 what was
//! asked for is wrong, 3 this machine or the firmware failed, 130 interrupted.

#[macro_use(print, println, eprintln)]
extern crate bomp_export;

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            cli::exit_code(&error)
        }
    }
}
