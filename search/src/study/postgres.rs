//! The PostgreSQL store: studies in a database, for workers on any number of machines.
//!
//! Every change of a trial is one statement, which the server does as one transaction: a worker that stops or is cut off at any
//! moment holds no lock. Leases are kept by the server's clock, so the workers' clocks do not matter. A lost connection is opened again, for ten
//! minutes: a server that restarts costs no trial.

use std::error::Error as _;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use postgres::config::Host;
use postgres::error::SqlState;
use postgres::{Client, Config, Error, NoTls, Row};

use super::password;
use super::record::{self, COLUMNS, End, Record};
use super::storage::{Lease, Storage, StoreError, Worker};
use super::{StudyConfig, Trial, TrialState};
use crate::proposal::Proposal;

/// How long a server may be away.
const PATIENCE: Duration = Duration::from_secs(600);
/// The same while a study is opened.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(250);
/// How long one attempt may take, and how long a sent request may stay unacknowledged by the server's machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Said on every connection: a change is on disk when it is acknowledged, whatever the server's own settings are.
const SETTINGS: &str = "SET synchronous_commit = on";

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

/// Which study of which database.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    pub(super) study: String,
}

impl FromStr for Address {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
        let name = pairs.iter().find_map(|pair| pair.strip_prefix("study=")).unwrap_or("study");
        let others: Vec<&str> = pairs.iter().filter(|pair| !pair.starts_with("study=")).copied().collect();
        let base = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        // The text may hold a password, so it is not repeated.
        let wrong = |problem| StoreError::Address { place: "postgres://…".into(), problem };
        // It is the name of a folder too, which must not be another one, a hidden one or an option.
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
            || name.len() > 100
            || !name.chars().all(plain)
        {
            return Err(wrong(
                "study=NAME: a name is of up to 100 letters, digits, `-`, `_` and `.`, and starts with a letter or a digit"
                    .into(),
            ));
        }
        // What the parser says may quote a part of the password.
        let mut config: Config = base.parse().map_err(|_: Error| {
            wrong(
                "it cannot be read: write postgres://USER@HOST:PORT/DATABASE?study=NAME, after `?` only study and libpq's \
                 options, separated by `&`; leave the password to PGPASSWORD, or write its special characters as %40 (@), \
                 %3A (:), %2F (/), %3F (?), %23 (#), %26 (&)"
                    .into(),
            )
        })?;
        if config.get_hosts().is_empty() {
            return Err(wrong("no host: write postgres://USER@HOST/DATABASE?study=NAME".into()));
        }
        if config.get_password().is_none()
            && let Some(password) = password::find(&config)?
        {
            config.password(password);
        }
        config.application_name("bomp-search").connect_timeout(TIMEOUT).tcp_user_timeout(TIMEOUT);
        config.keepalives_idle(TIMEOUT);
        Ok(Self { config, study: name.to_owned() })
    }
}

/// Without the password.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().map_or(String::new(), |user| format!("{user}@"));
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(Host::Unix(folder)) => folder.display().to_string().replace('/', "%2F"),
            None => String::new(),
        };
        let port = self.config.get_ports().first().map_or(String::new(), |port| format!(":{port}"));
        let database = self.config.get_dbname().unwrap_or_default();
        write!(f, "postgres://{user}{host}{port}/{database}?study={}", self.study)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A connection that comes back.
struct Link {
    address: Address,
    client: Option<Client>,
}

impl Link {
    /// Connects. The address may be wrong, so a server that cannot be reached at first is soon an error; one that is
    /// starting is given the time.
    fn new(address: &Address) -> Result<Self, StoreError> {
        let begun = Instant::now();
        loop {
            match connect(address) {
                Ok(client) => return Ok(Self { address: address.clone(), client: Some(client) }),
                Err(error) if is_passing(&error) => {
                    let starts = error.code() == Some(&SqlState::CANNOT_CONNECT_NOW);
                    let patience = if starts { PATIENCE } else { FIRST_PATIENCE };
                    if begun.elapsed() > patience {
                        return Err(database(address, &error));
                    }
                    std::thread::sleep(PAUSE);
                }
                Err(error) => return Err(database(address, &error)),
            }
        }
    }

