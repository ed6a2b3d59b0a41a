//! Presets: every number of a study under one name. A preset is a TOML file, built in or the user's own; each of its values
//! can be set on the command line as well.

use std::fmt;
use std::path::{Path, PathBuf};

use bomp_export::{command_line, files};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use super::{DataConfig, Objective, StrategyKind, StudyConfig, inherit};
use crate::quantity::Percent;
use crate::recipe::{Mode, RecipeError, TrainConfig};
use crate::space::{Limits, Space};

/// The built-in presets, name and text.
const BUILT_IN: [(&str, &str); 3] = [
    ("two-cores", include_str!("presets/two-cores.toml")),
    ("paper-cifar10", include_str!("presets/paper-cifar10.toml")),
    ("paper-cifar100", include_str!("presets/paper-cifar100.toml")),
];

/// How a study is made, but for its seed, its limits and its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Search space: the name of a built-in one or a TOML file.
    pub space: String,
    /// Which bit widths there are, and how networks are quantised.
    pub mode: Mode,
    /// What trials are scored by; absent: plain accuracy.
    #[serde(default, skip_serializing_if = "Objective::is_accuracy")]
    pub objective: Objective,
    /// How networks are proposed.
    pub strategy: StrategyKind,
    /// Random trials before the strategy asks its surrogate; absent: the strategy's own number.
    pub initial_trials: Option<usize>,
    /// Trials, the seed network included.
    pub trials: u64,
    /// Policies of bit widths tried on each trained float network.
    pub policies_per_network: u64,
    /// Whether trainings that cannot improve the front are given up halfway.
    #[serde(deserialize_with = "truth")]
    pub early_stopping: bool,
    /// Validation accuracy from which the hypervolume is measured and by which the paper's score divides; absent: the accuracy of
    /// a constant answer, and the paper's 80 %.
    pub reference_accuracy: Option<Percent>,
    /// Reference size of the paper's score, in log10 of bits.
    pub reference_size: f64,
    /// Training and QAFT of a trial.
    pub training: TrainConfig,
    /// Training and QAFT of a finished network.
    pub final_training: TrainConfig,
}

/// `true` or `false` as TOML spells them, or a text that the option `--early-stopping` takes too.
fn truth<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    struct Truth;
    impl Visitor<'_> for Truth {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true or false")
        }

        fn visit_bool<E: de::Error>(self, value: bool) -> Result<bool, E> {
            Ok(value)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<bool, E> {
            command_line::truth(text).map_err(E::custom)
        }
    }
    value.deserialize_any(Truth)
}

/// Why a preset was refused.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum PresetError {
    /// No such file.
    #[error("preset {path}: cannot be read: {source}; name a TOML file or a built-in preset: {built_in}")]
    Read {
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
        /// Names of the built-in presets.
        built_in: String,
    },
    /// It is not what it should be.
    #[error("preset {path}: {problem}")]
    Form {
        /// The file, or the name.
        path: PathBuf,
        /// What is wrong, in one line.
        problem: String,
    },
    /// A value makes no sense.
    #[error("preset {path}: {section}.{source}")]
    Value {
        /// The file, or the name.
        path: PathBuf,
        /// The part of the file.
        section: &'static str,
        source: RecipeError,
    },
}

impl Preset {
    /// The names of the built-in presets, the default first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The text of the built-in preset of this name, or else of the file at this path.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn text(name_or_path: &str) -> Result<String, PresetError> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(name, _)| *name == name_or_path) {
            return Ok((*text).to_owned());
        }
        files::read_untrusted_text(Path::new(name_or_path), files::limit::TEXT).map_err(|source| {
            PresetError::Read {
                path: name_or_path.into(),
                source,
                built_in: Self::names().collect::<Vec<_>>().join(", "),
            }
        })
    }

    /// The built-in preset of this name, or else the one in the file at this path.
    ///
    /// # Errors
    /// Names the file and the field.
    pub fn open(name_or_path: &str) -> Result<Self, PresetError> {
        let path = Path::new(name_or_path);
        let form = |problem: String| PresetError::Form { path: path.into(), problem };
        let text = Self::text(name_or_path)?;
        let text_of = |name: &str| Self::text(name).map_err(|error| error.to_string());
        let preset: Self = inherit::parse(&text, path, &text_of).map_err(form)?;
        for (section, config) in [("training", &preset.training), ("final_training", &preset.final_training)]
        {
            config.check().map_err(|source| PresetError::Value { path: path.into(), section, source })?;
        }
        if preset.training.distillation != 0.0 {
            return Err(form(
                "training.distillation must be 0: only finished networks have a teacher".into(),
            ));
        }
        if !(0.0..=100.0).contains(&preset.reference_size) {
            return Err(form("reference_size must be 0 to 100".into()));
        }
        if preset.trials == 0 || preset.policies_per_network == 0 {
            return Err(form("trials and policies_per_network must be at least 1".into()));
        }
        Ok(preset)
    }
}

