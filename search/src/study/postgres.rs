//! The PostgreSQL store: studies in a database, for workers on any number of machines.
//!
//! Every change of a trial is one statement, which the server does as one transaction: a worker that stops or is cut off at any
//! moment holds no lock. Leases are kept by the server's clock, so the workers' clocks do not matter. A lost connection is opened again, for ten
//! minutes: a server that restarts costs no trial.

use tokio_postgres::{Error, Row, Transaction};

use super::address::Address;
use super::link::{Link, RETRY_TIMEOUT, SHORT_RETRY_TIMEOUT};
use super::record::{self, COLUMNS, End, StoredTrial};
use super::storage::{Lease, Storage, StoreError, Worker};
use super::{Proposal, StudyConfig, Trial, TrialState};

/// Keeps two first users from making the tables at once.
const TABLES_LOCK: i64 = 0x626f_6d70;

/// Layout of the tables; a study of another one is refused.
const SCHEMA: i64 = 3;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS bomp_studies (
        name TEXT PRIMARY KEY,
        schema BIGINT NOT NULL, tool_version TEXT NOT NULL, config TEXT NOT NULL,
        created TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp());
    CREATE TABLE IF NOT EXISTS bomp_trials (
        study TEXT NOT NULL REFERENCES bomp_studies (name),
        number BIGINT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'given up', 'failed')),
        genotype TEXT NOT NULL, lead BIGINT,
        size_bytes BIGINT NOT NULL, ram_bytes BIGINT NOT NULL, macs BIGINT NOT NULL,
        measured TEXT, reason TEXT,
        attempt BIGINT NOT NULL DEFAULT 1, take_overs BIGINT NOT NULL DEFAULT 0,
        worker TEXT, lease_until TIMESTAMPTZ NOT NULL,
        claimed TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), ended TIMESTAMPTZ,
        PRIMARY KEY (study, number));";

/// An open study.
#[derive(Debug)]
pub(super) struct Postgres {
    link: Link,
    config: StudyConfig,
    worker: Worker,
}

impl Postgres {
    /// Makes a new study of these trials, in one transaction; the tables too, if this is the first one of the database.
    pub(super) fn create(
        address: &Address,
        config: &StudyConfig,
        trials: &[Trial],
    ) -> Result<Self, StoreError> {
        let location = address.to_string();
        let json = record::to_json(config, &location, "study.config")?;
        let rows = trials
            .iter()
            .map(|trial| StoredTrial::of_trial(trial, &location))
            .collect::<Result<Vec<_>, _>>()?;
        let mut link = Link::new(address, RETRY_TIMEOUT)?;
        let name = &address.study;
        let added =
            link.run(async |client| {
                let transaction = client.transaction().await?;
                transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TABLES_LOCK]).await?;
                transaction.batch_execute(TABLES).await?;
                let added = transaction.execute(
                "INSERT INTO bomp_studies (name, schema, tool_version, config) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                &[name, &SCHEMA, &env!("CARGO_PKG_VERSION"), &json],
            ).await?;
                if added == 1 {
                    for row in &rows {
                        insert(&transaction, name, row).await?;
                    }
                }
                transaction.commit().await?;
                Ok(added)
            })?;
        if added == 0 {
            return Err(StoreError::Exists { location: address.to_string() });
        }
        Ok(Self { link, config: config.clone(), worker: Worker::default() })
    }

    /// Opens a study to work on it: its server may be away for a while.
    pub(super) fn open(address: &Address) -> Result<Self, StoreError> {
        Self::found(Link::new(address, RETRY_TIMEOUT)?)
    }

    /// Opens a study to read it once.
    pub(super) fn open_to_read(address: &Address) -> Result<Self, StoreError> {
        Self::found(Link::new(address, SHORT_RETRY_TIMEOUT)?)
    }

    fn found(mut link: Link) -> Result<Self, StoreError> {
        let address = link.address.clone();
        let location = address.to_string();
        let name = &address.study;
        let row = link.run(async |client| {
            let table = client.query_one("SELECT to_regclass('bomp_studies') IS NOT NULL", &[]).await?;
            if !table.get::<_, bool>(0) {
                return Ok(None);
            }
            client.query_opt("SELECT schema, config FROM bomp_studies WHERE name = $1", &[name]).await
        })?;
        let row = row.ok_or_else(|| StoreError::Absent { location: location.clone() })?;
        let (found, json): (i64, &str) = (row.get(0), row.get(1));
        if found != SCHEMA {
            return Err(StoreError::Schema { location, found, expected: SCHEMA });
        }
        let config = record::from_json(json, &location, "study.config")?;
        Ok(Self { link, config, worker: Worker::default() })
    }

    fn location(&self) -> String {
        self.link.address.to_string()
    }

    fn study(&self) -> String {
        self.link.address.study.clone()
    }
}

