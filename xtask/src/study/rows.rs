//! What a study consists of, as its folder says it: `rows.toml`, and of `preset.toml` what the estimate needs.

use super::claims::Claim;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

/// `rows.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    /// Of the page of results.
    pub(super) title: String,
    /// What a reader of its figures must know besides.
    #[serde(default)]
    pub(super) note: String,
    /// The page of results, from the repository's root.
    pub(super) page: String,
    /// Rows whose hypervolume all others are measured by.
    #[serde(default)]
    pub(super) yardsticks: Vec<String>,
    /// Size beyond which finished networks count for nothing in a hypervolume, in bytes.
    pub(super) corner_bytes: f64,
    /// What the paper claims.
    #[serde(default)]
    pub(super) claims: Vec<Claim>,
    /// Networks finished of each front.
    pub(super) final_networks: usize,
    /// Images that a worker trains on in a second, before anything was measured.
    images_per_second: f64,
    /// Arguments of every row that has none of its own.
    limits: Vec<String>,
    /// Networks that are asked for by size.
    pub(super) champions: Option<Champions>,
    /// The searches, in order.
    pub(super) rows: Vec<Row>,
    /// `preset.toml`.
    #[serde(skip)]
    pub(super) protocol: Protocol,
}

/// One search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Its name, and that of its folder.
    pub(super) name: String,
    /// What it asks of the paper.
    pub(super) question: String,
    /// Arguments of `bomp-search run`.
    pub(super) arguments: Vec<String>,
    /// Limits of its own.
    pub(super) limits: Option<Vec<String>>,
    /// Another rate than that of all, for networks that are much smaller or larger.
    images_per_second: Option<f64>,
    /// How the networks of its front are finished.
    #[serde(default = "as_the_mode_does")]
    pub(super) finals: Vec<Final>,
}

/// Networks for given sizes, trained longer than those of the rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Champions {
    /// The preset in the study's folder whose final training is theirs, unless a target names another.
    pub(super) preset: String,
    /// What is asked for.
    pub(super) targets: Vec<Target>,
}

/// A network that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    /// Length of the packed model, at most.
    pub(super) bytes: u64,
    /// Rows that it is chosen from: their trials must be alike, or the longer ones would win.
    pub(super) rows: Vec<String>,
    /// Another preset than that of all.
    pub(super) preset: Option<String>,
    /// Packed models in the study's folder that the network learns from together, beside the labels.
    #[serde(default)]
    pub(super) teachers: Vec<String>,
    /// Test accuracy of the packed model, at least; 0 to 1.
    pub(super) accuracy: f64,
    /// Its preset.
    #[serde(skip)]
    pub(super) protocol: Protocol,
}

impl Row {
    /// The number after an option among its arguments.
    fn number<T: FromStr>(&self, option: &str) -> Option<T> {
        let mut arguments = self.arguments.iter().skip_while(|argument| *argument != option);
        arguments.nth(1).and_then(|number| number.parse().ok())
    }
}

impl Champions {
    /// All rows that they are chosen from.
    pub(super) fn rows(&self) -> BTreeSet<&str> {
        self.targets.iter().flat_map(|target| &target.rows).map(String::as_str).collect()
    }
}

/// How a network is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Final {
    /// As the row's mode does it.
    Mode,
    /// Fine-tuned quantisation-aware.
    Qaft,
    /// As the row's mode does it, after weights of 16 bits were brought down to 8.
    Narrow,
}

impl Final {
    /// Its folder.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mode => "final",
            Self::Qaft => "final-qaft",
            Self::Narrow => "final-narrow",
        }
    }

    /// Arguments of `bomp-search finalise`.
    pub(super) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Mode => &[],
            Self::Qaft => &["--quantisation", "qaft"],
            Self::Narrow => &["--narrow"],
        }
    }
}

/// What a trial and a finished network cost.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Protocol {
    trials: u64,
    /// Accuracy that is worth nothing in a hypervolume, in percent.
    pub(super) reference_accuracy: f64,
    training: Phases,
    final_training: Phases,
}

#[derive(Debug, Default, Deserialize)]
struct Phases {
    float: Phase,
    qaft: Phase,
}

#[derive(Debug, Default, Deserialize)]
struct Phase {
    epochs: f64,
}

impl Phases {
    fn epochs(&self) -> f64 {
        self.float.epochs + self.qaft.epochs
    }
}

impl Protocol {
    /// Epochs of one finished network.
    pub(super) fn final_epochs(&self) -> f64 {
        self.final_training.epochs()
    }
}

fn as_the_mode_does() -> Vec<Final> {
    vec![Final::Mode]
}

impl Rows {
    /// Images that a worker trains on in a second in `row`, before anything was measured.
    pub(super) fn images_per_second(&self, row: &Row) -> f64 {
        row.images_per_second.unwrap_or(self.images_per_second)
    }

    /// Reads the folder of a study.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let parse = |name: &str| {
            let path = folder.join(name);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{}: --preset names a folder of tests/studies", path.display()))?;
            Ok::<_, anyhow::Error>((path, text))
        };
        let (path, text) = parse("rows.toml")?;
        let mut rows: Self = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let (path, text) = parse("preset.toml")?;
        rows.protocol = toml::from_str(&text).with_context(|| path.display().to_string())?;
        for target in rows.champions.iter_mut().flat_map(|champions| &mut champions.targets) {
            let (path, text) = match &target.preset {
                Some(preset) => parse(preset)?,
                None => (path.clone(), text.clone()),
            };
            target.protocol = toml::from_str(&text).with_context(|| path.display().to_string())?;
        }
        for (index, row) in rows.rows.iter().enumerate() {
            ensure!(
                rows.rows[..index].iter().all(|earlier| earlier.name != row.name),
                "{}: two rows have the name {}",
                folder.display(),
                row.name
            );
        }
        Ok(rows)
    }

    /// The row of this name.
    pub(super) fn named(&self, name: &str) -> Result<&Row> {
        self.rows
            .iter()
            .find(|row| row.name == name)
            .with_context(|| format!("rows.toml: there is no row {name}"))
    }

    /// The limits of a row.
    pub(super) fn limits<'a>(&'a self, row: &'a Row) -> &'a [String] {
        row.limits.as_ref().unwrap_or(&self.limits)
    }

    /// The trials of a row.
    pub(super) fn trials(&self, row: &Row) -> u64 {
        row.number("--trials").unwrap_or(self.protocol.trials)
    }

    /// Epochs of one trial of a row.
    pub(super) fn trial_epochs(&self, row: &Row) -> f64 {
        let Phases { float, qaft } = &self.protocol.training;
        let own = |option| row.number(option);
        own("--epochs").unwrap_or(float.epochs) + own("--qaft-epochs").unwrap_or(qaft.epochs)
    }
}
