//! The client's problem as it describes it, checked: parameters with their choices, two objectives, limits.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use bomp_export::files;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use crate::bo::problem::Dimension;

/// Most choices of one parameter.
const MOST_CHOICES: usize = 65_535;

/// Why a problem was refused.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum DefinitionError {
    /// The file cannot be read.
    #[error(
        "{path}: cannot be read: {cause}; name the JSON file of the problem, docs/ask-tell.md describes it"
    )]
    Read { path: String, cause: std::io::Error },
    /// It is not JSON of the expected form.
    #[error("{path}: {cause}; the problem is JSON, docs/ask-tell.md describes it")]
    Form {
        path: String,
        /// What was expected, and where.
        cause: serde_json::Error,
    },
    /// A value makes no sense.
    #[error("{path}: {field}: {what}")]
    Field {
        path: String,
        field: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Whether the order of choices means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ParameterKind {
    Nominal,
    Ordinal,
}

/// How a quantity acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scale {
    /// By its difference.
    #[default]
    Linear,
    /// By its ratio.
    Log10,
}

impl Scale {
    /// `value` on this scale, or `None` where it has no place on it.
    pub(super) fn apply(self, value: f64) -> Option<f64> {
        let scaled = match self {
            Self::Linear => value,
            Self::Log10 => value.log10(),
        };
        scaled.is_finite().then_some(scaled)
    }
}

/// Where better is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Maximise,
    Minimise,
}

/// One choice to be made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) name: String,
    kind: ParameterKind,
    pub(super) choices: Vec<Value>,
    /// How the numbers of an ordinal parameter act; absent: on the scale on which they are spread more evenly.
    scale: Option<Scale>,
}

/// One figure to be improved.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Objective {
    pub(super) name: String,
    direction: Direction,
    #[serde(default)]
    pub(super) scale: Scale,
    /// Whether the client knows it without a trial.
    #[serde(default)]
    pub(super) known: bool,
    reference: f64,
}

/// Largest magnitude of an objective on its scale: the square of twice as much is a number still.
const LARGEST: f64 = 1e150;

impl Objective {
    /// `value`, as the client counts, on its scale and such that more is better; none where an area between two such numbers
    /// could be infinite.
    pub(super) fn raised(&self, value: f64) -> Option<f64> {
        let scaled = self.scale.apply(value).filter(|scaled| scaled.abs() <= LARGEST)?;
        Some(if self.direction == Direction::Maximise { scaled } else { -scaled })
    }

    /// Whether `value` is no worse than `limit`.
    pub(super) fn within(&self, value: f64, limit: f64) -> bool {
        if self.direction == Direction::Maximise { value >= limit } else { value <= limit }
    }
}

/// A problem.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub(super) parameters: Vec<Parameter>,
    pub(super) objectives: Vec<Objective>,
    #[serde(default)]
    pub(super) limits: BTreeMap<String, f64>,
}

impl Definition {
    /// Reads the file `path`.
    ///
    /// # Errors
    /// [`DefinitionError`], which names the file and the field.
    pub fn read(path: &Path) -> Result<Self, DefinitionError> {
        let name = path.display().to_string();
        let text = files::read_untrusted_text(path, files::limit::JSON)
            .map_err(|cause| DefinitionError::Read { path: name.clone(), cause })?;
        Self::parse(&name, &text)
    }

    /// Reads `text`, which is called `path` in errors.
    ///
    /// # Errors
    /// See [`Definition::read`].
    pub fn parse(path: &str, text: &str) -> Result<Self, DefinitionError> {
        let form = |cause| DefinitionError::Form { path: path.to_owned(), cause };
        let definition: Self = serde_json::from_str(text).map_err(form)?;
        definition.check().map_err(|(field, what)| DefinitionError::Field {
            path: path.to_owned(),
            field,
            what,
        })?;
        Ok(definition)
    }

