//! Encrypted connections to PostgreSQL: what `sslmode` asks for is had, or nothing is sent.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use bomp_search::session::{self, Ending};
use bomp_search::study::{Location, StoreError, StrategyKind, Worker};
use bomp_tests::authority::{Authority, Certificate};
use bomp_tests::invented::{self, Invented};
use bomp_tests::postgres::{PASSWORD, Server};
use bomp_tests::{program, run};
use tempfile::TempDir;

/// What a server may be called here.
const HERE: &str = "IP:127.0.0.1";

/// What comes of a study of these options: its address as it is shown, or the line that refuses it.
fn outcome(server: &Server, options: &str) -> Result<String, String> {
    let address = format!("{}{options}", server.study("first"));
    let begun = Instant::now();
    let opened = address.parse::<Location>().and_then(|location| {
        match location.create(&invented::config(StrategyKind::Random, 4, 1)) {
            Ok(_) | Err(StoreError::Exists { .. }) => Ok(location.to_string()),
            Err(error) => Err(error),
        }
    });
    // What does not get better is not tried again.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    opened.map_err(|error| {
        let line = error.to_string();
        assert!(!line.contains(PASSWORD) && line.lines().count() == 1, "{line}");
        line
    })
}

fn roots(file: &std::path::Path) -> String {
    format!("&sslrootcert={}", file.display())
}

/// Refused, with each of these words.
fn refused(server: &Server, options: &str, words: &[&str]) {
    let line = outcome(server, options).expect_err(options);
    assert!(words.iter().all(|word| line.contains(word)), "{options}: {line}");
}

#[test]
fn a_search_runs_over_connections_to_a_verified_server() {
    let authority = Authority::new();
    let verified = format!("&sslmode=verify-full{}", roots(&authority.certificate()));
    let server = Server::start_encrypted(&authority.sign(HERE, 2)).with(&verified);
    let location: Location = server.study("first").parse().unwrap();
    let mut store = location.create(&invented::config(StrategyKind::Random, 4, 1)).unwrap();
    assert_eq!(server.sessions(), (1, 1));
    let ending =
        session::run(&mut *store, &Worker::new(Duration::from_secs(60), 3), 4, &mut Invented::default());
    assert_eq!(ending.unwrap(), Ending::Complete);
    assert_eq!(location.read().unwrap().1.len(), 4);
    // What messages advise keeps the encryption.
    assert!(location.to_string().ends_with(&verified), "{location}");
}

#[test]
fn another_authority_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = Server::start_encrypted(&authority.sign(HERE, 2));
    for mode in ["require", "verify-ca", "verify-full"] {
        let options = format!("&sslmode={mode}{}", roots(&other.certificate()));
        refused(&server, &options, &["not signed by an authority in sslrootcert"]);
    }
    // Without authorities there is nothing to hold the certificate against.
    outcome(&server, "&sslmode=require").unwrap();
}

#[test]
fn another_name_is_refused_by_verify_full_alone() {
    let authority = Authority::new();
    let server = Server::start_encrypted(&authority.sign("DNS:db.example", 2));
    let roots = roots(&authority.certificate());
    refused(&server, &format!("&sslmode=verify-full{roots}"), &["db.example", "subjectAltName"]);
    outcome(&server, &format!("&sslmode=verify-ca{roots}")).unwrap();
    outcome(&server, &format!("&sslmode=require{roots}")).unwrap();
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let server = Server::start_encrypted(&authority.sign(HERE, -1));
    let options = format!("&sslmode=verify-ca{}", roots(&authority.certificate()));
    refused(&server, &options, &["Expired", "renew"]);
}

#[test]
fn a_server_that_signs_itself_can_be_the_authority() {
    let authority = Authority::new();
    let own = authority.sign_itself(HERE);
    let server = Server::start_encrypted(&own);
    outcome(&server, &format!("&sslmode=verify-full{}", roots(&own.certificate))).unwrap();
    let other = authority.sign_itself("DNS:db.example");
    let server = Server::start_encrypted(&other);
    let roots = roots(&other.certificate);
    refused(&server, &format!("&sslmode=verify-full{roots}"), &["db.example"]);
    outcome(&server, &format!("&sslmode=verify-ca{roots}")).unwrap();
}