impl Storage for Postgres {
    fn config(&self) -> &StudyConfig {
        &self.config
    }

    fn trials(&mut self) -> Result<Vec<Trial>, StoreError> {
        let (study, location) = (self.study(), self.location());
        let query = format!("SELECT {COLUMNS} FROM bomp_trials WHERE study = $1 ORDER BY number");
        let rows = self.link.run(async |client| client.query(&query, &[&study]).await)?;
        record::trials(rows.iter().map(read).collect(), &location)
    }

    fn enlist(&mut self, worker: &Worker) -> Result<(), StoreError> {
        self.worker = worker.clone();
        Ok(())
    }

    fn claim_open(&mut self) -> Result<Option<Lease>, StoreError> {
        let (study, worker) = (self.study(), self.worker.clone());
        let (grace, allowed) = (worker.grace.as_secs_f64(), i64::from(worker.take_overs));
        loop {
            let row = self.link.run(async |client| {
                // Released trials, and its own, are not taken from anybody.
                client.query_opt(
                    "WITH free AS (
                         SELECT number, take_overs AS before, worker IS NOT NULL AND worker <> $2 AS taken
                         FROM bomp_trials
                         WHERE study = $1 AND state = 'running'
                           AND (worker IS NULL OR worker = $2 OR lease_until < clock_timestamp())
                         ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED),
                     claim AS (
                         SELECT number, before + taken::INT AS times, taken AND before >= $4 AS failed FROM free)
                     UPDATE bomp_trials SET
                         attempt = attempt + 1, take_overs = times,
                         state = CASE WHEN failed THEN 'failed' ELSE 'running' END,
                         reason = CASE WHEN failed THEN times || $5 || worker END,
                         ended = CASE WHEN failed THEN clock_timestamp() END,
                         worker = $2, lease_until = clock_timestamp() + $3 * INTERVAL '1 second'
                     FROM claim WHERE study = $1 AND bomp_trials.number = claim.number
                     RETURNING bomp_trials.number, attempt, failed",
                    &[&study, &worker.id, &grace, &allowed, &record::TOO_OFTEN],
                ).await
            })?;
            let Some(row) = row else { return Ok(None) };
            let (number, attempt, failed): (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
            if !failed {
                return Ok(Some(Lease { number: number as u64, attempt: attempt as u64 }));
            }
        }
    }

