//! The log of a study in a folder, `trials.jsonl`: one line for each trial that has ended, in the order of the ends, after a
//! first line with the configuration. A line is a checksum, a space and a JSON object.
//!
//! Guarantees: a line is on disk before [`Log::append`] returns, and no line is ever changed. Each line has a checksum of
//! itself and names that of the line before it, so that a line that was damaged, lost or moved is an error that names it. Only
//! the end of the file can be unfinished: whoever compares with the database knows how many lines there have to be.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bomp_export::files;
use serde::{Deserialize, Serialize};

use super::checksum::{self, DIGITS};
use super::record;
use super::storage::StoreError;
use super::{StudyConfig, Trial};

/// The log in a study's folder.
pub(super) const FILE: &str = "trials.jsonl";
/// The same while a study is made: it becomes the log once the database is there.
pub(super) const NEW: &str = "trials.jsonl.new";

/// What a line says.
#[derive(Serialize, Deserialize)]
struct Line {
    /// Its number, from 0.
    line: u64,
    /// The checksum of the line before it.
    after: String,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    /// The first line.
    Study(Box<StudyConfig>),
    /// Every other line.
    Trial(Box<Trial>),
}

/// The log as far as it has been read.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    config: Option<StudyConfig>,
    /// In the order of their ends.
    trials: Vec<Trial>,
    /// Checksums of the lines, the first line's included.
    checksums: Vec<String>,
    /// Bytes of the whole lines.
    length: u64,
    /// Why what follows them is no line, if something does.
    rest: Option<String>,
}

impl Log {
    /// The log of the study in `folder`; nothing is read yet.
    pub(super) fn at(folder: &Path) -> Self {
        let [file, new] = [FILE, NEW].map(|name| folder.join(name));
        // The process that made the study may have been killed before it gave the log its name.
        let path = if !file.exists() && new.exists() { new } else { file };
        Self { path, config: None, trials: Vec::new(), checksums: Vec::new(), length: 0, rest: None }
    }

    pub(super) const fn config(&self) -> Option<&StudyConfig> {
        self.config.as_ref()
    }

    /// Trials that have ended, in the order of their ends.
    pub(super) fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The checksum of the line after `count` trials; empty if the log is shorter.
    pub(super) fn checksum_after(&self, count: u64) -> &str {
        usize::try_from(count).ok().and_then(|count| self.checksums.get(count)).map_or("", String::as_str)
    }

    /// An error that names the log.
    pub(super) fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged { location: self.path.display().to_string(), cause: what.into() }
    }

    /// Fails if the log does not hold the ends of `count` trials up to the line with `last` as its checksum.
    pub(super) fn expect(&self, count: u64, last: &str) -> Result<(), StoreError> {
        let have = self.trials.len() as u64;
        if self.config.is_none() || have < count {
            let why = self.rest.as_deref().unwrap_or("its end is missing");
            return Err(self.damaged(&format!("it holds {have} of {count} trials that have ended: {why}")));
        }
        if self.checksum_after(count) != last {
            return Err(self.damaged(&format!("its line {count} is not the one that the database names")));
        }
        Ok(())
    }

    /// Reads what was added since.
    ///
    /// # Errors
    /// A line that is not the last one is damaged, or the file cannot be read. A log that is absent reads as an empty one.
    pub(super) fn update(&mut self) -> Result<(), StoreError> {
        let io = |cause| StoreError::Io { path: self.path.clone(), cause };
        // The log of a new study may get its name just now.
        let named = self.path.with_file_name(FILE);
        let file = files::open_untrusted(&self.path).or_else(|error| {
            if error.kind() == ErrorKind::NotFound { files::open_untrusted(&named) } else { Err(error) }
        });
        let mut file = match file {
            Ok((file, _)) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.rest = Some("the file is missing".into());
                return if self.length == 0 { Ok(()) } else { Err(self.damaged("it was removed")) };
            }
            Err(error) => return Err(io(error)),
        };
        if file.metadata().map_err(io)?.len() < self.length {
            return Err(self.damaged("it is shorter than before"));
        }
        file.seek(SeekFrom::Start(self.length)).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        self.rest = None;
        let mut rest = &bytes[..];
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let number = self.checksums.len() as u64;
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            match parse(line).and_then(|(checksum, line)| self.accept(checksum, line)) {
                Ok(()) => {}
                Err(why) if after.is_empty() => {
                    self.rest = Some(format!("line {number}: {why}"));
                    return Ok(());
                }
                Err(why) => return Err(self.damaged(&format!("line {number}: {why}"))),
            }
            self.length += end as u64 + 1;
            rest = after;
        }
        if !rest.is_empty() {
            self.rest = Some(format!("line {} is cut off", self.checksums.len()));
        }
        Ok(())
    }

    /// Takes in the next line.
    fn accept(&mut self, checksum: String, line: Line) -> Result<(), String> {
        if line.line != self.checksums.len() as u64
            || Some(&line.after) != self.checksums.last().or(Some(&String::new()))
        {
            return Err("it does not follow the line before it: a line is missing or was moved".into());
        }
        match (line.entry, &self.config) {
            (Entry::Study(config), None) => self.config = Some(*config),
            (Entry::Trial(trial), Some(_)) if !trial.is_running() => self.trials.push(*trial),
            _ => return Err("it is none that can be there".into()),
        }
        self.checksums.push(checksum);
        Ok(())
    }

    /// Adds the end of a trial, durably. The caller keeps every other process from writing, and has read everything.
    ///
    /// # Errors
    /// The file cannot be written; it holds what it held before.
    pub(super) fn append(&mut self, trial: &Trial) -> Result<(), StoreError> {
        let location = self.path.display().to_string();
        let last = self.checksums.last().cloned().unwrap_or_default();
        let (checksum, text) =
            line(self.checksums.len() as u64, last, Entry::Trial(Box::new(trial.clone())), &location)?;
        let io = |cause| StoreError::Io { path: self.path.clone(), cause };
        let mut file = File::options().append(true).open(&self.path).map_err(io)?;
        if self.rest.take().is_some() {
            // The line of a process that was stopped while it wrote, which nobody was told of.
            file.set_len(self.length).map_err(io)?;
        }
        if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_data()) {
            // If this fails too, whoever comes next takes the rest away.
            let _ = file.set_len(self.length);
            return Err(io(error));
        }
        self.checksums.push(checksum);
        self.trials.push(trial.clone());
        self.length += text.len() as u64;
        Ok(())
    }
}

