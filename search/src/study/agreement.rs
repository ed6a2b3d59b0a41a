//! A study in a folder as both of its files say it: the database, and the log of the trials that have ended.
//!
//! Guarantees: what is returned is in both files. Damage of one of them, a part of it that is gone or an older state of it is
//! an error that names the file. The log may be ahead by ends of which nobody was told yet; they count.

use std::collections::BTreeMap;

use super::Trial;
use super::log::Log;
use super::record::{self, StoredTrial};
use super::rows::{self, Ends};
use super::storage::StoreError;

/// All trials in the order of their numbers, of these rows of the database at `location` and of the log. Both were read while
/// nobody could change the database.
pub(super) fn trials(
    records: Vec<StoredTrial>,
    ends: &Ends,
    log: &Log,
    location: &str,
) -> Result<Vec<Trial>, StoreError> {
    log.expect(ends.count, &ends.last)?;
    let count = records.iter().filter(|record| record.state != "running").count() as u64;
    if count != ends.count {
        let cause = format!("{count} trials have ended, but there were {}", ends.count);
        return Err(rows::damaged(location, &cause));
    }
    let mut logged = BTreeMap::new();
    for (index, trial) in log.trials().iter().enumerate() {
        if logged.insert(trial.number, (index as u64, trial)).is_some() {
            return Err(log.damaged(&format!("trial {} ends twice", trial.number)));
        }
    }
    let mut trials = record::trials(records, location)?;
    if let Some((&number, _)) = logged.last_key_value()
        && number >= trials.len() as u64
    {
        return Err(StoreError::Missing { location: location.to_owned(), number: trials.len() as u64 });
    }
    for trial in &mut trials {
        let number = trial.number;
        match logged.get(&number) {
            Some((index, told)) if trial.is_running() && *index >= ends.count => *trial = (*told).clone(),
            Some((_, told)) if *told == trial => {}
            None if trial.is_running() => {}
            _ => {
                return Err(rows::damaged(
                    location,
                    &format!("trial {number} is not what {} says", super::log::FILE),
                ));
            }
        }
    }
    Ok(trials)
}