    fn check(&self) -> Result<(), (String, String)> {
        let refuse = |field: &str, what: &str| Err((field.to_owned(), what.to_owned()));
        if self.parameters.is_empty() {
            return refuse("parameters", "there are none");
        }
        let mut names = HashSet::new();
        for parameter in &self.parameters {
            let field = format!("parameter `{}`", parameter.name);
            if !names.insert(&parameter.name) {
                return refuse(&field, "the name is given twice");
            }
            parameter.check().map_err(|what| (field, what))?;
        }
        if self.objectives.len() != 2 {
            return refuse("objectives", "there must be two");
        }
        if self.objectives.iter().all(|objective| objective.known) {
            return refuse("objectives", "both are known: nothing is left to be searched for");
        }
        if self.objectives[0].name == self.objectives[1].name {
            return refuse("objectives", "both have the same name");
        }
        for objective in &self.objectives {
            if objective.raised(objective.reference).is_none() {
                let field = format!("objective `{}`", objective.name);
                return refuse(
                    &field,
                    "the reference must be from -1e150 to 1e150, and positive on a scale of log10",
                );
            }
        }
        for (name, limit) in &self.limits {
            let field = format!("limit `{name}`");
            let known = self.objectives.iter().any(|objective| objective.known && &objective.name == name);
            if !known {
                return refuse(&field, "only an objective that is known can be limited");
            }
            if !limit.is_finite() {
                return refuse(&field, "it must be finite");
            }
        }
        Ok(())
    }

    /// The objective that only trials tell, and the other one.
    pub(super) fn value_and_cost(&self) -> (&Objective, &Objective) {
        let [first, second] = &self.objectives[..] else { unreachable!("checked: two objectives") };
        if first.known { (second, first) } else { (first, second) }
    }

    /// The parameters as the optimiser sees them.
    pub(super) fn dimensions(&self) -> Vec<Dimension> {
        self.parameters.iter().map(Parameter::dimension).collect()
    }
}

impl Objective {
    /// The reference on its scale, such that more is better.
    pub(super) fn reference(&self) -> f64 {
        self.raised(self.reference).expect("checked: the reference has a place on the scale")
    }
}

/// How many times as far apart as the closest neighbours the farthest are.
fn unevenness(coordinates: &[f64]) -> f64 {
    let gaps = || coordinates.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    gaps().fold(0.0, f64::max) / gaps().fold(f64::INFINITY, f64::min)
}

impl Parameter {
    fn check(&self) -> Result<(), String> {
        if !(1..=MOST_CHOICES).contains(&self.choices.len()) {
            return Err(format!("it has {} choices instead of 1 to {MOST_CHOICES}", self.choices.len()));
        }
        for (index, choice) in self.choices.iter().enumerate() {
            if !(choice.is_string() || choice.is_number() || choice.is_boolean()) {
                return Err(format!("choice {choice} is no string, number or boolean"));
            }
            if self.choices[..index].contains(choice) {
                return Err(format!("choice {choice} is given twice"));
            }
        }
        let log = self.scale == Some(Scale::Log10);
        match (self.kind, self.coordinates()) {
            (ParameterKind::Nominal, _) if log => Err("a nominal parameter has no scale".into()),
            (ParameterKind::Ordinal, None) if log => Err("a scale of log10 takes positive numbers".into()),
            (ParameterKind::Ordinal, Some(coordinates)) => {
                let ordered = coordinates.is_sorted() || coordinates.iter().rev().is_sorted();
                if ordered { Ok(()) } else { Err("ordinal choices must rise or fall".into()) }
            }
            _ => Ok(()),
        }
    }

    /// The choices as numbers on their scale, if they all are some.
    fn coordinates(&self) -> Option<Vec<f64>> {
        let on = |scale: Scale| -> Option<Vec<f64>> {
            self.choices.iter().map(|choice| scale.apply(choice.as_f64()?)).collect()
        };
        if let Some(scale) = self.scale {
            return on(scale);
        }
        let linear = on(Scale::Linear)?;
        let log = on(Scale::Log10).filter(|log| unevenness(log) < unevenness(&linear));
        Some(log.unwrap_or(linear))
    }

    fn dimension(&self) -> Dimension {
        match self.kind {
            ParameterKind::Nominal => Dimension::nominal(&self.name, self.choices.len() as u16),
            ParameterKind::Ordinal => {
                // Words have an order but no distances.
                let steps = || (0..self.choices.len()).map(|index| index as f64).collect();
                Dimension::ordinal(&self.name, self.coordinates().unwrap_or_else(steps))
            }
        }
    }
}
