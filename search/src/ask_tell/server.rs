//! The conversation: reads a line, answers it, until the client closes its side.

use std::collections::BTreeMap;
use std::io;

use super::definition::Definition;
use super::message::{Answer, Asked, Member, Params, Request, Told};
use super::problem::{ClientProblem, Costs, params};
use crate::bo::history::{History, Observation, Outcome};
use crate::bo::pareto::{Objectives, Reference};
use crate::bo::problem::{Dimension, Point};
use crate::bo::strategy::{SearchState, Strategy};
use crate::stream::stream;

/// Most trials for one question.
const MOST: usize = 10_000;

/// Most bytes of a line; a longer one is answered with an error.
pub const LONGEST_LINE: usize = 16 << 20;

/// A pair of streams of lines.
pub trait Lines {
    /// The next line, or `None` at the end. Of a line above [`LONGEST_LINE`] the bytes up to the first that is too many are enough.
    ///
    /// # Errors
    /// Those of the stream.
    fn receive(&mut self) -> io::Result<Option<String>>;

    /// Sends a line, which has no end of line yet, at once.
    ///
    /// # Errors
    /// Those of the stream.
    fn send(&mut self, line: &str) -> io::Result<()>;
}

/// Serves one client until it closes its side.
///
/// # Errors
/// Only those of the streams; a bad line is answered.
pub fn serve(
    definition: &Definition,
    strategy: &dyn Strategy,
    seed: u64,
    lines: &mut dyn Lines,
) -> io::Result<()> {
    let dimensions = definition.dimensions();
    let mut server =
        Server { definition, dimensions, strategy, seed, trials: Vec::new(), costs: Costs::new() };
    while let Some(line) = lines.receive()? {
        if line.trim().is_empty() {
            continue;
        }
        let Some(answer) = server.answer(&line, lines)? else { return Ok(()) };
        send(lines, &answer)?;
    }
    Ok(())
}

fn send(lines: &mut dyn Lines, answer: &Answer) -> io::Result<()> {
    lines.send(&serde_json::to_string(answer)?)
}

/// A trial, and how it ended if it has.
struct Trial {
    point: Point,
    end: Option<End>,
}

/// How a trial ended.
struct End {
    outcome: Outcome,
    /// As the client counts, known objective included; empty if it failed.
    values: BTreeMap<String, f64>,
}

struct Server<'a> {
    definition: &'a Definition,
    dimensions: Vec<Dimension>,
    strategy: &'a dyn Strategy,
    seed: u64,
    trials: Vec<Trial>,
    costs: Costs,
}