#[test]
fn a_server_without_encryption_is_refused_where_it_is_asked_for() {
    let (authority, server) = (Authority::new(), Server::start());
    let roots = roots(&authority.certificate());
    for options in [
        "&sslmode=require".into(),
        format!("&sslmode=verify-ca{roots}"),
        format!("&sslmode=verify-full{roots}"),
    ] {
        refused(&server, &options, &["does not support TLS", "ssl = on"]);
    }
    for options in ["", "&sslmode=prefer", "&sslmode=disable"] {
        outcome(&server, options).unwrap();
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    let server = Server::start();
    let folder = TempDir::new().unwrap();
    let empty = folder.path().join("empty.crt");
    fs::write(&empty, "no certificate").unwrap();
    let absent = folder.path().join("absent.crt");
    refused(
        &server,
        "&sslmode=verify-fully",
        &["sslmode: disable, prefer, require, verify-ca or verify-full"],
    );
    refused(&server, "&sslmode=allow", &["sslmode: "]);
    refused(&server, "&sslmode=", &["sslmode: "]);
    refused(&server, "&sslmode=disable&sslmode=verify-full", &["sslmode is given more than once"]);
    refused(&server, &roots(&empty), &["sslmode=verify-full"]);
    refused(&server, &format!("&sslmode=disable{}", roots(&empty)), &["sslmode=verify-full"]);
    refused(&server, &format!("&sslmode=require{}", roots(&empty)), &["empty.crt", "BEGIN CERTIFICATE"]);
    refused(&server, &format!("&sslmode=require{}", roots(&absent)), &["absent.crt", "No such file"]);
    refused(&server, &format!("&sslmode=require{}", roots(folder.path())), &["it is a folder"]);
    refused(&server, "&sslmode=require&sslrootcert=system", &["sslmode=verify-full"]);
    refused(&server, "&sslcert=mine.crt", &["it cannot be read"]);
}

/// The environment says what the address does not, and the operating system's authorities can be asked.
#[test]
fn programs_take_modes_and_authorities_from_the_environment() {
    let authority = Authority::new();
    let certificate: Certificate = authority.sign("DNS:localhost,IP:127.0.0.1", 2);
    let server = Server::start_encrypted(&certificate);
    let study = server.study("first");
    outcome(&server, "").unwrap();
    let home = TempDir::new().unwrap();
    let status = |variables: &[(&str, &str)]| {
        let mut command = Command::new(program("bomp-search"));
        command.args(["status", &study]).env("HOME", home.path()).envs(variables.iter().copied());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let file = authority.certificate().display().to_string();
    for good in [
        &[("PGSSLMODE", "verify-full"), ("PGSSLROOTCERT", &file)][..],
        &[("PGSSLROOTCERT", "system"), ("SSL_CERT_FILE", &file)],
    ] {
        let printed = status(good);
        assert!(!printed.contains("error: "), "{good:?}: {printed}");
    }
    let printed = status(&[("PGSSLMODE", "verify-ca")]);
    assert!(printed.contains("name their file with sslrootcert=FILE"), "{printed}");
    let usual = home.path().join(".postgresql");
    fs::create_dir(&usual).unwrap();
    fs::copy(&file, usual.join("root.crt")).unwrap();
    let printed = status(&[("PGSSLMODE", "verify-ca")]);
    assert!(!printed.contains("error: "), "{printed}");
    fs::copy(Authority::new().certificate(), usual.join("root.crt")).unwrap();
    let printed = status(&[("PGSSLMODE", "require")]);
    assert!(printed.contains("not signed by an authority"), "{printed}");
    let printed = run("bomp-search", &["status", &format!("{study}&sslmode=bad")]);
    assert!(String::from_utf8_lossy(&printed.stderr).contains("sslmode: disable"), "{printed:?}");
}
