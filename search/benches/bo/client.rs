//! A client of ask-tell: carries out the trials that it is given and keeps account of their true worth.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bomp_search::ask_tell::{Definition, Lines, serve};
use bomp_search::bo::pareto::{Front, Objectives, Reference};
use bomp_search::bo::problem::Point;
use bomp_search::bo::strategy::Strategy;
use bomp_search::stream::stream;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// A problem whose trials can be carried out here. Its points are the indices of the choices in its definition.
pub(crate) trait Oracle {
    /// What the table is called.
    fn title(&self) -> String;
    /// The problem as ask-tell takes it.
    fn definition(&self) -> Value;
    /// Of [`Oracle::truth`].
    fn reference(&self) -> Reference;
    /// The hypervolume of the best front, exact or the best known.
    fn best_hypervolume(&self) -> f64;
    /// The known objective as the client counts; `None`: `point` is not allowed.
    fn cost(&self, point: &Point) -> Option<f64>;
    /// What one trial of `point` reports of the objectives that are not known, by name; `None`: it failed.
    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Option<Value>;
    /// What `point` is really worth.
    fn truth(&self, point: &Point) -> Objectives;
}

/// A study: the hypervolume, of true values, after each trial, the true values, and the time spent waiting for proposals.
pub(crate) struct Study {
    pub(crate) hypervolumes: Vec<f64>,
    pub(crate) values: Vec<f64>,
    pub(crate) thinking: Duration,
}

/// One study, one trial at a time.
pub(crate) fn study(
    oracle: &impl Oracle,
    definition: &Definition,
    strategy: &dyn Strategy,
    trials: usize,
    seed: u64,
) -> anyhow::Result<Study> {
    let mut client = Client {
        oracle,
        parameters: oracle.definition()["parameters"].clone(),
        trials,
        seed,
        outbox: [json!({"ask": 1})].into(),
        front: Front::new(oracle.reference()),
        study: Study { hypervolumes: Vec::new(), values: Vec::new(), thinking: Duration::ZERO },
        asked: None,
        failure: None,
    };
    serve(definition, strategy, seed, &mut client)?;
    client.failure.map_or(Ok(client.study), Err)
}

/// Both streams of a conversation; what is sent to it is answered by what it gives out next.
struct Client<'a, O> {
    oracle: &'a O,
    parameters: Value,
    trials: usize,
    seed: u64,
    outbox: VecDeque<Value>,
    front: Front,
    study: Study,
    asked: Option<Instant>,
    failure: Option<anyhow::Error>,
}

impl<O: Oracle> Lines for Client<'_, O> {
    fn receive(&mut self) -> io::Result<Option<String>> {
        let line = self.outbox.pop_front().map(|line| line.to_string());
        self.asked = Some(Instant::now());
        Ok(line)
    }

    fn send(&mut self, line: &str) -> io::Result<()> {
        self.study.thinking += self.asked.take().map_or(Duration::ZERO, |asked| asked.elapsed());
        if let Err(error) = self.answer(line) {
            self.outbox.clear();
            self.failure = Some(error.context(line.to_owned()));
        }
        Ok(())
    }
}

impl<O: Oracle> Client<'_, O> {
    fn answer(&mut self, line: &str) -> anyhow::Result<()> {
        let answer: Value = serde_json::from_str(line)?;
        if let Some(candidates) = answer["cost"].as_array() {
            let points = candidates.iter().map(|params| self.point(params));
            let costs: anyhow::Result<Vec<Option<f64>>> =
                points.map(|point| point.map(|point| self.oracle.cost(&point))).collect();
            self.outbox.push_back(json!({"cost": costs?}));
        } else if let Some(asked) = answer["trials"].as_array() {
            for trial in asked {
                let point = self.point(&trial["params"])?;
                let mut random = stream(self.seed, self.study.hypervolumes.len() as u64, "observe");
                let told = match self.oracle.observe(&point, &mut random) {
                    Some(values) => {
                        let truth = self.oracle.truth(&point);
                        self.front.insert(truth);
                        self.study.values.push(truth.value);
                        json!({"id": trial["id"], "values": values})
                    }
                    None => json!({"id": trial["id"], "failed": "as it happens"}),
                };
                self.study.hypervolumes.push(self.front.hypervolume());
                self.outbox.push_back(json!({"tell": [told]}));
            }
            if !asked.is_empty() && self.study.hypervolumes.len() < self.trials {
                self.outbox.push_back(json!({"ask": 1}));
            }
        } else {
            ensure!(answer == json!({"ok": true}), "an unexpected answer");
        }
        Ok(())
    }

    /// The indices of the choices of `params`.
    fn point(&self, params: &Value) -> anyhow::Result<Point> {
        let parameters = self.parameters.as_array().context("parameters are a list")?;
        let index = |parameter: &Value| {
            let name = parameter["name"].as_str().context("a parameter has a name")?;
            let choices = parameter["choices"].as_array().context("a parameter has choices")?;
            let index = choices.iter().position(|choice| *choice == params[name]);
            index.map(|index| index as u16).with_context(|| format!("no choice of {name}"))
        };
        parameters.iter().map(index).collect()
    }
}