    /// Does `work`, again if the connection was lost before its answer came.
    fn run<T>(&mut self, mut work: impl FnMut(&mut Client) -> Result<T, Error>) -> Result<T, StoreError> {
        let begun = Instant::now();
        loop {
            match self.once(&mut work) {
                Err(error) if is_passing(&error) && begun.elapsed() < PATIENCE => {
                    self.client = None;
                    std::thread::sleep(PAUSE);
                }
                result => return result.map_err(|error| database(&self.address, &error)),
            }
        }
    }

    fn once<T>(&mut self, work: &mut impl FnMut(&mut Client) -> Result<T, Error>) -> Result<T, Error> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(connect(&self.address)?),
        };
        work(client)
    }
}

fn connect(address: &Address) -> Result<Client, Error> {
    let mut client = address.config.connect(NoTls)?;
    client.batch_execute(SETTINGS)?;
    Ok(client)
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

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
        let place = address.to_string();
        let json = record::to_json(config, &place, "study.config")?;
        let rows =
            trials.iter().map(|trial| Record::of_trial(trial, &place)).collect::<Result<Vec<_>, _>>()?;
        let mut link = Link::new(address)?;
        let name = &address.study;
        let added = link.run(|client| {
            let mut transaction = client.transaction()?;
            transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&TABLES_LOCK])?;
            transaction.batch_execute(TABLES)?;
            let added = transaction.execute(
                "INSERT INTO bomp_studies (name, schema, tool_version, config) VALUES ($1, $2, $3, $4)
                 ON CONFLICT DO NOTHING",
                &[name, &SCHEMA, &env!("CARGO_PKG_VERSION"), &json],
            )?;
            if added == 1 {
                rows.iter().try_for_each(|row| insert(&mut transaction, name, row))?;
            }
            transaction.commit()?;
            Ok(added)
        })?;
        if added == 0 {
            return Err(StoreError::Exists { place: address.to_string() });
        }
        Ok(Self { link, config: config.clone(), worker: Worker::default() })
    }

    /// Opens a study.
    pub(super) fn open(address: &Address) -> Result<Self, StoreError> {
        let place = address.to_string();
        let mut link = Link::new(address)?;
        let name = &address.study;
        let row = link.run(|client| {
            let table = client.query_one("SELECT to_regclass('bomp_studies') IS NOT NULL", &[])?;
            if !table.get::<_, bool>(0) {
                return Ok(None);
            }
            client.query_opt("SELECT schema, config FROM bomp_studies WHERE name = $1", &[name])
        })?;
        let row = row.ok_or_else(|| StoreError::Absent { place: place.clone() })?;
        let (found, json): (i64, &str) = (row.get(0), row.get(1));
        if found != SCHEMA {
            return Err(StoreError::Schema { place, found, expected: SCHEMA });
        }
        let config = record::from_json(json, &place, "study.config")?;
        Ok(Self { link, config, worker: Worker::default() })
    }

    fn place(&self) -> String {
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
        let (study, place) = (self.study(), self.place());
        let query = format!("SELECT {COLUMNS} FROM bomp_trials WHERE study = $1 ORDER BY number");
        let rows = self.link.run(|client| client.query(&query, &[&study]))?;
        record::trials(rows.iter().map(read).collect(), &place)
    }

    fn enlist(&mut self, worker: &Worker) -> Result<(), StoreError> {
        self.worker = worker.clone();
        Ok(())
    }

    fn claim_open(&mut self) -> Result<Option<Lease>, StoreError> {
        let (study, worker) = (self.study(), self.worker.clone());
        let (grace, allowed) = (worker.grace.as_secs_f64(), i64::from(worker.take_overs));
        loop {
            let row = self.link.run(|client| {
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
                )
            })?;
            let Some(row) = row else { return Ok(None) };
            let (number, attempt, failed): (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
            if !failed {
                return Ok(Some(Lease { number: number as u64, attempt: attempt as u64 }));
            }
        }
    }

    fn claim_new(&mut self, number: u64, proposal: &Proposal) -> Result<Option<Lease>, StoreError> {
        let row = Record::of(number, proposal, &self.place())?;
        let (study, worker) = (self.study(), self.worker.clone());
        let grace = worker.grace.as_secs_f64();
        let own = self.link.run(|client| {
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
                    &row.lead,
                    &row.size_bytes,
                    &row.ram_bytes,
                    &row.macs,
                    &worker.id,
                    &grace,
                ],
            )
        })?;
        Ok(own.map(|own| Lease { number, attempt: own.get::<_, i64>(0) as u64 }))
    }

    fn renew(&mut self, lease: Lease) -> Result<bool, StoreError> {
        let (study, grace) = (self.study(), self.worker.grace.as_secs_f64());
        let changed = self.link.run(|client| {
            client.execute(
                "UPDATE bomp_trials SET lease_until = clock_timestamp() + $4 * INTERVAL '1 second'
                 WHERE study = $1 AND number = $2 AND attempt = $3 AND state = 'running'",
                &[&study, &(lease.number as i64), &(lease.attempt as i64), &grace],
            )
        })?;
        Ok(changed == 1)
    }

    fn release(&mut self, lease: Lease) -> Result<(), StoreError> {
        let study = self.study();
        self.link.run(|client| {
            client.execute(
                "UPDATE bomp_trials SET worker = NULL, lease_until = clock_timestamp()
                 WHERE study = $1 AND number = $2 AND attempt = $3 AND state = 'running'",
                &[&study, &(lease.number as i64), &(lease.attempt as i64)],
            )
        })?;
        Ok(())
    }

    fn end(&mut self, lease: Lease, state: &TrialState) -> Result<(), StoreError> {
        let End { state, measured, reason } = End::of(lease.number, state, &self.place())?;
        let study = self.study();
        let (number, attempt) = (lease.number as i64, lease.attempt as i64);
        let recorded = self.link.run(|client| {
            let changed = client.execute(
                "UPDATE bomp_trials SET state = $4, measured = $5, reason = $6, ended = clock_timestamp()
                 WHERE study = $1 AND number = $2 AND attempt = $3 AND state = 'running'",
                &[&study, &number, &attempt, &state, &measured, &reason],
            )?;
            if changed == 1 {
                return Ok(true);
            }
            // It may be recorded already, if the connection was lost before this worker heard of it.
            let done = client.query_opt(
                "SELECT 1 FROM bomp_trials WHERE study = $1 AND number = $2 AND attempt = $3 AND state = $4
                 AND measured IS NOT DISTINCT FROM $5 AND reason IS NOT DISTINCT FROM $6",
                &[&study, &number, &attempt, &state, &measured, &reason],
            )?;
            Ok(done.is_some())
        })?;
        if recorded {
            Ok(())
        } else {
            Err(StoreError::Superseded { place: self.place(), number: lease.number })
        }
    }

    fn another(&self) -> Result<Box<dyn Storage>, StoreError> {
        let link = Link { address: self.link.address.clone(), client: None };
        Ok(Box::new(Self { link, config: self.config.clone(), worker: self.worker.clone() }))
    }
}

