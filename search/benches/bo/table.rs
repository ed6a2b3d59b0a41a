//! A table of real trainings: nominal operations, validation accuracy [%] of several seeds, size [MB].

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bomp_search::bo::pareto::{Objectives, Reference};
use bomp_search::bo::problem::Point;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::client::Oracle;
use crate::compare::hypervolume;

struct Entry {
    accuracies: Vec<f64>,
    size: f64,
}

pub(crate) struct Table {
    path: PathBuf,
    /// Accuracy [%] from which the hypervolume is measured.
    pub(crate) reference: f64,
    /// Name and number of choices of each operation.
    operations: Vec<(String, u16)>,
    entries: HashMap<Point, Entry>,
}

impl Table {
    pub(crate) fn read(path: &Path, reference: f64) -> anyhow::Result<Self> {
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
            let size = fields[size].parse().with_context(|| line.to_owned())?;
            let entry = Entry { accuracies: seen.with_context(|| line.to_owned())?, size };
            entries.insert(point.with_context(|| line.to_owned())?, entry);
        }
        let levels = |i: usize| entries.keys().map(|point| point[i]).max().map_or(0, |most| most + 1);
        let operations =
            operations.iter().enumerate().map(|(i, &column)| (header[column].to_owned(), levels(i)));
        Ok(Self { path: path.to_owned(), reference, operations: operations.collect(), entries })
    }

    fn largest(&self) -> f64 {
        self.entries.values().map(|entry| entry.size).fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Oracle for Table {
    fn title(&self) -> String {
        format!(
            "{}: {} networks really trained, hypervolume from {} % up",
            self.path.display(),
            self.entries.len(),
            self.reference
        )
    }

    fn definition(&self) -> Value {
        let parameter = |(name, levels): &(String, u16)| {
            let choices: Vec<String> = (0..*levels).map(|level| level.to_string()).collect();
            json!({"name": name, "kind": "nominal", "choices": choices})
        };
        json!({
            "parameters": self.operations.iter().map(parameter).collect::<Vec<_>>(),
            "objectives": [
                {"name": "accuracy", "direction": "maximise", "reference": self.reference},
                {"name": "size", "direction": "minimise", "scale": "log10", "known": true, "reference": self.largest()},
            ],
        })
    }

    fn reference(&self) -> Reference {
        Reference { value: self.reference, cost: self.largest().log10() }
    }

    fn best_hypervolume(&self) -> f64 {
        hypervolume(self, self.entries.keys())
    }

    fn cost(&self, point: &Point) -> Option<f64> {
        Some(self.entries[point].size)
    }

    fn observe(&self, point: &Point, rng: &mut ChaCha8Rng) -> Option<Value> {
        let accuracies = &self.entries[point].accuracies;
        Some(json!({"accuracy": accuracies[rng.random_range(0..accuracies.len())]}))
    }

    fn truth(&self, point: &Point) -> Objectives {
        let entry = &self.entries[point];
        let mean = entry.accuracies.iter().sum::<f64>() / entry.accuracies.len() as f64;
        Objectives { value: mean, cost: entry.size.log10() }
    }
}
