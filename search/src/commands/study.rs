//! The study that a command works on: named after the command, or with `--study`.
//!
//! Guarantees: an address that is refused is never repeated, as it may hold a password.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use bomp_search::study::Location;
use clap::builder::TypedValueParser;
use clap::error::{Error, ErrorKind};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// One study.
pub(crate) struct Study(Location);

/// One study or several.
pub(crate) struct Studies(Vec<Location>);

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct One {
    /// Folder of the study, or postgres://USER@HOST/DATABASE?study=NAME (the password: PGPASSWORD or ~/.pgpass)
    #[arg(value_name = "STUDY", value_parser = StudyParser)]
    name: Option<Location>,
    /// The same, as an option
    #[arg(long = "study", id = "study", value_name = "STUDY", value_parser = StudyParser)]
    option: Option<Location>,
}

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Several {
    /// Folders of studies, or postgres://USER@HOST/DATABASE?study=NAME (the password: PGPASSWORD or ~/.pgpass)
    #[arg(value_name = "STUDY", value_parser = StudyParser)]
    names: Vec<Location>,
    /// The same, as an option; may be given several times
    #[arg(long = "study", id = "study", value_name = "STUDY", value_parser = StudyParser)]
    options: Vec<Location>,
}

impl Deref for Study {
    type Target = Location;

    fn deref(&self) -> &Location {
        &self.0
    }
}

impl fmt::Display for Study {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Deref for Studies {
    type Target = [Location];

    fn deref(&self) -> &[Location] {
        &self.0
    }
}

impl FromArgMatches for Study {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let One { name, option } = One::from_arg_matches(matches)?;
        let location = name.or(option).ok_or_else(|| Error::new(ErrorKind::MissingRequiredArgument))?;
        Ok(Self(location))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Study {
    fn augment_args(command: Command) -> Command {
        One::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        One::augment_args_for_update(command)
    }
}

impl FromArgMatches for Studies {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let Several { mut names, options } = Several::from_arg_matches(matches)?;
        names.extend(options);
        Ok(Self(names))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Studies {
    fn augment_args(command: Command) -> Command {
        Several::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Several::augment_args_for_update(command)
    }
}

/// Reads an address. clap's own refusals repeat the value, so these are made here.
#[derive(Clone, Copy)]
pub(crate) struct StudyParser;

impl TypedValueParser for StudyParser {
    type Value = Location;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<Location, Error> {
        let Some(text) = value.to_str() else { return Ok(PathBuf::from(value).into()) };
        text.parse().map_err(|problem| Error::raw(ErrorKind::ValueValidation, problem).with_cmd(command))
    }
}
