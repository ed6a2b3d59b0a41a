//! Synthetic problems of different characters, so that the optimiser is not judged by one table: nominal, ordinal and
//! mixed spaces, a second objective that is known or not, accuracies that fall off a cliff, ties, noise, failures, few
//! allowed points. Only the formulas are synthetic; everything else is as a stranger's client would have it.

mod cells;
mod spaces;

use bomp_search::bo::pareto::{Front, Objectives, Reference};
use bomp_search::bo::problem::Point;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde_json::{Value, json};

use crate::client::Oracle;
use crate::climb::climb;

/// Spaces of up to this many points are enumerated for their exact hypervolume.
const ENUMERABLE: u64 = 1 << 18;

/// All of them.
pub(crate) fn all() -> Vec<Made> {
    cells::all().into_iter().chain(spaces::all()).collect()
}

/// One parameter.
pub(crate) struct Parameter {
    name: String,
    /// Its choices, in words or numbers.
    choices: Vec<Value>,
    ordinal: bool,
}

impl Parameter {
    /// Choices without an order, called by numbers.
    fn nominal(name: impl Into<String>, choices: u16) -> Self {
        let choices = (0..choices).map(|choice| choice.to_string().into()).collect();
        Self { name: name.into(), choices, ordinal: false }
    }

    /// Ordered numbers.
    fn ordinal(name: impl Into<String>, choices: &[f64]) -> Self {
        let choices = choices.iter().map(|&choice| choice.into()).collect();
        Self { name: name.into(), choices, ordinal: true }
    }

    fn levels(&self) -> u16 {
        self.choices.len() as u16
    }
}

/// What the value is told as.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Told {
    /// Itself, to be raised.
    Accuracy,
    /// Ten to the power of its negative, to be lowered on a scale of log10.
    Error,
}

/// What chance does to a trial.
#[derive(Clone, Copy, Default)]
pub(crate) struct Chance {
    /// Standard deviation of the value.
    value: f64,
    /// Standard deviation of the cost, if it is not known.
    cost: f64,
    /// Probability that a trial fails.
    failure: f64,
}

/// The true objectives of a point; `None`: not allowed.
type Formula = Box<dyn Fn(&[u16]) -> Option<Objectives> + Send + Sync>;

/// A synthetic problem.
pub(crate) struct Made {
    /// What selects it on the command line.
    pub(crate) name: &'static str,
    character: &'static str,
    parameters: Vec<Parameter>,
    told: Told,
    /// Whether the client knows the cost, the logarithm of what it is told as.
    known: bool,
    /// Most cost allowed.
    limit: Option<f64>,
    reference: Reference,
    /// The least cost that is worth looking for, where the space cannot be enumerated.
    least: f64,
    chance: Chance,
    formula: Formula,
}

impl Made {
    fn points(&self) -> u64 {
        self.parameters.iter().map(|p| u64::from(p.levels())).fold(1, u64::saturating_mul)
    }

    fn allowed(&self, point: &[u16]) -> Option<Objectives> {
        (self.formula)(point).filter(|truth| self.limit.is_none_or(|limit| truth.cost <= limit))
    }

    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        self.parameters.iter().map(|p| rng.random_range(0..p.levels())).collect()
    }

    /// One or two choices drawn again.
    fn mutate(&self, point: &Point, rng: &mut ChaCha8Rng) -> Point {
        let mut point = point.clone();
        for _ in 0..rng.random_range(1..3) {
            let d = rng.random_range(0..point.len());
            point[d] = rng.random_range(0..self.parameters[d].levels());
        }
        point
    }

    /// The point with the given number among all of a space that can be enumerated.
    fn point(&self, mut number: u64) -> Point {
        let level = |p: &Parameter| {
            let level = number % u64::from(p.levels());
            number /= u64::from(p.levels());
            level as u16
        };
        self.parameters.iter().map(level).collect()
    }
}

impl Oracle for Made {
    fn title(&self) -> String {
        let known = if self.known { "known" } else { "unknown" };
        format!(
            "INVENTED `{}`: {}; {} parameters, second objective {known}",
            self.name,
            self.character,
            self.parameters.len()
        )
    }

    fn definition(&self) -> Value {
        let parameter = |p: &Parameter| {
            let kind = if p.ordinal { "ordinal" } else { "nominal" };
            json!({"name": p.name, "kind": kind, "choices": p.choices})
        };
        let value = match self.told {
            Told::Accuracy => {
                json!({"name": "value", "direction": "maximise", "reference": self.reference.value})
            }
            Told::Error => json!({
                "name": "value", "direction": "minimise", "scale": "log10",
                "reference": 10f64.powf(-self.reference.value),
            }),
        };
        let cost = json!({
            "name": "cost", "direction": "minimise", "scale": "log10", "known": self.known,
            "reference": 10f64.powf(self.reference.cost),
        });
        let limits = self.limit.map_or(json!({}), |limit| json!({"cost": 10f64.powf(limit)}));
        let parameters: Vec<Value> = self.parameters.iter().map(parameter).collect();
        json!({"parameters": parameters, "objectives": [value, cost], "limits": limits})
    }

    fn reference(&self) -> Reference {
        self.reference
    }

    fn best_hypervolume(&self) -> f64 {
        if self.points() <= ENUMERABLE {
            let points = (0..self.points()).filter_map(|number| self.allowed(&self.point(number)));
            return Front::of(self.reference, points).hypervolume();
        }
        climb(
            self.reference,
            (self.least, self.reference.cost),
            |rng| self.sample(rng),
            |point, rng| self.mutate(point, rng),
            |point| self.allowed(point),
        )
    }

    fn cost(&self, point: &Point) -> Option<f64> {
        // The limit is the optimiser's to observe.
        (self.formula)(point).map(|truth| 10f64.powf(truth.cost))
    }

    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Option<Value> {
        let truth = (self.formula)(point)?;
        let mut draw = |deviation: f64| deviation * rng.sample::<f64, _>(StandardNormal);
        let (value, cost) = (truth.value + draw(self.chance.value), truth.cost + draw(self.chance.cost));
        if rng.random_bool(self.chance.failure) {
            return None;
        }
        let value = match self.told {
            Told::Accuracy => value,
            Told::Error => 10f64.powf(-value),
        };
        Some(if self.known {
            json!({"value": value})
        } else {
            json!({"value": value, "cost": 10f64.powf(cost)})
        })
    }

    fn truth(&self, point: &Point) -> Objectives {
        self.allowed(point).expect("only allowed points are tried")
    }
}

/// A number from 0 to 1 that belongs to `point` and `purpose`: what no smooth formula explains.
fn luck(point: &[u16], purpose: u64) -> f64 {
    // FNV-1a, then a finaliser for its weak high bits.
    let mix = |hash: u64, x: u64| (hash ^ x).wrapping_mul(0x0100_0000_01b3);
    let hash = point
        .iter()
        .fold(mix(0xcbf2_9ce4_8422_2325, purpose), |hash, &level| mix(hash, u64::from(level) + 1));
    let hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash ^ (hash >> 32)) as u32 as f64 / f64::from(u32::MAX)
}
