//! How the connection to a database is encrypted and whose it must be: `sslmode` and `sslrootcert`, else PGSSLMODE and
//! PGSSLROOTCERT, as PostgreSQL's own programs mean them.
//!
//! Guarantees: a mode that asks for more than is had is an error, never a weaker connection; a mode or a file that is not
//! understood is refused. With `verify-full` nothing is sent to a server before its certificate has been found to be signed by
//! one of the given authorities and to name the host of the address.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bomp_export::files::{limit, read_untrusted};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What is asked of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    /// No encryption.
    Disable,
    /// Encryption if the server offers it. Its certificate is not looked at.
    Prefer,
    /// Encryption. The certificate's signature is checked if authorities are given.
    Require,
    /// Encryption, with a certificate signed by one of the authorities.
    VerifyCa,
    /// The same, and the certificate names the server.
    VerifyFull,
}

const MODES: [(&str, Mode); 5] = [
    ("disable", Mode::Disable),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

/// The authorities that the operating system trusts, instead of a file.
const SYSTEM: &str = "system";

/// How a connection is encrypted.
#[derive(Clone)]
pub(super) struct Encryption {
    mode: Mode,
    pub(super) connector: MakeRustlsConnect,
}

impl Encryption {
    /// From the values of `sslmode` and `sslrootcert` in an address.
    ///
    /// # Errors
    /// A mode that is not known, a file that cannot be read or holds no certificate, or a mode and a file that do not go
    /// together; each with the remedy, on one line.
    pub(super) fn new(mode: Option<&str>, roots: Option<&str>) -> Result<Self, String> {
        let from = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mode = mode.map(str::to_owned).or_else(|| from("PGSSLMODE"));
        let roots = roots.map(str::to_owned).or_else(|| from("PGSSLROOTCERT"));
        let stated = mode.as_deref().map(parse).transpose()?;
        let mode = match (&roots, stated) {
            (Some(roots), None) if roots == SYSTEM => Mode::VerifyFull,
            (Some(roots), Some(mode)) if roots == SYSTEM && mode != Mode::VerifyFull => {
                return Err("sslrootcert=system: public authorities issue certificates to anyone, so the host name must be \
                            verified too: write sslmode=verify-full"
                    .into());
            }
            (Some(_), None | Some(Mode::Disable | Mode::Prefer)) => {
                return Err(
                    "sslrootcert has an effect only if the certificate is verified: write sslmode=verify-full too"
                        .into(),
                );
            }
            (_, stated) => stated.unwrap_or(Mode::Prefer),
        };
        let usual = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".postgresql/root.crt"));
        let certificates = match (&roots, usual) {
            (Some(roots), _) if roots == SYSTEM => of_system()?,
            (Some(file), _) => of_file(Path::new(file))?,
            (None, Some(file)) if mode >= Mode::Require && file.exists() => of_file(&file)?,
            (None, _) if mode >= Mode::VerifyCa => {
                return Err("no certificates of authorities to verify the server by: name their file with \
                            sslrootcert=FILE, put them into ~/.postgresql/root.crt, or, if the server's certificate is a \
                            public one, write sslrootcert=system"
                    .into());
            }
            (None, _) => Vec::new(),
        };
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(certificates, mode == Mode::VerifyFull, provider.clone())?;
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut config = config
            .map_err(|error| format!("encryption: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // Required by servers for direct TLS connections (sslnegotiation=direct).
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self { mode, connector: MakeRustlsConnect::new(config) })
    }

    /// What is asked of the server.
    pub(super) fn ssl_mode(&self) -> SslMode {
        match self.mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }
}

fn parse(text: &str) -> Result<Mode, String> {
    let known = MODES.iter().find(|(name, _)| *name == text);
    // What was written may be a part of a password.
    known
        .map(|&(_, mode)| mode)
        .ok_or_else(|| "sslmode: disable, prefer, require, verify-ca or verify-full".into())
}

fn of_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |problem: String| format!("sslrootcert={}: {problem}", path.display());
    let bytes = read_untrusted(path, limit::TEXT).map_err(|error| wrong(error.to_string()))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(wrong("no certificates: a file with -----BEGIN CERTIFICATE----- is needed".into())),
    }
}

fn of_system() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err("sslrootcert=system: this machine has no certificates of authorities (Debian's package ca-certificates has \
                    them)"
            .into());
    }
    Ok(found.certs)
}

/// Checks a server's certificate as far as the mode asks.
#[derive(Debug)]
struct Verifier {
    /// By whom it must be signed; without any, anything is taken.
    authorities: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that are trusted as they are: a server's own one, signed by itself, can be the file's.
    trusted: Vec<CertificateDer<'static>>,
    /// Whether it must name the host.
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn new(
        trusted: Vec<CertificateDer<'static>>,
        name: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let authorities = match trusted.is_empty() {
            true => None,
            false => {
                let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
                Some(verifier.build().map_err(|error| format!("sslrootcert: {error}"))?)
            }
        };
        Ok(Self { authorities, trusted, name, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        if self.trusted.iter().any(|trusted| trusted == certificate) {
            if self.name {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match authorities.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The signatures are looked at before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What can be done where a connection failed by its encryption; `None` if that was not the reason.
pub(super) fn remedy(error: &tokio_postgres::Error) -> Option<&'static str> {
    // The client library says so in words alone.
    if std::error::Error::source(error)
        .is_some_and(|cause| cause.to_string() == "server does not support TLS")
    {
        return Some(
            "the server does not encrypt: set `ssl = on` in its postgresql.conf, or, where nobody else can listen, sslmode=disable",
        );
    }
    Some(match encryption_error(error)? {
        Error::InvalidCertificate(wrong) => match wrong {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the server's certificate is not signed by an authority in sslrootcert: check the address and the file"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate was issued for another host: use a host name that it lists (subjectAltName) in the address"
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "renew the server's certificate, or set this machine's clock"
            }
            _ => "give the server another certificate (version 3, for servers, with subjectAltName)",
        },
        _ => "the TLS handshake failed: the server must support TLS 1.2 or 1.3",
    })
}

/// The TLS error behind a failed connection.
pub(super) fn encryption_error(error: &tokio_postgres::Error) -> Option<&Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<Error>() {
            return Some(error);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(error) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            return Some(error);
        }
        cause = error.source();
    }
    None
}
