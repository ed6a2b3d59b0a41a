//! Where a study is: a folder, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE?study=NAME`.
//!
//! Guarantees: what is shown of an address holds no password.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use bomp_export::command_line::{is_login, without_password};

use super::address::Address;
use super::folder;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::view::{self, View};
use super::{Storage, StoreError, StudyConfig, StudyLock, Trial};

/// The address of a study.
#[derive(Clone)]
pub struct Location(Folder);

#[derive(Clone)]
enum Folder {
    /// A folder with an SQLite database.
    Folder(PathBuf),
    /// A study in a PostgreSQL database, and its address as it was written.
    Database(Box<Address>, String),
}

impl Location {
    /// Makes a new study here, without trials.
    ///
    /// # Errors
    /// There is one already, or the store cannot be written.
    pub fn create(&self, config: &StudyConfig) -> Result<Box<dyn Storage>, StoreError> {
        self.create_with(config, &[])
    }

    /// Makes a new study here of trials whose numbers are their indices: all of them, or if anything stops it none. Nobody
    /// holds those that have not ended.
    ///
    /// # Errors
    /// There is a study already, or the store cannot be written.
    pub fn create_with(
        &self,
        config: &StudyConfig,
        trials: &[Trial],
    ) -> Result<Box<dyn Storage>, StoreError> {
        Ok(match &self.0 {
            Folder::Folder(folder) => {
                folder::is_free(folder, &config.data.path)?;
                Box::new(Sqlite::create(folder, config, trials)?)
            }
            Folder::Database(address, _) => Box::new(Postgres::create(address, config, trials)?),
        })
    }

    /// Reads configuration and trials, and writes nothing: works on a read-only medium, for a user who may not write, and while
    /// a search runs.
    ///
    /// # Errors
    /// There is no study, it is damaged, or it was made by another version.
    pub fn read(&self) -> Result<(StudyConfig, Vec<Trial>), StoreError> {
        match &self.0 {
            Folder::Folder(folder) => {
                folder::holds_study(folder)?;
                let View { config, trials, .. } = view::read(folder)?;
                Ok((config, trials))
            }
            Folder::Database(address, _) => {
                let mut store = Postgres::open_to_read(address)?;
                let trials = store.trials()?;
                Ok((store.config().clone(), trials))
            }
        }
    }

    /// Opens the study that is here, to work on it.
    ///
    /// # Errors
    /// There is none, it is damaged, or it was made by another version.
    pub fn open(&self) -> Result<Box<dyn Storage>, StoreError> {
        Ok(match &self.0 {
            Folder::Folder(folder) => {
                folder::holds_study(folder)?;
                Box::new(Sqlite::open(folder)?)
            }
            Folder::Database(address, _) => Box::new(Postgres::open(address)?),
        })
    }

    /// Takes the lock of the command that leads a study in a folder. A database has none: its leases are enough.
    ///
    /// # Errors
    /// Another process holds it, or the folder cannot be written.
    pub fn lock(&self) -> Result<Option<StudyLock>, StoreError> {
        match &self.0 {
            Folder::Folder(folder) => StudyLock::take(folder).map(Some),
            Folder::Database(..) => Ok(None),
        }
    }

    /// Whether all workers of the study share [`Location::files`].
    #[must_use]
    pub fn is_folder(&self) -> bool {
        matches!(self.0, Folder::Folder(_))
    }

    /// Where this machine keeps what does not go into the store (float networks, finished ones, reports): the study's
    /// folder, or for one in a database a folder of its name in the present one.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        match &self.0 {
            Folder::Folder(folder) => folder.clone(),
            Folder::Database(address, _) => PathBuf::from(&address.study),
        }
    }

    /// The study's name: of the folder, or in the database.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            Folder::Folder(folder) => {
                // So that `.` has a name too.
                let whole = folder.canonicalize().unwrap_or_else(|_| folder.clone());
                whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
            }
            Folder::Database(address, _) => address.study.clone(),
        }
    }

    /// The argument by which another process finds the same study. It holds no password: see [`Location::password`].
    #[must_use]
    pub fn argument(&self) -> OsString {
        match &self.0 {
            Folder::Folder(folder) => folder.into(),
            Folder::Database(_, text) => {
                without_password(&text.into()).map_or_else(|| text.into(), |hidden| hidden.address.into())
            }
        }
    }

    /// What PGPASSWORD must be for the process that is given [`Location::argument`], if the address holds a password.
    #[must_use]
    pub fn password(&self) -> Option<String> {
        match &self.0 {
            Folder::Folder(_) => None,
            Folder::Database(_, text) => without_password(&text.into()).map(|hidden| hidden.password),
        }
    }
}

impl From<PathBuf> for Location {
    fn from(folder: PathBuf) -> Self {
        Self(Folder::Folder(folder))
    }
}

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let database = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let lower = text.to_ascii_lowercase();
        let is_path = text.starts_with(['.', '/']);
        let problem = if text.trim().is_empty() {
            Some("the name is empty: name a folder, or postgres://USER@HOST/DATABASE?study=NAME")
        } else if !database && !is_path && lower.contains("://") {
            Some("addresses of databases are written postgres://USER@HOST/DATABASE?study=NAME")
        } else if !database && !text.starts_with('.') && is_login(text) {
            Some(
                "this looks like a login: write postgres://USER@HOST/DATABASE?study=NAME and leave the password to PGPASSWORD, or \
                 ./NAME if it is a folder",
            )
        } else if !database
            && !is_path
            && (["host=", "password="].iter().any(|key| lower.contains(key)) || lower.starts_with("postgres"))
        {
            // libpq's other form, or a slip in this one. It may hold a password, so it is not taken for a folder.
            Some(
                "this looks like a database: write postgres://USER@HOST/DATABASE?study=NAME, or ./NAME if it is a folder",
            )
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(StoreError::Address { location: "the study".into(), problem: problem.into() });
        }
        if database {
            return Ok(Self(Folder::Database(Box::new(text.parse()?), text.to_owned())));
        }
        let folder = PathBuf::from(text);
        // The root of the file system is no folder that could be made for a study.
        if folder.has_root() && folder.file_name().is_none() {
            let problem = "not a place for a study: name a folder, e.g. studies/first".into();
            return Err(StoreError::Address { location: format!("{text:?}"), problem });
        }
        Ok(Self(Folder::Folder(folder)))
    }
}

/// Without the password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Folder::Folder(folder) => folder.display().fmt(f),
            Folder::Database(address, _) => address.fmt(f),
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
