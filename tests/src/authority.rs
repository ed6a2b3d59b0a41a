//! Certificates of one test, made by `openssl`, which Debian installs with PostgreSQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// An authority that signs certificates of servers.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

/// A certificate and its private key, as files in PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one, with a key of its own.
    ///
    /// # Panics
    /// If there is no `openssl`.
    #[must_use]
    pub fn new() -> Self {
        let folder =
            tempfile::Builder::new().prefix("bomp-authority-").tempdir().expect("a temporary folder");
        let authority = Self { folder };
        authority.make(
            &["req", "-x509", "-days", "2", "-subj", "/CN=authority", "-out", "authority.crt"],
            "authority.key",
        );
        authority
    }

    /// The file of its own certificate, for `sslrootcert`.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.file("authority.crt")
    }

    /// A certificate for `names`, such as `DNS:localhost,IP:127.0.0.1`, that expires in `days`; it may have expired already.
    #[must_use]
    pub fn sign(&self, names: &str, days: i32) -> Certificate {
        self.make(&["req", "-subj", "/CN=server", "-out", "server.csr"], "server.key");
        let extensions =
            format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n");
        std::fs::write(self.file("extensions"), extensions).expect("the folder is writable");
        let days = days.to_string();
        let authority = ["-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial"];
        let request = [
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-out",
            "server.crt",
            "-extfile",
            "extensions",
            "-days",
            &days,
        ];
        self.openssl(&[&request[..], &authority].concat());
        Certificate { certificate: self.file("server.crt"), key: self.file("server.key") }
    }

    /// A certificate for `names` that nobody but itself signs, as PostgreSQL's manual makes one.
    #[must_use]
    pub fn sign_itself(&self, names: &str) -> Certificate {
        let names = format!("subjectAltName={names}");
        self.make(
            &["req", "-x509", "-days", "2", "-subj", "/CN=own", "-addext", &names, "-out", "own.crt"],
            "own.key",
        );
        Certificate { certificate: self.file("own.crt"), key: self.file("own.key") }
    }

    /// What `openssl` makes together with a new key.
    fn make(&self, arguments: &[&str], key: &str) {
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
        self.openssl(&[arguments, &new_key].concat());
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output();
        let output = output.expect("openssl starts; `cargo xtask setup` installs it with PostgreSQL");
        assert!(output.status.success(), "{arguments:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}
