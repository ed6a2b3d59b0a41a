//! What a study consists of, as its folder says it: `study.toml`, and the protocol of all of its experiments, `preset.toml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use bomp_search::recipe::TrainConfig;
use bomp_search::study::Preset;
use serde::Deserialize;

use crate::Options;
use crate::claims::Claim;
use crate::programs::text;

/// Where one study is, what it asks, and how it is run.
pub(crate) struct Study {
    pub(crate) options: Options,
    /// Its folder under `tests/studies`.
    pub(crate) kept: PathBuf,
    /// Its databases and candidates.
    pub(crate) work: PathBuf,
    /// `study.toml`.
    pub(crate) definition: StudyDefinition,
    /// `preset.toml`.
    pub(crate) protocol: Preset,
}

/// `study.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StudyDefinition {
    /// Of the page of results.
    pub(crate) title: String,
    /// What a reader of its figures must know besides.
    #[serde(default)]
    pub(crate) note: String,
    /// The page of results, from the repository's root.
    pub(crate) page: String,
    /// Experiments whose hypervolume all others are measured by.
    #[serde(default)]
    pub(crate) yardsticks: Vec<String>,
    /// Size beyond which finished networks count for nothing in a hypervolume, in bytes.
    pub(crate) corner_bytes: usize,
    /// The experiments of the README's picture; none: there is no picture.
    #[serde(default)]
    pub(crate) overview: Vec<Overview>,
    /// What the paper claims.
    #[serde(default)]
    pub(crate) claims: Vec<Claim>,
    /// Networks finished of each front.
    pub(crate) final_networks: usize,
    /// Images that a worker trains on in a second, before anything was measured.
    images_per_second: f64,
    /// Arguments of every experiment that has none of its own.
    limits: Vec<String>,
    /// Networks that are asked for by size.
    pub(crate) champions: Option<Champions>,
    /// The experiments, in order.
    pub(crate) experiments: Vec<Experiment>,
}

/// A line of the README's picture.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overview {
    /// Name of the experiment.
    pub(crate) experiment: String,
    /// What stands at its line.
    pub(crate) label: String,
}

/// One search.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Experiment {
    /// Its name, and that of its folder.
    pub(crate) name: String,
    /// What it asks of the paper.
    pub(crate) question: String,
    /// Arguments of `bomp-search run`.
    pub(crate) arguments: Vec<String>,
    /// Limits of its own.
    pub(crate) limits: Option<Vec<String>>,
    /// Another rate than that of all, for networks that are much smaller or larger.
    images_per_second: Option<f64>,
    /// How the networks of its front are finished.
    #[serde(default = "as_the_mode_does")]
    pub(crate) finals: Vec<Final>,
}

/// Networks for given sizes, trained longer than those of the experiments.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Champions {
    /// The preset in the study's folder whose final training is theirs, unless a target names another.
    pub(crate) preset: String,
    /// What is asked for.
    pub(crate) targets: Vec<Target>,
}

/// A network that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// Length of the packed model, at most.
    pub(crate) bytes: usize,
    /// Experiments that it is chosen from: their trials must be alike, or the longer ones would win.
    pub(crate) experiments: Vec<String>,
    /// Another preset than that of all.
    preset: Option<String>,
    /// Packed models in the study's folder that the network learns from together, beside the labels.
    #[serde(default)]
    pub(crate) teachers: Vec<String>,
    /// Test accuracy of the packed model, at least; 0 to 1.
    pub(crate) accuracy: f64,
}

/// How a network is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Final {
    /// As the experiment's mode does it.
    Mode,
    /// Fine-tuned quantisation-aware.
    Qaft,
    /// As the experiment's mode does it, after weights of 16 bits were brought down to 8.
    Narrow,
}