/// A whole log of these trials, those that have ended: its bytes, their count and the checksum of its last line.
pub(super) fn whole(
    config: &StudyConfig,
    trials: &[Trial],
    location: &str,
) -> Result<(Vec<u8>, u64, String), StoreError> {
    let (mut last, mut bytes) = line(0, String::new(), Entry::Study(Box::new(config.clone())), location)?;
    let mut count = 0;
    for trial in trials.iter().filter(|trial| !trial.is_running()) {
        count += 1;
        let (checksum, text) = line(count, last, Entry::Trial(Box::new(trial.clone())), location)?;
        bytes += &text;
        last = checksum;
    }
    Ok((bytes.into_bytes(), count, last))
}

/// What can be read of a damaged log: its configuration, the trials of its undamaged lines, and what is wrong with the others.
pub(super) fn intact(folder: &Path) -> (Option<StudyConfig>, Vec<Trial>, Vec<String>) {
    let Ok(bytes) = files::read_untrusted(&Log::at(folder).path, files::limit::LARGE) else {
        return (None, Vec::new(), Vec::new());
    };
    let (mut config, mut trials, mut problems) = (None, Vec::new(), Vec::new());
    for (number, text) in bytes.split(|&byte| byte == b'\n').enumerate().filter(|(_, text)| !text.is_empty())
    {
        match parse(text) {
            Ok((_, Line { entry: Entry::Study(own), .. })) => config = Some(*own),
            Ok((_, Line { entry: Entry::Trial(trial), .. })) => trials.push(*trial),
            Err(why) => problems.push(format!("{FILE}, line {number}: {why}")),
        }
    }
    (config, trials, problems)
}

fn line(line: u64, after: String, entry: Entry, location: &str) -> Result<(String, String), StoreError> {
    let json = record::to_json(&Line { line, after, entry }, location, &format!("line {line}"))?;
    let checksum = checksum::of(json.as_bytes());
    let text = format!("{checksum} {json}\n");
    Ok((checksum, text))
}

fn parse(line: &[u8]) -> Result<(String, Line), String> {
    let (checksum, json) = line.split_at_checked(DIGITS).ok_or("it is cut off")?;
    let json = json.strip_prefix(b" ").ok_or("there is no checksum at its start")?;
    let expected = checksum::of(json);
    if expected.as_bytes() != checksum {
        return Err("its checksum is wrong: it was changed or is cut off".into());
    }
    let line = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    Ok((expected, line))
}
