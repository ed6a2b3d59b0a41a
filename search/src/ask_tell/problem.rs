//! The client's problem as the optimiser sees it: known costs are asked of the client, each point's once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;

use super::definition::Definition;
use super::message::Params;
use crate::bo::problem::{Dimension, Point, Problem};

/// Asks the client for the known objective of some candidates; `None` for one that is not allowed.
pub(super) type AskCosts<'a> = dyn FnMut(Vec<Params>) -> io::Result<Vec<Option<f64>>> + 'a;

/// Known objectives by point, as the client counts.
pub(super) type Costs = HashMap<Point, Option<f64>>;

/// The problem while one question is answered.
pub(super) struct ClientProblem<'a> {
    definition: &'a Definition,
    dimensions: &'a [Dimension],
    known: RefCell<&'a mut Costs>,
    ask: RefCell<&'a mut AskCosts<'a>>,
    failure: RefCell<Option<io::Error>>,
}

impl<'a> ClientProblem<'a> {
    pub(super) fn new(
        definition: &'a Definition,
        dimensions: &'a [Dimension],
        known: &'a mut Costs,
        ask: &'a mut AskCosts<'a>,
    ) -> Self {
        let (known, ask) = (RefCell::new(known), RefCell::new(ask));
        Self { definition, dimensions, known, ask, failure: RefCell::default() }
    }

    /// Why the client could not be asked, if it could not; what was proposed is then worthless.
    pub(super) fn failure(self) -> io::Result<()> {
        self.failure.into_inner().map_or(Ok(()), Err)
    }

    /// Asks for those of `points` that are not known yet.
    fn learn(&self, points: &[Point]) {
        let mut known = self.known.borrow_mut();
        let mut new: Vec<&Point> = points.iter().filter(|point| !known.contains_key(*point)).collect();
        new.sort_unstable();
        new.dedup();
        if new.is_empty() || self.failure.borrow().is_some() {
            return;
        }
        let asked = new.iter().map(|point| params(self.definition, point)).collect();
        match (self.ask.borrow_mut())(asked) {
            Ok(costs) => known.extend(new.into_iter().cloned().zip(costs)),
            Err(error) => *self.failure.borrow_mut() = Some(error),
        }
    }
}

/// `point` in the client's words.
pub(super) fn params(definition: &Definition, point: &Point) -> Params {
    let choices = definition.parameters.iter().zip(point);
    choices
        .map(|(parameter, &level)| (parameter.name.clone(), parameter.choices[usize::from(level)].clone()))
        .collect()
}

/// The known objective `cost` as the optimiser counts, `None` beyond the limit.
pub(super) fn lowered(definition: &Definition, cost: f64) -> Option<f64> {
    let (_, objective) = definition.value_and_cost();
    let limit = definition.limits.get(&objective.name);
    let allowed = limit.is_none_or(|&limit| objective.within(cost, limit));
    objective.raised(cost).filter(|_| allowed).map(|raised| -raised)
}

impl Problem for ClientProblem<'_> {
    fn dimensions(&self) -> &[Dimension] {
        self.dimensions
    }

    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        if !self.cost_is_known() {
            return vec![Some(0.0); points.len()];
        }
        self.learn(points);
        let known = self.known.borrow();
        let cost = |point| lowered(self.definition, (*known.get(point)?)?);
        points.iter().map(cost).collect()
    }

    fn cost_is_known(&self) -> bool {
        self.definition.value_and_cost().1.known
    }
}
