//! Why a search space, a genotype or a budget is refused.

use std::path::PathBuf;

use thiserror::Error;

use super::limits::Usage;

/// A search space could not be made, or a genotype is not of it.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum SpaceError {
    /// The file of a space could not be read.
    #[error("{path}: cannot be read: {source} (give the TOML file of a search space, or one of {built_in})")]
    Read {
        path: PathBuf,
        source: std::io::Error,
        /// The names that need no file.
        built_in: String,
    },
    /// The text is not TOML, or a field is missing, unknown or of the wrong type.
    #[error("{path}, line {line}: {message}")]
    Syntax { path: PathBuf, line: usize, message: String },
    /// A field has a value that no network could be built from.
    #[error("{origin}: {field}: {problem}")]
    Field {
        /// The file, or the name of the space.
        origin: String,
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A genotype has a value that the space does not offer.
    #[error("{gene} is {value}, but the search space `{space}` has {offered}")]
    Gene { gene: String, value: String, space: String, offered: String },
}

/// No network of the space is within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum LimitsError {
    /// One limit alone is below what any network of the space needs.
    #[error(
        "a limit of {limit} {what} cannot be met: networks of the search space `{space}` take at least {smallest} \
         {what}, raise the limit"
    )]
    Impossible {
        /// The unit and what it counts.
        what: &'static str,
        limit: u64,
        /// The smallest that can be reached.
        smallest: u64,
        space: String,
    },
    /// Each limit could be met, but no network was found that meets all.
    #[error(
        "no network of the search space `{space}` was found that meets all limits at once; the nearest takes {nearest} \
         (each limit alone could go down to {} bytes, {} bytes of RAM and {} MACs): raise one",
        .smallest.bytes, .smallest.ram, .smallest.macs
    )]
    Together {
        space: String,
        /// The network that exceeds the limits least.
        nearest: Usage,
        /// The smallest of each, for different networks.
        smallest: Usage,
    },
}
