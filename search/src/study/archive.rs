//! A whole study in one file, to be kept in a repository or taken to another machine: what `bomp-search status --json` prints, or
//! gzipped JSON lines, the configuration first and then each trial by its number.
//!
//! Guarantees: configuration, trials and figures are read back to the last bit; the same study gives the same lines.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bomp_export::files::{self, WriteError, limit};
use bomp_export::kind::{self, Needed};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{StudyConfig, Trial, sound};

/// How a gzipped file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A study apart from any store.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// Its configuration.
    pub config: StudyConfig,
    /// Its trials, by their numbers.
    pub trials: Vec<Trial>,
}

/// Why a file is of no use. One line that names it.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("{0}")]
    Read(String),
    /// It holds no study, or one that contradicts itself.
    #[error("{path}: {problem}")]
    Content {
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head<C> {
    config: C,
    config_sha256: String,
}

/// What `status --json` prints, as far as a study is made of it.
#[derive(Deserialize)]
struct Status {
    config: StudyConfig,
    config_sha256: String,
    trials: Vec<Trial>,
}

impl Archive {
    /// Reads a study whose configuration is as it was when the file was written.
    ///
    /// # Errors
    /// See [`ArchiveError`].
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let bytes = files::read_untrusted(path, limit::LARGE)
            .map_err(|error| ArchiveError::Read(kind::unreadable(path, &error, Needed::Text)))?;
        let wrong = |problem| ArchiveError::Content { path: path.to_owned(), problem };
        let Status { config, config_sha256, trials } =
            if bytes.starts_with(&GZIP) { of_lines(&bytes) } else { of_status(&bytes) }.map_err(wrong)?;
        let sha256 = config.sha256();
        if sha256 != config_sha256 {
            return Err(wrong(format!(
                "config_sha256 is {config_sha256}, but that of its configuration is {sha256}: one of them was changed"
            )));
        }
        Ok(Self { config, trials })
    }

    /// As [`Archive::open`]; every trial is there and one of its study, too.
    ///
    /// # Errors
    /// See [`ArchiveError`].
    pub fn read(path: &Path) -> Result<Self, ArchiveError> {
        let archive = Self::open(path)?;
        for (index, trial) in archive.trials.iter().enumerate() {
            let number = trial.number;
            let problem = if number == index as u64 {
                sound(&archive.config, trial).map(|problem| format!("trials[{index}].{problem}"))
            } else {
                Some(format!("trials[{index}].number is {number}: a trial is missing before it"))
            };
            if let Some(problem) = problem {
                return Err(ArchiveError::Content { path: path.to_owned(), problem });
            }
        }
        Ok(archive)
    }

    /// Writes the gzipped lines.
    ///
    /// # Errors
    /// The file cannot be written; what was there before is whole.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        files::write(path, &self.lines().expect("a study is JSON, and memory can be written"))
    }

    fn lines(&self) -> io::Result<Vec<u8>> {
        // Neither name nor time of the file, so that its bytes depend on the study alone.
        let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
        serde_json::to_writer(
            &mut gzip,
            &Head { config: &self.config, config_sha256: self.config.sha256() },
        )?;
        for trial in &self.trials {
            gzip.write_all(b"\n")?;
            serde_json::to_writer(&mut gzip, trial)?;
        }
        gzip.write_all(b"\n")?;
        gzip.finish()
    }
}

fn of_status(bytes: &[u8]) -> Result<Status, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let what = kind::instead(bytes, Needed::Text).unwrap_or_else(|| "make it with that command".into());
        format!("not what `bomp-search status --json` prints: {what}: {error}")
    })
}

fn of_lines(bytes: &[u8]) -> Result<Status, String> {
    let mut text = Vec::new();
    GzDecoder::new(bytes)
        .take(limit::LARGE)
        .read_to_end(&mut text)
        .map_err(|error| format!("damaged or cut off: {error}"))?;
    let mut lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let at = |number: usize| move |error: serde_json::Error| format!("line {number}: {error}");
    let head = serde_json::from_slice(lines.next().unwrap_or_default());
    let Head { config, config_sha256 } = head.map_err(at(1))?;
    let trial = |(index, line): (usize, &[u8])| serde_json::from_slice(line).map_err(at(index + 2));
    Ok(Status { config, config_sha256, trials: lines.enumerate().map(trial).collect::<Result<_, _>>()? })
}
