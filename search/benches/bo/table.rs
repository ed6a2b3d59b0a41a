//! A table of real trainings: nominal operations, validation accuracy [%] of several seeds, size [MB].

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use bomp_search::bo::pareto::{Front, Objectives, Reference};
use bomp_search::bo::problem::{Dimension, Point, Problem};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::{Arguments, Oracle, median, milliseconds_per_trial, strategies, studies};

/// Accuracy [%] from which the hypervolume is measured.
const REFERENCE: f64 = 80.0;

struct Entry {
    accuracies: Vec<f64>,
    log_size: f64,
}

struct Table {
    dimensions: Vec<Dimension>,
    entries: HashMap<Point, Entry>,
}

impl Table {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let columns = |prefix: &str| -> Vec<usize> {
            (0..header.len()).filter(|&i| header[i].starts_with(prefix)).collect()
        };
        let (operations, accuracies) = (columns("op"), columns("val_acc_"));
        let size =
            header.iter().position(|&name| name == "model_size_mb").context("no column model_size_mb")?;
        let mut entries = HashMap::new();
        for line in lines {
            let fields: Vec<&str> = line.split(',').collect();
            let point: Result<Point, _> = operations.iter().map(|&i| fields[i].parse()).collect();
            let seen: Result<Vec<f64>, _> =
                accuracies.iter().filter(|&&i| !fields[i].is_empty()).map(|&i| fields[i].parse()).collect();
            let log_size = fields[size].parse::<f64>().with_context(|| line.to_owned())?.log10();
            let entry = Entry { accuracies: seen.with_context(|| line.to_owned())?, log_size };
            entries.insert(point.with_context(|| line.to_owned())?, entry);
        }
        let levels = |i: usize| entries.keys().map(|point| point[i]).max().map_or(0, |most| most + 1);
        let dimensions =
            operations.iter().enumerate().map(|(i, &column)| Dimension::nominal(header[column], levels(i)));
        Ok(Self { dimensions: dimensions.collect(), entries })
    }

    fn exact_hypervolume(&self) -> f64 {
        Front::of(self.reference(), self.entries.keys().map(|point| self.truth(point))).hypervolume()
    }
}

impl Problem for Table {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn costs(&self, points: &[Point]) -> Vec<Option<f64>> {
        points.iter().map(|point| self.entries.get(point).map(|entry| entry.log_size)).collect()
    }
}

impl Oracle for Table {
    fn reference(&self) -> Reference {
        let cost = self.entries.values().map(|entry| entry.log_size).fold(f64::NEG_INFINITY, f64::max);
        Reference { value: REFERENCE, cost }
    }

    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Objectives {
        let entry = &self.entries[point];
        let seed = rng.random_range(0..entry.accuracies.len());
        Objectives { value: entry.accuracies[seed], cost: entry.log_size }
    }

    fn truth(&self, point: &Point) -> Objectives {
        let entry = &self.entries[point];
        let mean = entry.accuracies.iter().sum::<f64>() / entry.accuracies.len() as f64;
        Objectives { value: mean, cost: entry.log_size }
    }
}

/// Prints the median number of trials to 95 % and to 98 % of the exact hypervolume.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let table = Table::read(&arguments.table)?;
    let exact = table.exact_hypervolume();
    println!(
        "{}: {} points, exact hypervolume {exact:.4}; median trials over {} seeds, at most {}",
        arguments.table.display(),
        table.entries.len(),
        arguments.seeds,
        arguments.trials
    );
    println!("{:>12} {:>8} {:>8} {:>14}", "strategy", "to 95 %", "to 98 %", "ms/proposal");
    for strategy in strategies() {
        let studies = studies(&table, strategy.as_ref(), arguments.trials, arguments.seeds)?;
        let trials_to = |fraction: f64| {
            let reached = studies.iter().map(|study| {
                let first = study.hypervolumes.iter().position(|&h| h >= fraction * exact);
                first.map_or(usize::MAX, |first| first + 1)
            });
            match median(reached) {
                Some(trials) if trials < usize::MAX => trials.to_string(),
                _ => format!("> {}", arguments.trials),
            }
        };
        let (to_95, to_98) = (trials_to(0.95), trials_to(0.98));
        let time = milliseconds_per_trial(&studies);
        println!("{:>12} {to_95:>8} {to_98:>8} {time:>14.1}", strategy.name());
    }
    Ok(())
}