impl Server<'_> {
    /// The answer to `line`; `None` if the client closed its side meanwhile.
    fn answer(&mut self, line: &str, lines: &mut dyn Lines) -> io::Result<Option<Answer>> {
        let request = match request(line) {
            Ok(request) => request,
            Err(error) => return Ok(Some(Answer::error(error))),
        };
        Ok(Some(match request {
            Request { ask: Some(count), tell: None, front: None, cost: None } => {
                if !(1..=MOST).contains(&count) {
                    return Ok(Some(Answer::error(format!("`ask` is {count} instead of 1 to {MOST}"))));
                }
                return self.ask(count, lines);
            }
            Request { ask: None, tell: Some(told), front: None, cost: None } => match self.tell(&told) {
                Ok(()) => Answer::Ok { ok: true },
                Err(error) => Answer::error(error),
            },
            Request { ask: None, tell: None, front: Some(true), cost: None } => self.front(),
            Request { ask: None, tell: None, front: None, cost: Some(_) } => {
                Answer::error("no `cost` was asked for")
            }
            _ => Answer::error("a line has one of `ask`: number, `tell`: list, `front`: true"),
        }))
    }

    fn ask(&mut self, count: usize, lines: &mut dyn Lines) -> io::Result<Option<Answer>> {
        let (history, pending) = (self.history(), self.pending());
        let reference = self.reference();
        let mut closed = false;
        let mut ask = |candidates: Vec<Params>| {
            let costs = ask_costs(candidates, lines)?;
            costs.ok_or_else(|| {
                closed = true;
                io::ErrorKind::UnexpectedEof.into()
            })
        };
        let problem = ClientProblem::new(self.definition, &self.dimensions, &mut self.costs, &mut ask);
        let state = SearchState { problem: &problem, reference, history: &history, pending: &pending };
        let mut random = stream(self.seed, self.trials.len() as u64, "ask");
        let proposal = self.strategy.propose(&state, count, &mut random);
        let failure = problem.failure();
        if closed {
            return Ok(None);
        }
        failure?;
        let trials = proposal.points.into_iter().map(|point| {
            let asked = Asked { id: self.trials.len(), params: params(self.definition, &point) };
            self.trials.push(Trial { point, end: None });
            asked
        });
        let trials: Vec<Asked> = trials.collect();
        Ok(Some(Answer::Trials { exhausted: trials.is_empty(), trials }))
    }

    /// All or nothing.
    fn tell(&mut self, told: &[Told]) -> Result<(), String> {
        let mut ends: BTreeMap<usize, End> = BTreeMap::new();
        for told in told {
            let end = self.end(told).map_err(|error| format!("trial {}: {error}", told.id))?;
            if ends.insert(told.id, end).is_some() {
                return Err(format!("trial {}: told twice", told.id));
            }
        }
        for (id, end) in ends {
            self.trials[id].end = Some(end);
        }
        Ok(())
    }

    fn end(&self, told: &Told) -> Result<End, String> {
        let trial = self.trials.get(told.id).ok_or("there is no such trial")?;
        if trial.end.is_some() {
            return Err("told already".into());
        }
        let given = match (&told.values, &told.failed) {
            (None, Some(_)) => return Ok(End { outcome: Outcome::Failed, values: BTreeMap::new() }),
            (Some(values), None) => values,
            _ => return Err("it has either `values` or `failed`".into()),
        };
        let (value, cost) = self.definition.value_and_cost();
        let known = |name: &String| *name == value.name || *name == cost.name;
        if let Some(name) = given.keys().find(|name| !known(name)) {
            return Err(format!("there is no objective `{name}`"));
        }
        let mut values = BTreeMap::new();
        let mut raised = |objective: &super::definition::Objective, told: Option<f64>| {
            let name = &objective.name;
            let told = told.ok_or_else(|| format!("`{name}` is missing"))?;
            values.insert(name.clone(), told);
            let raised = objective.raised(told);
            raised.ok_or_else(|| {
                format!("`{name}` is {told}, which has no place on its scale; tell the trial as failed")
            })
        };
        let value = raised(value, given.get(&value.name).copied())?;
        let cost = if cost.known {
            let known = self.costs.get(&trial.point).copied().flatten();
            -raised(cost, known)?
        } else {
            -raised(cost, given.get(&cost.name).copied())?
        };
        Ok(End { outcome: Outcome::Finished(Objectives { value, cost }), values })
    }

    fn front(&self) -> Answer {
        let front = self.history().front(self.reference());
        // A front's points are in the order of their costs; of equal trials the first one stands for all.
        let member = |objectives: &Objectives| {
            let outcome = Outcome::Finished(*objectives);
            self.trials.iter().enumerate().find_map(|(id, trial)| {
                let end = trial.end.as_ref().filter(|end| end.outcome == outcome)?;
                let params = params(self.definition, &trial.point);
                Some(Member { id, params, values: end.values.clone() })
            })
        };
        Answer::Front {
            front: front.points().iter().filter_map(member).collect(),
            hypervolume: front.hypervolume(),
        }
    }

    fn reference(&self) -> Reference {
        let (value, cost) = self.definition.value_and_cost();
        Reference { value: value.reference(), cost: -cost.reference() }
    }

    /// The trials that have ended, in the order of their numbers.
    fn history(&self) -> History {
        let mut history = History::new();
        for trial in &self.trials {
            if let Some(end) = &trial.end {
                let observation = Observation { point: trial.point.clone(), outcome: end.outcome };
                history.push(&self.dimensions, observation).expect("checked when it was told");
            }
        }
        history
    }

    fn pending(&self) -> Vec<Point> {
        self.trials.iter().filter(|trial| trial.end.is_none()).map(|trial| trial.point.clone()).collect()
    }
}

/// What a line asks.
fn request(line: &str) -> Result<Request, String> {
    if line.len() > LONGEST_LINE {
        return Err(format!("the line is longer than {LONGEST_LINE} bytes: tell fewer trials at once"));
    }
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// Asks the client, again after each bad line; `None` if it closed its side.
fn ask_costs(candidates: Vec<Params>, lines: &mut dyn Lines) -> io::Result<Option<Vec<Option<f64>>>> {
    let wanted = candidates.len();
    send(lines, &Answer::Cost { cost: candidates })?;
    while let Some(line) = lines.receive()? {
        if line.trim().is_empty() {
            continue;
        }
        let error = match request(&line) {
            Err(error) => error,
            Ok(Request { cost: Some(costs), ask: None, tell: None, front: None }) => {
                if costs.len() == wanted {
                    return Ok(Some(costs));
                }
                format!("{} costs for {wanted} candidates", costs.len())
            }
            Ok(_) => "the `cost` of the candidates above is awaited".into(),
        };
        send(lines, &Answer::error(error))?;
    }
    Ok(None)
}
