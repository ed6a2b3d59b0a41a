//! The study's loop: take up what was interrupted, else propose; evaluate; record; until there are as many trials as asked.
//!
//! Guarantees: each trial's end is durable before the next begins. A proposal depends only on the study's seed, the
//! trial's number and the trials before it, so a study that was interrupted goes on as if it had not been. What the
//! evaluation is, the loop does not know: it needs no libtorch.

use thiserror::Error;

use crate::proposal::{Hurdle, Proposal, ProposalError, Proposer};
use crate::space::LimitsError;
use crate::study::{GivenUp, Measured, Store, StoreError, Trial, TrialState};

/// A trial to be evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// Its number in the study.
    pub number: u64,
    /// What is tried.
    pub proposal: Proposal,
    /// What it must promise halfway to be trained to the end; `None`: it is trained to the end in any case.
    pub hurdle: Option<Hurdle>,
}

/// How an evaluation ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// With these figures.
    Finished(Measured),
    /// Halfway, as it did not clear the hurdle.
    GivenUp(GivenUp),
    /// Without figures: divergence, lack of memory. The study goes on.
    Failed(String),
    /// The user asked to stop; the trial stays open and is done again on resume.
    Interrupted,
}

/// Trains and measures one trial.
pub trait Evaluator {
    /// Evaluates a trial of the study.
    fn evaluate(&mut self, assignment: &Assignment) -> Evaluation;

    /// Is told of each trial that has ended.
    fn ended(&mut self, trial: &Trial);
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The study has as many trials as were asked for.
    Complete,
    /// The user asked to stop.
    Interrupted,
    /// There is nothing left to try within the limits.
    Exhausted,
}

/// Why the loop could not go on. The study is whole.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The study on disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No network of the space is within the limits.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// A trial on disk makes no sense.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
}

/// Runs trials until the study has `wanted` of them.
///
/// # Errors
/// See [`SessionError`]; a failed trial is none.
pub fn run(store: &mut Store, wanted: u64, evaluator: &mut dyn Evaluator) -> Result<Ending, SessionError> {
    let proposer = Proposer::new(store.config())?;
    loop {
        let trials = store.trials()?;
        let open = trials.iter().position(Trial::is_running);
        let (number, proposal) = if let Some(open) = open {
            let Trial { number, genotype, usage, lead, .. } = trials[open].clone();
            (number, Proposal { genotype, usage, lead })
        } else if trials.len() as u64 >= wanted {
            return Ok(Ending::Complete);
        } else {
            // The float network trained last may be tried with further policies.
            let lead = trials.last().map(|trial| trial.lead.unwrap_or(trial.number));
            let Some(proposal) = proposer.next(&trials, lead)? else { return Ok(Ending::Exhausted) };
            (store.claim(&proposal)?, proposal)
        };
        let before = &trials[..open.unwrap_or(trials.len())];
        let hurdle = if proposal.lead.is_none() { proposer.hurdle(before, &proposal.genotype) } else { None };
        let assignment = Assignment { number, proposal, hurdle };
        let state = match evaluator.evaluate(&assignment) {
            Evaluation::Interrupted => return Ok(Ending::Interrupted),
            Evaluation::Finished(measured) => {
                store.finish(number, &measured)?;
                TrialState::Finished(measured)
            }
            Evaluation::GivenUp(given_up) => {
                store.give_up(number, &given_up)?;
                TrialState::GivenUp(given_up)
            }
            Evaluation::Failed(reason) => {
                store.fail(number, &reason)?;
                TrialState::Failed { reason }
            }
        };
        let Proposal { genotype, usage, lead } = assignment.proposal;
        evaluator.ended(&Trial { number, genotype, usage, lead, state });
    }
}