impl Study {
    /// Reads the folder of a study.
    pub(crate) fn read(options: Options, kept: PathBuf, work: PathBuf) -> Result<Self> {
        let path = kept.join("study.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{}: --preset names a folder of tests/studies", path.display()))?;
        let definition: StudyDefinition =
            toml::from_str(&text).with_context(|| path.display().to_string())?;
        let mut names = BTreeSet::new();
        for Experiment { name, .. } in &definition.experiments {
            ensure!(names.insert(name), "{}: two experiments have the name {name}", path.display());
        }
        let protocol = preset(&kept.join("preset.toml"))?;
        Ok(Self { options, kept, work, definition, protocol })
    }

    /// The experiments that were asked for: all, unless some are named.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = &Experiment> {
        let names = &self.options.experiment;
        let all = self.definition.experiments.iter();
        all.filter(move |experiment| names.is_empty() || names.contains(&experiment.name))
    }

    /// The experiment of this name.
    pub(crate) fn named(&self, name: &str) -> Result<&Experiment> {
        let mut all = self.definition.experiments.iter();
        all.find(|experiment| experiment.name == name)
            .with_context(|| format!("study.toml: there is no experiment {name}"))
    }

    /// The limits of an experiment.
    pub(crate) fn limits<'a>(&'a self, experiment: &'a Experiment) -> &'a [String] {
        experiment.limits.as_ref().unwrap_or(&self.definition.limits)
    }

    /// The trials of an experiment.
    pub(crate) fn trials(&self, experiment: &Experiment) -> u64 {
        experiment.number("--trials").unwrap_or(self.protocol.trials)
    }

    /// Epochs of one trial of an experiment.
    pub(crate) fn trial_epochs(&self, experiment: &Experiment) -> f64 {
        let TrainConfig { float, qaft, .. } = &self.protocol.training;
        let own = |option| experiment.number(option);
        own("--epochs").unwrap_or(float.epochs) + own("--qaft-epochs").unwrap_or(qaft.epochs)
    }

    /// Images that a worker trains on in a second in an experiment, before anything was measured.
    pub(crate) fn images_per_second(&self, experiment: &Experiment) -> f64 {
        experiment.images_per_second.unwrap_or(self.definition.images_per_second)
    }

    /// The preset of a target.
    pub(crate) fn preset(&self, champions: &Champions, target: &Target) -> Result<Preset> {
        preset(&self.kept.join(target.preset(champions)))
    }
}

fn preset(path: &Path) -> Result<Preset> {
    Ok(Preset::open(text(path)?)?)
}

impl Experiment {
    /// The number after an option among its arguments.
    fn number<T: FromStr>(&self, option: &str) -> Option<T> {
        let mut arguments = self.arguments.iter().skip_while(|argument| *argument != option);
        arguments.nth(1).and_then(|number| number.parse().ok())
    }
}

impl Champions {
    /// All experiments that they are chosen from.
    pub(crate) fn experiments(&self) -> BTreeSet<&str> {
        self.targets.iter().flat_map(|target| &target.experiments).map(String::as_str).collect()
    }
}

impl Target {
    /// The file of its preset in the study's folder.
    pub(crate) fn preset<'a>(&'a self, champions: &'a Champions) -> &'a String {
        self.preset.as_ref().unwrap_or(&champions.preset)
    }
}

impl Final {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mode => "final",
            Self::Qaft => "final-qaft",
            Self::Narrow => "final-narrow",
        }
    }

    /// Arguments of `bomp-search finalise`.
    pub(crate) fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Mode => &[],
            Self::Qaft => &["--quantisation", "qaft"],
            Self::Narrow => &["--narrow"],
        }
    }

    /// Whether it quantises as the experiment's mode does; the plots show these.
    pub(crate) fn is_the_modes(self) -> bool {
        self != Self::Qaft
    }
}

/// Epochs of one finished network.
pub(crate) fn final_epochs(preset: &Preset) -> f64 {
    preset.final_training.float.epochs + preset.final_training.qaft.epochs
}

fn as_the_mode_does() -> Vec<Final> {
    vec![Final::Mode]
}
