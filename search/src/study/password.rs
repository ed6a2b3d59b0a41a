//! The password of a database where its address has none: PGPASSWORD, else the file that PGPASSFILE names, else ~/.pgpass, as
//! PostgreSQL's own programs read them.
//!
//! Guarantees: nothing of a password is shown; a file that others can read is refused, not passed over.

use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::StoreError;

/// The password for this server, database and user; `None` where none is kept.
pub(super) fn find(config: &Config) -> Result<Option<Vec<u8>>, StoreError> {
    if let Some(password) = std::env::var_os("PGPASSWORD") {
        return Ok(Some(password.into_encoded_bytes()));
    }
    let named = std::env::var_os("PGPASSFILE").filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = match (&named, std::env::var_os("HOME")) {
        (Some(path), _) => path.clone(),
        (None, Some(home)) => Path::new(&home).join(".pgpass"),
        (None, None) => return Ok(None),
    };
    if named.is_none() && !path.exists() {
        return Ok(None);
    }
    let wrong = |problem: String| StoreError::Address { location: path.display().to_string(), problem };
    let text = std::fs::read_to_string(&path)
        .map_err(|error| wrong(format!("the passwords of databases cannot be read: {error}")))?;
    let Some(password) = in_text(&text, &wanted(config)) else { return Ok(None) };
    let others = std::fs::metadata(&path).map(|file| {
        use std::os::unix::fs::PermissionsExt;
        file.permissions().mode() & 0o077 != 0
    });
    if others.unwrap_or(true) {
        return Err(wrong(format!("others can read the passwords in it: `chmod 600 {}`", path.display())));
    }
    Ok(Some(password.into_bytes()))
}

/// Host, port, database and user as a line of the file names them.
fn wanted(config: &Config) -> [String; 4] {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        // A socket is this machine, whatever its folder.
        Some(Host::Unix(_)) | None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or_default().to_owned();
    let database = config.get_dbname().map_or_else(|| user.clone(), str::to_owned);
    [host, port, database, user]
}

/// The password of the first line that fits.
fn in_text(text: &str, wanted: &[String; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let fits = |(field, wanted): (&String, &String)| field == "*" || field == wanted;
        (fields.len() == 5 && fields.iter().zip(wanted).all(fits)).then(|| fields[4].clone())
    })
}

/// The parts between colons; `\:` and `\\` stand for a colon and a backslash. A password may hold more colons.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields.last_mut().expect("it begins with one").extend(letters.next()),
            letter => fields.last_mut().expect("it begins with one").push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = "# host:port:database:user:password\n\
                    other:5432:nas:nas:wrong\n\
                    db:*:nas:na\\:s:with\\:colons:and\\\\more\n\
                    db:5433:*:nas:first\n*:*:*:*:last\nbroken";
        let password = |address: &str| in_text(file, &wanted(&address.parse().unwrap()));
        assert_eq!(password("postgres://na%3As@db/nas").as_deref(), Some("with:colons:and\\more"));
        assert_eq!(password("postgres://nas@db:5433/any").as_deref(), Some("first"));
        assert_eq!(password("postgres://nas@db/any").as_deref(), Some("last"));
        assert_eq!(in_text("db:1:nas:nas:x", &wanted(&"postgres://nas@db/nas".parse().unwrap())), None);
    }
}
