//! `bomp-export keygen`, `sign` and `verify`: models that a device can tell from others.

use std::io::Write;
use std::path::PathBuf;

use anyhow::anyhow;
use serde::Serialize;

use bomp_export::command_line::whole;
use bomp_export::kind::{self, Needed};
use bomp_export::{files, sign, text};
use bomp_runtime::Model;
use bomp_runtime::signed;

use super::{Outcome, bytes, print_json, read};

/// Make an Ed25519 key pair for `sign` and for the firmware that checks it.
#[derive(clap::Args)]
pub(super) struct Keygen {
    /// Files to write: the private key FILE, mode 0600, and the public key FILE.pub, both PEM as
    /// OpenSSL reads them
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print JSON: the files, and the public key's 32 bytes in hexadecimal
    #[arg(long)]
    json: bool,
}

/// Sign a blob: append a version counter and an Ed25519 signature, 80 bytes.
#[derive(clap::Args)]
pub(super) struct Sign {
    /// The blob
    model: PathBuf,
    /// Private key, as `keygen` wrote it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Number of the release; it must grow with every release, because a device refuses a smaller
    /// one than it has run
    #[arg(long, value_name = "NUMBER", value_parser = whole(0..=u64::MAX))]
    counter: u64,
    /// File to write [default: beside the blob, with extension .signed.bomp]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON: file, bytes, counter
    #[arg(long)]
    json: bool,
}

/// Check a signed blob as a device does: signature, counter, model. Exit code 1 if it is refused.
#[derive(clap::Args)]
pub(super) struct Verify {
    /// The signed blob
    file: PathBuf,
    /// Public key, as `keygen` wrote it
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    /// Smallest accepted counter
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = whole(0..=u64::MAX))]
    min_counter: u64,
    /// Also write the blob without its signature
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON: file, accepted, counter, bytes of the blob, and why it is refused
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Keys {
    private_key: PathBuf,
    public_key: PathBuf,
    /// 32 bytes.
    public_key_hex: String,
}

#[derive(Serialize)]
struct Written {
    file: PathBuf,
    bytes: usize,
    counter: u64,
    sha256: String,
}

#[derive(Serialize)]
struct Verdict {
    file: PathBuf,
    accepted: bool,
    counter: Option<u64>,
    blob_bytes: Option<usize>,
    refused: Option<String>,
}

impl Keygen {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let mut public = self.output.clone().into_os_string();
        public.push(".pub");
        let public = PathBuf::from(public);
        let key = sign::generate(&self.output, &public)?.to_bytes();
        let keys = Keys {
            private_key: self.output.clone(),
            public_key: public,
            public_key_hex: key.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        if self.json {
            print_json(out, &keys)?;
        } else {
            writeln!(
                out,
                "{}: the private key: keep it secret, and keep a copy",
                text::path(&keys.private_key)
            )?;
            writeln!(out, "{}: the public key", text::path(&keys.public_key))?;
            writeln!(out, "for the firmware, in C or Rust:")?;
            for line in key.chunks(8) {
                let numbers: Vec<String> = line.iter().map(|byte| format!("0x{byte:02x}")).collect();
                writeln!(out, "    {},", numbers.join(", "))?;
            }
        }
        Ok(Outcome::Done)
    }
}

impl Sign {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let blob = read(&self.model, Needed::Model)?;
        let key = sign::private_key(&self.key)?;
        if let Some(mode) = sign::readable_by_others(&self.key) {
            let file = text::path(&self.key);
            eprintln!(
                "warning: {file}: other users can read this private key (mode {mode:o}): chmod 600 takes that away"
            );
        }
        if self.counter == u64::MAX {
            eprintln!(
                "warning: --counter {}: this is the last one, so no release can follow this one",
                u64::MAX
            );
        }
        // A model that no device runs is not signed.
        Model::new(&blob).map_err(|error| match signed::split(&blob) {
            Ok(_) => anyhow!(
                "{}: it is signed already: sign the blob that `bomp-export pack` wrote",
                self.model.display()
            ),
            Err(_) => anyhow!("{}: {}", self.model.display(), kind::no_model(&blob, error)),
        })?;
        let file = self.output.clone().unwrap_or_else(|| self.model.with_extension("signed.bomp"));
        let signed = sign::sign(&blob, &key, self.counter);
        files::write(&file, &signed)?;
        let written =
            Written { bytes: signed.len(), counter: self.counter, sha256: files::sha256(&signed), file };
        if self.json {
            print_json(out, &written)?;
        } else {
            writeln!(
                out,
                "{}: {}, counter {}",
                text::path(&written.file),
                bytes(written.bytes),
                written.counter
            )?;
        }
        Ok(Outcome::Done)
    }
}

impl Verify {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let file = read(&self.file, Needed::Model)?;
        let key = sign::public_key(&self.public_key)?;
        let opened = signed::open(&file, &key.to_bytes(), self.min_counter);
        if let (Ok(opened), Some(output)) = (&opened, &self.output) {
            files::write(output, opened.blob)?;
        }
        let verdict = Verdict {
            file: self.file.clone(),
            accepted: opened.is_ok(),
            counter: opened.as_ref().ok().map(|opened| opened.counter),
            blob_bytes: opened.as_ref().ok().map(|opened| opened.blob.len()),
            refused: opened.as_ref().err().map(ToString::to_string),
        };
        if self.json {
            print_json(out, &verdict)?;
        } else if let Ok(opened) = &opened {
            let (file, blob) = (text::path(&self.file), bytes(opened.blob.len()));
            writeln!(out, "{file}: the signature is right, counter {}, blob of {blob}", opened.counter)?;
        }
        Ok(match opened {
            Ok(_) => Outcome::Done,
            Err(error) => Outcome::Failed(format!("{}: {error}", self.file.display())),
        })
    }
}
