//! What has been tried so far, checked on entry: a history never holds a point outside its space nor a figure that is
//! not finite, so nothing downstream has to ask.

use super::pareto::{Front, Objectives, Reference};
use super::problem::{Dimension, Point};

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It gave these objectives.
    Finished(Objectives),
    /// It gave none: divergence, lack of memory, a crash. The point counts as tried.
    Failed,
}

/// A trial that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What was tried.
    pub point: Point,
    /// How it ended.
    pub outcome: Outcome,
}

/// Why an observation was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "fields are what the messages show")]
pub enum HistoryError {
    /// The point belongs to another space.
    #[error("the point has {found} choices, the space has {expected} dimensions")]
    Length { found: usize, expected: usize },
    /// A choice is out of range.
    #[error("dimension `{name}`: level {level} of {levels} (levels are counted from 0)")]
    Level {
        name: String,
        level: u16,
        /// The levels that there are.
        levels: usize,
    },
    /// An objective is infinite or not a number.
    #[error("value {value}, cost {cost}: objectives must be finite; tell the trial as failed instead")]
    NotFinite { value: f64, cost: f64 },
}

/// The ended trials of a study, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct History {
    observations: Vec<Observation>,
}

impl History {
    /// An empty history.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a trial of a space with the given dimensions. The same point may come several times.
    ///
    /// # Errors
    /// If the point is not of that space or an objective is not finite; the history is then unchanged.
    pub fn push(&mut self, dimensions: &[Dimension], observation: Observation) -> Result<(), HistoryError> {
        let point = &observation.point;
        if point.len() != dimensions.len() {
            return Err(HistoryError::Length { found: point.len(), expected: dimensions.len() });
        }
        for (&level, dimension) in point.iter().zip(dimensions) {
            let levels = dimension.levels();
            if usize::from(level) >= levels {
                return Err(HistoryError::Level { name: dimension.name.clone(), level, levels });
            }
        }
        if let Outcome::Finished(Objectives { value, cost }) = observation.outcome
            && !(value.is_finite() && cost.is_finite())
        {
            return Err(HistoryError::NotFinite { value, cost });
        }
        self.observations.push(observation);
        Ok(())
    }

    /// All trials.
    #[must_use]
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// The trials that gave objectives, in order.
    pub fn finished(&self) -> impl Iterator<Item = (&Point, Objectives)> {
        self.observations.iter().filter_map(|o| match o.outcome {
            Outcome::Finished(objectives) => Some((&o.point, objectives)),
            Outcome::Failed => None,
        })
    }

    /// The front of everything observed.
    #[must_use]
    pub fn front(&self, reference: Reference) -> Front {
        Front::of(reference, self.finished().map(|(_, objectives)| objectives))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_of_the_space_or_not_finite_and_keeps_the_rest() {
        let dimensions = [Dimension::nominal("op", 3), Dimension::ordinal("k", [1.0, 3.0])];
        let mut history = History::new();
        let mut push = |point: &[u16], value| {
            let outcome = Outcome::Finished(Objectives { value, cost: 0.0 });
            history.push(&dimensions, Observation { point: point.into(), outcome })
        };
        assert!(push(&[2, 1], 0.5).is_ok());
        assert_eq!(push(&[2], 0.5), Err(HistoryError::Length { found: 1, expected: 2 }));
        assert_eq!(push(&[2, 2], 0.5), Err(HistoryError::Level { name: "k".into(), level: 2, levels: 2 }));
        assert!(matches!(push(&[0, 0], f64::NAN), Err(HistoryError::NotFinite { .. })));
        assert!(matches!(push(&[0, 0], f64::INFINITY), Err(HistoryError::NotFinite { .. })));
        assert_eq!(history.observations().len(), 1);
    }
}
