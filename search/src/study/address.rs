//! The address of a study in a PostgreSQL database.
//!
//! Guarantees: what is shown of it holds no password.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Error, NoTls};

use super::password;
use super::storage::StoreError;

/// How long the server's machine may leave something unacknowledged.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Which study of which database.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    pub(super) study: String,
}

impl Address {
    /// A new connection, kept alive by the runtime that this is called in.
    pub(super) async fn connect(&self) -> Result<Client, Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        // It ends with the client; what is wrong with it the client's requests say.
        tokio::spawn(async { drop(connection.await) });
        Ok(client)
    }
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
        if config.get_ssl_mode() == SslMode::Require {
            return Err(wrong("sslmode=require: connections are not encrypted: use a tunnel".into()));
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