impl Preset {
    /// The configuration of a study in `space`, which may differ from the one that the preset names.
    #[must_use]
    pub fn config(self, seed: u64, space: Space, limits: Limits, data: DataConfig) -> StudyConfig {
        let Self { space: _, mode, strategy, initial_trials, trials, policies_per_network, .. } = self;
        StudyConfig {
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            trials,
            mode,
            objective: self.objective,
            strategy,
            initial_trials,
            policies_per_network,
            early_stopping: self.early_stopping,
            reference_fraction: None,
            reference_percent: self.reference_accuracy.map(Percent::get),
            reference_size: self.reference_size,
            space,
            limits,
            data,
            training: self.training,
            final_training: self.final_training,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_of_the_paper() {
        for (name, size) in [("paper-cifar10", 8.0), ("paper-cifar100", 6.0)] {
            let preset = Preset::open(name).unwrap();
            assert_eq!((preset.mode, preset.strategy), (Mode::QaftMp, StrategyKind::Paper));
            assert_eq!((preset.trials, preset.initial_trials), (100, Some(2)));
            assert_eq!((preset.training.float.epochs, preset.training.qaft.epochs), (20.0, 1.0));
            assert_eq!((preset.final_training.float.epochs, preset.final_training.qaft.epochs), (200.0, 5.0));
            assert_eq!(preset.reference_accuracy, Some(Percent::new(80.0).unwrap()));
            assert_eq!(preset.reference_size, size);
            assert_eq!((preset.policies_per_network, preset.early_stopping), (1, false));
        }
    }

    #[test]
    fn every_built_in_preset_names_a_space() {
        for name in Preset::names() {
            assert!(crate::space::Space::is_built_in(&Preset::open(name).unwrap().space), "{name}");
        }
    }

    #[test]
    fn a_preset_states_what_differs() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Preset::open(path.to_str().unwrap()).map_err(|error| error.to_string())
        };
        let base = Preset::open("two-cores").unwrap();
        let mine =
            open("mine.toml", "based_on = \"two-cores\"\ntrials = 7\n[training.float]\nepochs = 2.5\n")
                .unwrap();
        let mut expected = base.clone();
        expected.trials = 7;
        expected.training.float.epochs = 2.5;
        assert_eq!(mine, expected);
        for (value, truth) in [("true", true), ("\"yes\"", true), ("\"no\"", false)] {
            let text = format!("based_on = \"two-cores\"\nearly_stopping = {value}\n");
            assert_eq!(open("truth.toml", &text).unwrap().early_stopping, truth, "{value}");
        }
        // A file beside it, which is based on another one itself.
        let more = open("more.toml", "based_on = \"mine.toml\"\nspace = \"micro\"\n").unwrap();
        assert_eq!((more.trials, more.space.as_str()), (7, "micro"));
        for (text, told) in [
            ("based_on = \"two-cores\"\ntrails = 7\n", "trails: unknown field"),
            (
                "based_on = \"two-cores\"\n[training.float]\nepochs = \"many\"\n",
                "training.float.epochs: invalid type",
            ),
            ("based_on = \"two-cores\"\n[training.float]\nepochs = -1.0\n", "training.epochs is -1"),
            (
                "based_on = \"two-cores\"\nearly_stopping = \"maybe\"\n",
                "early_stopping: it must be yes or no",
            ),
            ("based_on = \"two-cores\"\nearly_stopping = 2\n", "early_stopping: invalid type"),
            ("based_on = \"three-cores\"\n", "based_on: preset three-cores"),
            ("based_on = 3\n", "based_on: the name"),
            ("based_on = \"bad.toml\"\n", "circle"),
            ("based_on = \"two-cores\ntrials = 7\n", "line 1"),
        ] {
            let problem = open("bad.toml", text).unwrap_err();
            assert!(
                problem.contains(told) && problem.contains("bad.toml") && !problem.contains('\n'),
                "{problem}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let error = |from: &str, to: &str| {
            let text = Preset::text("two-cores").unwrap();
            assert!(text.contains(from));
            std::fs::write(&path, text.replace(from, to)).unwrap();
            Preset::open(path.to_str().unwrap()).unwrap_err().to_string()
        };
        for (from, to, told) in [
            ("trials = 50", "trials = 0", "trials"),
            ("trials = 50", "trails = 50", "trails"),
            ("epochs = 1.0", "epochs = -1.0", "training.epochs is -1"),
            ("epochs = 10.0", "epochs = 0.0", "final_training.epochs is 0"),
            ("mode = \"qaft-mp\"", "mode = \"qaft\"", "line 4"),
            ("distillation = 0.0", "distillation = 0.5", "training.distillation"),
            ("reference_size", "reference_accuracy = 0.8\nreference_size", "reference_accuracy: `0.8`"),
        ] {
            let error = error(from, to);
            assert!(error.contains(told) && error.contains("mine.toml") && !error.contains('\n'), "{error}");
        }
        let absent = Preset::open("no-such-preset").unwrap_err().to_string();
        assert!(absent.contains("two-cores, paper-cifar10"), "{absent}");
    }
}
