//! Standard output and standard error of the programs. A reader that leaves early, as in `... | head`, ends a program quietly
//! with exit code 0; std's `println!` would panic there. What is printed cannot command a terminal, see [`text`](crate::text).
//!
//! The programs bring `print!`, `println!`, `eprint!` and `eprintln!` of this crate into scope in place of std's, with `#[macro_use(...)] extern crate bomp_export`.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::process;

use crate::text::lines;

/// Standard output that ends the process quietly when its reader has gone.
#[derive(Debug, Default)]
pub struct Output;

impl Output {
    fn checked<T>(result: io::Result<T>) -> io::Result<T> {
        match result {
            // What a program keeps is on disk before it prints; there is nothing to be finished.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(0),
            result => result,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::checked(io::stdout().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::checked(io::stdout().lock().flush())
    }
}

/// Prints to standard output. A disk that is full, or another failure, ends the process with an error of one line and exit
/// code 2.
pub fn print(text: fmt::Arguments<'_>) {
    if let Err(error) = Output.write_all(lines(&text.to_string()).as_bytes()) {
        print_error(format_args!("error: standard output: {error}\n"));
        process::exit(2);
    }
}

/// Prints to standard error. If that fails there is nobody left to tell.
pub fn print_error(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_all(lines(&text.to_string()).as_bytes());
}

/// `print!` for the programs, see [`output`](crate::output).
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::output::print(::std::format_args!($($argument)*)) };
}

/// `println!` for the programs, see [`output`](crate::output).
#[macro_export]
macro_rules! println {
    () => { $crate::output::print(::std::format_args!("\n")) };
    ($($argument:tt)*) => {
        $crate::output::print(::std::format_args!("{}\n", ::std::format_args!($($argument)*)))
    };
}

/// `eprint!` for the programs, see [`output`](crate::output).
#[macro_export]
macro_rules! eprint {
    ($($argument:tt)*) => { $crate::output::print_error(::std::format_args!($($argument)*)) };
}

/// `eprintln!` for the programs, see [`output`](crate::output).
#[macro_export]
macro_rules! eprintln {
    () => { $crate::output::print_error(::std::format_args!("\n")) };
    ($($argument:tt)*) => {
        $crate::output::print_error(::std::format_args!("{}\n", ::std::format_args!($($argument)*)))
    };
}
