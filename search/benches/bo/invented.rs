//! An invented accuracy over the real space `extended`: real genes, real canonical forms, real bytes and MACs; only the
//! accuracy is a formula. It rises with size and MACs towards a ceiling; most genes have a small optimum of their own,
//! some pairs interact, and trials are noisy.

use bomp_search::bo::pareto::{Front, Objectives, Reference};
use bomp_search::bo::problem::{Dimension, Kind, Point, Problem};
use bomp_search::space::{Limits, Space, SpaceProblem};
use bomp_search::stream::stream;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{Arguments, Oracle, median, milliseconds_per_trial, strategies, studies};

/// Budget in bytes.
const BUDGET: usize = 10_000;
/// Standard deviation of an observed accuracy.
const NOISE: f64 = 0.003;
/// Trials after which the hypervolume is printed.
const MILESTONES: [usize; 5] = [25, 50, 100, 150, 300];

pub(crate) struct Invented {
    problem: SpaceProblem,
    /// For each dimension the best place and what being 1 away from it costs.
    optima: Vec<(f64, f64)>,
    /// Pairs of dimensions that should agree, and what disagreeing by 1 costs.
    pairs: Vec<(usize, usize, f64)>,
}

impl Invented {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let limits = Limits { max_size: Some(BUDGET), ..Limits::default() };
        let problem = SpaceProblem::new(Space::open("extended")?, limits)?;
        let mut rng = stream(0, 0, "invented accuracy");
        let n = problem.dimensions().len();
        // Few genes matter much, most a little.
        let mut weight = |most: f64| most * rng.random::<f64>().powi(4);
        let weights: Vec<f64> = (0..n).map(|_| weight(0.05)).collect();
        let pair_weights: Vec<f64> = (0..n).map(|_| weight(0.03)).collect();
        let optima = weights.into_iter().map(|w| (rng.random::<f64>(), w)).collect();
        let pairs =
            pair_weights.into_iter().map(|w| (rng.random_range(0..n), rng.random_range(0..n), w)).collect();
        Ok(Self { problem, optima, pairs })
    }

    fn accuracy(&self, point: &Point) -> f64 {
        let log_bytes = self.problem.costs(std::slice::from_ref(point))[0].unwrap_or((BUDGET as f64).log10());
        let log_macs = self.problem.features(std::slice::from_ref(point))[0][0];
        let place = |d: usize| match &self.problem.dimensions()[d].kind {
            Kind::Ordinal(c) if c.len() > 1 => (c[usize::from(point[d])] - c[0]) / (c[c.len() - 1] - c[0]),
            _ => 0.0,
        };
        let own: f64 =
            self.optima.iter().enumerate().map(|(d, (best, w))| w * (place(d) - best).powi(2)).sum();
        let together: f64 = self.pairs.iter().map(|&(a, b, w)| w * (place(a) - place(b)).powi(2)).sum();
        let small = 0.25 * (-1.5 * (log_bytes - 3.0)).exp() + 0.1 * (-(log_macs - 4.5)).exp();
        0.95 - small - own - together
    }

    /// The hypervolume of the best front that hill climbing on the formula itself finds.
    fn best_known(&self) -> f64 {
        let mut front = Front::new(self.reference());
        let mut rng = stream(0, 0, "best known");
        for step in 0..40 {
            let most = 3.0 + f64::from(step) / 39.0 * ((BUDGET as f64).log10() - 3.0);
            let mut best: Option<(Point, Objectives)> = None;
            for attempt in 0..3000 {
                let point = match &best {
                    Some((point, _)) if attempt > 300 => self.problem.mutate(point, &mut rng),
                    _ => self.problem.sample(&mut rng),
                };
                if self.problem.costs(std::slice::from_ref(&point))[0].is_none() {
                    continue;
                }
                let truth = self.truth(&point);
                front.insert(truth);
                if truth.cost <= most && best.as_ref().is_none_or(|(_, o)| truth.value > o.value) {
                    best = Some((point, truth));
                }
            }
        }
        front.hypervolume()
    }
}

impl Problem for Invented {
    fn dimensions(&self) -> &[Dimension] {
        self.problem.dimensions()
    }

    fn canonicalise(&self, point: &mut [u16]) {
        self.problem.canonicalise(point);
    }

    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        self.problem.costs(points)
    }

    fn features(&self, points: &[Point]) -> Vec<Vec<f64>> {
        self.problem.features(points)
    }

    fn sample(&self, rng: &mut ChaCha8Rng) -> Point {
        self.problem.sample(rng)
    }

    fn mutate(&self, point: &Point, rng: &mut ChaCha8Rng) -> Point {
        self.problem.mutate(point, rng)
    }
}

impl Oracle for Invented {
    fn reference(&self) -> Reference {
        Reference { value: 0.5, cost: (BUDGET as f64 + 1.0).log10() }
    }

    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Objectives {
        let Objectives { value, cost } = self.truth(point);
        Objectives { value: value + NOISE * rng.sample::<f64, _>(rand_distr::StandardNormal), cost }
    }

    fn truth(&self, point: &Point) -> Objectives {
        let cost =
            self.problem.costs(std::slice::from_ref(point))[0].expect("only feasible points are tried");
        Objectives { value: self.accuracy(point), cost }
    }
}

/// Prints the median part of the best known hypervolume after some trials.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let invented = Invented::new()?;
    let best = invented.best_known();
    println!(
        "\ninvented accuracy on `extended` ({} dimensions) within {BUDGET} bytes: median % of the best known hypervolume",
        invented.dimensions().len()
    );
    let milestones: Vec<usize> = MILESTONES.into_iter().filter(|&m| m <= arguments.invented_trials).collect();
    let heads: String = milestones.iter().map(|m| format!(" {m:>6}")).collect();
    println!("{:>12}{heads} {:>14}", "strategy", "ms/proposal");
    for strategy in strategies() {
        let studies = studies(&invented, strategy.as_ref(), arguments.invented_trials, arguments.seeds)?;
        let after =
            |m: usize| median(studies.iter().filter_map(|study| study.hypervolumes.get(m - 1).copied()));
        let row: String =
            milestones.iter().map(|&m| format!(" {:>6.1}", after(m).unwrap_or(0.0) / best * 100.0)).collect();
        println!("{:>12}{row} {:>14.1}", strategy.name(), milliseconds_per_trial(&studies));
    }
    Ok(())
}
