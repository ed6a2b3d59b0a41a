//! Passwords in addresses on the command line: found whatever the slip around them, and kept out of every line that is printed.

use std::ffi::OsString;

/// What stands in a password's place.
const HIDDEN: &str = "…";

/// An address without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The address, which names the same place.
    pub address: String,
    /// The password, decoded.
    pub password: String,
}

/// The line without the passwords that the arguments of this process hold.
#[must_use]
pub fn hide(line: &str) -> String {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    arguments.fold(line.to_owned(), |line, argument| hide_those_of(line, &argument))
}

fn hide_those_of(line: String, argument: &str) -> String {
    let secrets = secrets(argument);
    if secrets.is_empty() {
        return line;
    }
    let shown = secrets.iter().fold(argument.to_owned(), |text, secret| text.replace(secret, HIDDEN));
    let line = line.replace(argument, &shown);
    // A part of the argument may be quoted alone. What is shorter than this could be part of any word.
    let long = secrets.iter().filter(|secret| secret.chars().count() >= 4);
    long.fold(line, |line, secret| line.replace(secret, HIDDEN).replace(&decoded(secret), HIDDEN))
}

/// The passwords in an argument, as they are written there, the longest first.
fn secrets(argument: &str) -> Vec<&str> {
    let mut found = Vec::new();
    // With a slash too few it is still meant as an address.
    let slip = || {
        let (scheme, rest) = argument.split_once(':')?;
        scheme.to_ascii_lowercase().contains("postgres").then(|| rest.trim_start_matches('/'))
    };
    // Without a scheme it is still a login if something is written before a colon, and an `@` comes later.
    let bare = || is_login(argument).then(|| argument.trim_start_matches('/'));
    if let Some(rest) = argument.split_once("://").map(|(_, rest)| rest).or_else(slip).or_else(bare) {
        // A password may hold any character by mistake, so it reaches to the last `@`.
        let login = match rest.rfind('@') {
            Some(end) => &rest[..end],
            None => rest.split(['/', '?']).next().unwrap_or_default(),
        };
        let is_port = |text: &str| !rest.contains('@') && text.bytes().all(|byte| byte.is_ascii_digit());
        let password = login.split_once(':').map(|(_, password)| password).filter(|text| !is_port(text));
        found.extend(password);
        // Where it was not encoded, a message may quote what a reader of addresses took for the whole.
        found.extend(
            password
                .into_iter()
                .flat_map(|text| text.split(['/', '?', '#', '@']))
                .filter(|part| part.len() >= 4),
        );
    }
    let lower = argument.to_ascii_lowercase();
    for (at, key) in lower.match_indices("password=") {
        let value = &argument[at + key.len()..];
        let value = match value.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => value.split(['&', ' ']).next(),
        };
        found.extend(value);
        found.extend(value.into_iter().flat_map(|text| text.split(' ')).filter(|part| part.len() >= 4));
    }
    found.retain(|secret| !secret.is_empty());
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    found
}

/// Whether a text without a scheme looks like USER:PASSWORD@HOST.
#[must_use]
pub fn is_login(text: &str) -> bool {
    let login = text.trim_start_matches('/').split_once(':');
    login.is_some_and(|(user, rest)| !user.contains('/') && rest.contains('@'))
}

/// The argument without its password, if it is a PostgreSQL address with one; options may be written `--study=ADDRESS`.
#[must_use]
pub fn without_password(argument: &OsString) -> Option<Hidden> {
    let text = argument.to_str()?;
    let start = text.find("postgres://").or_else(|| text.find("postgresql://"))?;
    let login = start + text[start..].find("://")? + 3;
    let authority = text[login..].split(['/', '?', '#']).next()?;
    let (user, host) = authority.rsplit_once('@')?;
    let (user, password) = user.split_once(':')?;
    let rest = &text[login + authority.len()..];
    let address = format!("{}{user}@{host}{rest}", &text[..login]);
    (!password.is_empty()).then(|| Hidden { address, password: decoded(password) })
}

/// With `%40` as `@`; bytes that are no UTF-8 stay encoded.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut plain, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_slip_shows_a_password() {
        for argument in [
            "postgres://nas:s3cretpw@db/nas?study=a b",
            "--study=postgres://nas:s3cretpw@db/nas",
            "postgres://nas:s3cretpw",
            "postgres://nas:s3cretpw/nas",
            "Postgres://nas:s3cretpw@db",
            "mysql://nas:s3cretpw@db",
            "postgresql:/nas:s3cretpw@db/nas",
            "--study=postgres:nas:s3cretpw@db/nas",
            "postgres://nas:s3cretpw/x@y?z@db/nas",
            "postgres://db/nas?user=nas&password=s3cretpw&study=a",
            "host=db user=nas password=s3cretpw dbname=nas",
            "host=db PASSWORD='s3cretpw more'",
        ] {
            for line in [argument.to_owned(), format!("no `{argument}`!"), "only s3cretpw".into()] {
                let shown = hide_those_of(line, argument);
                assert!(!shown.contains("s3cret") && shown.contains(HIDDEN), "{argument}: {shown}");
            }
        }
        let encoded = "postgres://nas:p%40sswd@db/nas";
        assert!(!hide_those_of("p@sswd and p%40sswd".into(), encoded).contains("ssw"));
        for plain in ["postgres://db:5432/nas", "postgres://nas@db:5432/nas", "studies/a", "http://x:80/y"] {
            assert_eq!(hide_those_of(format!("{plain} 5432 80"), plain), format!("{plain} 5432 80"));
        }
    }

    #[test]
    fn an_address_goes_on_without_its_password() {
        let hidden =
            |text: &str| without_password(&text.into()).map(|hidden| (hidden.address, hidden.password));
        assert_eq!(
            hidden("--study=postgres://nas:p%40s:s@db:1/nas?study=a"),
            Some(("--study=postgres://nas@db:1/nas?study=a".into(), "p@s:s".into()))
        );
        assert_eq!(hidden("postgresql://nas:pw@db"), Some(("postgresql://nas@db".into(), "pw".into())));
        for text in ["postgres://nas@db/nas", "postgres://nas:@db", "studies/a", "postgres://db:1/a@b"] {
            assert_eq!(hidden(text), None, "{text}");
        }
    }
}
