//! A connection to a PostgreSQL server that comes back, and on which nothing is waited for without an end.
//!
//! Guarantees: an attempt to connect ends within 20 seconds, a request within 40, whatever the server and the network do: a server
//! that accepts connections and says nothing, one that was stopped, a dead machine behind a port forward. A request that was
//! cut off is made again on a new connection, for as long as the caller is patient.

use std::error::Error as _;
use std::fmt;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::address::Address;
use super::encryption;
use super::storage::StoreError;

/// How long a server may be away from a worker.
pub(super) const RETRY_TIMEOUT: Duration = Duration::from_secs(600);
/// The same while a study is opened, and for commands that only read it.
pub(super) const SHORT_RETRY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the server may take to let a client in.
const TO_CONNECT: Duration = Duration::from_secs(20);
/// How long it may take to answer.
const TO_ANSWER: Duration = Duration::from_secs(40);

/// Said on every connection. A change is on disk when it is acknowledged, whatever the server's own settings are; the server
/// gives up a request soon after its client has.
const SETTINGS: &str = "SET synchronous_commit = on; SET statement_timeout = '35s';
                        SET idle_in_transaction_session_timeout = '60s'";

/// A connection that comes back.
pub(super) struct Link {
    pub(super) address: Address,
    runtime: Runtime,
    client: Option<Client>,
    retry_timeout: Duration,
}

/// Why a request failed.
enum Trouble {
    /// What the server or the connection says.
    Told(Error),
    /// Nothing was heard for this long.
    Silent(Duration),
}

impl Trouble {
    /// Whether another attempt can help: the connection or the server is gone, or two transactions were in each other's way.
    fn is_passing(&self) -> bool {
        let error = match self {
            Self::Silent(_) => return true,
            Self::Told(error) => error,
        };
        // A certificate that was refused will be refused again.
        if matches!(encryption::encryption_error(error), Some(rustls::Error::InvalidCertificate(_))) {
            return false;
        }
        let Some(code) = error.code() else {
            // Not from the server: the connection. What cannot be converted stays wrong.
            return error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
        };
        let conflict = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            // The server took too long.
            SqlState::QUERY_CANCELED,
        ];
        // Classes of codes: 08 connection exception, 53 insufficient resources, 57P shutting down or starting up.
        conflict.contains(code) || ["08", "53", "57P"].iter().any(|class| code.code().starts_with(class))
    }

    fn starts(&self) -> bool {
        matches!(self, Self::Told(error) if error.code() == Some(&SqlState::CANNOT_CONNECT_NOW))
    }

    fn at(&self, address: &Address) -> StoreError {
        let cause = match self {
            Self::Told(error) => match encryption::remedy(error) {
                Some(remedy) => format!("{}: {remedy}", chain(error)).into(),
                None => chain(error).into(),
            },
            Self::Silent(time) => format!(
                "the server did not answer for {} s: is it running, and does a firewall block the connection?",
                time.as_secs()
            )
            .into(),
        };
        StoreError::Database { location: address.to_string(), cause }
    }
}

impl Link {
    /// Connects. The address may be wrong, so a server that cannot be reached at first is soon an error; one that is
    /// starting is given the time. Later it may be away for `retry_timeout`.
    pub(super) fn new(address: &Address, retry_timeout: Duration) -> Result<Self, StoreError> {
        let mut link = Self::later(address, retry_timeout)?;
        let begun = Instant::now();
        loop {
            match link.runtime.block_on(connect(address)) {
                Ok(client) => {
                    link.client = Some(client);
                    return Ok(link);
                }
                Err(trouble) => {
                    let allowed = if trouble.starts() { retry_timeout } else { SHORT_RETRY_TIMEOUT };
                    if !trouble.is_passing() || begun.elapsed() > allowed {
                        return Err(trouble.at(address));
                    }
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    /// Connects with the first request.
    pub(super) fn later(address: &Address, retry_timeout: Duration) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| StoreError::Database { location: address.to_string(), cause: error.into() })?;
        Ok(Self { address: address.clone(), runtime, client: None, retry_timeout })
    }

    /// Does `work`, again if the connection was lost before its answer came.
    pub(super) fn run<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut Client) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let begun = Instant::now();
        let Self { address, runtime, client, retry_timeout } = self;
        loop {
            let once = async {
                let client = match &mut *client {
                    Some(client) => client,
                    none => none.insert(connect(address).await?),
                };
                match timeout(TO_ANSWER, work(client)).await {
                    Ok(result) => result.map_err(Trouble::Told),
                    Err(_) => Err(Trouble::Silent(TO_ANSWER)),
                }
            };
            match runtime.block_on(once) {
                Ok(result) => return Ok(result),
                Err(trouble) => {
                    if !trouble.is_passing() || begun.elapsed() >= *retry_timeout {
                        return Err(trouble.at(address));
                    }
                    *client = None;
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }
}

/// Lets the connection work while something is waited for.
async fn connect(address: &Address) -> Result<Client, Trouble> {
    let connect = async {
        let client = address.connect().await?;
        client.batch_execute(SETTINGS).await?;
        Ok::<_, Error>(client)
    };
    match timeout(TO_CONNECT, connect).await {
        Ok(result) => result.map_err(Trouble::Told),
        Err(_) => Err(Trouble::Silent(TO_CONNECT)),
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
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
