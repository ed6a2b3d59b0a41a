//! Brings a study of the schema before up to date: its trials and figures stay, leases and the times of claims do not.
//!
//! Guarantees: the new database takes the place of the old one in one step, while no other process has the old one open.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::files::{self, FILE};
use super::rows::{self, database};
use super::storage::StoreError;
use super::{record, view};

/// How long another process may be on its way out.
const RETRY_TIMEOUT: Duration = Duration::from_secs(5);

/// Does it, unless another process has done it in between.
pub(super) fn run(folder: &Path) -> Result<(), StoreError> {
    let _lock = files::lock(folder)?;
    if view::read(folder)?.schema != rows::FORMER {
        return Ok(());
    }
    let location = folder.join(FILE).display().to_string();
    let sql = |source| database(&location, source);
    let mut connection =
        Connection::open_with_flags(folder.join(FILE), OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sql)?;
    connection.busy_timeout(RETRY_TIMEOUT).map_err(sql)?;
    // Only granted if nobody else has the database open; whoever opens it later finds it locked, and then replaced.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(sql)?;
    let mode = connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0));
    match mode {
        Ok(mode) if mode == "delete" => {}
        Ok(_) => return Err(StoreError::InUse { location: folder.display().to_string() }),
        Err(error) => return Err(sql(error)),
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(sql)?;
    let (_, config) = rows::study(&transaction, &location)?;
    let trials = record::trials(rows::former_records(&transaction, &location)?, &location)?;
    files::write(folder, &config, &trials)
}
