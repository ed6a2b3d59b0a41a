//! The table of one problem: a row for each strategy with its median number of trials to parts of the best hypervolume.

use bomp_search::ask_tell::Definition;
use bomp_search::bo::pareto::Front;
use bomp_search::bo::preference::Preference;
use bomp_search::bo::strategy::{Ehvi, Score, Strategy};
use bomp_search::study::StrategyKind;

use crate::client::{Oracle, Study, study};

/// Parts of the best hypervolume.
const PARTS: [f64; 4] = [0.8, 0.9, 0.95, 0.98];

/// A strategy in the table.
#[derive(Clone, Copy)]
pub(crate) struct Entrant {
    /// Which.
    pub(crate) kind: StrategyKind,
    /// Of `ehvi`.
    pub(crate) preference: Preference,
}

impl Entrant {
    fn strategy(self) -> Box<dyn Strategy> {
        match self.kind {
            StrategyKind::Ehvi => Box::new(Ehvi::new(None, self.preference)),
            kind => {
                kind.strategy(None, Score { reference_size: 8.0, log_bits: None, reference_accuracy: None })
            }
        }
    }

    fn name(self) -> String {
        let high = if self.preference == Preference::High { ", high" } else { "" };
        format!("{}{high}", self.strategy().name())
    }
}

/// Of each kind, `ehvi` both ways if the hypervolume counts from a constant answer up.
pub(crate) fn entrants(kinds: &[StrategyKind], from_chance: bool) -> Vec<Entrant> {
    let of = |&kind: &StrategyKind| {
        let both = from_chance && kind == StrategyKind::Ehvi;
        let high = both.then_some(Entrant { kind, preference: Preference::High });
        high.into_iter().chain([Entrant { kind, preference: Preference::Uniform }])
    };
    kinds.iter().flat_map(of).collect()
}

/// Prints the table of `oracle`; the other rows say how many times as many trials as the first they need.
pub(crate) fn run(
    oracle: &(impl Oracle + Sync),
    entrants: &[Entrant],
    trials: usize,
    seeds: u64,
) -> anyhow::Result<()> {
    let best = oracle.best_hypervolume();
    println!("{}\nmedian trials over {seeds} seeds, at most {trials}, through ask-tell", oracle.title());
    let heads: String =
        PARTS.iter().map(|part| format!(" {:>14}", format!("to {:.0} %", part * 100.0))).collect();
    println!("{:>10}{heads} {:>10} {:>10} {:>14}", "strategy", "% at end", "% low", "ms/proposal");
    let mut first: Vec<Option<f64>> = Vec::new();
    for &entrant in entrants {
        let strategy = || entrant.strategy();
        let studies = studies(oracle, &strategy, trials, seeds)?;
        let reached = PARTS.map(|part| {
            let trials = |study: &Study| study.hypervolumes.iter().position(|&h| h >= part * best);
            median(
                studies.iter().map(|study| trials(study).map_or(f64::INFINITY, |first| first as f64 + 1.0)),
            )
        });
        if first.is_empty() {
            first = reached.to_vec();
        }
        let cell = |(&reached, &first): (&Option<f64>, &Option<f64>)| {
            let ratio = first.map_or(String::new(), |first| {
                format!(" ({:.1}x)", reached.unwrap_or(trials as f64) / first)
            });
            match reached {
                Some(reached) => format!(" {:>14}", format!("{reached}{ratio}")),
                None => format!(" {:>14}", format!("> {trials}{ratio}")),
            }
        };
        let cells: String = reached.iter().zip(&first).map(cell).collect();
        let end =
            median(studies.iter().filter_map(|study| study.hypervolumes.last().copied())).unwrap_or(0.0);
        let time: f64 = studies.iter().map(|study| study.thinking.as_secs_f64()).sum();
        let proposals: usize = studies.iter().map(|study| study.hypervolumes.len()).sum();
        println!(
            "{:>10}{cells} {:>10.1} {:>10.0} {:>14.1}",
            entrant.name(),
            end / best * 100.0,
            100.0 * low(oracle.reference().value, &studies),
            time * 1e3 / proposals.max(1) as f64
        );
    }
    println!();
    Ok(())
}

/// The part of the trials whose value lies in the lower half between `reference` and the best of their study.
fn low(reference: f64, studies: &[Study]) -> f64 {
    let of = |study: &Study| {
        let best = study.values.iter().copied().fold(reference, f64::max);
        let low = study.values.iter().filter(|&&value| value < (reference + best) / 2.0).count();
        low as f64 / study.values.len().max(1) as f64
    };
    studies.iter().map(of).sum::<f64>() / studies.len().max(1) as f64
}

/// The hypervolume of the true objectives of `points` of an oracle.
pub(crate) fn hypervolume<'a>(
    oracle: &impl Oracle,
    points: impl IntoIterator<Item = &'a bomp_search::bo::problem::Point>,
) -> f64 {
    Front::of(oracle.reference(), points.into_iter().map(|point| oracle.truth(point))).hypervolume()
}

/// One study for each seed, on all cores.
fn studies(
    oracle: &(impl Oracle + Sync),
    strategy: &(impl Fn() -> Box<dyn Strategy> + Sync),
    trials: usize,
    seeds: u64,
) -> anyhow::Result<Vec<Study>> {
    let definition = Definition::parse(&oracle.title(), &oracle.definition().to_string())?;
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let definition = &definition;
    std::thread::scope(|scope| {
        let run = |worker| {
            move || -> Vec<anyhow::Result<Study>> {
                let own = (worker..seeds).step_by(workers as usize);
                own.map(|seed| study(oracle, definition, &*strategy(), trials, seed)).collect()
            }
        };
        let handles: Vec<_> = (0..workers).map(|worker| scope.spawn(run(worker))).collect();
        let parts: Vec<Vec<anyhow::Result<Study>>> =
            handles.into_iter().map(|h| h.join().expect("a study does not panic")).collect();
        parts.into_iter().flatten().collect()
    })
}

/// The median, `None` where it would be an infinity.
fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let middle = (values.get(n.saturating_sub(1) / 2)? + values[n / 2]) / 2.0;
    middle.is_finite().then_some(middle)
}
