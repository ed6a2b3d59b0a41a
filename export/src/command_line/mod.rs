//! What the command lines of the three programs share, so that they take values and answer mistakes alike.
//!
//! Guarantees: a refusal is one line that names the option, the value and the remedy; no line that is made here holds a password
//! of an address on the command line; negative numbers, `10 kB` in two words, and yes or no in any usual spelling reach the
//! option that they were meant for.

mod arguments;
mod completions;
mod message;
mod secret;
mod values;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

pub use completions::{Completions, Shell};
pub use message::of_error;
pub use secret::{Hidden, hide, is_login, without_password};
pub use values::{fraction, truth, whole};

/// Reads the command line of this process. Help and version are printed here, and end the program.
///
/// # Errors
/// What is wrong, in one line.
pub fn parse<T: CommandFactory + FromArgMatches>() -> Result<T, String> {
    let arguments: Vec<_> = std::env::args_os().collect();
    let mut command = T::command();
    let parsed = command
        .try_get_matches_from_mut(arguments::joined(arguments))
        .and_then(|mut matches| T::from_arg_matches_mut(&mut matches));
    parsed.map_err(|error| {
        use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
        if matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion) {
            error.exit();
        }
        message::of_usage(&error, &command)
    })
}
