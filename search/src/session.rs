//! A worker's loop: take up what was interrupted, else propose; evaluate; record; until there are as many trials as asked.
//!
//! Guarantees: each trial's end is durable before the worker's next begins. A proposal depends only on the study's seed, the
//! trial's number and the trials that there are, so a study of one worker that was interrupted goes on as if it had not been.
//! Any number of workers run this loop on one study. What the evaluation is, the loop does not know: it needs no libtorch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;

use crate::proposal::{Hurdle, ProposalError, Proposer};
use crate::space::LimitsError;
use crate::study::{
    GivenUp, Heartbeat, Lease, Measured, Proposal, Storage, StoreError, Trial, TrialState, Worker,
};

/// How soon a worker that has nothing to do looks whether that has changed; twice as long each time, up to the longest.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

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
    /// The user asked to stop, or the trial was lost to another worker; it stays open and is done again.
    Interrupted,
}

/// Trains and measures one trial.
pub trait Evaluator {
    /// Evaluates a trial of the study, or stops soon after `lost` has been set: another worker has it by then.
    fn evaluate(&mut self, assignment: &Assignment, lost: &AtomicBool) -> Evaluation;

    /// Is told before each trial how many of the study have ended, whoever ended them.
    fn begins(&mut self, number: u64, ended: u64);

    /// Is told of each trial that this worker has ended.
    fn ended(&mut self, trial: &Trial);

    /// Is told of a trial that another worker has taken over.
    fn superseded(&mut self, number: u64);

    /// Whether the user asked to stop.
    fn is_interrupted(&self) -> bool;

    /// Whether the float network of this earlier trial can be used without training it again.
    fn has_float(&self, trial: u64) -> bool;
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

/// Works on the study as `worker` until it has `wanted` trials that have all ended.
///
/// # Errors
/// See [`SessionError`]; a failed trial is none.
pub fn run(
    store: &mut dyn Storage,
    worker: &Worker,
    wanted: u64,
    evaluator: &mut dyn Evaluator,
) -> Result<Ending, SessionError> {
    store.enlist(worker)?;
    let proposer = Proposer::new(store.config())?;
    let heartbeat = Heartbeat::start(store.another()?, worker.grace);
    // The trial whose float network was used last.
    let mut last = None;
    let mut pause = MIN_BACKOFF;
    loop {
        if evaluator.is_interrupted() {
            return Ok(Ending::Interrupted);
        }
        let (lease, assignment) = match next(store, &proposer, wanted, last, evaluator)? {
            Next::Trial(lease, assignment) => (lease, *assignment),
            Next::Wait => {
                std::thread::sleep(pause);
                pause = MAX_BACKOFF.min(2 * pause);
                continue;
            }
            Next::Retry => continue,
            Next::End(ending) => return Ok(ending),
        };
        pause = MIN_BACKOFF;
        last = Some(assignment.proposal.weights_from.unwrap_or(assignment.number));
        let lost = heartbeat.watch(lease);
        let evaluation = evaluator.evaluate(&assignment, &lost);
        heartbeat.rest();
        let state = match evaluation {
            Evaluation::Finished(measured) => TrialState::Finished(measured),
            Evaluation::GivenUp(given_up) => TrialState::GivenUp(given_up),
            Evaluation::Failed(reason) => TrialState::Failed { reason },
            Evaluation::Interrupted if lost.load(Ordering::Relaxed) && !evaluator.is_interrupted() => {
                evaluator.superseded(lease.number);
                continue;
            }
            Evaluation::Interrupted => {
                store.release(lease)?;
                return Ok(Ending::Interrupted);
            }
        };
        match store.end(lease, &state) {
            Ok(()) => {
                let Proposal { genotype, usage, weights_from } = assignment.proposal;
                evaluator.ended(&Trial {
                    number: lease.number,
                    genotype,
                    usage,
                    weights_from,
                    worker: None,
                    state,
                });
            }
            Err(StoreError::Superseded { number, .. }) => evaluator.superseded(number),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a worker does next.
enum Next {
    /// Evaluates this.
    Trial(Lease, Box<Assignment>),
    /// Waits for trials that others work on: they may have to be taken over.
    Wait,
    /// Asks again: another worker was faster.
    Retry,
    /// Nothing more.
    End(Ending),
}

fn next(
    store: &mut dyn Storage,
    proposer: &Proposer,
    wanted: u64,
    last: Option<u64>,
    evaluator: &mut dyn Evaluator,
) -> Result<Next, SessionError> {
    let open = store.claim_open()?;
    let trials = store.trials()?;
    let (lease, proposal) = if let Some(lease) = open {
        let Trial { genotype, usage, weights_from, .. } = trials[lease.number as usize].clone();
        (lease, Proposal { genotype, usage, weights_from })
    } else {
        let end_with =
            |ending| if trials.iter().any(Trial::is_running) { Next::Wait } else { Next::End(ending) };
        if trials.len() as u64 >= wanted {
            return Ok(end_with(Ending::Complete));
        }
        // After a pause it is the one of the latest trial.
        let last = last.or_else(|| trials.last().map(|trial| trial.weights_from.unwrap_or(trial.number)));
        let at_hand = |trial| evaluator.has_float(trial);
        let Some(proposal) = proposer.next(&trials, last, &at_hand)? else {
            return Ok(end_with(Ending::Exhausted));
        };
        match store.claim_new(trials.len() as u64, &proposal)? {
            Some(lease) => (lease, proposal),
            None => return Ok(Next::Retry),
        }
    };
    evaluator.begins(lease.number, trials.iter().filter(|trial| !trial.is_running()).count() as u64);
    let before = &trials[..lease.number as usize];
    let hurdle =
        if proposal.weights_from.is_none() { proposer.hurdle(before, &proposal.genotype) } else { None };
    Ok(Next::Trial(lease, Box::new(Assignment { number: lease.number, proposal, hurdle })))
}
