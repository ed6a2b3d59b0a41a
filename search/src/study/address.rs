//! The address of a study in a PostgreSQL database.
//!
//! Guarantees: what is shown of it holds no password.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Error};

use super::encryption::Encryption;
use super::password;
use super::storage::StoreError;

/// How long the server's machine may leave something unacknowledged.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What is read here of the options behind `?`.
const OWN: [&str; 3] = ["study", "sslmode", "sslrootcert"];

/// Which study of which database.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    encryption: Encryption,
    pub(super) study: String,
    /// What the address itself says of encryption, as it says it.
    stated: Vec<String>,
}

impl Address {
    /// A new connection, kept alive by the runtime that this is called in.
    pub(super) async fn connect(&self) -> Result<Client, Error> {
        let (client, connection) = self.config.connect(self.encryption.connector.clone()).await?;
        // It ends with the client; what is wrong with it the client's requests say.
        tokio::spawn(async { drop(connection.await) });
        Ok(client)
    }
}

impl FromStr for Address {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        // What is ours to read; the rest is the library's.
        let key = |pair: &str| pair.split_once('=').map_or("", |(key, _)| key).to_owned();
        let (own, others): (Vec<&str>, Vec<&str>) = pairs.partition(|pair| OWN.contains(&key(pair).as_str()));
        let twice = OWN.iter().find(|name| own.iter().filter(|pair| key(pair) == **name).count() > 1);
        let value = |name: &str| own.iter().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let name = value("study").unwrap_or("study");
        let base = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        // The text may hold a password, so it is not repeated.
        let wrong = |problem| StoreError::Address { location: "postgres://…".into(), problem };
        if let Some(name) = twice {
            return Err(wrong(format!("{name} is given more than once: state it once")));
        }
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
        // A password with characters that are not encoded: a part of it would be taken for a host or a database.
        let login = base.split_once("://").map_or("", |(_, rest)| rest);
        let unclear = login.matches('@').count() > 1
            || login.split_once('/').is_some_and(|(_, database)| database.contains('@'));
        let unreadable = || {
            wrong(
                "it cannot be read: write postgres://USER@HOST:PORT/DATABASE?study=NAME; options such as sslmode, \
                 sslrootcert or connect_timeout follow, separated by `&`; leave the password to PGPASSWORD, or write its \
                 special characters as %40 (@), %3A (:), %2F (/), %3F (?), %23 (#), %26 (&)"
                    .into(),
            )
        };
        if unclear {
            return Err(unreadable());
        }
        // What the parser says may quote a part of the password.
        let mut config: Config = base.parse().map_err(|_: Error| unreadable())?;
        if config.get_hosts().is_empty() {
            return Err(wrong("no host: write postgres://USER@HOST/DATABASE?study=NAME".into()));
        }
        let roots = value("sslrootcert").map(decoded);
        let roots = roots
            .transpose()
            .map_err(|()| wrong("sslrootcert: its percent-encoding is not valid UTF-8".into()))?;
        let encryption = Encryption::new(value("sslmode"), roots.as_deref()).map_err(wrong)?;
        // A socket of this machine is no network: there the server does not encrypt, and no program asks it to.
        let local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        config.ssl_mode(if local { SslMode::Disable } else { encryption.ssl_mode() });
        if config.get_password().is_none()
            && let Some(password) = password::find(&config)?
        {
            config.password(password);
        }
        config.application_name("bomp-search").connect_timeout(TIMEOUT).tcp_user_timeout(TIMEOUT);
        config.keepalives_idle(TIMEOUT);
        let stated = own.iter().filter(|pair| key(pair) != "study").map(|&pair| pair.to_owned()).collect();
        Ok(Self { config, encryption, study: name.to_owned(), stated })
    }
}

/// The text behind `%` and two hexadecimal digits for each byte that an address cannot hold.
fn decoded(text: &str) -> Result<String, ()> {
    Ok(percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| ())?.into_owned())
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
        write!(f, "postgres://{user}{host}{port}/{database}?study={}", self.study)?;
        self.stated.iter().try_for_each(|pair| write!(f, "&{pair}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
