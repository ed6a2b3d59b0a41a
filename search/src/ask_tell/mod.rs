//! The optimiser for anybody's problem: a client describes a space, asks for trials and tells what they gave, in lines of
//! JSON over any pair of streams. What a network is, nothing here knows.
//!
//! Guarantees: a line that makes no sense is answered with an error and changes nothing; with the same definition, seed
//! and lines, the answers are the same. `docs/ask-tell.md` is the protocol.

mod definition;
mod message;
mod problem;
mod server;

pub use definition::{Definition, DefinitionError};
pub use server::{LONGEST_LINE, Lines, serve};

#[cfg(test)]
mod tests;
