//! The time of one proposal late in a long study, on one core: 1,000 finished and 16 pending trials in `extended`.

use std::time::Instant;

use bomp_search::bo::history::{History, Observation, Outcome};
use bomp_search::bo::pareto::Objectives;
use bomp_search::bo::problem::{Point, Problem};
use bomp_search::bo::strategy::{Ehvi, SearchState, Strategy};
use bomp_search::stream::stream;

use crate::client::Oracle;
use crate::synthetic::Synthetic;

const FINISHED: usize = 1000;
const PENDING: usize = 16;
const REPETITIONS: u64 = 5;

/// Prints the time of a proposal.
pub(crate) fn run() -> anyhow::Result<()> {
    let synthetic = Synthetic::extended()?;
    let problem = &synthetic.problem;
    let mut rng = stream(0, 0, "late");
    let mut history = History::new();
    let mut pending: Vec<Point> = Vec::new();
    while pending.len() < PENDING {
        // Half of them close to the front, as in a real study.
        let front = history.front(synthetic.reference());
        let parents: Vec<&Point> =
            history.finished().filter(|(_, o)| front.points().contains(o)).map(|(point, _)| point).collect();
        let ended = history.observations().len();
        let point = match parents.get(ended % (2 * parents.len().max(1))) {
            Some(parent) => problem.mutate(parent, &mut rng),
            None => problem.sample(&mut rng),
        };
        let Some(cost) = problem.costs(std::slice::from_ref(&point))[0] else { continue };
        if ended < FINISHED {
            let value = synthetic.observed(&point, &mut rng);
            let outcome = Outcome::Finished(Objectives { value, cost });
            history.push(problem.dimensions(), Observation { point, outcome })?;
        } else {
            pending.push(point);
        }
    }
    let state =
        SearchState { problem, reference: synthetic.reference(), history: &history, pending: &pending };
    println!(
        "\none proposal after {FINISHED} finished and {PENDING} pending trials in {} dimensions, on one core",
        problem.dimensions().len()
    );
    for repetition in 0..REPETITIONS {
        let begun = Instant::now();
        let proposal = Ehvi::default().propose(&state, 1, &mut stream(repetition, 0, "propose"));
        anyhow::ensure!(proposal.points.len() == 1, "nothing was proposed");
        println!("{:>12} {:.3} s", "ehvi", begun.elapsed().as_secs_f64());
    }
    Ok(())
}