    fn claim_new(&mut self, number: u64, proposal: &Proposal) -> Result<Option<Lease>, StoreError> {
        let row = StoredTrial::of(number, proposal, &self.location())?;
        let (study, worker) = (self.study(), self.worker.clone());
        let grace = worker.grace.as_secs_f64();
        let own = self.link.run(async |client| {
            // It may be there already by this worker, whose connection was lost before it heard of it.
            client.query_opt(
                "INSERT INTO bomp_trials (study, number, state, genotype, lead, size_bytes, ram_bytes, macs, worker,
                                          lease_until)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, clock_timestamp() + $10 * INTERVAL '1 second')
                 ON CONFLICT (study, number) DO UPDATE SET worker = excluded.worker
                     WHERE bomp_trials.worker = excluded.worker AND bomp_trials.state = 'running'
                 RETURNING attempt",
                &[
                    &study,
                    &row.number,
                    &row.state,
                    &row.genotype,
                    &row.weights_from,
                    &row.size_bytes,
                    &row.ram_bytes,
                    &row.macs,
                    &worker.id,
                    &grace,
                ],
            ).await
        })?;
        Ok(own.map(|own| Lease { number, attempt: own.get::<_, i64>(0) as u64 }))
    }

    fn renew(&mut self, lease: Lease) -> Result<bool, StoreError> {
        let (study, grace) = (self.study(), self.worker.grace.as_secs_f64());
        let changed = self.link.run(async |client| {
            client
                .execute(
                    "UPDATE bomp_trials SET lease_until = clock_timestamp() + $4 * INTERVAL '1 second'
                 WHERE study = $1 AND number = $2 AND attempt = $3 AND state = 'running'",
                    &[&study, &(lease.number as i64), &(lease.attempt as i64), &grace],
                )
                .await
        })?;
        Ok(changed == 1)
    }

    fn release(&mut self, lease: Lease) -> Result<(), StoreError> {
        let study = self.study();
        self.link.run(async |client| {
            client
                .execute(
                    "UPDATE bomp_trials SET worker = NULL, lease_until = clock_timestamp()
                 WHERE study = $1 AND number = $2 AND attempt = $3 AND state = 'running'",
                    &[&study, &(lease.number as i64), &(lease.attempt as i64)],
                )
                .await
        })?;
        Ok(())
    }

    fn end(&mut self, lease: Lease, state: &TrialState) -> Result<(), StoreError> {
        let End { state, measured, reason } = End::of(lease.number, state, &self.location())?;
        let study = self.study();
        let (number, attempt) = (lease.number as i64, lease.attempt as i64);
        let recorded =
            self.link.run(async |client| {
                let changed = client.execute(
                "UPDATE bomp_trials SET state = $4, measured = $5, reason = $6, ended = clock_timestamp()
                 WHERE study = $1 AND number = $2 AND attempt = $3 AND state = 'running'",
                &[&study, &number, &attempt, &state, &measured, &reason],
            ).await?;
                if changed == 1 {
                    return Ok(true);
                }
                // It may be recorded already, if the connection was lost before this worker heard of it.
                let done = client.query_opt(
                "SELECT 1 FROM bomp_trials WHERE study = $1 AND number = $2 AND attempt = $3 AND state = $4
                 AND measured IS NOT DISTINCT FROM $5 AND reason IS NOT DISTINCT FROM $6",
                &[&study, &number, &attempt, &state, &measured, &reason],
            ).await?;
                Ok(done.is_some())
            })?;
        if recorded {
            Ok(())
        } else {
            Err(StoreError::Superseded { location: self.location(), number: lease.number })
        }
    }

    fn another(&self) -> Result<Box<dyn Storage>, StoreError> {
        let link = Link::later(&self.link.address, RETRY_TIMEOUT)?;
        Ok(Box::new(Self { link, config: self.config.clone(), worker: self.worker.clone() }))
    }
}

/// Adds a trial that nobody works on.
async fn insert(transaction: &Transaction<'_>, study: &str, row: &StoredTrial) -> Result<(), Error> {
    let statement = "INSERT INTO bomp_trials (study, number, state, genotype, lead, size_bytes, ram_bytes, macs, measured,
                                              reason, lease_until, ended)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp(),
                             CASE WHEN $3 <> 'running' THEN clock_timestamp() END)";
    transaction
        .execute(
            statement,
            &[
                &study,
                &row.number,
                &row.state,
                &row.genotype,
                &row.weights_from,
                &row.size_bytes,
                &row.ram_bytes,
                &row.macs,
                &row.measured,
                &row.reason,
            ],
        )
        .await?;
    Ok(())
}

fn read(row: &Row) -> StoredTrial {
    StoredTrial {
        number: row.get(0),
        state: row.get(1),
        genotype: row.get(2),
        weights_from: row.get(3),
        size_bytes: row.get(4),
        ram_bytes: row.get(5),
        macs: row.get(6),
        measured: row.get(7),
        reason: row.get(8),
        worker: row.get(9),
    }
}
