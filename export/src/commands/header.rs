//! `bomp-export header`: a model as a C header and source.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{anyhow, bail};
use serde::Serialize;

use bomp_export::candidate::Provenance;
use bomp_export::kind::Needed;
use bomp_export::sidecar::Sidecar;
use bomp_export::{c_header, files, text};

use super::{Outcome, bytes, packed, print_json, read};

/// Write a model as C source: NAME.h with sizes in bytes, quantisation and class names, NAME.c with
/// the packed bytes as an array.
///
/// `bomp-sim library` builds the C library that runs it; firmware-sim/samples/c is a project that uses both.
#[derive(clap::Args)]
pub(super) struct Header {
    /// The blob, or a candidate folder, which is packed first
    model: PathBuf,
    /// Files to write: DIR/NAME.h and DIR/NAME.c; the array is called NAME
    #[arg(short, long, value_name = "DIR/NAME")]
    output: PathBuf,
    /// Names of the classes in the order of the logits, separated by commas [default: those in the
    /// file that `pack` writes beside the blob, else their numbers]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    class_names: Option<Vec<String>>,
    /// Print JSON: files, and sizes in bytes
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    header: PathBuf,
    source: PathBuf,
    /// Name of the array.
    name: String,
    bytes: usize,
    arena_bytes: usize,
    input_elements: usize,
    classes: usize,
    class_names: Vec<String>,
}

impl Header {
    pub(super) fn run(&self, out: &mut impl Write) -> anyhow::Result<Outcome> {
        let name = self.output.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if self.output.as_os_str().as_encoded_bytes().ends_with(b"/") || self.output.is_dir() {
            bail!(
                "{}: is a folder, and two files are written, NAME.h and NAME.c: write -o {}",
                self.output.display(),
                self.output.join("network").display()
            );
        }
        if let Some(plain) = name.strip_suffix(".h").or_else(|| name.strip_suffix(".c")) {
            bail!(
                "{}: two files are written, NAME.h and NAME.c: write -o {}",
                self.output.display(),
                self.output.with_file_name(plain).display()
            );
        }
        c_header::check_name(name).map_err(|problem| anyhow!("{}: {problem}", self.output.display()))?;
        let (blob, provenance) = if self.model.is_dir() {
            let packed = packed(&self.model)?;
            (packed.blob, Some(packed.candidate.provenance))
        } else {
            let blob = read(&self.model, Needed::Model)?;
            let sidecar = Sidecar::load(&self.model, &blob)?;
            (blob, sidecar.map(|sidecar| sidecar.provenance))
        };
        let failed = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", self.model.display());
        let model = super::model(&self.model, &blob)?;
        let class_names = match (&self.class_names, &provenance) {
            (Some(names), _) if names.len() != model.classes() => {
                bail!("--class-names has {} names, the model has {} classes", names.len(), model.classes())
            }
            (Some(names), _) => names.clone(),
            (None, Some(provenance)) if provenance.class_names.len() == model.classes() => {
                provenance.class_names.clone()
            }
            (None, _) => (0..model.classes()).map(|class| class.to_string()).collect(),
        };
        let origin = match provenance {
            Some(Provenance { study, trial, .. }) if !study.is_empty() => {
                format!("Study {study}, trial {trial}.")
            }
            _ => "A packed model.".into(),
        };
        let source =
            c_header::source(&model, &blob, name, &class_names, &origin).map_err(|error| failed(&error))?;
        let report = Report {
            header: self.output.with_file_name(format!("{name}.h")),
            source: self.output.with_file_name(format!("{name}.c")),
            name: name.into(),
            bytes: blob.len(),
            arena_bytes: model.arena_size(),
            input_elements: model.input_len(),
            classes: model.classes(),
            class_names,
        };
        // The source first: a header never speaks of an array that is not there.
        files::write(&report.source, source.source.as_bytes())?;
        files::write(&report.header, source.header.as_bytes())?;
        if self.json {
            print_json(out, &report)?;
        } else {
            writeln!(out, "{}, {}", text::path(&report.header), text::path(&report.source))?;
            writeln!(out, "array `{name}`: {}", bytes(report.bytes))?;
            writeln!(out, "RAM arena: {}", bytes(report.arena_bytes))?;
        }
        Ok(Outcome::Done)
    }
}