/// Adds a trial that nobody works on.
fn insert(transaction: &mut postgres::Transaction<'_>, study: &str, row: &Record) -> Result<(), Error> {
    let statement = "INSERT INTO bomp_trials (study, number, state, genotype, lead, size_bytes, ram_bytes, macs, measured,
                                              reason, lease_until, ended)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp(),
                             CASE WHEN $3 <> 'running' THEN clock_timestamp() END)";
    transaction.execute(
        statement,
        &[
            &study,
            &row.number,
            &row.state,
            &row.genotype,
            &row.lead,
            &row.size_bytes,
            &row.ram_bytes,
            &row.macs,
            &row.measured,
            &row.reason,
        ],
    )?;
    Ok(())
}

fn read(row: &Row) -> Record {
    Record {
        number: row.get(0),
        state: row.get(1),
        genotype: row.get(2),
        lead: row.get(3),
        size_bytes: row.get(4),
        ram_bytes: row.get(5),
        macs: row.get(6),
        measured: row.get(7),
        reason: row.get(8),
        worker: row.get(9),
    }
}

/// Whether another attempt can help: the connection or the server is gone, or two transactions were in each other's way.
fn is_passing(error: &Error) -> bool {
    let Some(code) = error.code() else {
        // Not from the server: the connection. What cannot be converted stays wrong.
        return error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
    };
    let conflict = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code);
    // Classes of codes: 08 connection exception, 53 insufficient resources, 57P shutting down or starting up.
    conflict || ["08", "53", "57P"].iter().any(|class| code.code().starts_with(class))
}

fn database(address: &Address, error: &Error) -> StoreError {
    StoreError::Database { place: address.to_string(), cause: chain(error).into() }
}

/// An error with its causes, which hold what matters.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
